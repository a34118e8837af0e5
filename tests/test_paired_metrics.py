"""Two models on the same images: their figures, how sure the differences are, and the verdict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.intervals import draw_weights
from photoclf.metrics import classification_metrics
from photoclf.paired import Difference, mcnemar
from photoclf.paired_metrics import FEWEST_FLIPPED, Change, judge, metric_changes
from photoclf.weighted_metrics import METRICS, ScoreError

HALF = (0.5, 0.5)


def draw(rng, images, qualities, each=2):
    """Labels, groups of `each`, and both models' scores: what is hard is hard for both."""
    groups = images // each
    group = np.arange(images) % groups
    label = (rng.random(groups) < 0.4).astype(int)[group]
    hard = rng.normal(0, 1, groups)[group] + 0.5 * rng.normal(0, 1, images)
    logits = [q + hard + rng.normal(0, 0.7, images) for q in qualities]
    return label, group, [1 / (1 + np.exp(-(2 * label - 1) * logit)) for logit in logits]


def true_f1(qualities):
    label, _, scores = draw(np.random.default_rng(0), 1_000_000, qualities)
    photo = [s >= 0.5 for s in scores]
    return [2 * (p & (label == 1)).sum() / (p.sum() + label.sum()) for p in photo]


def f1_change(rng, images, qualities):
    label, group, (old, new) = draw(rng, images, qualities)
    seed = int(rng.integers(2**31))
    found = metric_changes(
        label, old, new, group, thresholds=HALF, names=["f1"], draws=400, seed=seed
    )
    flipped = len(set(group[(old >= 0.5) != (new >= 0.5)]))
    return found["f1"], flipped


def test_each_models_figures_are_those_of_its_own_evaluation():
    label, group, (old, new) = draw(np.random.default_rng(1), 200, (1, 2))
    found = metric_changes(label, old, new, group, thresholds=(0.3, 0.6), draws=5)
    for name in METRICS:
        assert found[name].old == pytest.approx(classification_metrics(label, old, 0.3)[name])
        assert found[name].new == pytest.approx(classification_metrics(label, new, 0.6)[name])
        assert found[name].difference.value == found[name].new - found[name].old


def test_the_areas_are_left_out_or_measured_with_the_same_draws():
    label, group, (old, new) = draw(np.random.default_rng(2), 100, (1, 2))
    all_of_them = metric_changes(label, old, new, group, thresholds=HALF, draws=50)
    one = metric_changes(label, old, new, group, thresholds=HALF, draws=50, names=["f1"])
    assert one == {"f1": all_of_them["f1"]}


def test_the_interval_is_that_of_the_same_groups_drawn_for_both_models():
    label, group, scores = draw(np.random.default_rng(3), 60, (1, 2))
    found = metric_changes(label, *scores, group, thresholds=HALF, draws=200, seed=1)["recall"]
    differences = []
    for weights in draw_weights(np.random.default_rng(1), 200, 30)[:, group]:
        old, new = ((weights * label * (s >= 0.5)).sum() / (weights * label).sum() for s in scores)
        differences.append(new - old)
    low, high = np.quantile(differences, [0.025, 0.975])
    half = 1.96 * np.std(differences)
    assert found.difference.low == pytest.approx(min(low, found.difference.value - half))
    assert found.difference.high == pytest.approx(max(high, found.difference.value + half))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(4, 40), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_swapping_the_models_turns_the_sign_of_every_difference(seed, images, a, b):
    rng = np.random.default_rng(seed)
    label, group = rng.integers(0, 2, images), rng.integers(0, 5, images)
    old, new = rng.random((2, images)).round(2)
    there = metric_changes(label, old, new, group, thresholds=(a, b), draws=20)
    back = metric_changes(label, new, old, group, thresholds=(b, a), draws=20)
    for name in METRICS:
        one, other = there[name].difference, back[name].difference
        expected = (-one.value, -one.high, -one.low)
        np.testing.assert_allclose((other.value, other.low, other.high), expected, atol=1e-12)


def test_the_same_scores_cannot_be_told_apart_and_divide_nothing_by_zero():
    label, group, (old, _) = draw(np.random.default_rng(4), 60, (1, 1))
    with np.errstate(all="raise"):
        found = metric_changes(label, old, old, group, thresholds=HALF, draws=50)
    for change in found.values():
        assert (change.difference.value, change.difference.low, change.difference.high) == (0, 0, 0)
        assert not change.told_apart
    assert judge(found["f1"], 0) == "same"


