"""Each verb on a workspace: read its tables, do one piece of work, write its tables."""

import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from photoclf import split_growth
from photoclf.audit import audit_images
from photoclf.cache import PixelCache, build_cache_for
from photoclf.config import RunConfig
from photoclf.errors import ArchiveError, ConfigError
from photoclf.file_list import Source
from photoclf.files import read_json, sha256_file, write_json
from photoclf.label_agreement import named_folders
from photoclf.label_folders import known_folders, understood
from photoclf.label_journal import LabelJournal
from photoclf.manifest import IGNORED_FOLDERS, POSITIVE_FOLDER, read_manifest, scan_archive
from photoclf.paths import (
    Workspace,
    check_outside,
    remember_archive,
    remembered_archive,
    resolve_archive,
)
from photoclf.predict import predict_files
from photoclf.prediction_table import read_predictions
from photoclf.run import Run
from photoclf.run_names import find_model
from photoclf.schema import AUDIT, LEDGER, MANIFEST, SPLIT
from photoclf.source_plan import SourcePlan, plan_source_splits, read_families
from photoclf.split import (
    PROOF_COLUMNS,
    TEST_FRACTION,
    USED_COLUMNS,
    VAL_FRACTION,
    check_fractions,
    check_split,
    make_split,
    read_split,
    usable_images,
)
from photoclf.split_files import check_not_frozen
from photoclf.split_growth import SplitGrowth
from photoclf.tables import read_chunks, write_table


def scan(
    workspace: Workspace,
    archive: str | Path | None = None,
    *,
    positive_folder: str = POSITIVE_FOLDER,
    ignored_folders: Collection[str] = IGNORED_FOLDERS,
) -> pd.DataFrame:
    """Label the archive's files, write the manifest, and remember where the archive is.

    A manifest that a person corrected since the last scan, or made, is kept as it is.

    Returns:
        The manifest.

    Raises:
        ArchiveError: If the archive can't be found, or has not two classes.
        TableError: If the kept manifest names files that the archive doesn't have.
    """
    place = resolve_archive(archive, workspace)
    kept = read_manifest(workspace.manifest, place) if manifest_was_edited(workspace) else None
    try:
        manifest = scan_archive(
            place, positive_folder=positive_folder, ignored_folders=ignored_folders
        )
    except ArchiveError:
        if kept is None:
            raise
        manifest = kept  # an archive without class folders, which people have labelled
    if kept is not None and (manifest is kept or not kept.equals(manifest)):
        manifest = kept
    else:
        write_table(manifest, workspace.manifest, MANIFEST)
        write_json(_scan_note(workspace), {"manifest_sha256": sha256_file(workspace.manifest)})
    remember_archive(workspace, place)
    return manifest


def manifest_was_edited(workspace: Workspace) -> bool:
    """Tell whether the manifest holds anything but what the last scan wrote."""
    note = _scan_note(workspace)
    if not workspace.manifest.is_file():
        return False
    try:
        written = read_json(note)["manifest_sha256"]
    except (OSError, ValueError, KeyError, TypeError):  # no note, or a broken one
        written = ""
    return sha256_file(workspace.manifest) != written


def audit(
    workspace: Workspace,
    archive: str | Path | None = None,
    *,
    ignored_folders: Collection[str] = IGNORED_FOLDERS,
    progress: bool = False,
) -> pd.DataFrame:
    """Examine every file of the archive and write the audit.

    Files that haven't changed since the last audit aren't read again. Without a manifest the
    archive is scanned first; when it has no classes, its files are examined without labels. The
    counts by status and reason, for the client, are written beside it: `data/ledger.csv`.

    Returns:
        The ledger, see `audit.ledger`.
    """
    place = resolve_archive(archive, workspace)
    journal = workspace.data / "audit.journal"
    counts = audit_images(
        place,
        _manifest_of(workspace, place, ignored_folders),
        out=workspace.audit,
        ignored_folders=ignored_folders,
        previous=workspace.audit,
        journal=journal,
        progress=progress,
    )
    write_table(counts, workspace.ledger, LEDGER)
    journal.unlink(missing_ok=True)  # only now: until here it is all that a kill would leave
    remember_archive(workspace, place)
    return counts


def split(
    workspace: Workspace,
    *,
    val_fraction: float = VAL_FRACTION,
    test_fraction: float = TEST_FRACTION,
    hold_out: Collection[str] = (),
    seed: int = 42,
) -> pd.DataFrame:
    """Split the audited images and write the split, which is frozen once a run was trained on it.

    Returns:
        The split.

    Raises:
        SplitError: If another split is there on which runs were trained, or none can be made.
    """
    check_fractions(val_fraction, test_fraction)
    table = make_split(
        _usable_images(workspace),
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        hold_out=hold_out,
        seed=seed,
    )
    check_not_frozen(workspace, workspace.split, table)
    write_table(table, workspace.split, SPLIT)
    return table


