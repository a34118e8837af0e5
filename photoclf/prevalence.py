"""How many photographs there are behind what a model calls photographs: arrays in, numbers out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from photoclf.intervals import draw_weights
from photoclf.weighted_metrics import ScoreError

# Below this distance between recall and false alarms, a decision says next to nothing, and dividing
# by the distance would blow up noise.
MIN_SEPARATION = 0.1

# Weights held at once while bootstrapping: few enough for the processor's cache.
_CHUNK = 500_000


@dataclass(frozen=True)
class ShareEstimate:
    """The share of photographs in a folder, estimated from what a model calls photographs.

    Args:
        images: Images with a decision.
        called: Share of them that the model calls photographs.
        share: Estimated share that are photographs, 0 to 1; NaN when `problem` says why.
        low: Lower end of its 95 % interval; 0 when nothing can be said.
        high: Upper end; 1 when nothing can be said.
        recall: Share of the test's photographs that were found.
        false_alarms: Share of the test's other images that were called photographs.
        problem: Why there is no estimate, or why not to trust it; empty when there is none.
        recall_interval: The recall's 95 % interval.
        false_alarms_interval: That of the false alarms.
    """

    images: int
    called: float
    share: float
    low: float
    high: float
    recall: float
    false_alarms: float
    problem: str = ""
    recall_interval: tuple[float, float] = (0.0, 1.0)
    false_alarms_interval: tuple[float, float] = (0.0, 1.0)


def estimate_share(
    called: ArrayLike,
    labels: ArrayLike,
    decided: ArrayLike,
    groups: ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 42,
) -> ShareEstimate:
    """Estimate the share of photographs in a folder from decisions, adjusted for their errors.

    With recall r and false alarms f, a share p of photographs has r·p + f·(1 − p) images called
    photographs; solved for p, that is the adjusted count. It assumes that r and f are those of the
    test images: only the share of photographs may be another one. On a source that the model never
    saw, recall is often lower.

    The folder itself is what is asked about, not a sample of something larger. So its photographs
    aren't drawn anew (that would make the interval too long), but which of its images the model
    gets wrong is chance: each draw takes test groups with replacement for r and f, then deals
    errors to the photographs and others that it estimates.

    Args:
        called: Whether each image of the folder is called a photograph, shape (n,).
        labels: 1 for a photo, 0 for anything else: the test images, shape (m,).
        decided: Whether each test image is called a photograph, at the same threshold, (m,).
        groups: The group of each test image, shape (m,).
        draws: Bootstrap draws.
        seed: Same seed and data, same interval.

    Returns:
        The estimate, clipped to 0 to 1. Where recall and false alarms can't be told
        `MIN_SEPARATION` apart there is none, and the interval is all of 0 to 1.

    Raises:
        ScoreError: If the folder has no decisions, lengths differ, or the test lacks a class.

    Source: Rogan & Gladen 1978, "Estimating prevalence from the results of a screening test"; the
    added observations as in Lang & Reiczigel 2014, "Confidence limits for prevalence of disease
    adjusted for estimated sensitivity and specificity".

    Example:
        >>> labels, decided = [1] * 10 + [0] * 10, [1] * 9 + [0] * 11
        >>> round(estimate_share([1, 0, 0], labels, decided, range(20)).share, 3)
        0.37
    """
    folder = np.asarray(called, bool)
    counts = _counts(folder, labels, decided, groups)
    found, photos, alarms, others = counts.sum(axis=0)
    recall, false_alarms, share = found / photos, alarms / others, folder.mean()
    rates = _drawn_rates(counts, draws, seed)
    facts = (len(folder), float(share), float(recall), float(false_alarms))
    apart = np.nanquantile(rates[0] - rates[1], 0.025)
    if not apart >= MIN_SEPARATION or recall - false_alarms < MIN_SEPARATION:
        return _unknown(facts)
    drawn = _drawn_shares(int(folder.sum()), len(folder), rates, seed)
    low, high = _interval(drawn)
    adjusted = (share - false_alarms) / (recall - false_alarms)
    return ShareEstimate(
        images=len(folder),
        called=facts[1],
        share=float(np.clip(adjusted, 0, 1)),
        low=float(np.clip(low, 0, 1)),
        high=float(np.clip(high, 0, 1)),
        recall=facts[2],
        false_alarms=facts[3],
        problem=_contradiction(low, high),
        recall_interval=_interval(rates[0]),
        false_alarms_interval=_interval(rates[1]),
    )


def _counts(
    folder: np.ndarray, labels: ArrayLike, decided: ArrayLike, groups: ArrayLike
) -> np.ndarray:
    y, d, names = np.asarray(labels), np.asarray(decided, bool), np.asarray(groups)
    photos = int((y == 1).sum())
    if not (y.shape == d.shape == names.shape == (len(y),)) or not 0 < photos < len(y):
        raise ScoreError(
            "Error rates need test images of both kinds, each with label, decision and group."
            f" Received: shapes {y.shape}, {d.shape} and {names.shape}, {photos} photographs."
            " Evaluate the run on a split whose test has both."
        )
    if folder.ndim != 1 or not len(folder):
        raise ScoreError(
            f"A share needs images with a decision, in one list. Received: shape {folder.shape}."
        )
    _, group = np.unique(names, return_inverse=True)
    columns = [(y == 1) & d, y == 1, (y == 0) & d, y == 0]
    return np.stack([np.bincount(group, column) for column in columns], axis=1)


def _drawn_rates(counts: np.ndarray, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    pool, generator = np.concatenate([counts, _added(counts)]), np.random.default_rng(seed)
    chunk = max(1, _CHUNK // len(pool))
    sums = [
        draw_weights(generator, min(chunk, draws - start), len(pool)) @ pool
        for start in range(0, draws, chunk)
    ]
    found, photos, alarms, others = np.concatenate(sums).T
    with np.errstate(invalid="ignore"):
        return found / photos, alarms / others


def _interval(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _added(counts: np.ndarray) -> np.ndarray:
    """Return one more group of each kind of decision, to be drawn like the others.

    A test without a miss doesn't prove that there are none, but resampling it alone would. Where
    images of a group err together, one more of them is no more evidence than a whole group.
    """
    photos, others = _design_effect(counts[:, :2]), _design_effect(counts[:, 2:])
    return np.array(
        [[photos, photos, 0, 0], [0, photos, 0, 0], [0, 0, others, others], [0, 0, 0, others]]
    )


def _design_effect(counts: np.ndarray) -> float:
    """Return how many images of a class count as one, since those of a group err together.

    Source: Rao & Scott 1992, "A simple method for the analysis of clustered binary data".
    """
    hits, images = counts[counts[:, 1] > 0].T
    rate, most = hits.sum() / images.sum(), images.mean()
    if len(images) < 2 or rate in (0, 1):  # nothing tells how they err
        return float(most)
    spread = len(images) / (len(images) - 1) * ((hits - images * rate) ** 2).sum()
    return float(np.clip(spread / (images.sum() * rate * (1 - rate)), 1, most))


def _drawn_shares(
    called: int, images: int, rates: tuple[np.ndarray, np.ndarray], seed: int
) -> np.ndarray:
    recall, false_alarms = (rate[np.isfinite(rates).all(axis=0)] for rate in rates)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (called / images - false_alarms) / (recall - false_alarms)
        photos = np.rint(np.clip(np.nan_to_num(share), 0, 1) * images).astype(np.int64)
        generator = np.random.default_rng([seed, 1])
        errors = (
            generator.binomial(photos, recall)
            - photos * recall
            + generator.binomial(images - photos, false_alarms)
            - (images - photos) * false_alarms
        )
        return share + errors / images / (recall - false_alarms)


def _unknown(facts: tuple[int, float, float, float]) -> ShareEstimate:
    images, called, recall, false_alarms = facts
    return ShareEstimate(
        *(images, called, np.nan, 0.0, 1.0, recall, false_alarms),
        problem=f"Recall ({recall:.1%}) and false alarms ({false_alarms:.1%}) of the test can't be"
        f" told {MIN_SEPARATION:.0%} apart: decisions say too little for an estimate.",
    )


def _contradiction(low: float, high: float) -> str:
    if high < 0:
        side = "fewer images are called photographs than false alarms alone would make"
    elif low > 1:
        side = "more images are called photographs than if all were"
    else:
        return ""
    return f"The folder's errors aren't the test's: {side}. Don't use this estimate."
