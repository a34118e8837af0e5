"""Review bands and their promises, on drawn scores whose true risk is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from photoclf.band import Band
from photoclf.errors import ConfigError
from photoclf.risk_control import (
    Promise,
    PromiseError,
    controlled_band,
    images_needed,
    least_promise,
)
from photoclf.triage import CELLS, count_cells, coverage_risk, shares_at
from photoclf.weighted_metrics import ScoreError

APART = 4.0


def scored(rng, photos, others, size=1, alike=0.9):
    """Scores of photographs and others, in groups of geometric size that score alike."""
    labels, scores, groups = [], [], []
    for label, images in ((1, photos), (0, others)):
        sizes = rng.geometric(1 / size, images)
        group = np.repeat(np.arange(images), sizes)[:images]
        z = rng.standard_normal(images)[group]
        if size > 1:
            z = np.sqrt(alike) * z + np.sqrt(1 - alike) * rng.standard_normal(images)
        labels.append(np.full(images, label))
        scores.append(norm.cdf(z + APART * (label - 0.5)))
        groups.append(group + label * photos)
    return np.concatenate(labels), np.concatenate(scores), np.concatenate(groups)


def true_risks(band):
    """P(score < low | photo) and P(score >= high | other), of images on their own."""
    missed = norm.cdf(norm.ppf(band.low) - APART / 2)
    false = norm.sf(norm.ppf(min(band.high, 1.0)) + APART / 2)
    return missed, false


def group_risks(band, ends):
    """Share of groups with an image beyond the band, from very many groups' ends."""
    lowest, highest = ends
    return (lowest < band.low).mean(), (highest >= band.high).mean()


@pytest.mark.parametrize("share", [0.005, 0.02])
def test_a_promise_is_broken_in_at_most_five_of_a_hundred_draws(share):
    rng, draws, promise = np.random.default_rng(5), 2000, Promise(share, share)
    broken = 0
    for _ in range(draws):
        labels, scores, groups = scored(rng, 800, 1000)
        missed, false = true_risks(controlled_band(labels, scores, 0.5, promise, groups))
        broken += missed > share or false > share
    # 5 % and three deviations of its estimate; and not far too careful, as the tests are exact.
    assert 0.01 <= broken / draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def unequal(rng, groups):
    """One group in fifty holds twenty images and is harder than the rest, which hold one."""
    large = rng.random(groups) < 0.02
    sizes = np.where(large, 20, 1)
    group = np.repeat(np.arange(groups), sizes)
    label = (np.arange(groups) % 2)[group]
    easy = np.where(large, 0.3, 1.0)[group]
    z = rng.standard_normal(groups)[group] + easy * APART * (label - 0.5)
    return label, norm.cdf(z), group


def test_large_groups_that_are_harder_break_no_promise():
    rng, draws, share = np.random.default_rng(6), 1500, 0.05
    label, score, group = unequal(np.random.default_rng(0), 400_000)
    ends = [
        end.reduceat(score, np.flatnonzero(np.append(True, group[1:] != group[:-1])))
        for end in (np.minimum, np.maximum)
    ]
    kind = label[np.flatnonzero(np.append(True, group[1:] != group[:-1]))]
    ends = ends[0][kind == 1], ends[1][kind == 0]
    broken = 0
    for _ in range(draws):
        labels, scores, groups = unequal(rng, 800)
        band = controlled_band(labels, scores, 0.5, Promise(share, share), groups)
        broken += any(risk > share for risk in group_risks(band, ends))
    assert broken / draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def test_the_best_of_many_models_keeps_its_promise_too():
    rng, draws, share, models = np.random.default_rng(7), 400, 0.05, 20
    broken = dict.fromkeys((1, models), 0)
    for _ in range(draws):
        labels, scores, _ = scored(rng, 300, 300)
        z = norm.ppf(np.clip(scores, 1e-12, 1 - 1e-12))
        noisy = [norm.cdf(z + 0.8 * rng.standard_normal(len(z))) for _ in range(models)]
        losses = [-np.log(np.where(labels == 1, s, 1 - s) + 1e-12).mean() for s in noisy]
        best = noisy[int(np.argmin(losses))]
        for candidates in broken:
            band = controlled_band(labels, best, 0.5, Promise(share, None, candidates=candidates))
            spread = np.sqrt(1 + 0.8**2)
            missed = norm.cdf((norm.ppf(band.low) - APART / 2) / spread)
            broken[candidates] += missed > share
    assert broken[models] / draws <= 0.05
    assert broken[1] > broken[models]


