"""How far two samples of one property lie apart, and whether chance explains it."""

import numpy as np
from numpy.typing import ArrayLike

from photoclf.weighted_metrics import ScoreError


def kolmogorov_smirnov(first: ArrayLike, second: ArrayLike) -> tuple[float, float]:
    """Compare two samples of numbers.

    Args:
        first: Shape (n,), 1 or more.
        second: Shape (m,), 1 or more.

    Returns:
        The largest difference of the two cumulative shares, 0 to 1, and the two-sided p-value of
        both coming from one distribution; a little too high when values repeat.

    Raises:
        ScoreError: If a sample is empty.

    Source: Kolmogorov 1933, Smirnov 1939; scipy's computation.

    Example:
        >>> kolmogorov_smirnov([1, 2, 3, 4], [3, 4, 5, 6])[0]
        0.5
    """
    from scipy.stats import ks_2samp

    a, b = _both(first, second)
    # Exact, the p-value of some hundreds of thousands would take minutes.
    method = "exact" if max(len(a), len(b)) <= 1000 else "asymp"
    found = ks_2samp(a, b, method=method)
    return float(found.statistic), float(found.pvalue)


def total_variation(
    first: ArrayLike, second: ArrayLike, *, draws: int = 9999, seed: int = 42
) -> tuple[float, float]:
    """Compare two samples of categories.

    Args:
        first: Texts, shape (n,), 1 or more.
        second: Texts, shape (m,), 1 or more.
        draws: Random divisions of all values into two such samples, which give the p-value.
        seed: Of the draws.

    Returns:
        The share of one sample that would have to change category to make both alike, 0 to 1, and
        the p-value of both coming from one distribution, 1 / (draws + 1) at least.

    Raises:
        ScoreError: If a sample is empty.

    Source: the permutation test, Fisher 1935.

    Example:
        >>> total_variation(["a", "a", "b", "b"], ["a", "b", "b", "b"])[0]
        0.25
    """
    a, b = _both(first, second)
    kinds, which = np.unique(np.concatenate([a, b]), return_inverse=True)
    every = np.bincount(which, minlength=len(kinds))
    counted = np.bincount(which[len(a) :], minlength=len(kinds))
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(
        every, len(b), size=draws, method="marginals"
    )
    distance = _halved_gap(every, counted[None], len(a), len(b))[0]
    as_far = (_halved_gap(every, drawn, len(a), len(b)) >= distance - 1e-12).sum()
    return float(distance), float((1 + as_far) / (draws + 1))


def _halved_gap(every: np.ndarray, second: np.ndarray, n: int, m: int) -> np.ndarray:
    return np.abs((every - second) / n - second / m).sum(axis=1) / 2


def _both(first: ArrayLike, second: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(first), np.asarray(second)
    if not a.size or not b.size or a.ndim != 1 or b.ndim != 1:
        raise ScoreError(
            f"Two samples must be two lists with values. Received: shapes {a.shape} and {b.shape}."
        )
    return a, b
