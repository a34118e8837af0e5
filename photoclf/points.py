"""Finished runs as tables: one row a run, and one row a point, which is all its seeds together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from photoclf.config import CHOICES, RunConfig
from photoclf.errors import check_one_of
from photoclf.paired import SeedNoise, pooled_noise
from photoclf.run import Run

# What a sweep may be after → whether less of it is better.
OBJECTIVES = {"val_loss": True, "val_accuracy": False}
COSTS = ("flops", "parameters", "duration_s")
# What may differ between the runs of one point: the seed, and what changes last digits at most.
_NO_CHOICES = ("seed", "threads", "gpu_memory_limit_mib")


def check_objective(objective: str) -> str:
    """Check that runs can be ranked by a figure.

    Raises:
        ConfigError: If it isn't one of `OBJECTIVES`.
    """
    return check_one_of("objective", objective, OBJECTIVES)


def best_first(table: pd.DataFrame, objective: str) -> pd.DataFrame:
    """Sort a table of runs or trials by one of `OBJECTIVES`; those without a figure come last."""
    return table.sort_values(objective, ascending=OBJECTIVES[objective], kind="stable")


def varied_parameters(configs: Sequence[RunConfig]) -> list[str]:
    """List the parameters that differ between configs, in the order of `RunConfig`.

    The seed isn't one of them, nor are threads and memory limit, which choose no other network.
    """
    rows = [config.resolved().to_mapping() for config in configs]
    return [
        name
        for name in CHOICES
        if name not in _NO_CHOICES and len({str(row[name]) for row in rows}) > 1
    ]


def run_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Put each run's choices, best epoch and cost into one row.

    Args:
        runs: Finished runs.

    Returns:
        `run_id`, `seed`, a column for each varied parameter (lists as text such as `32,64`),
        `val_loss` and `val_accuracy` of the best epoch, `best_epoch` (from 0), `epochs`,
        `duration_s`, `flops` (an image), `parameters`.

    Raises:
        RunError: If a run lacks a file, or its `model.json` doesn't tell the cost.
    """
    configs = [run.config for run in runs]
    varied = varied_parameters(configs)
    return pd.DataFrame(
        [_run_row(run, config, varied) for run, config in zip(runs, configs, strict=True)]
    )


def point_table(runs: pd.DataFrame, varied: Sequence[str], objective: str) -> pd.DataFrame:
    """Put the runs that differ in nothing but their seed together, the best point first.

    A point is ranked by the mean over its seeds: the best of them would owe its place to luck.

    Args:
        runs: From `run_table`.
        varied: The parameters that make a point.
        objective: One of `OBJECTIVES`.

    Returns:
        One row a point: `rank` (from 1), `runs`, the varied parameters, `mean` and `sd` of the
        objective (`sd` NaN for a single run), the mean `val_loss`, `val_accuracy` and
        `duration_s`, `flops`, `parameters`, `run_ids` in order of the objective, the best first.
    """
    ascending = OBJECTIVES[objective]
    runs = runs.sort_values([objective, "run_id"], ascending=[ascending, True])
    # Without a varied parameter all runs are one point.
    parts = runs.groupby(list(varied), sort=False) if varied else [(None, runs)]
    rows = [_point_row(part, varied, objective) for _, part in parts]
    table = pd.DataFrame(rows)
    table = table.sort_values("mean", ascending=ascending, kind="stable", ignore_index=True)
    table.insert(0, "rank", range(1, len(table) + 1))
    return table


def seed_noise(runs: pd.DataFrame, points: pd.DataFrame, figure: str) -> SeedNoise:
    """Estimate how far a figure moves when nothing but the seed changes, all points together."""
    values = runs.set_index("run_id")[figure]
    return pooled_noise([values[names].to_numpy() for names in points["run_ids"]])


def _run_row(run: Run, config: RunConfig, varied: Sequence[str]) -> dict[str, Any]:
    choices, best, history = config.to_mapping(), run.best_epoch, run.history
    row = {"run_id": run.run_id, "seed": config.seed}
    row |= {name: as_value(choices[name]) for name in varied}
    row |= {name: float(best[name]) for name in OBJECTIVES}
    return row | {"best_epoch": int(best["epoch"]), "epochs": len(history)} | run.cost


def _point_row(part: pd.DataFrame, varied: Sequence[str], objective: str) -> dict[str, Any]:
    first = part.iloc[0]
    return {
        "runs": len(part),
        **{name: first[name] for name in varied},
        "mean": part[objective].mean(),
        "sd": part[objective].std(),
        **{name: part[name].mean() for name in (*OBJECTIVES, "duration_s")},
        "flops": first["flops"],
        "parameters": first["parameters"],
        "run_ids": list(part["run_id"]),
    }


def as_value(value: Any) -> str | int | float:
    """Return a parameter's value as a number or a text that tables and figures can hold."""
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value) or "none"
    return "none" if value is None else value


def pareto_front(points: pd.DataFrame, cost: str, objective: str) -> np.ndarray:
    """Find the points that no other beats in both cost and quality.

    Args:
        points: From `point_table`.
        cost: One of `COSTS`.
        objective: One of `OBJECTIVES`.

    Returns:
        bool (points,). Of points equal in both, all are on the front.
    """
    price, worse = points[cost].to_numpy(float), points["mean"].to_numpy(float)
    worse = worse if OBJECTIVES[objective] else -worse
    no_dearer = price[None, :] <= price[:, None]
    no_worse = worse[None, :] <= worse[:, None]
    better = (price[None, :] < price[:, None]) | (worse[None, :] < worse[:, None])
    return np.asarray(~(no_dearer & no_worse & better).any(axis=1))
