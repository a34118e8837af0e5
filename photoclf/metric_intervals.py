"""How sure every metric is: the cluster bootstrap, arrays in, numbers out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from photoclf.intervals import draw_weights, effective_size, spread_interval, students_quantile
from photoclf.weighted_metrics import (
    CALIBRATION_BINS,
    METRICS,
    ScoreError,
    WeightedMetrics,
    bin_scores,
    check_scores,
    check_threshold,
)

# Weights held at once while bootstrapping: few enough for the processor's cache.
_CHUNK = 500_000
_CHANCE_DRAWS = 200


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
    of one picture) are right or wrong together; drawing single images would promise too much. The
    draws give the metric's standard deviation, and the interval is the normal one in log-odds:
    percentiles of the draws are too narrow near 0 and 1, where good metrics lie (of 95 % intervals
    of an AUC of 0.998, 90 % held it).

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,).
        scores: P(photo) in [0, 1], shape (n,).
        threshold: An image is taken for a photo when its score is at least this.
        groups: The group of each image, shape (n,).
        draws: Resamplings.
        seed: Same seed and data, same intervals.
        level: How often an interval holds the true value.

    Returns:
        (low, high) for each name of `METRICS`; NaN when fewer than two groups or draws define it.
        A share that no draw moves, such as a precision or an area of 1, has an exact interval,
        groups counting as in `effective_size`; an average precision of 1 has none. `ece`, which is
        too large in any sample, has the interval of what chance doesn't explain of it.

    Raises:
        ScoreError: If lengths differ or a value is out of range.

    Source: Field & Welsh 2007, "Bootstrapping clustered data", the cluster bootstrap; Korn &
        Graubard 1998 for intervals of shares of clustered data.
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
    values = resampling.metrics(np.ones((1, len(names))))
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // len(y))
    drawn = [
        resampling.metrics(draw_weights(generator, min(chunk, draws - start), len(names)))
        for start in range(0, draws, chunk)
    ]
    freedom = max(1, min(len(np.unique(group[y == kind])) for kind in set(y)) - 1)
    intervals = {}
    for name in METRICS:
        value = float(values[name][0])
        moved = np.concatenate([some[name] for some in drawn])
        if name == "ece":
            intervals[name] = _calibration_interval(s, value, moved, level, generator)
        else:
            intervals[name] = spread_interval(
                value, moved, level, unbounded=name == "log_loss", freedom=freedom
            )
        if value in (0, 1):
            intervals[name] = _extreme_interval(name, value, y, s >= threshold, group, level)
    return intervals


def _calibration_interval(
    s: np.ndarray, value: float, drawn: np.ndarray, level: float, generator: np.random.Generator
) -> tuple[float, float]:
    """Return the interval of a calibration error less what chance alone makes of it.

    Scores that are true probabilities have an error of 0, and show some in any sample: how much is
    drawn, and taken away in squares. Where chance explains all of it, the interval begins at 0.
    """
    known = drawn[~np.isnan(drawn)]
    if len(known) < 2 or np.isnan(value):
        return np.nan, np.nan
    order = np.argsort(s, kind="stable")
    bins = bin_scores(s[order], CALIBRATION_BINS)
    starts = np.flatnonzero(np.append(True, bins[1:] != bins[:-1]))
    by_chance = np.array(
        [
            np.abs(np.add.reduceat(s[order] - (generator.random(len(s)) < s[order]), starts)).sum()
            for _ in range(_CHANCE_DRAWS)
        ]
    ) / len(s)
    middle = np.sqrt(max(value**2 - (by_chance**2).mean(), 0.0))
    half = students_quantile(level, np.inf) * float(known.std(ddof=1))
    explained = value <= np.quantile(by_chance, (1 + level) / 2)
    low = 0.0 if explained else max(0.0, float(middle - half))
    # Bins that are off on one side owe nothing to chance: the upper end takes nothing away.
    return low, float(min(value + half, 1.0))


def _extreme_interval(
    name: str, value: float, y: np.ndarray, photo: np.ndarray, group: np.ndarray, level: float
) -> tuple[float, float]:
    """Return the interval of a metric of exactly 0 or 1, for those that have an exact one."""
    kinds = [_reach(group[y == kind], level) for kind in (1, 0)]
    judged = {
        "precision": photo,
        "recall": y == 1,
        "specificity": y == 0,
        "f1": photo | (y == 1),
        "accuracy": np.ones(len(y), bool),
    }
    if name == "roc_auc":  # so many pairs, none of which shares an image, are in one order
        reach = max(kinds)
    elif name == "balanced_accuracy":
        reach = sum(kinds) / 2
    elif name in judged:
        reach = _reach(group[judged[name]], level)
    else:
        return np.nan, np.nan
    low, high = (1 - reach, 1.0) if value else (0.0, reach)
    if name == "f1":  # of a share p, F1 is 2p / (1 + p)
        return 2 * low / (1 + low), 2 * high / (1 + high)
    return low, high


def _reach(groups: np.ndarray, level: float) -> float:
    """Return the largest share of errors that images without one leave open."""
    return 1 - ((1 - level) / 2) ** (1 / effective_size(groups)) if len(groups) else 1.0


def _checked_groups(groups: ArrayLike | Sequence[str], images: int) -> np.ndarray:
    array = np.asarray(groups)
    if array.shape != (images,):
        raise ScoreError(
            f"There must be one group an image. Received: shape {array.shape} for {images} images."
        )
    return array
