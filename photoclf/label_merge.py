"""Labels journal → manifest: every file with a labelled content gets the label."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from photoclf import steps
from photoclf.errors import ArchiveError, TableError
from photoclf.files import read_json, replacing, sha256_file, write_json
from photoclf.label_agreement import conflicts_table, photo_or_not
from photoclf.label_files import labelled_files
from photoclf.label_folders import known_folders, name_folders, understood, unknown_labels
from photoclf.label_journal import LabelJournal, latest
from photoclf.label_undone import UNNAMED, once_agreed, undone_labels
from photoclf.locks import locked
from photoclf.manifest import POSITIVE_FOLDER, read_manifest
from photoclf.paths import Workspace, remember_archive, resolve_archive
from photoclf.schema import LABELS, MANIFEST, check_table
from photoclf.tables import write_table

CHANGES = ("pathname", "before", "after")


@dataclass(frozen=True)
class LabelMerge:
    """What merging a journal did.

    Args:
        changes: One row a file whose label is another now: `pathname`, its label `before` (empty
            for a file that the manifest didn't name) and `after`.
        kept: Files that had the label already.
        conflicts: Contents left out since people contradict each other, see
            `label_agreement.conflicts_table`.
        unsure: Contents left out since nobody is sure.
        unknown: Labels left out since they are no class folder's name, see
            `label_folders.unknown_labels`.
        gone: Labelled images that the archive doesn't have, under the last name they were seen
            under.
        changed: Files whose bytes aren't those that were labelled; what is in them now, nobody has
            looked at.
        misnamed: Pathnames in the journal that no file of the archive can have; none was looked at.
        undone: Files whose label was merged, and that nobody stands by any more: people took it
            back, contradict each other or are unsure by now. One row each: `pathname`, the `label`
            that the manifest had, and what it was put `back` to: `photo`, `other`, `unnamed` (the
            manifest didn't name the file), or empty where that isn't known and nothing was done.
        manifest: The manifest.
        before: The previous one, kept beside; None when nothing changed, or there was none.
    """

    changes: pd.DataFrame
    kept: int
    conflicts: pd.DataFrame
    unsure: int
    unknown: pd.DataFrame
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    misnamed: tuple[str, ...]
    undone: pd.DataFrame
    manifest: Path
    before: Path | None


def merge_labels(
    workspace: Workspace,
    archive: str | Path | None = None,
    *,
    positive_folder: str = POSITIVE_FOLDER,
    class_folders: Collection[str] = (),
) -> LabelMerge:
    """Bring what people decided into the manifest, by content.

    A label belongs to an image's bytes: every file of the archive that has them gets it, also one
    that the manifest didn't name. Merging again changes nothing more. An archive without class
    folders starts from an empty manifest; in one with class folders, that nobody has scanned,
    folders are the labels to start from. A merged label that nobody stands by any more is put back,
    see `label_undone`. The archive is remembered for the verbs that come after,
    once it has a labelled image.

    Args:
        workspace: Holds journal, manifest and audit.
        archive: The archive's folder, see `paths.resolve_archive`.
        positive_folder: The class folder that holds photographs.
        class_folders: Names that labels may have, though the archive has no such folder; they are
            remembered.

    Returns:
        What was done. The manifest is replaced at once, or stays as it was.

    Raises:
        TableError: If there is no journal, or a table is spoilt.
        ArchiveError: If the archive isn't there.
        ConfigError: If a class folder's name can't be one.
    """
    journal = LabelJournal(workspace.labels)
    if not journal.path.is_file():
        raise TableError(
            f"Merging needs a labels journal. Received: no {journal.path}. Label first: notebook"
            " 08_label."
        )
    place = resolve_archive(archive, workspace)
    with locked(workspace.data / ".manifest.lock"):
        labels = _manifest(workspace, place, positive_folder).set_index("pathname").label
        journalled = journal.read()
        made = latest(journalled)
        name_folders(workspace, class_folders)
        known = known_folders(workspace, place, positive_folder=positive_folder)
        unknown = unknown_labels(made, known)
        rows = understood(made, known)
        decided, unsure = _decided(rows, positive_folder)
        unsure -= set(made.sha256[made.label.isin(unknown.label)])
        found = labelled_files(set(decided.index), rows, workspace.audit, place)
        wanted = pd.Series({f: int(decided[s]) for f, s in found.files.items()}, dtype="int64")
        before = labels.reindex(wanted.index)
        new = wanted[before.isna() | (before != wanted)].sort_index()
        left = set(journalled.sha256) - set(decided.index)
        agreed = once_agreed(understood(journalled, known), left, positive_folder)
        undone = _undone(agreed, journalled, labels, workspace, place, positive_folder)
        back = undone[undone.back.notna()]
        kept_beside = None
        if len(new) or len(back):
            kept_beside = _keep_before(workspace)
            named = back[back.back != UNNAMED].set_index("pathname").back.astype("int64")
            same = labels.drop([*new.index, *back.pathname], errors="ignore")
            merged = pd.concat([same, new, named]).sort_index()
            table = merged.rename("label").rename_axis("pathname").reset_index()
            write_table(check_table(table, MANIFEST), workspace.manifest, MANIFEST)
            if kept_beside is not None:
                write_json(_note(workspace), {"manifest_sha256": sha256_file(workspace.manifest)})
    if len(wanted):
        remember_archive(workspace, place)
    return LabelMerge(
        changes=_told(new, labels),
        kept=len(wanted) - len(new),
        conflicts=conflicts_table(rows, positive_folder),
        unsure=len(unsure),
        unknown=unknown,
        gone=found.gone,
        changed=found.changed,
        misnamed=found.misnamed,
        undone=_in_words(undone),
        manifest=workspace.manifest,
        before=kept_beside,
    )


def _manifest(workspace: Workspace, archive: Path, positive_folder: str) -> pd.DataFrame:
    if not workspace.manifest.is_file():
        try:
            return steps.scan(workspace, archive, positive_folder=positive_folder)
        except ArchiveError:  # no class folders: what people labelled is all that is known
            return check_table(pd.DataFrame({"pathname": [], "label": []}), MANIFEST)
    return read_manifest(workspace.manifest)


def _decided(rows: pd.DataFrame, positive_folder: str) -> tuple[pd.Series, set[str]]:
    """Return the label of each content that people agree on, and those nobody is sure of."""
    values = photo_or_not(rows.label, positive_folder).groupby(rows.sha256)
    kinds = values.nunique()
    labels = values.max()[kinds == 1].astype("int64")
    return labels, set(kinds.index[kinds == 0])


def _undone(
    agreed: dict[str, set[int]],
    rows: pd.DataFrame,
    labels: pd.Series,
    workspace: Workspace,
    archive: Path,
    positive_folder: str,
) -> pd.DataFrame:
    """Say what files go back to whose content people once agreed on, and don't by now."""
    found = labelled_files(agreed, rows, workspace.audit, archive) if agreed else None
    files = {f: agreed[sha256] for f, sha256 in found.files.items()} if found else {}
    before = None
    try:
        # Only while the manifest is what the last merge wrote is the one before what it changed.
        written = read_json(_note(workspace))["manifest_sha256"]
        if files and written == sha256_file(workspace.manifest):
            before = read_manifest(_before(workspace)).set_index("pathname").label
    except (OSError, ValueError, LookupError, TypeError, TableError):
        pass  # nothing is known, so nothing is put back
    return undone_labels(files, labels, before, positive_folder)


def _before(workspace: Workspace) -> Path:
    return workspace.manifest.with_name("manifest.before_labels.csv")


def _note(workspace: Workspace) -> Path:
    return _before(workspace).with_suffix(".json")


def _keep_before(workspace: Workspace) -> Path | None:
    if not workspace.manifest.is_file():
        return None
    with replacing(_before(workspace)) as file:
        file.write(workspace.manifest.read_bytes())
    return _before(workspace)


def _in_words(undone: pd.DataFrame) -> pd.DataFrame:
    back = undone.back.map({**LABELS, UNNAMED: "unnamed"}).fillna("")
    return undone.assign(label=undone.label.map(LABELS), back=back).astype("str")


def _told(new: pd.Series, labels: pd.Series) -> pd.DataFrame:
    before = labels.reindex(new.index).map(LABELS).fillna("")
    rows = {"pathname": new.index, "before": before.to_numpy(), "after": new.map(LABELS).to_numpy()}
    return pd.DataFrame(rows, columns=list(CHANGES)).astype("str")
