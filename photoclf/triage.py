"""Two thresholds with a review band between them: scores in, shares out."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from photoclf.band import Band
from photoclf.weighted_metrics import check_scores

# Where an image ends, by what it is: photographs first.
CELLS = (
    "photo_found",
    "photo_reviewed",
    "photo_missed",
    "other_false",
    "other_reviewed",
    "other_left",
)


def count_cells(
    labels: ArrayLike, scores: ArrayLike, band: Band, groups: ArrayLike | None = None
) -> np.ndarray:
    """Count where images end.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,).
        scores: P(photo) in [0, 1], shape (n,).
        band: The review band.
        groups: The group of each image, 0 to groups - 1, shape (n,); all in one by default.

    Returns:
        float64 (groups, 6), one column a name of `CELLS`; all add up to n.

    Raises:
        ScoreError: If lengths differ or a value is out of range.
    """
    y, s = check_scores(labels, scores)
    group = np.zeros(len(y), np.int64) if groups is None else np.asarray(groups)
    column = np.select([s >= band.high, s < band.low], [0, 2], 1) + np.where(y == 1, 0, 3)
    size = int(group.max(initial=0)) + 1
    counts = np.bincount(group * len(CELLS) + column, minlength=size * len(CELLS))
    return counts.reshape(size, len(CELLS)).astype(np.float64)


def shares_at(cells: np.ndarray, photo_share: ArrayLike) -> dict[str, np.ndarray]:
    """Say what becomes of an archive with another share of photographs.

    Photographs and other images keep their own rates; only their mix changes.

    Args:
        cells: Counts or rates in the order of `CELLS`, shape (…, 6).
        photo_share: Shares of photographs, 0 to 1, of a shape that goes with (…).

    Returns:
        Shares of all images: `reviewed`, `missed`, `false`, `automatic` and `called_photo` (of
        itself); of those called photographs, `precision`; NaN where it isn't defined.

    Source: Saerens, Latinne & Decaestecker 2002 for shifts of the prior alone.

    Example:
        >>> cells = np.array([90, 8, 2, 1, 9, 90])
        >>> [round(float(v), 3) for v in list(shares_at(cells, 0.1).values())[:3]]
        [0.089, 0.002, 0.009]
    """
    share = np.asarray(photo_share, np.float64)
    photos, others = cells[..., :3], cells[..., 3:]
    with np.errstate(invalid="ignore", divide="ignore"):
        p = photos / photos.sum(axis=-1, keepdims=True)
        q = others / others.sum(axis=-1, keepdims=True)
        found, false = share * p[..., 0], (1 - share) * q[..., 0]
        reviewed = share * p[..., 1] + (1 - share) * q[..., 1]
        return {
            "reviewed": reviewed,
            "missed": share * p[..., 2],
            "false": false,
            "automatic": 1 - reviewed,
            "called_photo": found + false,
            "precision": found / (found + false),
        }


def coverage_risk(
    labels: ArrayLike, scores: ArrayLike, threshold: float, points: int = 101
) -> pd.DataFrame:
    """Say how errors fall when more of the least certain images are given to a person.

    Images are ordered by how far they are from the threshold, as a share of the room on their side.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,).
        scores: P(photo) in [0, 1], shape (n,).
        threshold: Where one side turns into the other.
        points: Rows at most.

    Returns:
        `coverage` (share of images decided by themselves, rising to 1) and `risk` (share of these
        that are wrong).

    Raises:
        ScoreError: If lengths differ or a value is out of range.

    Source: Geifman & El-Yaniv 2017, "Selective classification for deep neural networks".
    """
    y, s = check_scores(labels, scores)
    if not len(y):
        return pd.DataFrame({"coverage": [], "risk": []})
    room = np.where(s >= threshold, 1 - threshold, threshold)
    order = np.argsort(-np.abs(s - threshold) / np.maximum(room, 1e-9), kind="stable")
    wrong = np.cumsum(((s >= threshold) != (y == 1))[order])
    taken = np.unique(np.linspace(1, len(y), min(points, len(y))).round().astype(int))
    return pd.DataFrame({"coverage": taken / len(y), "risk": wrong[taken - 1] / taken})
