"""A review band that keeps a promise: how many photographs are missed, how many are false."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from photoclf.band import Band
from photoclf.errors import ConfigError
from photoclf.weighted_metrics import ScoreError, check_scores, check_threshold

# Stricter to looser; the first that can be proved and leaves little to review is promised when
# nobody asks for another.
LADDER = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


class PromiseError(ScoreError):
    """The images at hand can't prove a promise."""


@dataclass(frozen=True)
class Promise:
    """What may go wrong unseen, at most; images of one group count once.

    Args:
        missed: Share of the photographs that are left out by themselves, over 0 and under 1;
            `None` promises nothing.
        false: Share of the other images that are called photographs by themselves; or `None`.
        confidence: How sure both are together, 0.5 to 1, both excluded.
        candidates: Among how many models the images that prove it have chosen, 1 or more. The best
            of many on some images looks better there than it is; so what is proved has to hold for
            each of them (union bound).

    Raises:
        ConfigError: If a value is out of range, or nothing is promised.
    """

    missed: float | None
    false: float | None
    confidence: float = 0.95
    candidates: int = 1

    def __post_init__(self) -> None:
        promised = [share for share in (self.missed, self.false) if share is not None]
        if not promised or not all(0 < share < 1 for share in promised):
            raise ConfigError(
                "A promise needs `missed` or `false`, shares between 0 and 1, such as 0.01."
                f" Received: missed={self.missed!r}, false={self.false!r}."
            )
        if not 0.5 < self.confidence < 1:
            raise ConfigError(
                "`confidence` must be between 0.5 and 1, such as 0.95."
                f" Received: {self.confidence!r}."
            )

    @property
    def delta(self) -> float:
        """How often each promised share may be exceeded, so that all that is promised holds."""
        promised = (self.missed is not None) + (self.false is not None)
        return (1 - self.confidence) / promised / self.candidates


def least_promise(size: float, delta: float) -> float:
    """Return the smallest share that images without one error can prove.

    Args:
        size: How many groups of images there are of the kind.
        delta: How often the share may be exceeded.

    Example:
        >>> round(least_promise(598, 0.05), 4)
        0.005
    """
    return float(-np.expm1(np.log(delta) / size)) if size else 1.0


def images_needed(share: float, delta: float) -> int:
    """Return how many independent images of the kind prove a share, without one error.

    Example:
        >>> images_needed(0.005, 0.05)
        598
    """
    return int(np.ceil(np.log(delta) / np.log1p(-share)))


def controlled_band(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    promise: Promise,
    groups: ArrayLike | None = None,
) -> Band:
    """Choose the narrowest band around the threshold that keeps a promise.

    Choose it on images that the model wasn't fitted to, and that are like those to come. Going up
    from 0, the lower end is raised while the groups with a photograph below it are so few that a
    share over the promised one would show more, in all but `delta` of cases (exact binomial test).
    The first failure stops it: the tests stand in a fixed order, and so need no correction for
    their number. The upper end comes down in the same way, by the groups of other images that reach
    it. Nothing is assumed of how scores are distributed, nor of how images of a group go together:
    a group is wrong as soon as one of its images is.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,).
        scores: P(photo) in [0, 1], shape (n,).
        threshold: Lies in the band; where nothing has to be reviewed, it is both of its ends.
        promise: What is promised.
        groups: The group of each image, shape (n,); each on its own by default.

    Returns:
        The band.

    Raises:
        PromiseError: If there are too few images to prove it, whatever the scores. It tells what
            can be promised and how many would be needed.
        ScoreError: If lengths differ or a value is out of range.

    Source: Angelopoulos et al. 2021, "Learn then Test", fixed-sequence testing; Bates et al. 2021,
        "Distribution-free, risk-controlling prediction sets", for risks that only grow.

    Example:
        >>> scores = np.linspace(0, 1, 1001)
        >>> band = controlled_band(scores > 0.5, scores, 0.7, Promise(0.01, 0.01))
        >>> (round(band.low, 3), round(band.high, 3))
        (0.501, 0.7)
    """
    y, s = check_scores(labels, scores)
    threshold = check_threshold(threshold)
    names = np.arange(len(y)) if groups is None else np.asarray(groups)
    if names.shape != y.shape:
        raise ScoreError(
            f"There must be one group an image. Received: {names.shape} for {len(y)} images."
        )
    low = high = threshold
    if promise.missed is not None:
        photos = y == 1
        lowest = np.sort(_of_groups(np.minimum, s[photos], names[photos]))
        low = float(lowest[_allowed("missed", "photographs", len(lowest), promise)])
    if promise.false is not None:
        others = y == 0
        highest = -np.sort(-_of_groups(np.maximum, s[others], names[others]))
        allowed = _allowed("false", "other images", len(highest), promise)
        high = _above(float(highest[allowed]), s)
    return Band(min(low, threshold), max(high, threshold))


def _of_groups(end: np.ufunc, scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return each group's lowest or highest score."""
    order = np.argsort(groups, kind="stable")
    if not len(order):
        return scores
    ordered = groups[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    return end.reduceat(scores[order], starts)


def _allowed(what: str, kind: str, size: int, promise: Promise) -> int:
    """Return how many wrong groups still prove a share; complain when even none doesn't."""
    from scipy.special import bdtr

    share = float(getattr(promise, what))
    if size < images_needed(share, promise.delta):
        least = least_promise(size, promise.delta)
        raise PromiseError(
            f"To promise that at most {100 * share:g} % are {what}, with"
            f" {100 * promise.confidence:g} % confidence, takes"
            f" {images_needed(share, promise.delta):,} {kind} in val. Received: {size} (those of a"
            f" group count once){_among(promise)}, which can prove {100 * least:.2g} % at best."
            " Promise that or more, or label more images."
        )
    return int(np.sum(bdtr(np.arange(size), size, share) <= promise.delta)) - 1


def _among(promise: Promise) -> str:
    if promise.candidates == 1:
        return ""
    return f", which also chose among {promise.candidates} models"


def _above(score: float, scores: np.ndarray) -> float:
    """Return a place above a score and below or at the next one: half way, if there is one."""
    higher = scores[scores > score]
    following = float(higher.min()) if len(higher) else max(1.0, float(np.nextafter(score, 2)))
    return max(score + (following - score) / 2, float(np.nextafter(score, 2)))
