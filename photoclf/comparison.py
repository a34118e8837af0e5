"""Runs compared: ranked points, finalists on the same images, and the run that this speaks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from photoclf.effects import parameter_effects
from photoclf.errors import RunError
from photoclf.paired import (
    MEASURES,
    THRESHOLD,
    Difference,
    PairedBootstrap,
    SeedNoise,
    difference,
    holm,
    luck_of_the_best,
    mcnemar,
)
from photoclf.points import (
    OBJECTIVES,
    check_objective,
    point_table,
    run_table,
    seed_noise,
    varied_parameters,
)
from photoclf.runs import Run, need_comparable

# Points that are tested against the best one: each test makes all of them less sharp.
FINALISTS = 5
LEVEL = 0.05
# A training that is shorter by less than this share may owe it to what else the machine did.
SHORTER = 0.2
_DTYPES: dict[str, Any] = {
    "rank": "int64",
    **dict.fromkeys(("difference", "low", "high", "p", "p_holm"), "float64"),
    "told_apart": "bool",
    **{f"{m}{end}": "float64" for m in ("accuracy", "f1") for end in ("", "_low", "_high")},
    **dict.fromkeys(("only_best", "only_other"), "int64"),
    "mcnemar_p": "float64",
}
_MEASURE_OF = {"val_loss": "log_loss", "val_accuracy": "accuracy"}


@dataclass(frozen=True)
class Comparison:
    """What comparing runs brought to light.

    Args:
        members: The runs compared, oldest first.
        objective: What they are ranked by, see `points.OBJECTIVES`.
        runs: See `points.run_table`.
        points: See `points.point_table`.
        varied: The parameters that differ.
        noise: Of the objective when nothing but the seed changes.
        finalists: One row a point after the best, at most `FINALISTS` points in all: `rank`,
            `difference` from the best point in the objective on the same val images (other less
            best) with `low`, `high` and `p`, `p_holm`, `told_apart`; `accuracy` and `f1`
            differences with `_low` and `_high`, of these networks alone; `only_best`,
            `only_other` (images that one of the two best runs alone decided rightly at 0.5) and
            `mcnemar_p` (corrected as `p_holm` is).
        effects: See `effects.parameter_effects`.
        images: Validation images.
        groups: Groups among them.
        chosen_rank: The point that is proposed.
        questions: Language → what the sweep was to answer; empty when none asked.
    """

    members: list[Run]
    objective: str
    runs: pd.DataFrame
    points: pd.DataFrame
    varied: list[str]
    noise: SeedNoise
    finalists: pd.DataFrame
    effects: pd.DataFrame
    images: int
    groups: int
    chosen_rank: int
    questions: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> pd.Series:
        """The point with the best mean objective."""
        return self.points.iloc[0]

    @property
    def chosen(self) -> pd.Series:
        """The cheapest of the best point and those that can't be told apart from it."""
        return self.points.iloc[self.chosen_rank - 1]

    @property
    def chosen_run(self) -> Run:
        """The chosen point's run with the best objective."""
        return self.run(self.chosen["run_ids"][0])

    @property
    def equals(self) -> pd.DataFrame:
        """The finalists that can't be told apart from the best point."""
        return self.finalists[~self.finalists["told_apart"].astype(bool)]

    def run(self, run_id: str) -> Run:
        """Return one of the runs by its name."""
        return next(run for run in self.members if run.run_id == run_id)


def compare_runs(
    runs: Sequence[Run],
    *,
    objective: str = "val_loss",
    questions: Mapping[str, str] | None = None,
    draws: int = 2000,
    seed: int = 42,
) -> Comparison:
    """Rank runs, test the finalists on the same validation images, and propose one.

    Runs that differ in their seed alone are one point. The best point is tested against each of
    the next ones: the difference in the objective, resampling groups of images and adding the
    noise of seeds, with p-values corrected by Holm for the number of finalists. The cheapest of
    those that can't be told apart is proposed: fewest operations an image, then parameters, then a
    training that is shorter by a fifth or more.

    Args:
        runs: Trained on one split; unfinished ones are left out.
        objective: `val_loss` or `val_accuracy` of the best epoch.
        questions: Language → what they were trained to answer, for the report.
        draws: Resamplings.
        seed: Same seed and runs, same comparison.

    Returns:
        The comparison. The test images are never looked at.

    Raises:
        ConfigError: If the objective is unknown.
        RunError: If no run is finished, splits differ, or a run lacks a file or is damaged.
    """
    check_objective(objective)
    runs = need_comparable(runs)
    table = run_table(runs)
    varied = varied_parameters([run.config for run in runs])
    points = point_table(table, varied, objective)
    noise = seed_noise(table, points, objective)
    by_name = {run.run_id: run for run in runs}
    scores = [
        {name: by_name[name].val_scores for name in names}
        for names in points["run_ids"].head(FINALISTS)
    ]
    images = scores[0][points["run_ids"][0][0]]
    _check_same_images(images, scores)
    finalists = _test_finalists(points, scores, objective, noise, draws, seed)
    less = OBJECTIVES[objective]
    return Comparison(
        members=runs,
        objective=objective,
        runs=table,
        points=points,
        varied=varied,
        noise=noise,
        finalists=finalists,
        effects=parameter_effects(points, varied, less_is_better=less, seed=seed),
        images=len(images),
        groups=images["group"].nunique(),
        chosen_rank=_cheapest(points, finalists),
        questions=questions or {},
    )


