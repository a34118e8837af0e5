"""Splits as files: found by their hash, frozen once runs were trained on them."""

from contextlib import suppress
from pathlib import Path

import pandas as pd

from photoclf.errors import SplitError, TableError
from photoclf.paths import Workspace
from photoclf.run import TRAINED_ON, TRAINED_ON_DIGITS, Run
from photoclf.runs import is_on_split, list_runs
from photoclf.schema import SPLIT
from photoclf.split import check_split, read_split, split_hash
from photoclf.tables import read_table


def find_split(workspace: Workspace, wanted: str, run_id: str) -> pd.DataFrame:
    """Find the split that a run was trained on, whichever of the workspace's it is.

    Args:
        workspace: Its `data/split.csv` and the splits of its plan are looked at.
        wanted: The split's hash, as the run recorded it.
        run_id: Named in the error.

    Returns:
        The split, proved again to be free of leaks.

    Raises:
        SplitError: If none has that hash, or the one that has leaks.
    """
    found = {}
    for path in workspace.all_splits:
        name = path.relative_to(workspace.root).as_posix()
        try:
            split = read_table(path, SPLIT)
        except TableError:
            found[name] = "not a split table"
            continue
        found[name] = split_hash(split)
        if found[name] == wanted:
            check_split(split)
            return split
    sides = [f"+ {value} ({name})" for name, value in found.items()] or ["+ no split at all"]
    raise SplitError(
        f"The run must have been trained on one of this workspace's splits.\n- {wanted} ({run_id})"
        "\n" + "\n".join(sides) + "\nTrain again, or restore the split."
    )


def split_to_evaluate(run: Run, workspace: Workspace) -> pd.DataFrame:
    """Find the split to evaluate a run on.

    Args:
        run: A finished run, or the release.
        workspace: Holds the splits.

    Returns:
        The split that the run was trained on. For a release that was trained on another one, the
        split that is worked on, without the groups of images that the release was trained on.

    Raises:
        SplitError: If there is no such split, it leaks, or nothing is left of a side.
    """
    wanted = str(run.provenance.get("split_hash"))
    if run.release is None or _has_split(workspace, wanted):
        return find_split(workspace, wanted, run.run_id)
    split = read_split(workspace.split)
    left = split[~split.group.isin(groups_learnt(run, split))]
    for side in ("val", "test"):
        if left[left["split"] == side].label.nunique() < 2:
            raise SplitError(
                f"The {side} side must hold photographs and others that the release wasn't trained"
                f" on. Received: {len(split) - len(left)} of {len(split)} images that it was."
                " Evaluate it on other images."
            )
    return left


def groups_learnt(release: Run, images: pd.DataFrame) -> set[str]:
    """Return the groups with an image that a release was trained on.

    Whole groups, since a copy in another encoding is no other image.

    Args:
        release: The release.
        images: Columns `sha256` and `group`.

    Raises:
        RunError: If its list of images isn't what the release was made with.
    """
    release.check_hash(TRAINED_ON)
    known = set(release.need(TRAINED_ON).read_text(encoding="ascii").split())
    return set(images.group[images.sha256.str[:TRAINED_ON_DIGITS].isin(known)])


def hashes_with_same_test(workspace: Workspace, split: pd.DataFrame) -> set[str]:
    """Return the hashes of a split and of the workspace's others with the same test.

    A grown split has its parent's test: whoever opened one has opened both.

    Args:
        workspace: Holds the splits.
        split: A `schema.SPLIT` frame.
    """
    hashes, wanted = {split_hash(split)}, _test_of(split)
    for path in workspace.all_splits:
        with suppress(TableError):
            other = read_table(path, SPLIT)
            if _test_of(other) == wanted:
                hashes.add(split_hash(other))
    return hashes


def _test_of(split: pd.DataFrame) -> set[tuple[str, str, int]]:
    test = split[split["split"] == "test"]
    return set(zip(test.pathname, test.sha256, test.label, strict=True))


def _has_split(workspace: Workspace, wanted: str) -> bool:
    for path in workspace.all_splits:
        with suppress(TableError):
            if split_hash(read_table(path, SPLIT)) == wanted:
                return True
    return False


def check_not_frozen(workspace: Workspace, path: Path, table: pd.DataFrame | None) -> None:
    """Check that a split may be written.

    Args:
        workspace: Holds the runs.
        path: Where the split goes.
        table: The split; `None` when the one that is there would be removed.

    Raises:
        SplitError: If another split is there on which runs were trained.
    """
    try:
        before = split_hash(read_split(path))
    except (TableError, SplitError):  # none yet, or one that can't be used any more
        return
    after = "none" if table is None else split_hash(table)
    runs = [run.run_id for run in list_runs(workspace.models) if is_on_split(run, before)]
    if runs and before != after:
        raise SplitError(
            f"A split is frozen once runs were trained on it. Received: another split, with"
            f" {len(runs)} runs on the present one ({runs[-1]}).\n- {before}\n+ {after}\n"
            f"To learn from new labels, grow a split: photoclf split --grow NAME. Else use another"
            f" --workspace, or move {path} away: runs on different splits are never compared."
        )
