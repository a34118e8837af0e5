"""What a review band costs in hours, errors and money, in an archive of any size and mix."""

from collections import deque
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from photoclf.band import Band
from photoclf.errors import ConfigError
from photoclf.intervals import clustered_interval, draw_weights, spread_interval
from photoclf.triage import count_cells, shares_at
from photoclf.weighted_metrics import check_scores

PHOTO_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Prices:
    """What work and errors cost; the defaults are assumptions to be replaced.

    Args:
        review_s: Seconds a person takes for an image, over 0.
        hour: An operator's hour, in a currency of your own.
        missed: A photograph that nobody sees because it was left out.
        false: Another image that goes on as a photograph.

    Raises:
        ConfigError: If a price is negative or not a number, or no time is spent on an image.

    Example:
        >>> Prices(review_s=3, hour=30).of_review
        0.025
    """

    review_s: float = 3.0
    hour: float = 30.0
    missed: float = 1.0
    false: float = 0.2

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if not np.isfinite(value) or value < 0 or (f.name == "review_s" and not value):
                raise ConfigError(
                    f"The price `{f.name}` must be a number of 0 or more, and a review takes some"
                    f" time. Received: {value!r}."
                )

    @property
    def of_review(self) -> float:
        """What it costs to have a person look at an image."""
        return self.review_s * self.hour / 3600


def operating_point(
    cells: np.ndarray, images: int, photo_share: float, prices: Prices
) -> dict[str, float]:
    """Say what a band leads to, people being right about what they review.

    Args:
        cells: How many test images ended where, in the order of `triage.CELLS`, shape (6,).
        images: The archive's size.
        photo_share: Its share of photographs, 0 to 1.
        prices: What work and errors cost.

    Returns:
        Numbers of images `reviewed`, `missed`, `false` and `called_photo`; `hours` and `cost`; and
        as shares `automatic`, `precision` (of those called photographs) and `recall` (of the
        photographs, those that are called so or reviewed).

    Example:
        >>> point = operating_point(np.array([90, 8, 2, 1, 9, 90]), 1000, 0.1, Prices())
        >>> (round(point["reviewed"]), round(point["missed"]), round(point["hours"], 3))
        (89, 2, 0.074)
    """
    shares = {name: float(value) for name, value in shares_at(cells, photo_share).items()}
    counts = {n: shares[n] * images for n in ("reviewed", "missed", "false", "called_photo")}
    hours = counts["reviewed"] * prices.review_s / 3600
    errors = prices.missed * counts["missed"] + prices.false * counts["false"]
    missed = cells[2] / cells[:3].sum() if cells[:3].sum() else np.nan
    return counts | {
        "hours": hours,
        "cost": hours * prices.hour + errors,
        "automatic": shares["automatic"],
        "precision": shares["precision"],
        "recall": float(1 - missed),
    }


def cheapest_band(
    labels: ArrayLike,
    scores: ArrayLike,
    photo_share: float,
    prices: Prices,
    *,
    most_reviewed: float = 1.0,
) -> Band:
    """Choose the band that costs least, without a promise.

    Choose it on validation images. Every pair of places between two neighbouring scores is weighed;
    what is automatic below and above adds up, so one pass over the scores finds the best.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,), both occurring.
        scores: P(photo) in [0, 1], shape (n,).
        photo_share: The archive's share of photographs, 0 to 1.
        prices: What work and errors cost.
        most_reviewed: Share of the archive that may be reviewed at most, 0 to 1.

    Returns:
        The band; at 0 reviewed both ends are one threshold.

    Raises:
        ScoreError: If lengths differ or a value is out of range.
    """
    y, s = check_scores(labels, scores)
    levels, index = np.unique(s, return_inverse=True)
    photos, others = (
        np.append(0, np.cumsum(np.bincount(index[y == kind], minlength=len(levels))))
        / max((y == kind).sum(), 1)
        for kind in (1, 0)
    )
    photos, others = photo_share * photos, (1 - photo_share) * others
    below = photos + others  # share of the archive under each place
    low_cost = prices.missed * photos - prices.of_review * below
    high_cost = prices.false * (others[-1] - others) + prices.of_review * below
    first = np.searchsorted(below, below - most_reviewed - 1e-12)
    best, lows = (np.inf, 0, 0), deque[int]()
    for high in range(len(below)):
        while lows and low_cost[lows[-1]] > low_cost[high]:
            lows.pop()
        lows.append(high)
        while lows[0] < first[high]:
            lows.popleft()
        best = min(best, (low_cost[lows[0]] + high_cost[high], lows[0], high))
    beyond = max(1.0, float(np.nextafter(levels[-1], 2)))
    places = np.concatenate([[0.0], levels[:-1] + np.diff(levels) / 2, [beyond]])
    return Band(float(places[best[1]]), float(places[best[2]]))


