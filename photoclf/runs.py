"""Many runs: listed, found, compared at their best epochs without TensorFlow, one chosen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.config import RunConfig
from photoclf.errors import ConfigError, RunError
from photoclf.events import read_scalars, smooth
from photoclf.files import write_json
from photoclf.paths import Workspace
from photoclf.run import Run, create_run, finish_run, now, verify_run
from photoclf.run_names import age, chosen_name, find_run_folder, list_run_folders
from photoclf.schema import EVENTS, check_table
from photoclf.split import read_split, split_hash
from photoclf.views import piece_keys

__all__ = [
    "Run",
    "comparison_table",
    "create_run",
    "find_run",
    "finish_run",
    "list_runs",
    "load_run",
    "read_choice",
    "read_events",
    "smooth",
    "verify_run",
    "write_choice",
]

# Keras's folder of event files → what its tags are called in a history.
LOG_FOLDERS = {"train": "", "validation": "val_"}


def list_runs(models: Path) -> list[Run]:
    """List runs, oldest first, finished or not, but for the release.

    Folders without a `config.json` are no runs.
    """
    return [Run(folder) for folder in list_run_folders(models)]


def load_run(models: Path, run_id: str) -> Run:
    """Find a run by its name; `release` is the one that comes with the project.

    Raises:
        RunError: If there is no such run, or its folder lacks `config.json`.
    """
    return Run(find_run_folder(models, run_id))


def find_run(models: Path, config: RunConfig, split_hash: str) -> Run | None:
    """Find the run that made the same choices on the same split.

    Args:
        models: The workspace's `models/`.
        config: Compared with defaults filled in.
        split_hash: Of the split to train on.

    Returns:
        The newest such run, a finished one before an unfinished one; `None` if there is none.
    """
    same = [run for run in list_runs(models) if _is_of(run, config.resolved(), split_hash)]
    return max(same, key=lambda run: (run.done, age(run.run_id)), default=None)


def comparable_runs(workspace: Workspace) -> list[Run]:
    """List the finished runs that were trained on the workspace's split, oldest first."""
    wanted = split_hash(read_split(workspace.split))
    return [r for r in list_runs(workspace.models) if r.done and is_on_split(r, wanted)]


def read_events(runs: Sequence[Run]) -> pd.DataFrame:
    """Read the runs' TensorBoard scalars as one tidy frame.

    Tags are named as in a history: `epoch_loss` of `logs/train` is `loss`, of `logs/validation`
    `val_loss`. Other tags, such as `evaluation_loss_vs_iterations`, count batches instead of
    epochs and are left out. When a resumed run wrote a step twice, the last written counts.

    Returns:
        A frame schema.EVENTS, ordered by run (as given), tag and step.
    """
    places = [
        (position, prefix, path)
        for position, run in enumerate(runs)
        for folder, prefix in LOG_FOLDERS.items()
        for path in sorted((run.logs / folder).glob("events.out.tfevents.*"))
    ]
    frame = read_scalars([path for _, _, path in places], prefix="epoch_")
    names = [run.run_id for run in runs]
    position = np.array([p for p, _, _ in places], np.int64)[frame["file"]]
    prefix = np.array([p for _, p, _ in places], object)[frame["file"]]
    frame = frame.assign(
        position=position,
        run=[names[p] for p in position],
        tag=prefix + frame["tag"].str.removeprefix("epoch_").astype(object),
    )
    frame = frame.sort_values("wall_time_s", kind="stable")
    frame = frame.drop_duplicates(["position", "tag", "step"], keep="last")
    frame = frame.sort_values(["position", "tag", "step"])
    return check_table(frame[list(EVENTS.columns)].reset_index(drop=True), EVENTS)