def grow_split(workspace: Workspace, name: str) -> SplitGrowth:
    """Grow the split that is worked on by the labels of today, and write the grown one.

    Args:
        workspace: Where audit and split are.
        name: What the new split is called: `data/splits/<name>.csv`, for `--split <name>`.

    Returns:
        The grown split, see `split_growth.grow_split`.

    Raises:
        ConfigError: If the name can't be one, or is that of a plan's split.
        SplitError: If nothing is new, or another split of that name is there with runs on it.
    """
    path = workspace.splits / f"{name}.csv"
    if not _SPLIT_NAME.fullmatch(name) or name.startswith("without_"):
        raise ConfigError(
            "A grown split's name must be letters, digits, `-` and `_`, and not begin with"
            f" `without_`, as those of a plan do. Received: {name!r}."
        )
    if path == workspace.split:
        raise ConfigError(
            f"A split must grow into another one. Received: {name!r} for both. Give another name."
        )
    labels = understood(LabelJournal(workspace.labels).current(), known_folders(workspace))
    growth = split_growth.grow_split(
        read_split(workspace.split), _audit_of_splits(workspace), named_folders(labels)
    )
    check_not_frozen(workspace, path, growth.split)
    write_table(growth.split, path, SPLIT)
    return growth


def plan_splits(
    workspace: Workspace,
    *,
    families: Path | None = None,
    val_fraction: float = VAL_FRACTION,
    seed: int = 42,
) -> SourcePlan:
    """Plan splits that each leave sources out, and write them to `data/splits/<name>.csv`.

    Args:
        workspace: Where the audit is.
        families: A YAML or JSON file of sources that go together, see `read_families`.
        val_fraction: Share of the images outside the test for validation.
        seed: Draws the order of equal groups, 0 or more.

    Returns:
        The plan.

    Raises:
        SplitError: If none can be made, or one of an earlier plan has runs and would change.
    """
    plan = plan_source_splits(
        _usable_images(workspace),
        read_families(families) if families else None,
        val_fraction=val_fraction,
        seed=seed,
    )
    paths = {workspace.splits / f"{name}.csv": table for name, table in plan.splits.items()}
    surplus = set(workspace.splits.glob("without_*.csv")) - set(paths)  # of a longer, earlier plan
    for path in [*paths, *sorted(surplus)]:
        check_not_frozen(workspace, path, paths.get(path))
    for path, table in paths.items():
        write_table(table, path, SPLIT)
    for path in surplus:
        path.unlink()
    return plan


def cache(
    workspace: Workspace,
    *,
    image_size: int | None = None,
    fit: str = "squash",
    storage: str = "exact",
    progress: bool = False,
) -> PixelCache:
    """Decode the split's images at one size, `compact_cnn`'s by default."""
    check_split(read_chunks(workspace.split, SPLIT, PROOF_COLUMNS))
    return build_cache_for(
        RunConfig(image_size=image_size, fit=fit, storage=storage),
        resolve_archive(None, workspace),
        read_chunks(workspace.split, SPLIT, ("pathname", "sha256")),
        workspace.cache,
        progress=progress,
    )


def predict(
    workspace: Workspace, folder: Path, run: Run, *, out: Path, progress: bool = False
) -> pd.DataFrame:
    """Predict every file below a folder and write the predictions.

    Those of another model, or of a folder that has changed since, make way if nobody touched them.

    Raises:
        ConfigError: If `out` lies in the folder or the archive.
        InTheWayError: If `out` is a file of another kind, or somebody has changed it.
    """
    check_outside(out, [folder, remembered_archive(workspace)], "predictions")
    predict_files(Source(folder), run, out, anew=True, progress=progress)
    return read_predictions(out)


def find_run_named(workspace: Workspace, run_id: str = "", *, or_release: bool = False) -> Run:
    """Find a run by name, see `run_names.find_model`."""
    return Run(find_model(workspace, run_id, or_release=or_release))


def _scan_note(workspace: Workspace) -> Path:
    return workspace.data / "scan.json"


def _usable_images(workspace: Workspace) -> pd.DataFrame:
    # Row by row less than half of the audit is wanted: it would be read in vain.
    rows = read_chunks(workspace.audit, AUDIT, USED_COLUMNS)
    return pd.concat([usable_images(some) for some in rows], ignore_index=True)


def _audit_of_splits(workspace: Workspace) -> pd.DataFrame:
    return pd.concat(read_chunks(workspace.audit, AUDIT, USED_COLUMNS), ignore_index=True)


_SPLIT_NAME = re.compile(r"[A-Za-z0-9_-]+")


def _manifest_of(
    workspace: Workspace, archive: Path, ignored_folders: Collection[str]
) -> pd.DataFrame | None:
    if workspace.manifest.is_file():
        return read_manifest(workspace.manifest, archive)
    try:
        return scan(workspace, archive, ignored_folders=ignored_folders)
    except ArchiveError:
        return None