def lead_by_luck(comparison: Comparison) -> float:
    """Return how far the best of so many equal points would lead by the luck of seeds alone.

    Returns:
        In the objective's unit; NaN when the seeds' noise isn't known.
    """
    if not comparison.noise.known:
        return float("nan")
    each = comparison.noise.sd / np.sqrt(comparison.points["runs"].mean())
    return float(luck_of_the_best(len(comparison.points)) * each)


def _check_same_images(images: pd.DataFrame, scores: list[dict[str, pd.DataFrame]]) -> None:
    columns = ["pathname", "label", "group"]
    for name, table in ((n, t) for point in scores for n, t in point.items()):
        if not table[columns].equals(images[columns]):
            raise RunError(
                "Runs must have scored the same validation images. Received: val_scores.csv of"
                f" {name} with others. Delete the run's folder and train it again."
            )


def _test_finalists(
    points: pd.DataFrame,
    scores: list[dict[str, pd.DataFrame]],
    objective: str,
    noise: SeedNoise,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    images = next(iter(scores[0].values()))
    bootstrap = PairedBootstrap(images["label"], images["group"], draws=draws, seed=seed)
    measured = [bootstrap.measure([t["score"] for t in point.values()]) for point in scores]
    rows = []
    for i in range(1, len(scores)):
        seeds = (len(scores[0]), len(scores[i]))
        pair = {name: (measured[0][name], measured[i][name]) for name in MEASURES}
        main = difference(*pair[_MEASURE_OF[objective]], noise, seeds, seed=seed)
        row: dict[str, Any] = {"rank": int(points["rank"][i]), "difference": main.value}
        row |= {"low": main.low, "high": main.high, "p": main.p}
        for name in ("accuracy", "f1"):
            row |= _columns(name, difference(*pair[name]))
        rows.append(row | _decisions(images["label"], scores[0], scores[i]))
    table = pd.DataFrame(rows, columns=list(_DTYPES)).astype(_DTYPES)
    for name in ("p", "mcnemar_p"):
        corrected = "p_holm" if name == "p" else name
        table[corrected] = holm(table[name].fillna(1.0).to_list())
    worse = table["difference"] * (1 if OBJECTIVES[objective] else -1) > 0
    table["told_apart"] = worse & (table["p_holm"] < LEVEL)
    return table


def _columns(name: str, found: Difference) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _decisions(
    labels: pd.Series, best: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]
) -> dict[str, Any]:
    """Compare the decisions of each point's best run."""
    right = [
        (next(iter(point.values()))["score"] >= THRESHOLD) == (labels == 1)
        for point in (best, other)
    ]
    counts = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return {"only_best": counts[0], "only_other": counts[1], "mcnemar_p": mcnemar(*counts)}


def _cheapest(points: pd.DataFrame, finalists: pd.DataFrame) -> int:
    equal = {1, *finalists.loc[~finalists["told_apart"].astype(bool), "rank"]}
    candidates = points[points["rank"].isin(equal)]
    least = candidates.sort_values(["flops", "parameters", "rank"]).iloc[0]
    same = (candidates["flops"] == least["flops"]) & (
        candidates["parameters"] == least["parameters"]
    )
    alike = candidates[same]
    quickest = alike.sort_values("duration_s", kind="stable").iloc[0]
    shorter = quickest["duration_s"] < (1 - SHORTER) * least["duration_s"]
    return int(quickest["rank"] if shorter else least["rank"])