def test_one_promise_alone_has_all_of_the_confidence():
    rng, draws = np.random.default_rng(6), 1500
    broken = 0
    for _ in range(draws):
        labels, scores, _ = scored(rng, 500, 500)
        low = controlled_band(labels, scores, 1.0, Promise(0.02, None)).low
        broken += norm.cdf(norm.ppf(low) - APART / 2) > 0.02
    assert 0.02 <= broken / draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def test_what_cannot_be_proved_is_refused_with_what_can():
    labels, scores = np.repeat([1, 0], 100), np.repeat([0.9, 0.1], 100)
    with pytest.raises(PromiseError, match=r"takes 736 photographs.*Received: 100.*3\.6 % at best"):
        controlled_band(labels, scores, 0.5, Promise(0.005, 0.2))
    with pytest.raises(PromiseError, match="other images"):
        controlled_band(labels, scores, 0.5, Promise(None, 0.005))
    least = least_promise(100, 0.025)
    assert controlled_band(labels, scores, 0.5, Promise(least * 1.001, 0.2)) == Band(0.5, 0.5)
    with pytest.raises(PromiseError, match=r"Received: 50 \(those of a group count once\)"):
        controlled_band(labels, scores, 0.5, Promise(least * 1.001, 0.2), np.arange(200) // 2)
    with pytest.raises(PromiseError, match="Received: 0 "):
        controlled_band([0, 0], [0.1, 0.2], 0.5, Promise(0.1, None))


@given(st.floats(0.001, 0.5), st.floats(0.001, 0.4))
def test_as_many_images_as_needed_are_just_enough(share, delta):
    needed = images_needed(share, delta)
    assert least_promise(needed, delta) <= share * (1 + 1e-9)
    assert needed == 1 or least_promise(needed - 1, delta) > share * (1 - 1e-9)


def test_scores_that_are_all_equal_leave_everything_to_a_person():
    labels = np.repeat([1, 0], 500)
    band = controlled_band(labels, np.full(1000, 0.5), 0.5, Promise(0.02, 0.02))
    assert set(band.triage(np.full(1000, 0.5))) == {"review"}
    sure = controlled_band(labels, np.ones(1000), 0.5, Promise(0.02, 0.02))
    assert set(sure.triage(np.ones(1000))) == {"review"}


def test_a_stricter_promise_never_leaves_less_to_review():
    labels, scores, _ = scored(np.random.default_rng(1), 900, 900)
    bands = [controlled_band(labels, scores, 0.5, Promise(x, x)) for x in (0.005, 0.01, 0.02, 0.2)]
    assert [b.low for b in bands] == sorted(b.low for b in bands)
    assert [b.high for b in bands] == sorted((b.high for b in bands), reverse=True)


def test_without_a_promise_on_one_side_the_threshold_decides_there():
    labels, scores, _ = scored(np.random.default_rng(2), 500, 500)
    assert controlled_band(labels, scores, 0.6, Promise(0.01, None)).high == 0.6
    assert controlled_band(labels, scores, 0.4, Promise(None, 0.01)).low == 0.4


@pytest.mark.parametrize("wrong", [(None, None), (0, 0.1), (0.1, 1.0), (-1, None)])
def test_promises_without_meaning_are_refused(wrong):
    with pytest.raises(ConfigError, match="A promise needs"):
        Promise(*wrong)
    with pytest.raises(ConfigError, match="confidence"):
        Promise(0.1, 0.1, confidence=95)


SCORES = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=60)


@settings(deadline=None)
@given(SCORES, st.floats(0, 1), st.floats(0, 1))
def test_every_image_ends_in_one_cell(rows, one, other):
    labels, scores = map(np.array, zip(*rows, strict=True))
    band = Band(min(one, other), max(one, other))
    cells = count_cells(labels, scores, band, np.arange(len(labels)) % 3)
    assert cells.sum() == len(labels)
    assert cells[:, :3].sum() == labels.sum()
    ends = band.triage(scores)
    assert cells[:, [1, 4]].sum() == (ends == "review").sum()
    assert cells[:, [0, 3]].sum() == (ends == "photo").sum()


@given(st.lists(st.integers(0, 50), min_size=6, max_size=6), st.floats(0, 1))
def test_the_shares_of_an_archive_add_up(counts, share):
    cells = np.array(counts, float)
    cells[[0, 3]] += 1
    found = shares_at(cells, share)
    assert found["automatic"] + found["reviewed"] == pytest.approx(1)
    assert found["called_photo"] <= found["automatic"] + 1e-12
    own = cells[:3].sum() / cells.sum()
    at_own = shares_at(cells, own)
    assert at_own["missed"] == pytest.approx(cells[2] / cells.sum())
    assert at_own["precision"] == pytest.approx(cells[0] / (cells[0] + cells[3]))
    assert len(CELLS) == 6


def test_a_share_of_nothing_is_not_a_number():
    found = shares_at(np.array([0, 0, 0, 1, 0, 9]), [0.1, 0.9])
    assert np.isnan(found["reviewed"]).all()


def test_the_least_certain_images_hold_the_errors():
    labels, scores, _ = scored(np.random.default_rng(3), 2000, 2000)
    curve = coverage_risk(labels, scores, 0.5)
    assert curve.coverage.iloc[-1] == 1
    assert curve.risk.iloc[-1] == pytest.approx(((scores >= 0.5) != labels).mean())
    assert curve.risk.iloc[50] < curve.risk.iloc[-1] / 3
    assert coverage_risk([], [], 0.5).empty


def test_a_band_that_is_upside_down_is_refused():
    with pytest.raises(ScoreError, match="0 ≤ low ≤ high"):
        Band(0.7, 0.2)
