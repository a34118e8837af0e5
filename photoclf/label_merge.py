"""Labels journal → manifest: every file with a labelled content gets the label."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from photoclf import steps
from photoclf.errors import ArchiveError, TableError
from photoclf.files import replacing, sha256_file
from photoclf.label_agreement import conflicts_table, photo_or_not
from photoclf.label_folders import known_folders, name_folders, understood, unknown_labels
from photoclf.label_journal import LabelJournal, latest
from photoclf.locks import locked
from photoclf.manifest import POSITIVE_FOLDER, read_manifest
from photoclf.paths import Workspace, remember_archive, resolve_archive
from photoclf.schema import AUDIT, LABELS, MANIFEST, check_table
from photoclf.tables import read_chunks, write_table

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
    folders are the labels to start from. The archive is remembered for the verbs that come after,
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
        made = latest(journal.read())
        name_folders(workspace, class_folders)
        known = known_folders(workspace, place, positive_folder=positive_folder)
        unknown = unknown_labels(made, known)
        rows = understood(made, known)
        decided, unsure = _decided(rows, positive_folder)
        unsure -= set(made.sha256[made.label.isin(unknown.label)])
        found = _files_with(decided, rows, workspace, place)
        wanted = found.files[~found.files.index.duplicated()]
        before = labels.reindex(wanted.index)
        new = wanted[before.isna() | (before != wanted)]
        kept_beside = None
        if len(new):
            kept_beside = _keep_before(workspace)
            merged = pd.concat([labels.drop(new.index, errors="ignore"), new]).sort_index()
            table = merged.rename("label").rename_axis("pathname").reset_index()
            write_table(check_table(table, MANIFEST), workspace.manifest, MANIFEST)
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
        manifest=workspace.manifest,
        before=kept_beside,
    )


@dataclass(frozen=True)
class _Found:
    files: pd.Series  # label by pathname
    gone: tuple[str, ...]
    changed: tuple[str, ...]


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


def _files_with(
    decided: pd.Series, rows: pd.DataFrame, workspace: Workspace, archive: Path
) -> _Found:
    labels = {str(sha256): int(label) for sha256, label in decided.items()}
    names = rows[rows.sha256.isin(set(labels))]
    seen = dict(zip(names.pathname, names.sha256, strict=True))
    files: dict[str, int] = {}
    changed: list[str] = []
    met: set[str] = set()
    for pathname, sha256, unread in _candidates(seen, set(labels), workspace, archive):
        now = sha256 if unread else _hash(archive / pathname)
        if now == sha256:
            files[pathname] = labels[sha256]
            met.add(sha256)
        elif now:
            changed.append(pathname)
    last = dict(zip(names.sha256, names.pathname, strict=True))
    gone = sorted(
        name for sha256, name in last.items() if sha256 not in met and name not in set(changed)
    )
    label = pd.Series(files, dtype="int64", name="label").rename_axis("pathname").sort_index()
    return _Found(label, tuple(gone), tuple(sorted(set(changed))))


def _candidates(
    seen: dict[str, str], wanted: set[str], workspace: Workspace, archive: Path
) -> Iterator[tuple[str, str, bool]]:
    """List files that have, or had, a labelled content, and whether they needn't be read again."""
    listed = set()
    for name, sha256, size, mtime_ns in _audited(workspace.audit):
        if sha256 in wanted:
            facts = _facts(archive / name)
            if facts is not None:
                listed.add((name, sha256))
                yield name, sha256, facts == (size, mtime_ns)
    for name, sha256 in seen.items():
        if (name, sha256) not in listed:
            yield name, sha256, False


def _audited(audit: Path) -> Iterator[Iterable]:
    if audit.is_file():
        columns = ["pathname", "sha256", "bytes", "mtime_ns"]
        for rows in read_chunks(audit, AUDIT, columns):
            yield from rows[columns].itertuples(index=False)


def _facts(path: Path) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


def _hash(path: Path) -> str:
    try:
        return sha256_file(path) if path.is_file() else ""
    except OSError:  # unreadable: nothing is known of it
        return ""


def _keep_before(workspace: Workspace) -> Path | None:
    if not workspace.manifest.is_file():
        return None
    before = workspace.manifest.with_name("manifest.before_labels.csv")
    with replacing(before) as file:
        file.write(workspace.manifest.read_bytes())
    return before


def _told(new: pd.Series, labels: pd.Series) -> pd.DataFrame:
    before = labels.reindex(new.index).map(LABELS).fillna("")
    rows = {"pathname": new.index, "before": before.to_numpy(), "after": new.map(LABELS).to_numpy()}
    return pd.DataFrame(rows, columns=list(CHANGES)).astype("str")
