"""How an archive would be sorted: the band chosen on val, measured on the test, as figures."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from photoclf.band import Band
from photoclf.errors import ConfigError
from photoclf.figures import number
from photoclf.operating import (
    PHOTO_SHARES,
    Prices,
    cheapest_band,
    operating_point,
    prior_table,
    rate_intervals,
)
from photoclf.risk_control import (
    LADDER,
    Promise,
    PromiseError,
    controlled_band,
    images_needed,
    least_promise,
)
from photoclf.triage import CELLS, count_cells, coverage_risk, shares_at

_MOST_IMAGES = 10**12
# What nobody asked for may leave to a person at most.
MOST_REVIEWED = 0.1


@dataclass(frozen=True)
class Terms:
    """What a client asks of the sorting, and for which archive.

    Args:
        promise: What may go wrong unseen at most. Without one, and without `hours`, the strictest
            step of `risk_control.LADDER` is promised that can be proved and leaves
            `MOST_REVIEWED` to review, else the loosest that can be proved.
        hours: Operators' hours there are for the archive: the cheapest band within them.
        prices: What work and errors cost.
        images: The archive's size; that of the evaluated archive by default.
        photo_share: Its share of photographs, over 0 and under 1; the test's by default.
        confidence: How sure the default's promise is.

    Raises:
        ConfigError: If a value is out of range, or a promise and hours are asked for at once.
    """

    promise: Promise | None = None
    hours: float | None = None
    prices: Prices = field(default_factory=Prices)
    images: int | None = None
    photo_share: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.promise is not None and self.hours is not None:
            raise ConfigError(
                "A review band keeps a promise or a budget of hours. Received: both. Leave one out;"
                " the report tells the hours that a promise takes."
            )
        if self.hours is not None and not 0 <= self.hours < np.inf:
            raise ConfigError(f"`hours` must be a number of 0 or more. Received: {self.hours!r}.")
        if self.images is not None and not 1 <= self.images <= _MOST_IMAGES:
            raise ConfigError(
                f"`images` must be from 1 to {_MOST_IMAGES:,}. Received: {self.images!r}."
            )
        if self.photo_share is not None and not 0 < self.photo_share < 1:
            raise ConfigError(
                f"`photo_share` must be over 0 and under 1. Received: {self.photo_share!r}."
            )


def promised(missed: float | None, false: float | None, confidence: float = 0.95) -> Promise | None:
    """Make a promise of what may be asked for; `None` when nothing is.

    Raises:
        ConfigError: If a share or the confidence is out of range.
    """
    if missed is None and false is None:
        return None
    return Promise(missed, false, confidence)


@dataclass(frozen=True)
class ReviewPlan:
    """The review band, and why it is that one; chosen before the test is opened.

    Args:
        band: The band.
        by: `promise` (asked for), `ladder` (the default), `hours`, or `nothing` when not even the
            loosest step of the ladder can be proved: one threshold then, and no review.
        promise: What is promised, if anything.
        ladder: Each step with what it takes and its band on val, for `review_figures`.
        cheapest: The band of least cost, whatever the hours, which promises nothing.
        candidates: Among how many models val has chosen, see `risk_control.Promise`.
    """

    band: Band
    by: str
    promise: Promise | None
    ladder: tuple[dict[str, Any], ...]
    cheapest: Band
    candidates: int


def plan_review(
    val: pd.DataFrame, threshold: float, terms: Terms, images: int, candidates: int = 1
) -> ReviewPlan:
    """Choose the review band on validation images.

    Args:
        val: `label`, `score` and `group`, one row an image.
        threshold: The one that evaluation chose.
        terms: What is asked for.
        images: The evaluated archive's size.
        candidates: Among how many models these images have chosen, see `risk_control.Promise`.

    Raises:
        PromiseError: If the val images can't prove what was asked for.
    """
    share, prices = terms.photo_share or float(val.label.mean()), terms.prices
    confidence = terms.promise.confidence if terms.promise else terms.confidence
    steps = [Promise(x, x, confidence, candidates) for x in LADDER]
    ladder = tuple(_step(val, threshold, step, share) for step in steps)
    cheapest = cheapest_band(val.label, val.score, share, prices)
    if terms.promise is not None:
        promise = replace(terms.promise, candidates=candidates)
        band = controlled_band(val.label, val.score, threshold, promise, val.group)
        return ReviewPlan(band, "promise", promise, ladder, cheapest, candidates)
    if terms.hours is not None:
        most = min(1.0, terms.hours * 3600 / prices.review_s / (terms.images or images))
        band = cheapest_band(val.label, val.score, share, prices, most_reviewed=most)
        return ReviewPlan(band, "hours", None, ladder, cheapest, candidates)
    provable = [i for i, step in enumerate(ladder) if step["band"] is not None]
    light = [i for i in provable if ladder[i]["reviewed_on_val"] <= MOST_REVIEWED]
    if not provable:
        single = Band(threshold, threshold)
        return ReviewPlan(single, "nothing", None, ladder, cheapest, candidates)
    chosen = light[0] if light else provable[-1]
    band = ladder[chosen]["band"]
    return ReviewPlan(band, "ladder", steps[chosen], ladder, cheapest, candidates)


def review_figures(
    plan: ReviewPlan,
    val: pd.DataFrame,
    test: pd.DataFrame,
    threshold: float,
    terms: Terms,
    images: int,
    *,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Measure on the test what a plan leads to.

    Args:
        plan: What `plan_review` chose.
        val: The images it was chosen on.
        test: `label`, `score` and `group`, one row an image.
        threshold: The one that evaluation chose.
        terms: What is asked for.
        images: The evaluated archive's size.
        draws: Bootstrap draws over groups for the 95 % intervals.
        seed: Of the draws.

    Returns:
        What `eval/metrics.json` holds under `review`; JSON without NaN.
    """
    images, prices = terms.images or images, terms.prices
    share = terms.photo_share or float(test.label.mean())

    def cells(band: Band) -> np.ndarray:
        return count_cells(test.label, test.score, band)[0]

    def point(band: Band) -> dict[str, Any]:
        found = cells(band)
        told = {k: number(v) for k, v in operating_point(found, images, share, prices).items()}
        return {"low": band.low, "high": band.high} | told

    counted = cells(plan.band)
    delta = (plan.promise or Promise(0.1, 0.1, candidates=plan.candidates)).delta
    sizes = {
        kind: int(val.group[val.label == label].nunique())
        for kind, label in (("photos", 1), ("others", 0))
    }
    # A standard share next to the archive's own would only repeat it.
    apart = {s for s in PHOTO_SHARES if abs(s - share) > 0.1 * s}
    shares = sorted({*apart, share})
    prior = prior_table(
        test.label, test.score, plan.band, test.group,
        images=images, prices=prices, shares=shares, draws=draws, seed=seed,
    )  # fmt: skip
    return {
        "by": plan.by,
        "promise": None if plan.promise is None else asdict(plan.promise),
        "prices": asdict(prices),
        "hours_allowed": terms.hours,
        "images": images,
        "photo_share": share,
        "photo_share_of": "client" if terms.photo_share else "test",
        "candidates": plan.candidates,
        "val_groups": sizes,
        "least": {kind: least_promise(size, delta) for kind, size in sizes.items()},
        "cells": dict(zip(CELLS, counted.astype(int).tolist(), strict=True)),
        "rates": {
            name: {k: number(v) for k, v in rates.items()}
            for name, rates in rate_intervals(test.label, test.score, plan.band, test.group).items()
        },
        "point": point(plan.band),
        "one_threshold": point(Band(threshold, threshold)),
        "cheapest": point(plan.cheapest),
        "ladder": [
            {k: v for k, v in step.items() if k not in ("band", "reviewed_on_val")}
            | {"point": None if step["band"] is None else point(step["band"])}
            for step in plan.ladder
        ],
        "prior": [{k: number(v) for k, v in row.items()} for row in prior.to_dict("records")],
        "coverage": coverage_risk(test.label, test.score, threshold).to_dict("list"),
    }


def _step(val: pd.DataFrame, threshold: float, promise: Promise, share: float) -> dict[str, Any]:
    step = {"share": promise.missed, "needed": images_needed(promise.missed or 0, promise.delta)}
    try:
        band = controlled_band(val.label, val.score, threshold, promise, val.group)
    except PromiseError:
        return step | {"band": None, "reviewed_on_val": None}
    reviewed = float(shares_at(count_cells(val.label, val.score, band)[0], share)["reviewed"])
    return step | {"band": band, "reviewed_on_val": reviewed}
