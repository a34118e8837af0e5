"""Metrics of scores against labels, thresholds and intervals: arrays in, numbers out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from photoclf.errors import PhotoclfError

METRICS = (
    "precision",
    "recall",
    "f1",
    "accuracy",
    "balanced_accuracy",
    "specificity",
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
    "ece",
)
CALIBRATION_BINS = 10
# Weights held at once while bootstrapping: few enough for the processor's cache.
_CHUNK = 500_000


class ScoreError(PhotoclfError, ValueError):
    """Labels, scores or groups aren't what a metric is defined on."""


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
    y, s = _checked(labels, scores)
    photo = s >= _checked_threshold(threshold)
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
    y, s = _checked(labels, scores)
    values = _Resampling(y, s, _checked_threshold(threshold), np.arange(len(y))).metrics(
        np.ones((1, len(y)))
    )
    return {name: float(values[name][0]) for name in METRICS}


def choose_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Choose the threshold with the highest F1.

    Choose it on validation images: on those that the model was fitted to it would be too bold,
    and on test images the test would no longer be one.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,); at least one photo.
        scores: P(photo) in [0, 1], shape (n,).

    Returns:
        The middle between two neighbouring scores (or between the lowest one and 0); of several
        equally good ones the nearest to 0.5.

    Raises:
        ScoreError: If there is no photo, lengths differ, or a value is out of range.

    Example:
        >>> choose_threshold([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9])
        0.5
    """
    y, s = _checked(labels, scores)
    if not y.any():
        raise ScoreError(
            f"Choosing a threshold needs at least one photo. Received: {len(y)} labels, none of"
            " them 1. Use more validation images."
        )
    order = np.argsort(-s, kind="stable")
    descending = s[order]
    # Cutting is possible only below the last of equal scores.
    ends = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
    true_positives = np.cumsum(y[order])[ends]
    f1 = 2 * true_positives / (ends + 1 + y.sum())
    above, below = descending[ends], np.append(descending, 0.0)[ends + 1]
    middles = below + (above - below) / 2
    # Between two adjacent floating-point numbers there is no middle.
    middles = np.where((middles > below) | (below == above), middles, above)
    best = middles[f1 == f1.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def bootstrap_intervals(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    groups: ArrayLike,
    *,
    draws: int = 1000,
    seed: int = 42,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Estimate how far each metric would move with other images of the same kind.

    Whole groups are drawn with replacement, since images of one group (pages of one book, copies
    of one picture) are right or wrong together; drawing single images would promise too much.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,).
        scores: P(photo) in [0, 1], shape (n,).
        threshold: An image is taken for a photo when its score is at least this.
        groups: The group of each image, shape (n,).
        draws: Resamplings.
        seed: Same seed and data, same intervals.
        level: Share of resamplings inside an interval.

    Returns:
        (low, high) for each name of `METRICS`: percentiles over the draws in which the metric is
        defined; NaN when there is none, or fewer than two groups.

    Raises:
        ScoreError: If lengths differ or a value is out of range.

    Source: Field & Welsh 2007, "Bootstrapping clustered data", the cluster bootstrap.
    """
    y, s = _checked(labels, scores)
    names, group = np.unique(_checked_groups(groups, len(y)), return_inverse=True)
    if draws < 1 or not 0 < level < 1:
        raise ScoreError(
            "`draws` must be at least 1 and `level` between 0 and 1."
            f" Received: draws={draws!r}, level={level!r}."
        )
    if len(names) < 2:
        return dict.fromkeys(METRICS, (np.nan, np.nan))
    resampling = _Resampling(y, s, _checked_threshold(threshold), group)
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // len(y))
    drawn = [
        resampling.metrics(_draw_weights(generator, min(chunk, draws - start), len(names)))
        for start in range(0, draws, chunk)
    ]
    return {name: _percentiles(np.concatenate([d[name] for d in drawn]), level) for name in METRICS}


def exact_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a proportion.

    Args:
        successes: How often it happened.
        trials: Of how many, independent of one another.
        level: The interval holds the true proportion at least this often.

    Returns:
        (low, high) in [0, 1]; (0, 1) without trials.

    Raises:
        ScoreError: If not 0 ≤ successes ≤ trials, or the level isn't between 0 and 1.

    Source: Clopper & Pearson 1934.

    Example:
        >>> [round(p, 4) for p in exact_interval(0, 10)]
        [0.0, 0.3085]
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= trials or not 0 < level < 1:
        raise ScoreError(
            "An interval needs 0 ≤ successes ≤ trials and a level between 0 and 1."
            f" Received: successes={successes!r}, trials={trials!r}, level={level!r}."
        )
    tail, failures = (1 - level) / 2, trials - successes
    low = betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return float(low), float(high)


def calibration_table(
    labels: ArrayLike, scores: ArrayLike, bins: int = CALIBRATION_BINS
) -> pd.DataFrame:
    """Compare, in equal bins of the score, the mean score with the share of photos.

    Returns:
        One row a bin: `low`, `high`, `images`, `mean_score`, `photo_share` (NaN in empty bins).

    Raises:
        ScoreError: If lengths differ, a label isn't 0 or 1, or a score isn't in [0, 1].
    """
    y, s = _checked(labels, scores)
    index = _bins(s, bins)
    images, score, photos = (
        np.bincount(index, weights, minlength=bins) for weights in (None, s, y.astype(float))
    )
    edges = np.linspace(0, 1, bins + 1)
    with np.errstate(invalid="ignore"):
        columns = {"mean_score": score / images, "photo_share": photos / images}
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "images": images, **columns})


