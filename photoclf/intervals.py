"""How sure a figure is: cluster bootstrap and exact intervals, arrays in, numbers out."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

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


def spread_interval(
    value: float,
    drawn: np.ndarray,
    level: float = 0.95,
    *,
    unbounded: bool = False,
    freedom: float = np.inf,
) -> tuple[float, float]:
    """Return the normal interval in log-odds of a share, from the spread of its bootstrap draws.

    Args:
        value: The share on all images, in [0, 1].
        drawn: The same of each draw, shape (draws,); NaN where it isn't defined.
        level: How often the interval holds the true value.
        unbounded: Whether the value is any positive number, so that logarithms are taken.
        freedom: Degrees of freedom of the spread: groups of the rarer kind, less one.

    Returns:
        (low, high); NaN when fewer than two draws are defined, or none differs.

    Example:
        >>> [round(p, 2) for p in spread_interval(0.9, np.array([0.87, 0.93, 0.9, 0.9]))]
        [0.84, 0.94]
    """
    known = drawn[~np.isnan(drawn)]
    if len(known) < 2 or not 0 < value < (np.inf if unbounded else 1):
        return np.nan, np.nan
    half = _quantile(level, freedom) * float(known.std(ddof=1))
    if not half:
        return np.nan, np.nan
    if unbounded:
        factor = float(np.exp(half / value))
        return value / factor, value * factor
    odds, factor = value / (1 - value), float(np.exp(half / (value * (1 - value))))
    # Not odds / (1 + odds) of large odds: it would lose the last digits below 1.
    return odds / factor / (1 + odds / factor), 1 / (1 + 1 / (odds * factor))


def effective_size(groups: ArrayLike) -> float:
    """Return how many independent images these are worth, if those of a group go together.

    Args:
        groups: The group of each image, shape (n,), n ≥ 1.

    Returns:
        n when all groups are of one image, less otherwise.

    Source: Kish 1965, "Survey sampling".

    Example:
        >>> effective_size(["a", "a", "b", "b"])
        2.0
    """
    _, sizes = np.unique(np.asarray(groups), return_counts=True)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def exact_interval(successes: float, trials: float, level: float = 0.95) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a proportion.

    Args:
        successes: How often it happened; whole, unless trials are worth less than their number.
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


def clustered_interval(
    errors: ArrayLike, groups: ArrayLike, level: float = 0.95
) -> tuple[float, float]:
    """Return the exact interval of a share of images, those of a group going together.

    Args:
        errors: Whether it happened, bool (n,).
        groups: The group of each image, shape (n,).
        level: The interval holds the true share at least this often.

    Returns:
        (low, high) in [0, 1]; (0, 1) without images.

    Source: Korn & Graubard 1998, with the size that `effective_size` gives.

    Example:
        >>> clustered_interval([0, 0, 1, 1], ["a", "a", "b", "b"]) == exact_interval(1, 2)
        True
    """
    happened = np.asarray(errors, np.float64)
    if not len(happened):
        return 0.0, 1.0
    size = effective_size(groups)
    return exact_interval(min(happened.mean() * size, size), size, level)


def draw_weights(generator: np.random.Generator, draws: int, groups: int) -> np.ndarray:
    """Draw groups with replacement, and count how often each was drawn.

    Returns:
        float64 (draws, groups), each row adding up to `groups`.
    """
    drawn = generator.integers(groups, size=(draws, groups))
    drawn += np.arange(draws)[:, None] * groups
    counts = np.bincount(drawn.ravel(), minlength=draws * groups)
    return counts.reshape(draws, groups).astype(float)


def _quantile(level: float, freedom: float) -> float:
    """Return the two-sided quantile of Student's t, by its expansion around the normal one."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


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
    half = _quantile(level, np.inf) * float(known.std(ddof=1))
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
