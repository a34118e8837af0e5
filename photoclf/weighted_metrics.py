"""Every metric under any weights of the images' groups, and what labels and scores must be."""

import numpy as np
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
# Those that need the images in order: the dear ones.
AREAS = frozenset({"roc_auc", "average_precision"})
CALIBRATION_BINS = 10


class ScoreError(PhotoclfError, ValueError):
    """Labels, scores or groups aren't what a metric is defined on."""


class WeightedMetrics:
    """Metrics under any weights of the groups, many weightings at once.

    Nearly every metric is made of sums over images, and so of sums over groups: these are taken
    once, and each draw costs a product. Only the two areas need the images in order again.

    Args:
        y: 0 or 1, shape (n,).
        s: P(photo) in [0, 1], shape (n,).
        threshold: An image is taken for a photo when its score is at least this.
        group: The group of each image, 0 to groups - 1, shape (n,).
    """

    def __init__(self, y: np.ndarray, s: np.ndarray, threshold: float, group: np.ndarray) -> None:
        photo = s >= threshold
        # As scikit-learn clips, so that one sure mistake doesn't make the mean infinite.
        p = np.clip(s, np.finfo(s.dtype).eps, 1 - np.finfo(s.dtype).eps)
        gap, index = s - y, bin_scores(s, CALIBRATION_BINS)
        columns = [photo & (y == 1), photo & (y == 0), ~photo & (y == 1), ~photo & (y == 0)]
        columns += [gap**2, -np.where(y == 1, np.log(p), np.log1p(-p))]
        columns += [np.where(index == b, gap, 0.0) for b in range(CALIBRATION_BINS)]
        self.sums = np.stack([np.bincount(group, column) for column in columns], axis=1)
        self.order = np.argsort(-s, kind="stable")
        self.group, self.photo = group[self.order], y[self.order] == 1
        ordered = s[self.order]
        self.starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(s)])

    def metrics(self, weights: np.ndarray, *, areas: bool = True) -> dict[str, np.ndarray]:
        """Return each metric, shape (draws,), for each row of weights, shape (draws, groups).

        Args:
            weights: How often each group counts.
            areas: Whether the two areas are wanted, which take nearly all of the time.
        """
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
                **(self._areas(weights) if areas else {}),
                "brier": sums[4] / n,
                "log_loss": sums[5] / n,
                "ece": np.abs(sums[6:]).sum(axis=0) / n,
            }

    def _areas(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        if not len(self.starts):
            return dict.fromkeys(sorted(AREAS), np.full(len(weights), np.nan))
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


def bin_scores(scores: np.ndarray, bins: int) -> np.ndarray:
    """Return the bin of each score, 0 to `bins` - 1, the bins equal and the last one closed."""
    return np.minimum((scores * bins).astype(np.int64), bins - 1)


def check_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Check labels and scores.

    Returns:
        Labels as int64 and scores as float64, both of shape (n,).

    Raises:
        ScoreError: If lengths differ, a label isn't 0 or 1, or a score isn't in [0, 1].
    """
    y, s = _floats(labels, "labels"), _floats(scores, "scores")
    if y.shape != s.shape or y.ndim != 1:
        raise ScoreError(
            "Labels and scores must be two lists of one length."
            f" Received: shapes {y.shape} and {s.shape}."
        )
    _refuse(y, (y == 0) | (y == 1), "Each label must be 0 or 1")
    _refuse(s, (s >= 0) & (s <= 1), "Each score must be a probability from 0 to 1")
    return y.astype(np.int64), s


def check_threshold(threshold: float) -> float:
    """Check that a threshold is from 0 to 1.

    Raises:
        ScoreError: If it isn't.
    """
    if not 0 <= threshold <= 1:
        raise ScoreError(f"The threshold must be from 0 to 1. Received: {threshold!r}.")
    return float(threshold)


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