def test_the_interval_holds_the_true_difference_95_times_in_100():
    qualities = (1.2, 1.6)
    old, new = true_f1(qualities)
    rng = np.random.default_rng(5)
    changes = [f1_change(rng, 300, qualities)[0].difference for _ in range(800)]
    covered = np.mean([c.low <= new - old <= c.high for c in changes])
    assert 0.93 <= covered <= 0.97, covered


@pytest.mark.parametrize(("images", "quality"), [(300, 1.4), (60, 1.4), (100, 3.0), (200, 3.5)])
def test_equal_models_are_told_apart_in_5_of_100_tests_at_most(images, quality):
    rng = np.random.default_rng(6)
    verdicts = [judge(*f1_change(rng, images, (quality, quality))) for _ in range(400)]
    told = np.isin(verdicts, ["better", "worse"])
    assert told.mean() <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / len(told)), told.mean()


def test_four_flips_to_one_side_may_be_chance_whatever_the_bootstrap_says():
    label, old = np.tile([1, 0], 100), np.tile([0.9, 0.1], 100)
    new = old.copy()
    old[[0, 2, 4, 6]] = 0.2
    f1 = metric_changes(label, old, new, range(200), thresholds=HALF, names=["f1"])["f1"]
    assert f1.told_apart
    assert mcnemar(4, 0) > 0.05
    assert judge(f1, 4) == "few"
    assert mcnemar(FEWEST_FLIPPED, 0) <= 0.05 < mcnemar(FEWEST_FLIPPED - 1, 0)


def test_a_real_difference_is_told_and_in_its_direction():
    rng = np.random.default_rng(8)
    for qualities, verdict in (((1, 2), "better"), ((2, 1), "worse")):
        found = [judge(*f1_change(rng, 400, qualities)) for _ in range(40)]
        assert np.mean([v == verdict for v in found]) >= 0.9


def test_copies_of_images_in_a_group_do_not_make_a_difference_surer():
    label, group, (old, new) = draw(np.random.default_rng(9), 60, (1, 1.4), each=1)
    once, often = (
        metric_changes(
            *(np.tile(a, n) for a in (label, old, new, group)), thresholds=HALF, names=["accuracy"]
        )["accuracy"].difference
        for n in (1, 10)
    )
    assert often.high - often.low == pytest.approx(once.high - once.low)


def test_a_test_without_photographs_has_no_recall_and_still_an_accuracy():
    found = metric_changes([0] * 6, [0.1] * 6, [0.9, *[0.1] * 5], range(6), thresholds=HALF)
    assert np.isnan(found["recall"].difference.value)
    assert np.isnan(found["roc_auc"].difference.low)
    assert found["accuracy"].difference.value == pytest.approx(-1 / 6)
    assert judge(found["f1"], 1) == "untold"


def test_images_of_one_group_have_figures_and_no_interval():
    found = metric_changes([1, 0], [0.9, 0.1], [0.2, 0.1], ["a", "a"], thresholds=HALF)
    assert found["recall"].difference.value == -1
    assert np.isnan(found["recall"].difference.low)
    assert judge(found["f1"], 1) == "untold"


def change(low, high):
    return Change(0.8, 0.9, Difference((low + high) / 2, low, high, 0.5))


def test_the_verdict_stays_within_what_the_interval_and_the_flips_allow():
    assert judge(change(0.01, 0.1), 6) == "better"
    assert judge(change(-0.1, -0.01), 6) == "worse"
    assert judge(change(0.01, 0.1), 5) == "few"
    assert judge(change(-0.01, 0.1), 50) == "same"
    assert judge(change(0.0, 0.1), 50) == "same"
    assert judge(change(np.nan, np.nan), 50) == "untold"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"new": [0.5]}, "one length"),
        ({"old": [0.5, 1.5]}, "from 0 to 1"),
        ({"labels": [0, 2]}, "0 or 1"),
        ({"groups": [1]}, "one group an image"),
        ({"thresholds": (0.5, 2)}, "threshold"),
        ({"draws": 0}, "`draws`"),
        ({"names": ["f2"]}, "f2"),
    ],
)
def test_what_is_no_measurement_is_refused(changed, error):
    given = {"labels": [0, 1], "old": [0.1, 0.9], "new": [0.2, 0.8], "groups": [0, 1]}
    with pytest.raises(ScoreError, match=error):
        metric_changes(**given | {"thresholds": HALF} | changed)