def prior_table(
    labels: ArrayLike,
    scores: ArrayLike,
    band: Band,
    groups: ArrayLike,
    *,
    images: int,
    prices: Prices,
    shares: ArrayLike = PHOTO_SHARES,
    draws: int = 1000,
    seed: int = 42,
) -> pd.DataFrame:
    """Say what a band leads to at other shares of photographs.

    It holds where only the mix changes: photographs and other images must be like the test's.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,); of test images.
        scores: P(photo) in [0, 1], shape (n,).
        band: The review band.
        groups: The group of each image, shape (n,).
        images: The archive's size.
        prices: What work and errors cost.
        shares: Shares of photographs, 0 to 1.
        draws: Bootstrap draws over groups for the 95 % intervals.
        seed: Of the draws.

    Returns:
        One row a share: `photo_share`, what `operating_point` gives, and `precision_low`,
        `precision_high`, `reviewed_low` and `reviewed_high`; NaN where undefined.
    """
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    cells = count_cells(labels, scores, band, group)
    total = cells.sum(axis=0)
    drawn = draw_weights(np.random.default_rng(seed), draws, len(cells)) @ cells
    rows = []
    for share in np.asarray(shares, np.float64):
        moved, own = shares_at(drawn, share), shares_at(total, share)
        low, high = spread_interval(float(own["precision"]), moved["precision"])
        if not total[3] and total[0]:  # none was false: how many might have been?
            most = rate_intervals(labels, scores, band, group)["false"]["high"]
            found = share * total[0] / total[:3].sum()
            low, high = found / (found + (1 - share) * most), 1.0
        reviewed = spread_interval(float(own["reviewed"]), moved["reviewed"])
        rows.append(
            {"photo_share": float(share)}
            | operating_point(total, images, float(share), prices)
            | {"precision_low": low, "precision_high": high}
            | dict(zip(("reviewed_low", "reviewed_high"), np.array(reviewed) * images, strict=True))
        )
    return pd.DataFrame(rows)


def rate_intervals(
    labels: ArrayLike, scores: ArrayLike, band: Band, groups: ArrayLike
) -> dict[str, dict[str, float]]:
    """Say how often each kind of error goes unseen with a band.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,); of test images.
        scores: P(photo) in [0, 1], shape (n,).
        band: The review band.
        groups: The group of each image, shape (n,).

    Returns:
        `missed`, of the photographs, and `false`, of the other images: each `errors`, `images`,
        `rate` (NaN without images), and its 95 % interval `low`, `high`, see
        `intervals.clustered_interval`; and `groups`, of which `groups_wrong` have an error.
    """
    y, s = check_scores(labels, scores)
    group, told = np.asarray(groups), {}
    for name, kind, wrong in (("missed", y == 1, s < band.low), ("false", y == 0, s >= band.high)):
        low, high = clustered_interval(wrong[kind], group[kind])
        errors, images = int(wrong[kind].sum()), int(kind.sum())
        rate = errors / images if images else np.nan
        told[name] = {"errors": errors, "images": images, "rate": rate, "low": low, "high": high}
        told[name] |= {"groups": len(np.unique(group[kind]))}
        told[name] |= {"groups_wrong": len(np.unique(group[kind & wrong]))}
    return told
