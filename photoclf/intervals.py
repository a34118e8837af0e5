"""How sure a figure is: cluster bootstrap and exact intervals, arrays in, numbers out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from photoclf.weighted_metrics import (
    METRICS,
    ScoreError,
    WeightedMetrics,
    check_scores,
    check_threshold,
)

# Weights held at once while bootstrapping: few enough for the processor's cache.
_CHUNK = 500_000


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
    y, s = check_scores(labels, scores)
    names, group = np.unique(_checked_groups(groups, len(y)), return_inverse=True)
    if draws < 1 or not 0 < level < 1:
        raise ScoreError(
            "`draws` must be at least 1 and `level` between 0 and 1."
            f" Received: draws={draws!r}, level={level!r}."
        )
    if len(names) < 2:
        return dict.fromkeys(METRICS, (np.nan, np.nan))
    resampling = WeightedMetrics(y, s, check_threshold(threshold), group)
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // len(y))
    drawn = [
        resampling.metrics(draw_weights(generator, min(chunk, draws - start), len(names)))
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


def draw_weights(generator: np.random.Generator, draws: int, groups: int) -> np.ndarray:
    """Draw groups with replacement, and count how often each was drawn.

    Returns:
        float64 (draws, groups), each row adding up to `groups`.
    """
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


def _checked_groups(groups: ArrayLike | Sequence[str], images: int) -> np.ndarray:
    array = np.asarray(groups)
    if array.shape != (images,):
        raise ScoreError(
            f"There must be one group an image. Received: shape {array.shape} for {images} images."
        )
    return array
