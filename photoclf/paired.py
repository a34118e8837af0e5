"""Whether two ways to train differ: paired on the same images, with the noise of seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from photoclf.intervals import draw_weights
from photoclf.weighted_metrics import ScoreError, check_scores

# Weights held at once while bootstrapping: few enough for the processor's cache.
_CHUNK = 500_000
# Scores are float32: one of exactly 0 or 1 stands for anything up to this far from it.
_EPSILON = float(np.finfo(np.float32).eps)
# An image is called a photo from here on when two networks' decisions are compared. A threshold
# that was chosen on these very images would flatter each network in its own way.
THRESHOLD = 0.5

MEASURES = ("log_loss", "accuracy", "f1")


@dataclass(frozen=True)
class SeedNoise:
    """How far a figure moves when nothing but the seed changes.

    Args:
        sd: Standard deviation between runs of one point, pooled over the points; NaN if unknown.
        df: Degrees of freedom behind it: runs with company less points with company. 0 if unknown.
    """

    sd: float = np.nan
    df: int = 0

    @property
    def known(self) -> bool:
        """Whether any two runs differ in their seed alone."""
        return self.df > 0


@dataclass(frozen=True)
class Difference:
    """The difference of two ways to train.

    Args:
        value: Second less first.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p: Two-sided p-value of there being none.
    """

    value: float
    low: float
    high: float
    p: float


class PairedBootstrap:
    """Resamples the groups of a set of images, the same draws for whatever was scored on them.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,).
        groups: The group of each image, shape (n,); whole groups are drawn, since their images are
            right or wrong together.
        draws: Resamplings.
        seed: Same seed and data, same intervals.

    Raises:
        ScoreError: If there are fewer than two groups, or not one group an image.

    Source: Field & Welsh 2007, "Bootstrapping clustered data", the cluster bootstrap; Efron &
        Tibshirani 1993, "An Introduction to the Bootstrap", for pairs.
    """

    def __init__(
        self, labels: ArrayLike, groups: ArrayLike, *, draws: int = 2000, seed: int = 42
    ) -> None:
        self.labels = np.asarray(labels)
        names, self._group = np.unique(np.asarray(groups), return_inverse=True)
        if len(names) < 2 or len(self._group) != len(self.labels):
            raise ScoreError(
                "A comparison needs at least two groups of images, and one group an image."
                f" Received: {len(names)} groups for {len(self.labels)} images."
            )
        self.groups, self._draws, self._seed = len(names), draws, seed

    def measure(self, scores: Sequence[ArrayLike]) -> dict[str, np.ndarray]:
        """Measure one point, the mean over its seeds, on all images and on each resampling.

        Args:
            scores: One array of P(photo), shape (n,), a seed.

        Returns:
            For each of `MEASURES` float64 (1 + draws,): on all images first. F1 is that of the
            seeds' counts together; it and accuracy are of decisions at 0.5.
        """
        sums = np.mean([self._sums(s) for s in scores], axis=0)
        parts = [_measures(np.ones((1, self.groups)) @ sums)]
        generator = np.random.default_rng(self._seed)
        chunk = max(1, _CHUNK // self.groups)
        for start in range(0, self._draws, chunk):
            weights = draw_weights(generator, min(chunk, self._draws - start), self.groups)
            parts.append(_measures(weights @ sums))
        return {name: np.concatenate([part[name] for part in parts]) for name in MEASURES}

    def _sums(self, scores: ArrayLike) -> np.ndarray:
        y, s = check_scores(self.labels, scores)
        p, photo = np.clip(s, _EPSILON, 1 - _EPSILON), s >= THRESHOLD
        columns = [np.ones(len(y)), -np.where(y == 1, np.log(p), np.log1p(-p))]
        columns += [photo == (y == 1), photo & (y == 1), photo & (y == 0), ~photo & (y == 1)]
        return np.stack([np.bincount(self._group, c, self.groups) for c in columns], axis=1)


def difference(
    first: np.ndarray,
    second: np.ndarray,
    noise: SeedNoise | None = None,
    seeds: tuple[int, int] = (1, 1),
    *,
    seed: int = 42,
) -> Difference:
    """Tell how far two points differ in one measure, and how sure that is.

    Two things could have come out otherwise: which images were at hand, and which seeds. The first
    is in the draws; the second is added to each draw, as a t-distributed error with the pooled
    deviation of the two means. Testing each source for itself and asking both to be significant
    would find a difference where there is none in up to 17 of 100 cases instead of 5, since a
    difference that neither source explains alone may well come from both.

    Args:
        first: One of the arrays of `PairedBootstrap.measure`.
        second: The same measure of the other point, from the same bootstrap.
        noise: Of the seeds; without it, or when it isn't known, the answer is about these very
            networks on other images of this kind, not about their choices.
        seeds: How many seeds each point is the mean of.
        seed: Of the draws of that error.

    Returns:
        The difference, its percentile interval and p-value; NaN when the measure isn't defined.
    """
    drawn = second[1:] - first[1:]
    if noise is not None and noise.known:
        width = noise.sd * np.sqrt(1 / seeds[0] + 1 / seeds[1])
        generator = np.random.default_rng([seed, 1])
        drawn = drawn + width * generator.standard_t(noise.df, len(drawn))
    drawn = drawn[~np.isnan(drawn)]
    value = float(second[0] - first[0])
    if not len(drawn):
        return Difference(value, np.nan, np.nan, np.nan)
    low, high = np.quantile(drawn, [0.025, 0.975])
    tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return Difference(value, float(low), float(high), min(1.0, 2 * (tail + 1) / (len(drawn) + 1)))


def pooled_noise(points: Sequence[ArrayLike]) -> SeedNoise:
    """Estimate the seeds' noise from points that were trained with several seeds.

    Args:
        points: The figures of each point's runs. One run alone tells nothing and is passed over.

    Returns:
        The standard deviation within points, all points together.

    Example:
        >>> pooled_noise([[1.0, 3.0], [5.0, 5.0], [9.0]])
        SeedNoise(sd=1.0, df=2)
    """
    values = [np.asarray(point, np.float64) for point in points if len(np.asarray(point)) > 1]
    df = sum(len(v) - 1 for v in values)
    if not df:
        return SeedNoise()
    return SeedNoise(float(np.sqrt(sum(((v - v.mean()) ** 2).sum() for v in values) / df)), df)


def mcnemar(only_first: int, only_second: int) -> float:
    """Test whether two networks decide equally well, from the images that one alone got right.

    It takes images for independent and knows no seeds, so it is a second opinion on two networks.

    Args:
        only_first: Images that the first alone decided rightly.
        only_second: Images that the second alone decided rightly.

    Returns:
        The two-sided exact p-value.

    Source: McNemar 1947; the exact form is the sign test of the images on which they differ.

    Example:
        >>> round(mcnemar(9, 1), 4)
        0.0215
    """
    from scipy.special import bdtr

    if not only_first + only_second:
        return 1.0
    tail = bdtr(min(only_first, only_second), only_first + only_second, 0.5)
    return float(min(1.0, 2 * tail))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for having looked at several.

    Returns:
        Adjusted p-values in the order given: those below 0.05 hold together with at most one
        chance in twenty that any of them is wrong.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return [round(float(value), 12) for value in adjusted]


def luck_of_the_best(points: int) -> float:
    """Return how far the best of several equal points lies ahead of them by luck alone.

    Args:
        points: How many were compared, 1 or more.

    Returns:
        The expected lead over their mean, in standard deviations of a point's figure.

    Source: Blom 1958, the approximation of the normal distribution's order statistics.

    Example:
        >>> round(luck_of_the_best(10), 2)
        1.55
    """
    from scipy.special import ndtri

    return float(ndtri((points - 0.375) / (points + 0.25)))


def _measures(sums: np.ndarray) -> dict[str, np.ndarray]:
    images, loss, right, tp, fp, fn = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "log_loss": loss / images,
            "accuracy": right / images,
            "f1": 2 * tp / (2 * tp + fp + fn),
        }
