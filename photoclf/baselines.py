"""What a model must beat on the same test images: no look at all, file properties, the release."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.cache import build_cache
from photoclf.cached_scores import score_cached
from photoclf.classifier import Classifier
from photoclf.figures import measured, number
from photoclf.metrics import classification_metrics, confusion
from photoclf.paths import Workspace, release_folder
from photoclf.run import Run
from photoclf.schema import AUDIT
from photoclf.shipped import release_comes_with_project
from photoclf.shortcuts import shortcut_baseline
from photoclf.split_files import groups_learnt
from photoclf.tables import read_table


def baseline_other(test: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of calling every image "other": `confusion` and `metrics`."""
    labels = test.label.to_numpy()
    metrics = classification_metrics(labels, np.zeros(len(labels)), 0.5)
    return {
        "confusion": confusion(labels, np.zeros(len(labels)), 0.5),
        "metrics": {name: number(value) for name, value in metrics.items()},
    }


def baseline_metadata(
    workspace: Workspace, split: pd.DataFrame, *, draws: int, seed: int
) -> dict[str, Any] | None:
    """Return the figures of a classifier that sees no picture, see `shortcuts.shortcut_baseline`.

    Returns:
        The figures; `None` without an audit, or where there is nothing to learn from.
    """
    taught = split[split.split == "train"].label.nunique() == 2
    if not taught or not workspace.audit.is_file():
        return None
    return shortcut_baseline(read_table(workspace.audit, AUDIT), split, seed=seed, draws=draws)


def baseline_release(
    run: Run,
    workspace: Workspace,
    test: pd.DataFrame,
    archive: Path,
    *,
    draws: int,
    seed: int,
    progress: bool = False,
) -> dict[str, Any] | None:
    """Return the figures of the release that comes with the project, at its own decision.

    Args:
        run: The run that is evaluated.
        workspace: Holds the pixel cache.
        test: The test side of a `schema.SPLIT` frame.
        archive: The archive's folder.
        draws: Bootstrap draws over groups for the 95 % intervals.
        seed: Of the draws.
        progress: Whether to show a progress bar while pixels are decoded.

    Returns:
        As `figures.measured`, of the test images that lie in no group of an image that the release
        was trained on, and `left_out`, how many do; `None` where there is no release, it is what is
        evaluated, or nothing of both kinds is left.
    """
    if run.is_release or not release_comes_with_project():
        return None
    release = Run(release_folder())
    decided = release.release or {}
    new = test[~test.group.isin(groups_learnt(release, test))]
    if new.label.nunique() < 2:
        return None
    classifier = Classifier.load(release)
    cache = build_cache(
        archive,
        new,
        workspace.cache,
        image_size=classifier.image_size,
        fit=classifier.fit,
        progress=progress,
    )
    scores = score_cached(classifier, cache, new.pathname)
    figures = measured(new.label, scores, decided["threshold"], new.group, draws=draws, seed=seed)
    return figures | {"left_out": len(test) - len(new)}
