"""Scores against labels as figures for JSON: counts, metrics, and their intervals."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from photoclf.metric_intervals import bootstrap_intervals
from photoclf.metrics import classification_metrics, confusion


def measured(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    groups: ArrayLike | pd.Series,
    *,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Measure scores.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,).
        scores: P(photo) in [0, 1], shape (n,).
        threshold: An image is taken for a photo when its score is at least this.
        groups: The group of each image, shape (n,).
        draws: Bootstrap draws over groups for the 95 % intervals.
        seed: Seed of the draws.

    Returns:
        `images`, `photos`, `groups`, `confusion`, `metrics` and `intervals`; a metric that isn't
        defined is `None`, since JSON has no NaN.
    """
    y, names = np.asarray(labels), np.asarray(groups)
    intervals = bootstrap_intervals(y, scores, threshold, names, draws=draws, seed=seed)
    return {
        "images": len(y),
        "photos": int(y.sum()),
        "groups": len(set(names)),
        "confusion": confusion(y, scores, threshold),
        "metrics": {k: number(v) for k, v in classification_metrics(y, scores, threshold).items()},
        "intervals": {k: [number(v) for v in pair] for k, pair in intervals.items()},
    }


def number(value: float) -> float | None:
    """Return a number that JSON can hold; `None` for NaN."""
    return None if np.isnan(value) else float(value)
