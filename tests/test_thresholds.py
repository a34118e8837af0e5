import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from photoclf.errors import ConfigError
from photoclf.metrics import confusion
from photoclf.thresholds import ThresholdError, ThresholdRule, choose_threshold
from photoclf.weighted_metrics import ScoreError

SCORE = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1)
ROWS = st.lists(st.tuples(st.integers(0, 1), SCORE), min_size=1, max_size=40).filter(
    lambda rows: any(y for y, _ in rows)
)


def columns(rows):
    y, s = zip(*rows, strict=True)
    return np.array(y), np.array(s)


def f1_at(y, s, threshold):
    counts = confusion(y, s, threshold)
    return 2 * counts["tp"] / (2 * counts["tp"] + counts["fp"] + counts["fn"])


@settings(deadline=None)
@given(ROWS)
def test_no_threshold_has_a_higher_f1_than_the_chosen_one(rows):
    y, s = columns(rows)
    chosen = choose_threshold(y, s)
    best = max(f1_at(y, s, t) for t in [0.0, 1.0, *s])
    assert f1_at(y, s, chosen) == best


def test_of_equally_good_thresholds_the_nearest_to_a_half_is_chosen():
    # Cutting below 0.9 or below 0.6 gives F1 2/3 each: 1 of 2 found, or 2 found among 4.
    labels, scores = [1, 0, 0, 1], [0.9, 0.8, 0.7, 0.6]
    assert f1_at(labels, scores, 0.85) == f1_at(labels, scores, 0.3) == pytest.approx(2 / 3)
    assert choose_threshold(labels, scores) == pytest.approx(0.3)
    assert choose_threshold(labels, [0.7, 0.6, 0.05, 0.02]) == pytest.approx(0.65)


def test_a_threshold_stands_half_way_between_scores():
    assert choose_threshold([0, 1], [0.2, 0.6]) == pytest.approx(0.4)
    assert choose_threshold([1, 1], [0.4, 0.6]) == pytest.approx(0.2)
    assert choose_threshold([1], [0.0]) == 0.0
    assert choose_threshold([1], [1.0]) == 0.5


def test_between_adjacent_numbers_the_decisions_still_hold():
    low = 0.3
    high = np.nextafter(low, 1)
    assert f1_at([0, 1], [low, high], choose_threshold([0, 1], [low, high])) == 1.0


def test_a_threshold_without_any_photo_is_refused():
    for labels in ([], [0, 0]):
        with pytest.raises(ScoreError, match="at least one photo"):
            choose_threshold(labels, [0.5] * len(labels))


def recall_and_precision(y, s, threshold):
    counts = confusion(y, s, threshold)
    taken = counts["tp"] + counts["fp"]
    return counts["tp"] / (counts["tp"] + counts["fn"]), counts["tp"] / taken if taken else 0.0


@settings(deadline=None)
@given(ROWS, st.floats(0.01, 1))
def test_recall_is_kept_with_as_few_images_called_photographs_as_can_be(rows, least):
    y, s = columns(rows)
    chosen = choose_threshold(y, s, ThresholdRule("recall", least))
    assert recall_and_precision(y, s, chosen)[0] >= least
    higher = [t for t in s if (s >= t).sum() < (s >= chosen).sum()]
    assert all(recall_and_precision(y, s, t)[0] < least for t in higher)


@settings(deadline=None)
@given(ROWS, st.floats(0.01, 1))
def test_precision_is_kept_with_as_many_photographs_found_as_can_be(rows, least):
    y, s = columns(rows)
    reached = [recall_and_precision(y, s, t) for t in s]
    assume(any(precision >= least for _, precision in reached))
    chosen = choose_threshold(y, s, ThresholdRule("precision", least))
    recall, precision = recall_and_precision(y, s, chosen)
    assert precision >= least
    assert recall == max(r for r, p in reached if p >= least)


def test_a_precision_that_no_threshold_reaches_is_refused_with_the_highest():
    with pytest.raises(ThresholdError, match=r"precision of 0\.9.*which 0\.5 is the highest"):
        choose_threshold([1, 0, 0], [0.2, 0.2, 0.1], ThresholdRule("precision", 0.9))


@settings(deadline=None)
@given(ROWS, st.floats(0, 10), st.floats(0.1, 10))
def test_no_threshold_costs_less_than_the_cheapest(rows, missed, false):
    y, s = columns(rows)

    def cost(threshold):
        counts = confusion(y, s, threshold)
        return missed * counts["fn"] + false * counts["fp"]

    chosen = choose_threshold(y, s, ThresholdRule("cost", cost_missed=missed, cost_false=false))
    assert cost(chosen) == pytest.approx(min(cost(t) for t in [0.0, *s]), abs=1e-9) or cost(
        chosen
    ) < min(cost(t) for t in [0.0, *s])


def test_nothing_is_called_a_photograph_when_a_false_one_costs_too_much():
    rule = ThresholdRule("cost", cost_missed=1, cost_false=100)
    assert choose_threshold([1, 0], [0.4, 0.6], rule) == pytest.approx(0.8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "f2"},
        {"name": "recall"},
        {"name": "precision", "at_least": 1.5},
        {"name": "f1", "at_least": 0.5},
        {"name": "cost", "cost_missed": -1},
        {"name": "cost", "cost_missed": 0, "cost_false": 0},
    ],
)
def test_rules_without_meaning_are_refused(wrong):
    with pytest.raises(ConfigError, match="Received"):
        ThresholdRule(**wrong)


def test_a_rule_is_recorded_with_its_number():
    assert ThresholdRule().text == "max_f1_on_val"
    assert ThresholdRule("precision", 0.9).text == "precision_at_least_0.9_on_val"
    assert ThresholdRule("cost", cost_missed=5).text == "least_cost_5_to_1_on_val"
