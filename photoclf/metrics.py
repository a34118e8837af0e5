"""Metrics of scores against labels: arrays in, numbers out."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from photoclf.weighted_metrics import (
    CALIBRATION_BINS,
    METRICS,
    WeightedMetrics,
    bin_scores,
    check_scores,
    check_threshold,
)


def confusion(labels: ArrayLike, scores: ArrayLike, threshold: float) -> dict[str, int]:
    """Count right and wrong decisions.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,).
        scores: P(photo) in [0, 1], shape (n,).
        threshold: An image is taken for a photo when its score is at least this.

    Returns:
        `tp`, `fp`, `fn` and `tn`, which add up to n.

    Raises:
        ScoreError: If lengths differ, a label isn't 0 or 1, or a score isn't in [0, 1].

    Example:
        >>> confusion([1, 1, 0], [0.9, 0.2, 0.5], 0.5)
        {'tp': 1, 'fp': 1, 'fn': 1, 'tn': 0}
    """
    y, s = check_scores(labels, scores)
    photo = s >= check_threshold(threshold)
    counts = {"tp": photo & (y == 1), "fp": photo & (y == 0)}
    counts |= {"fn": ~photo & (y == 1), "tn": ~photo & (y == 0)}
    return {name: int(which.sum()) for name, which in counts.items()}


def classification_metrics(
    labels: ArrayLike, scores: ArrayLike, threshold: float
) -> dict[str, float]:
    """Measure how well scores tell photos from the rest.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,).
        scores: P(photo) in [0, 1], shape (n,).
        threshold: An image is taken for a photo when its score is at least this.

    Returns:
        One number a name of `METRICS`; NaN where it isn't defined, such as the precision when
        nothing is taken for a photo, the areas when a class is missing, and all without images.
        `ece` is the expected calibration error over 10 equal bins of the score.

    Raises:
        ScoreError: If lengths differ, a label isn't 0 or 1, or a score isn't in [0, 1].

    Source: scikit-learn's definitions, to which these are equal wherever both exist, and Guo et
        al. 2017, "On Calibration of Modern Neural Networks", for `ece`.

    Example:
        >>> classification_metrics([1, 1, 0, 0], [0.9, 0.6, 0.7, 0.1], 0.5)["roc_auc"]
        0.75
    """
    y, s = check_scores(labels, scores)
    values = WeightedMetrics(y, s, check_threshold(threshold), np.arange(len(y))).metrics(
        np.ones((1, len(y)))
    )
    return {name: float(values[name][0]) for name in METRICS}


def calibration_table(
    labels: ArrayLike, scores: ArrayLike, bins: int = CALIBRATION_BINS
) -> pd.DataFrame:
    """Compare, in equal bins of the score, the mean score with the share of photos.

    Returns:
        One row a bin: `low`, `high`, `images`, `mean_score`, `photo_share` (NaN in empty bins).

    Raises:
        ScoreError: If lengths differ, a label isn't 0 or 1, or a score isn't in [0, 1].
    """
    y, s = check_scores(labels, scores)
    index = bin_scores(s, bins)
    images, score, photos = (
        np.bincount(index, weights, minlength=bins) for weights in (None, s, y.astype(float))
    )
    edges = np.linspace(0, 1, bins + 1)
    with np.errstate(invalid="ignore"):
        columns = {"mean_score": score / images, "photo_share": photos / images}
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "images": images, **columns})
