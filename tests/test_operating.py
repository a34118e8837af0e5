"""What bands cost, on drawn scores."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.band import Band
from photoclf.errors import ConfigError
from photoclf.operating import (
    PHOTO_SHARES,
    Prices,
    cheapest_band,
    operating_point,
    prior_table,
    rate_intervals,
)
from photoclf.triage import count_cells

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.8, 1.0])),
    min_size=2,
    max_size=14,
).filter(lambda rows: len({y for y, _ in rows}) == 2)


def cost_of(labels, scores, band, share, prices):
    return operating_point(count_cells(labels, scores, band)[0], 1, share, prices)["cost"]


@settings(deadline=None, max_examples=60)
@given(ROWS, st.floats(0, 1), st.floats(0, 100), st.floats(0, 2), st.floats(0, 2))
def test_no_band_costs_less_than_the_cheapest(rows, share, hour, missed, false):
    labels, scores = map(np.array, zip(*rows, strict=True))
    prices = Prices(hour=hour * 100, missed=missed, false=false)
    best = cost_of(labels, scores, cheapest_band(labels, scores, share, prices), share, prices)
    places = [0.0, *(scores + 1e-9)]
    for low, high in itertools.combinations_with_replacement(sorted(places), 2):
        assert best <= cost_of(labels, scores, Band(low, high), share, prices) + 1e-9


@settings(deadline=None, max_examples=60)
@given(ROWS, st.floats(0.05, 0.95), st.floats(0, 1))
def test_no_more_is_reviewed_than_the_budget_allows(rows, share, most):
    labels, scores = map(np.array, zip(*rows, strict=True))
    prices = Prices(hour=1, missed=5, false=5)
    band = cheapest_band(labels, scores, share, prices, most_reviewed=most)
    point = operating_point(count_cells(labels, scores, band)[0], 1, share, prices)
    assert point["reviewed"] <= most + 1e-9
    if most == 0:
        assert band.low == band.high


def test_hours_and_cost_follow_from_the_prices():
    point = operating_point(
        np.array([90, 8, 2, 1, 9, 90]), 1000, 0.1, Prices(review_s=36, hour=20, missed=3, false=1)
    )
    assert point["reviewed"] == pytest.approx(1000 * (0.1 * 0.08 + 0.9 * 0.09))
    assert point["hours"] == pytest.approx(point["reviewed"] / 100)
    assert point["cost"] == pytest.approx(20 * point["hours"] + 3 * 2 + 9)
    assert point["recall"] == 0.98


def simulated(rng, images, apart=3.0):
    y = (rng.random(images) < 0.3).astype(int)
    return y, 1 / (1 + np.exp(-(rng.standard_normal(images) * 1.5 + apart * (2 * y - 1))))


def test_precision_at_another_share_is_that_of_an_archive_with_that_share():
    rng, band = np.random.default_rng(0), Band(0.3, 0.6)
    y, s = simulated(rng, 60_000)
    table = prior_table(y, s, band, np.arange(len(y)), images=1000, prices=Prices(), draws=50)
    assert table.photo_share.tolist() == list(PHOTO_SHARES)
    row = table[table.photo_share == 0.05].iloc[0]
    photos, others = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    mixed = np.concatenate([photos[:1500], others[:28_500]])
    found = count_cells(y[mixed], s[mixed], band)[0]
    assert row.precision == pytest.approx(found[0] / (found[0] + found[3]), abs=0.03)
    assert row.reviewed == pytest.approx(1000 * found[[1, 4]].sum() / len(mixed), abs=3)
    assert table.precision.is_monotonic_increasing


def test_intervals_of_precision_hold_it_95_times_in_100():
    rng, band = np.random.default_rng(1), Band(0.5, 0.5)
    y, s = simulated(rng, 400_000, 1.7)
    wanted = {"images": 1, "prices": Prices(), "shares": [0.05, 0.5]}
    truth = prior_table(y, s, band, np.arange(len(y)), draws=2, **wanted).precision
    held, experiments = np.zeros(2), 300
    for seed in range(experiments):
        y, s = simulated(rng, 700, 1.7)
        got = prior_table(y, s, band, np.arange(700), draws=200, seed=seed, **wanted)
        held += (got.precision_low <= truth) & (truth <= got.precision_high)
    assert (np.abs(held / experiments - 0.95) <= 3 * np.sqrt(0.95 * 0.05 / experiments)).all()


def test_a_test_without_false_photographs_does_not_promise_any_precision():
    y, s = np.repeat([1, 0], [50, 100]), np.repeat([0.9, 0.1], [50, 100])
    table = prior_table(
        y, s, Band(0.5, 0.5), np.arange(150), images=1, prices=Prices(), shares=[0.01], draws=20
    )
    assert table.precision[0] == 1
    assert table.precision_low[0] < 0.3


def test_what_has_no_photographs_has_no_recall_and_no_precision():
    told = rate_intervals([0] * 10, np.linspace(0.05, 0.95, 10), Band(0.3, 0.9), range(10))
    assert np.isnan(told["missed"]["rate"])
    assert told["false"]["rate"] == 0.1
    point = operating_point(np.array([0, 0, 0, 1, 2, 7]), 10, 0.3, Prices())
    assert np.isnan(point["recall"])


@pytest.mark.parametrize("wrong", [{"review_s": 0}, {"hour": -1}, {"missed": float("nan")}])
def test_impossible_prices_are_refused(wrong):
    with pytest.raises(ConfigError, match="The price"):
        Prices(**wrong)