def comparison_table(
    runs: Sequence[Run], metric: str, events: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Compare finished runs as TensorBoard's table does, each at its best epoch.

    Args:
        runs: Trained on one split; unfinished ones are left out.
        metric: A tag of `read_events`, such as `val_loss` or `val_accuracy`. The best epoch is
            that of the lowest `val_loss`, whatever the metric.
        events: What `read_events` returned for these runs; read when not given.

    Returns:
        One row a run, with the columns `run`, `smoothed` (weight 0.6), `value`, `step` (epoch
        from 0), `time` (UTC) and `relative_s` (seconds since the metric's first step).

    Raises:
        RunError: If the splits differ, or a run has no such event at its best epoch.
    """
    runs = need_comparable(runs)
    events = read_events(runs) if events is None else events
    events = events[events["tag"] == metric]
    rows = [_comparison_row(run, events[events["run"] == run.run_id], metric) for run in runs]
    return pd.DataFrame(rows).astype({"step": "int64"})


def write_choice(
    path: Path, run: Run, runs: Sequence[Run], reason: Mapping[str, Any] | None = None
) -> None:
    """Write which run was chosen, among which, and why.

    Args:
        path: The workspace's `choice`.
        run: The chosen run.
        runs: All that it was compared with.
        reason: What spoke for it, as JSON takes it; see `verdict.reason`.
    """
    best = run.best_epoch
    choice = {
        "run_id": run.run_id,
        "chosen_at": now(),
        "val_loss": float(best["val_loss"]),
        "epoch": int(best["epoch"]),
        "split_hash": run.provenance.get("split_hash"),
        "compared": sorted(r.run_id for r in runs),
        **(reason or {}),
    }
    write_json(Path(path), choice)


def read_choice(path: Path, models: Path) -> Run:
    """Find the run that `write_choice` wrote.

    Raises:
        RunError: If no run was chosen yet, or the chosen one is gone.
    """
    return load_run(models, chosen_name(path))


def need_comparable(runs: Sequence[Run]) -> list[Run]:
    """Return the finished ones of runs that may be compared, oldest first.

    Raises:
        RunError: If none is finished, or they were trained on different splits.
    """
    done = [run for run in runs if run.done]
    if not done:
        raise RunError(
            f"At least one run must be finished. Received: {len(runs)} runs, none of them finished."
            " Train one to its end."
        )
    by_split: dict[str, list[str]] = {}
    for run in done:
        by_split.setdefault(str(run.provenance.get("split_hash")), []).append(run.run_id)
    if len(by_split) > 1:
        sides = [f"{split} {', '.join(names)}" for split, names in by_split.items()]
        raise RunError(
            "Runs can only be compared when they were trained on the same split. Received:\n"
            f"- {sides[0]}\n" + "\n".join(f"+ {side}" for side in sides[1:]) + "\n"
            "Compare those of one split, or train the others again."
        )
    return sorted(done, key=lambda run: age(run.run_id))


def _comparison_row(run: Run, series: pd.DataFrame, metric: str) -> dict[str, Any]:
    best = int(run.best_epoch["epoch"])
    here = (series["step"] == best).to_numpy()
    if not here.any():
        raise RunError(
            f"The run {run.run_id} must have an event of `{metric}` at its best epoch, {best}."
            f" Received: steps {series['step'].tolist()} in {run.logs}. Restore its logs, or"
            f" delete {run.folder} and train again."
        )
    row = series[here].iloc[0]
    return {
        "run": run.run_id,
        "smoothed": float(smooth(series["value"].to_numpy())[here][0]),
        "value": row["value"],
        "step": row["step"],
        "time": pd.Timestamp(row["wall_time_s"], unit="s", tz="UTC").floor("s"),
        "relative_s": row["wall_time_s"] - series["wall_time_s"].iloc[0],
    }


def is_on_split(run: Run, split_hash: str) -> bool:
    """Tell whether a run was trained on a split; a half-deleted one wasn't on any."""
    try:
        return run.provenance.get("split_hash") == split_hash
    except RunError:
        return False


def _is_of(run: Run, resolved: RunConfig, split_hash: str) -> bool:
    if run.done and not run.whole:
        return False
    try:
        # Pieces are drawn: the same choices with another way of drawing are another run.
        drawn = piece_keys(resolved.pieces)
        same = run.config.resolved() == resolved and run.provenance.get("pieces", drawn) == drawn
        return same and is_on_split(run, split_hash)
    except (RunError, ConfigError, ValueError):
        # A half-deleted run, or one of a version with other parameters, is not the one sought;
        # it must not stop the search either.
        return False
