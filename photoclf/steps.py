"""Each verb on a workspace: read its tables, do one piece of work, write its tables."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from photoclf.audit import audit_images, ledger
from photoclf.cache import PixelCache, build_cache
from photoclf.config import RunConfig
from photoclf.errors import ArchiveError, ConfigError, RunError, SplitError, TableError
from photoclf.files import read_json, replacing, sha256_file, write_json, write_text
from photoclf.label_check import CHEAP_MODEL, PICTURE_SIZE, cheap_scores, find_suspects
from photoclf.look import style
from photoclf.manifest import IGNORED_FOLDERS, POSITIVE_FOLDER, read_manifest, scan_archive
from photoclf.paths import Workspace, remember_archive, remembered_archive, resolve_archive
from photoclf.plots_runs import draw_curves
from photoclf.predict import predict_folder
from photoclf.run import Run
from photoclf.runs import (
    choose_run,
    comparison_table,
    is_on_split,
    list_runs,
    load_run,
    read_choice,
    read_events,
    write_choice,
)
from photoclf.schema import (
    AUDIT,
    EVALUATION,
    LEDGER,
    MANIFEST,
    PREDICTIONS,
    SPLIT,
    SUSPECTS,
    read_table,
    write_table,
)
from photoclf.shortcuts import check_shortcuts as measure_shortcuts
from photoclf.source_plan import plan_source_splits, read_families
from photoclf.split import (
    TEST_FRACTION,
    VAL_FRACTION,
    check_fractions,
    make_split,
    read_split,
    split_hash,
    usable_images,
)


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
    manifest = scan_archive(place, positive_folder=positive_folder, ignored_folders=ignored_folders)
    kept = read_manifest(workspace.manifest, place) if manifest_was_edited(workspace) else manifest
    if not kept.equals(manifest):
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
        The audit.
    """
    place = resolve_archive(archive, workspace)
    manifest = _manifest_of(workspace, place, ignored_folders)
    journal = workspace.data / "audit.journal"
    table = audit_images(
        place,
        manifest,
        ignored_folders=ignored_folders,
        previous=_previous_audit(workspace),
        journal=journal,
        progress=progress,
    )
    write_table(table, workspace.audit, AUDIT)
    write_table(ledger(table), workspace.ledger, LEDGER)
    journal.unlink(missing_ok=True)  # only now: until here it is all that a kill would leave
    remember_archive(workspace, place)
    return table


def check_shortcuts(workspace: Workspace, *, seed: int = 42) -> dict[str, Any]:
    """Measure how well the archive can be sorted without looking, and write data/shortcuts.json.

    Returns:
        The figures, see `shortcuts.check_shortcuts`.
    """
    figures = measure_shortcuts(read_table(workspace.audit, AUDIT), seed=seed)
    write_json(workspace.data / "shortcuts.json", figures)
    return figures


def check_labels(
    workspace: Workspace,
    run: Run | None = None,
    *,
    archive: str | Path | None = None,
    seed: int = 42,
    progress: bool = False,
) -> pd.DataFrame:
    """List the images whose label out-of-sample scores contradict, and write data/suspects.csv.

    Args:
        workspace: Holds the audit.
        run: An evaluated run, whose scores of val and test images are taken: it wasn't fitted to
            them. Without one, every image is scored by a simple model that was fitted to others.
        archive: The archive's folder, needed without a run; see `resolve_archive`.
        seed: Seed of that simple model and its folds.
        progress: Whether to show a progress bar while pictures are decoded.

    Returns:
        A `schema.SUSPECTS` frame, the most suspect first. No label is changed.

    Raises:
        RunError: If the run hasn't been evaluated.
    """
    if run is not None:
        images = _scored_images(run)
        suspects = find_suspects(images, images.score, run.run_id)
    else:
        images = usable_images(read_table(workspace.audit, AUDIT))
        pixels = build_cache(
            resolve_archive(archive, workspace),
            images,
            workspace.cache,
            image_size=PICTURE_SIZE,
            fit="squash",
            progress=progress,
        )
        suspects = find_suspects(images, cheap_scores(pixels, images, seed=seed), CHEAP_MODEL)
    write_table(suspects, workspace.data / "suspects.csv", SUSPECTS)
    return suspects


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
        read_table(workspace.audit, AUDIT),
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        hold_out=hold_out,
        seed=seed,
    )
    _check_not_frozen(workspace, table)
    write_table(table, workspace.split, SPLIT)
    return table


def plan_splits(
    workspace: Workspace,
    *,
    families: Path | None = None,
    val_fraction: float = VAL_FRACTION,
    seed: int = 42,
) -> dict[str, pd.DataFrame]:
    """Plan splits that each leave sources out, and write them to `data/splits/<name>.csv`.

    Args:
        workspace: Where the audit is.
        families: A YAML or JSON file of sources that go together, see `read_families`.
        val_fraction: Share of the images outside the test for validation.
        seed: Draws the order of equal groups, 0 or more.

    Returns:
        The splits by name.
    """
    splits = plan_source_splits(
        read_table(workspace.audit, AUDIT),
        read_families(families) if families else None,
        val_fraction=val_fraction,
        seed=seed,
    )
    for name, table in splits.items():
        write_table(table, workspace.splits / f"{name}.csv", SPLIT)
    for old in set(workspace.splits.glob("without_*.csv")):
        if old.stem not in splits:  # of an earlier plan with more of them
            old.unlink()
    return splits


