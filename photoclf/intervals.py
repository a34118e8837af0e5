"""How sure a share is: exact, or by the spread of resampled groups; arrays in, numbers out."""

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from photoclf.weighted_metrics import ScoreError


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
    half = students_quantile(level, freedom) * float(known.std(ddof=1))
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


def students_quantile(level: float, freedom: float) -> float:
    """Return the two-sided quantile of Student's t, by its expansion around the normal one.

    Args:
        level: Between 0 and 1.
        freedom: Degrees of freedom, 1 or more; infinite for the normal distribution.

    Source: Abramowitz & Stegun 1964, 26.7.5; within 1 % from 4 degrees on.

    Example:
        >>> round(students_quantile(0.95, 60), 3)
        2.0
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
