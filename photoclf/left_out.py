"""What a config is worth on sources that it never saw: its runs on a plan's splits, together."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.config import RunConfig
from photoclf.errors import RunError
from photoclf.evaluate import evaluate
from photoclf.evaluation import read_evaluation
from photoclf.figures import measured
from photoclf.intervals import exact_interval
from photoclf.paths import Workspace
from photoclf.recipe_results import ENOUGH_PHOTOS
from photoclf.train import train

# Steps in which a threshold is looked for.
_STEPS = np.linspace(0.02, 0.98, 193)
METRICS = ("f1", "recall", "precision", "roc_auc")


@dataclass(frozen=True)
class LeftOut:
    """Scores of images whose sources the model that scored them never saw.

    Args:
        images: One row an image and split: `split`, `pathname`, `label`, `class_folder`, `source`,
            `group`, `score` (after the run's own temperature). An image is in several splits when
            its source is left out in several.
    """

    images: pd.DataFrame

    def without_sources(self, sources: Iterable[str]) -> "LeftOut":
        """Return the same without some sources, in whichever splits they are."""
        return LeftOut(self.images[~self.images.source.isin(list(sources))])

    def without_images(self, pathnames: Iterable[str]) -> "LeftOut":
        """Return the same without some images, in whichever splits they are."""
        return LeftOut(self.images[~self.images.pathname.isin(list(pathnames))])

    def threshold(self) -> float:
        """Return the threshold at which photographs and the hardest kind err alike.

        Errors are the mean over sources, which weigh the square root of their size, as in training,
        so that large sources don't decide alone; the hardest kind is the class folder with the
        highest share taken for photographs. Where there are no
        photographs or no others, it is 0.5.
        """
        rows = self.images
        others = rows[rows.label == 0]
        if others.empty or len(others) == len(rows):
            return 0.5
        missed = _mean_errors(rows[rows.label == 1])
        kinds = [_mean_errors(kind) for _, kind in others.groupby("class_folder")]
        return float(_STEPS[np.argmin(np.abs(missed - np.max(kinds, axis=0)))])

    def figures(self, *, draws: int, seed: int) -> dict[str, Any]:
        """Measure each split at the threshold that the sources which aren't in it give.

        Args:
            draws: Bootstrap draws over groups for the 95 % intervals.
            seed: Seed of the draws.

        Returns:
            `splits` (of each, `split`, `threshold`, `sources` and what `figures.measured` gives),
            `sources` (of each, `class_folder`, `source`, `label`, `images`, `errors`, `rate`,
            `low`, `high`; the worst first), and `summary`: of each of `METRICS` mean and worst
            over splits, of F1, recall and precision over those with `ENOUGH_PHOTOS` photographs.
        """
        splits, wrong = [], []
        for name, rows in self.images.groupby("split", sort=False):
            threshold = self.without_sources(set(rows.source)).threshold()
            told = {"split": name, "threshold": threshold, "sources": sorted(set(rows.source))}
            figures = measured(
                rows.label, rows.score, threshold, rows.group, draws=draws, seed=seed
            )
            splits.append(told | figures)
            wrong.append(rows.assign(wrong=(rows.score >= threshold) != (rows.label == 1)))
        return {
            "splits": splits,
            "sources": _by_source(pd.concat(wrong)),
            "summary": {name: _summary(splits, name) for name in METRICS},
        }


def measure_left_out(
    config: RunConfig,
    workspace: Workspace,
    *,
    archive: str | Path | None = None,
    progress: bool = False,
) -> LeftOut:
    """Train and evaluate a config on each split of the plan; what is done is read.

    Args:
        config: The config.
        workspace: Holds the plan (`photoclf split --plan`).
        archive: The archive's folder, see `paths.resolve_archive`.
        progress: Whether to show bars.

    Returns:
        The scores of what was left out.

    Raises:
        RunError: If there is no plan.
    """
    names = [path.stem for path in workspace.planned_splits]
    if len(names) < 2:
        raise RunError(
            "Left-out sources must be told by a plan of two splits or more. Received:"
            f" {len(names)} in {workspace.splits}. Make one: photoclf split --plan."
        )
    tables = []
    for name in names:
        place = Workspace(workspace.root, name)
        run = train(config, place, archive=archive, progress=progress)
        if not run.is_evaluated:
            evaluate(run, place, archive=archive, progress=progress)
        tables.append(read_evaluation(run).side("test").assign(split=name))
    columns = ["split", "pathname", "label", "class_folder", "source", "group", "score"]
    return LeftOut(pd.concat(tables, ignore_index=True)[columns])


def _mean_errors(rows: pd.DataFrame) -> np.ndarray:
    """Return the share of wrong decisions at each step, (steps,)."""
    curves, sizes = [], []
    for _, source in rows.groupby(["class_folder", "source"]):
        called = source.score.to_numpy()[:, None] >= _STEPS
        curves.append((called != (source.label.to_numpy()[:, None] == 1)).mean(axis=0))
        sizes.append(len(source))
    return np.average(curves, axis=0, weights=np.sqrt(sizes))


def _by_source(rows: pd.DataFrame) -> list[dict[str, Any]]:
    found = []
    keys = ["class_folder", "source", "label"]
    for (folder, source, label), group in rows.groupby(keys):
        errors, images = int(group.wrong.sum()), len(group)
        low, high = exact_interval(errors, images)
        found.append(
            {"class_folder": folder, "source": source, "label": int(str(label))}
            | {"images": images, "errors": errors, "rate": errors / images}
            | {"low": low, "high": high}
        )
    return sorted(found, key=lambda row: -row["rate"])


def _summary(splits: list[dict[str, Any]], metric: str) -> dict[str, float]:
    enough = [s for s in splits if metric == "roc_auc" or s["photos"] >= ENOUGH_PHOTOS]
    # An archive so small that no split has enough is measured on what it has.
    values = [s["metrics"][metric] for s in enough or splits]
    known = [value for value in values if value is not None]
    return {"mean": float(np.mean(known)), "worst": float(np.min(known))} if known else {}