def cache(
    workspace: Workspace,
    *,
    image_size: int | None = None,
    fit: str = "squash",
    storage: str = "exact",
    progress: bool = False,
) -> PixelCache:
    """Decode the split's images at one size, `compact_cnn`'s by default."""
    config = RunConfig(image_size=image_size, fit=fit, storage=storage).resolved()
    assert config.image_size is not None
    return build_cache(
        resolve_archive(None, workspace),
        read_split(workspace.split),
        workspace.cache,
        image_size=config.image_size,
        fit=config.fit,
        storage=config.storage,
        progress=progress,
    )


def compare(workspace: Workspace) -> tuple[Run, pd.DataFrame, pd.DataFrame]:
    """Compare the finished runs on the workspace's split and choose one.

    Returns:
        The run with the lowest `val_loss`, and the tables of `val_loss` and `val_accuracy` (see
        `runs.comparison_table`), also written to `reports/comparison/` with a figure.

    Raises:
        RunError: If no run on this split is finished.
    """
    runs = comparable_runs(workspace)
    chosen = choose_run(runs)
    tables = [comparison_table(runs, metric) for metric in ("val_loss", "val_accuracy")]
    folder = workspace.reports / "comparison"
    for metric, table in zip(("val_loss", "val_accuracy"), tables, strict=True):
        write_text(folder / f"{metric}.csv", table.to_csv(sep=";", index=False))
    _write_curves(runs, chosen, folder / "curves.png")
    write_choice(workspace.choice, chosen, runs)
    return chosen, tables[0], tables[1]


def comparable_runs(workspace: Workspace) -> list[Run]:
    """List the finished runs that were trained on the workspace's split, oldest first."""
    wanted = split_hash(read_split(workspace.split))
    return [r for r in list_runs(workspace.models) if r.done and is_on_split(r, wanted)]


def predict(
    workspace: Workspace, folder: Path, run: Run, *, out: Path, progress: bool = False
) -> pd.DataFrame:
    """Predict every file below a folder and write the predictions.

    Raises:
        ConfigError: If `out` lies in the folder or the archive, or is a file of another kind.
    """
    _check_output(out, [folder, remembered_archive(workspace)])
    return predict_folder(folder, run, out=out, progress=progress)


def find_run_named(workspace: Workspace, run_id: str = "") -> Run:
    """Find a run by name; the one that comparing chose when no name is given."""
    if run_id:
        return load_run(workspace.models, run_id)
    return read_choice(workspace.choice, workspace.models)


def _scored_images(run: Run) -> pd.DataFrame:
    path = run.eval_folder / "predictions.csv"
    if not path.is_file():
        raise RunError(
            f"The run must have been evaluated. Received: {run.run_id}, which has no scores."
            f" Evaluate it: photoclf evaluate --run {run.run_id}."
        )
    return read_table(path, EVALUATION)


def _check_not_frozen(workspace: Workspace, table: pd.DataFrame) -> None:
    try:
        before = split_hash(read_split(workspace.split))
    except (TableError, SplitError):  # none yet, or one that can't be used any more
        return
    runs = [run.run_id for run in list_runs(workspace.models) if is_on_split(run, before)]
    if runs and before != split_hash(table):
        raise SplitError(
            f"A split is frozen once runs were trained on it. Received: another split, with"
            f" {len(runs)} runs on the present one ({runs[-1]}).\n- {before}\n"
            f"+ {split_hash(table)}\nUse another --workspace, or move {workspace.split} away:"
            " runs on different splits are never compared."
        )


def _check_output(out: Path, sources: Sequence[Path | None]) -> None:
    place = out.resolve()
    for source in sources:
        if source is not None and place.is_relative_to(source.resolve()):
            raise ConfigError(
                f"The predictions must go outside of what is predicted. Received: {out}, in"
                f" {source}, where nothing is written. Give another --out FILE."
            )
    header = ";".join(PREDICTIONS.columns).encode()
    if place.is_dir() or (place.exists() and place.read_bytes()[: len(header)] != header):
        raise ConfigError(
            f"The predictions must not overwrite anything else. Received: {out}, which is there"
            " and isn't a predictions file. Give another --out FILE."
        )


def _scan_note(workspace: Workspace) -> Path:
    return workspace.data / "scan.json"


def _previous_audit(workspace: Workspace) -> pd.DataFrame | None:
    try:
        return read_table(workspace.audit, AUDIT)
    except TableError:  # none, or one of another version: everything is measured anew
        return None


def _manifest_of(
    workspace: Workspace, archive: Path, ignored_folders: Collection[str]
) -> pd.DataFrame | None:
    if workspace.manifest.is_file():
        return read_manifest(workspace.manifest, archive)
    try:
        return scan(workspace, archive, ignored_folders=ignored_folders)
    except ArchiveError:
        return None


def _write_curves(runs: list[Run], chosen: Run, path: Path) -> None:
    from matplotlib.figure import Figure

    events = read_events(runs)
    with style():
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        for axes, tag in zip(figure.subplots(1, 2), ("val_loss", "val_accuracy"), strict=True):
            draw_curves(axes, events, tag, smoothed=0.6, highlight=chosen.run_id)
        with replacing(path) as file:
            figure.savefig(file, format="png", dpi=150)