class _Resampling:
    """Metrics under any weights of the groups, many weightings at once.

    Nearly every metric is made of sums over images, and so of sums over groups: these are taken
    once, and each draw costs a product. Only the two areas need the images in order again.
    """

    def __init__(self, y: np.ndarray, s: np.ndarray, threshold: float, group: np.ndarray) -> None:
        photo = s >= threshold
        # As scikit-learn clips, so that one sure mistake doesn't make the mean infinite.
        p = np.clip(s, np.finfo(s.dtype).eps, 1 - np.finfo(s.dtype).eps)
        gap, index = s - y, _bins(s, CALIBRATION_BINS)
        columns = [photo & (y == 1), photo & (y == 0), ~photo & (y == 1), ~photo & (y == 0)]
        columns += [gap**2, -np.where(y == 1, np.log(p), np.log1p(-p))]
        columns += [np.where(index == b, gap, 0.0) for b in range(CALIBRATION_BINS)]
        self.sums = np.stack([np.bincount(group, column) for column in columns], axis=1)
        self.order = np.argsort(-s, kind="stable")
        self.group, self.photo = group[self.order], y[self.order] == 1
        ordered = s[self.order]
        self.starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(s)])

    def metrics(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return each metric for each row of weights, shape (draws, groups)."""
        sums = (weights @ self.sums).T
        tp, fp, fn, tn = sums[:4]
        n = tp + fp + fn + tn
        with np.errstate(invalid="ignore", divide="ignore"):
            recall, specificity = tp / (tp + fn), tn / (tn + fp)
            return {
                "precision": tp / (tp + fp),
                "recall": recall,
                "f1": 2 * tp / (2 * tp + fp + fn),
                "accuracy": (tp + tn) / n,
                "balanced_accuracy": (recall + specificity) / 2,
                "specificity": specificity,
                **self._areas(weights),
                "brier": sums[4] / n,
                "log_loss": sums[5] / n,
                "ece": np.abs(sums[6:]).sum(axis=0) / n,
            }

    def _areas(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        if not len(self.starts):
            return dict.fromkeys(("roc_auc", "average_precision"), np.full(len(weights), np.nan))
        images = weights[:, self.group]
        # Equal scores are one step of both curves.
        photos = np.add.reduceat(images * self.photo, self.starts, axis=1)
        others = np.add.reduceat(images * ~self.photo, self.starts, axis=1)
        photos_above, others_above = photos.cumsum(axis=1), others.cumsum(axis=1)
        n_photos, n_others = photos_above[:, -1], others_above[:, -1]
        # A photo is above all others that don't stand above it, and half above its equals.
        won = (photos * (n_others[:, None] - others_above + others / 2)).sum(axis=1)
        taken = photos_above + others_above
        # Before the first drawn image nothing is taken; its precision counts for nothing.
        precision = photos_above / np.where(taken == 0, 1, taken)
        roc_auc = won / (n_photos * n_others)
        average_precision = (photos * precision).sum(axis=1) / n_photos
        return {"roc_auc": roc_auc, "average_precision": average_precision}


def _draw_weights(generator: np.random.Generator, draws: int, groups: int) -> np.ndarray:
    drawn = generator.integers(groups, size=(draws, groups))
    drawn += np.arange(draws)[:, None] * groups
    counts = np.bincount(drawn.ravel(), minlength=draws * groups)
    return counts.reshape(draws, groups).astype(float)


def _percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _bins(scores: np.ndarray, bins: int) -> np.ndarray:
    return np.minimum((scores * bins).astype(np.int64), bins - 1)


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    y, s = _floats(labels, "labels"), _floats(scores, "scores")
    if y.shape != s.shape or y.ndim != 1:
        raise ScoreError(
            "Labels and scores must be two lists of one length."
            f" Received: shapes {y.shape} and {s.shape}."
        )
    _refuse(y, (y == 0) | (y == 1), "Each label must be 0 or 1")
    _refuse(s, (s >= 0) & (s <= 1), "Each score must be a probability from 0 to 1")
    return y.astype(np.int64), s


def _floats(values: ArrayLike, name: str) -> np.ndarray:
    try:
        return np.asarray(values, np.float64)
    except (ValueError, TypeError) as error:
        raise ScoreError(f"The {name} must be numbers. Received: {error}.") from error


def _refuse(values: np.ndarray, good: np.ndarray, rule: str) -> None:
    if not good.all():
        first = int(np.argmin(good))
        raise ScoreError(
            f"{rule}. Received: {values[first]} in row {first} ({(~good).sum()} such rows)."
        )


def _checked_groups(groups: ArrayLike | Sequence[str], images: int) -> np.ndarray:
    array = np.asarray(groups)
    if array.shape != (images,):
        raise ScoreError(
            f"There must be one group an image. Received: shape {array.shape} for {images} images."
        )
    return array


def _checked_threshold(threshold: float) -> float:
    if not 0 <= threshold <= 1:
        raise ScoreError(f"The threshold must be from 0 to 1. Received: {threshold!r}.")
    return float(threshold)
