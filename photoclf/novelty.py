"""Images unlike all that a model learned from: conformal p-values, few false flags."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from photoclf.weighted_metrics import ScoreError

NEIGHBOURS = 5
LEVEL = 0.05


@dataclass(frozen=True)
class Novelty:
    """How strange images are, and which of them are flagged.

    Args:
        p: Conformal p-value of each image: at most this share of images like those of training
            are at least as strange. Shape (n,).
        flagged: Whether each is flagged, shape (n,).
        least: Images that must be as strange as can be before any is flagged: p can't fall below
            1 / (calibration images + 1), and the fewer flags, the smaller p has to be. More than
            there are images means that nothing could have been flagged.
    """

    p: np.ndarray
    flagged: np.ndarray
    least: int


def find_novel(
    training: ArrayLike,
    calibration: ArrayLike,
    images: ArrayLike,
    *,
    neighbours: int = NEIGHBOURS,
    level: float = LEVEL,
) -> Novelty:
    """Flag images that are farther from all training images than their like would be.

    How strange an image is, is its distance to the `neighbours`-th nearest training image, once
    each measure is spread out by its ranks among them. Calibration images, which are none of the
    training images, tell how strange an image of the same kind is.

    Args:
        training: Measures of the training images, shape (t, measures), without NaN.
        calibration: Of images of the same kind, independent of each other, shape (c, measures).
        images: Of those in question, shape (n, measures).
        neighbours: Which neighbour's distance counts, 1 or more; fewer where there are fewer.
        level: Share of the flags that may be false, on average over such folders. With images that
            are all of the training's kind, the chance that any is flagged.

    Returns:
        p-values and flags.

    Raises:
        ScoreError: If there are no training or calibration images, or a measure is missing.

    Source: Bates et al. 2023, "Testing for outliers with conformal p-values".
    """
    known, spare, asked = (np.asarray(rows, np.float64) for rows in (training, calibration, images))
    alike = known.ndim == spare.ndim == asked.ndim == 2 and (
        known.shape[1] == spare.shape[1] == asked.shape[1]
    )
    if not alike or not len(known) or not len(spare):
        raise ScoreError(
            "Training, calibration and asked images must have the same measures, and there must be"
            f" some of the first two. Received: shapes {known.shape}, {spare.shape} and"
            f" {asked.shape}."
        )
    if not all(np.isfinite(rows).all() for rows in (known, spare, asked)):
        raise ScoreError("Each measure must be a number. Received: NaN or infinity among them.")
    calibrated, distances = (
        _distances(normal_scores(known, known), normal_scores(known, rows), neighbours)
        for rows in (spare, asked)
    )
    p = conformal_p_values(calibrated, distances)
    least = int(np.ceil(max(len(asked), 1) / (level * (len(spare) + 1)) - 1e-9))
    return Novelty(p, benjamini_hochberg(p, level), max(least, 1))


def conformal_p_values(calibration: ArrayLike, scores: ArrayLike) -> np.ndarray:
    """Return for each score the share of calibration scores, itself added, that are no lower.

    Args:
        calibration: How strange images of the usual kind are, shape (c,).
        scores: How strange the images in question are, shape (n,).

    Returns:
        float64 (n,), from 1 / (c + 1) to 1.

    Example:
        >>> conformal_p_values([1, 2, 3, 4], [5, 2.5]).tolist()
        [0.2, 0.6]
    """
    ordered = np.sort(np.asarray(calibration, np.float64))
    higher = len(ordered) - np.searchsorted(ordered, np.asarray(scores), side="left")
    return (1 + higher) / (len(ordered) + 1)


def benjamini_hochberg(p_values: ArrayLike, level: float = LEVEL) -> np.ndarray:
    """Pick the p-values that are low enough, so that few of the picked are false.

    Args:
        p_values: Shape (n,).
        level: Expected share of false ones among the picked, at most.

    Returns:
        bool (n,).

    Source: Benjamini & Hochberg 1995.

    Example:
        >>> benjamini_hochberg([0.01, 0.5, 0.03]).tolist()
        [True, False, True]
    """
    p = np.asarray(p_values, np.float64)
    ordered = np.sort(p)
    # As k / (n / level): k·level / n would miss by a last digit what is exactly at its limit.
    low = ordered * len(p) / level <= np.arange(1, len(p) + 1) * (1 + 1e-12)
    return p <= ordered[np.flatnonzero(low)[-1]] if low.any() else np.zeros(len(p), bool)


def normal_scores(reference: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give each measure the normal distribution's quantile of its rank among a reference.

    Args:
        reference: Shape (t, measures).
        values: Shape (n, measures); equal values get the middle of their ranks.

    Returns:
        float64 (n, measures); what lies beyond the reference stands just outside its last value.
    """
    from scipy.special import ndtri

    ranks = np.empty(values.shape)
    for column, known in enumerate(np.sort(reference, axis=0).T):
        sides = [np.searchsorted(known, values[:, column], side) for side in ("left", "right")]
        ranks[:, column] = (sides[0] + sides[1]) / 2
    return ndtri((ranks + 0.5) / (len(reference) + 1))


def _distances(training: np.ndarray, images: np.ndarray, neighbours: int) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    if not len(images):
        return np.empty(0)
    found = NearestNeighbors(n_neighbors=min(neighbours, len(training))).fit(training)
    return found.kneighbors(images)[0][:, -1]
