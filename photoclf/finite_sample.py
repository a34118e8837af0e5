"""Samples drawn without replacement from a known number of files: exact intervals, sizes."""

import numpy as np
from numpy.typing import ArrayLike

from photoclf.weighted_metrics import ScoreError

# Sizes that are tried at once while the smallest sample is looked for.
_CHUNK = 512


def hypergeometric_interval(
    successes: int, sample: int, population: int, level: float = 0.95
) -> tuple[int, int]:
    """Return how many of a population may be photographs when a sample of it was looked at.

    Both tails are inverted, as Clopper & Pearson do for a sample with replacement; once the whole
    population was looked at, nothing is left to estimate.

    Args:
        successes: Photographs in the sample.
        sample: Files in the sample, drawn at random without replacement.
        population: Files that it was drawn from.
        level: The interval holds the true number at least this often.

    Returns:
        (low, high), numbers of the population; (0, population) of an empty sample.

    Raises:
        ScoreError: If not 0 ≤ successes ≤ sample ≤ population, or the level isn't between 0 and 1.

    Source: Buonaccorsi 1987, "A note on confidence intervals for proportions in finite
    populations".

    Example:
        >>> hypergeometric_interval(2, 10, 20)
        (2, 9)
    """
    if not 0 <= successes <= sample <= population or not 0 < level < 1:
        raise ScoreError(
            "An interval needs 0 ≤ successes ≤ sample ≤ population and a level between 0 and 1."
            f" Received: successes={successes!r}, sample={sample!r}, population={population!r},"
            f" level={level!r}."
        )
    low, high = _intervals(np.array([successes]), np.array([sample]), population, level)
    return int(low[0]), int(high[0])


def sample_size(population: int, precision: float, share: float = 0.5, level: float = 0.95) -> int:
    """Return the smallest sample whose exact interval is narrow enough.

    Args:
        population: Files to draw from, without replacement; 1 or more.
        precision: Half of the interval's width that is wanted, between 0 and 0.5.
        share: Expected share of photographs, 0 to 1. A sample has a whole number of them, and both
            neighbours of the expected number must give a narrow interval. 0.5 needs the most.
        level: Of the interval.

    Returns:
        Files, 1 to `population`.

    Raises:
        ScoreError: If an argument is out of its range.

    Example:
        >>> sample_size(10_000, 0.05), sample_size(119, 0.05, 0.25)
        (386, 87)
    """
    fine = population >= 1 and 0 < precision < 0.5 and 0 <= share <= 1 and 0 < level < 1
    if not fine:
        raise ScoreError(
            "A sample's size needs a population of 1 or more, a precision between 0 and 0.5, a"
            " share from 0 to 1 and a level between 0 and 1. Received:"
            f" population={population!r}, precision={precision!r}, share={share!r},"
            f" level={level!r}."
        )
    start = _surely_too_small(population, precision, share, level)
    for first in range(start, population + 1, _CHUNK):
        sizes = np.arange(first, min(first + _CHUNK, population + 1))
        widths = [
            np.diff(_intervals(count.astype(np.int64), sizes, population, level), axis=0)[0]
            for count in (np.floor(sizes * share), np.ceil(sizes * share))
        ]
        narrow = np.maximum(*widths) <= 2 * precision * population + 1e-9
        if narrow.any():
            return int(sizes[np.argmax(narrow)])
    return population


def _surely_too_small(population: int, precision: float, share: float, level: float) -> int:
    """Return a size to start from: half of what the normal approximation asks for.

    An exact interval is wider than the approximate one, so that no size below can do.
    """
    from scipy.special import ndtri

    wanted = (ndtri((1 + level) / 2) / precision) ** 2 * share * (1 - share)
    return max(1, int(0.5 * wanted / (1 + wanted / population)))


def _intervals(
    successes: np.ndarray, sample: np.ndarray, population: int, level: float
) -> np.ndarray:
    tail = (1 - level) / 2
    low = _lowest(successes, sample, population, tail)
    return np.stack([low, population - _lowest(sample - successes, sample, population, tail)])


def _lowest(successes: ArrayLike, sample: np.ndarray, population: int, tail: float) -> np.ndarray:
    """Find by halving the fewest photographs of which a sample has that many often enough."""
    from scipy.stats import hypergeom

    x = np.asarray(successes)
    low, high = x.copy(), population - (sample - x)
    while (low < high).any():
        middle = (low + high) // 2
        enough = hypergeom.sf(x - 1, population, middle, sample) > tail
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
        low = np.minimum(low, high)
    return low
