"""A folder that nobody has sorted, beside what a run learned from: its audit, drift, strangers."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from photoclf.audit import audit_images
from photoclf.drift import PICTURE, Drift, measure_drift
from photoclf.errors import SplitError, TableError
from photoclf.evaluation import read_evaluation
from photoclf.novelty import Novelty, find_novel
from photoclf.paths import Workspace, check_outside, remembered_archive
from photoclf.run import TRAINED_ON, TRAINED_ON_DIGITS, Run
from photoclf.schema import AUDIT
from photoclf.split import usable_images
from photoclf.split_files import find_split
from photoclf.tables import read_table


@dataclass(frozen=True)
class Reference:
    """The images that a run learned from, and images of the same kind that it didn't.

    Args:
        training: Rows of the workspace's `schema.AUDIT` table.
        spare: Rows of it, of other groups: the val images, or what a release never saw.
        problem: Why they aren't known; empty when they are.
    """

    training: pd.DataFrame
    spare: pd.DataFrame
    problem: str = ""


def audit_folder(
    workspace: Workspace, folder: Path, run: Run, *, progress: bool = False
) -> pd.DataFrame:
    """Examine every file of a folder as the audit examines an archive's.

    Files that haven't changed since the last time aren't read again.

    Args:
        workspace: Where the table goes: `reports/<run_id>/audit_<folder>.csv`.
        folder: The folder; nothing in it is changed.
        run: The run that predicts it.
        progress: Whether to show a progress bar.

    Returns:
        A `schema.AUDIT` frame without labels.

    Raises:
        ConfigError: If the workspace's reports lie in the folder or in the archive.
    """
    out = workspace.reports / run.run_id / f"audit_{folder.name}.csv"
    check_outside(out, [folder, remembered_archive(workspace)], "folder's audit")
    journal = out.with_suffix(".journal")
    audit_images(
        folder,
        out=out,
        ignored_folders=(),
        previous=out,
        journal=journal,
        progress=progress,
    )
    journal.unlink(missing_ok=True)
    return read_table(out, AUDIT)


def reference_images(workspace: Workspace, run: Run) -> Reference:
    """Find what a run learned from in the workspace's audit.

    Returns:
        The training images and others to compare with; none, and the reason, when the workspace
        has no audit, or not of the archive that the run was trained on.
    """
    if not workspace.audit.is_file():
        return _no_reference(
            "The training images aren't known here: the workspace has no audit of their archive."
            " photoclf scan and audit make one."
        )
    try:
        audit = usable_images(read_table(workspace.audit, AUDIT))
        training, spare = _sides(workspace, run, audit)
    except (TableError, SplitError) as error:
        return _no_reference(f"The training images aren't known here. {error}")
    if training.empty or spare.empty:
        return _no_reference(
            f"The audit must hold images that {run.run_id} was trained on, and others. Received:"
            f" {len(training)} and {len(spare)}. Its archive isn't this workspace's."
        )
    return Reference(training, spare)


def folder_drift(
    run: Run,
    reference: Reference,
    folder_audit: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    seed: int = 42,
) -> Drift:
    """Measure a folder's drift against the training images, and its scores' against the test's.

    Returns:
        See `drift.measure_drift`; without training images none, and the reason.
    """
    if reference.problem:
        return Drift(problem=reference.problem)
    scores = None
    if run.is_evaluated and predictions.score.notna().any():
        scores = read_evaluation(run).side("test").score, predictions.score
    return measure_drift(reference.training, _readable(folder_audit), scores, seed=seed)


def folder_novelty(
    reference: Reference, folder_audit: pd.DataFrame
) -> tuple[pd.DataFrame, Novelty | None]:
    """Flag the images of a folder that look like nothing a run learned from.

    Args:
        reference: See `reference_images`. Of its spare images one a group calibrates: copies
            aren't independent of each other.
        folder_audit: The folder's `schema.AUDIT` frame.

    Returns:
        `pathname`, `p`, `flagged` and what was measured of each picture, the strangest first; and
        the flags' own facts, None without training images.
    """
    images = _readable(folder_audit).reset_index(drop=True)
    columns = ["pathname", *PICTURE]
    if reference.problem:
        return images.head(0)[columns].assign(p=[], flagged=[]), None
    spare = reference.spare.drop_duplicates("group")
    rows = (part[list(PICTURE)] for part in (reference.training, spare, images))
    found = find_novel(*rows)
    table = images[columns].assign(p=found.p, flagged=found.flagged)
    return table.sort_values(["p", "pathname"], ignore_index=True), found


def _sides(
    workspace: Workspace, run: Run, audit: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if run.release is None:
        split = find_split(workspace, str(run.provenance.get("split_hash")), run.run_id)
        side = audit.pathname.map(split.set_index("pathname")["split"])
        return audit[side == "train"], audit[side == "val"]
    run.check_hash(TRAINED_ON)
    known = set(run.need(TRAINED_ON).read_text(encoding="ascii").split())
    learnt = audit.sha256.str[:TRAINED_ON_DIGITS].isin(known)
    # With their groups: a copy in another encoding is no other image.
    return audit[learnt], audit[~audit.group.isin(set(audit.group[learnt]))]


def _no_reference(problem: str) -> Reference:
    nothing = pd.DataFrame(columns=list(AUDIT.columns))
    return Reference(nothing, nothing, problem)


def _readable(folder_audit: pd.DataFrame) -> pd.DataFrame:
    return folder_audit[folder_audit.status == "used"]
