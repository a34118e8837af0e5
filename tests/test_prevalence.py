import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.prevalence import MIN_SEPARATION, estimate_share
from photoclf.weighted_metrics import ScoreError


def drawn_test(generator, images, photos, recall, alarms, group_size=1):
    """Labels, decisions and groups; the images of a group are right or wrong together."""
    labels = np.repeat([1, 0], [photos, images - photos])
    groups = np.arange(images) // group_size
    luck = generator.random(groups[-1] + 1)[groups]
    return labels, np.where(labels == 1, luck < recall, luck < alarms), groups


def drawn_folder(generator, images, photos, recall, alarms):
    return np.append(generator.random(photos) < recall, generator.random(images - photos) < alarms)


@pytest.mark.parametrize(
    ("images", "share", "test", "photos", "recall", "alarms", "group_size"),
    [
        (500, 0.25, 1000, 300, 0.95, 0.03, 1),
        (500, 0.25, 300, 60, 0.85, 0.1, 1),
        (2000, 0.5, 300, 100, 0.8, 0.2, 1),
        (500, 0.25, 1000, 300, 0.95, 0.03, 4),
    ],
)
def test_the_interval_holds_the_folders_own_share_as_often_as_promised(
    images, share, test, photos, recall, alarms, group_size
):
    generator, held, trials = np.random.default_rng(0), 0, 500
    there = round(images * share)
    for trial in range(trials):
        known = drawn_test(generator, test, photos, recall, alarms, group_size)
        called = drawn_folder(generator, images, there, recall, alarms)
        found = estimate_share(called, *known, draws=400, seed=trial)
        held += found.low <= there / images <= found.high
    assert 0.93 <= held / trials <= 0.97 + 0.01  # the simulation's own error is 1 %


def test_few_large_groups_cost_length_and_not_truth():
    generator, held = np.random.default_rng(0), 0
    for trial in range(300):
        known = drawn_test(generator, 1000, 300, 0.95, 0.03, group_size=10)
        called = drawn_folder(generator, 500, 125, 0.95, 0.03)
        found = estimate_share(called, *known, draws=400, seed=trial)
        held += found.low <= 0.25 <= found.high
    assert held / 300 >= 0.93


def test_the_interval_does_not_promise_certainty_after_a_test_without_errors():
    labels = np.repeat([1, 0], [100, 200])
    found = estimate_share([True] * 30 + [False] * 70, labels, labels == 1, range(300))
    assert found.share == pytest.approx(0.3)
    assert found.low < 0.3 < found.high
    assert found.problem == ""


def test_what_is_called_a_photograph_is_adjusted_for_both_kinds_of_error():
    labels, decided = [1] * 100 + [0] * 100, [1] * 80 + [0] * 20 + [1] * 10 + [0] * 90
    found = estimate_share([True] * 24 + [False] * 76, labels, decided, range(200))
    assert (found.called, found.recall, found.false_alarms) == (0.24, 0.8, 0.1)
    assert found.share == pytest.approx(0.2)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 50),
    st.integers(1, 40),
    st.integers(0, 40),
    st.integers(1, 40),
    st.integers(0, 9),
)
def test_an_estimate_stays_between_none_and_all_and_repeats(photos, right, missed, well, alarms):
    labels = np.repeat([1, 1, 0, 0], [right, missed, well, alarms])
    decided = np.repeat([1, 0, 0, 1], [right, missed, well, alarms])
    called = np.arange(50) < photos
    found, again = (
        estimate_share(called, labels, decided, range(len(labels)), draws=100) for _ in range(2)
    )
    assert 0 <= found.low <= found.high <= 1
    if np.isnan(found.share):
        assert (found.low, found.high) == (0, 1)
        assert found.problem
    else:
        assert found == again
        assert 0 <= found.share <= 1


def test_turning_the_classes_round_turns_the_share_round():
    generator = np.random.default_rng(3)
    labels, decided, groups = drawn_test(generator, 600, 200, 0.9, 0.1)
    called = drawn_folder(generator, 300, 100, 0.9, 0.1)
    found = estimate_share(called, labels, decided, groups)
    turned = estimate_share(~called, 1 - labels, ~decided, groups)
    assert turned.share == pytest.approx(1 - found.share)
    assert turned.low == pytest.approx(1 - found.high, abs=0.01)


def test_images_that_err_together_make_the_interval_longer():
    generator = np.random.default_rng(1)
    labels, decided, groups = drawn_test(generator, 1200, 400, 0.9, 0.1, group_size=10)
    called = drawn_folder(generator, 2000, 600, 0.9, 0.1)
    whole = estimate_share(called, labels, decided, groups)
    blind = estimate_share(called, labels, decided, range(1200))
    assert whole.high - whole.low > 1.5 * (blind.high - blind.low)


def test_decisions_that_say_nothing_are_not_divided_by_nothing():
    labels = [1, 0] * 50
    found = estimate_share([True, False], labels, [1, 1, 0, 0] * 25, range(100))
    assert np.isnan(found.share)
    assert (found.low, found.high) == (0, 1)
    assert f"{MIN_SEPARATION:.0%} apart" in found.problem


def test_a_share_that_the_known_errors_cannot_make_is_said_to_be_impossible():
    labels = np.repeat([1, 0], [500, 500])
    decided = np.concatenate([np.ones(500), np.ones(200), np.zeros(300)])
    few = estimate_share(np.arange(500) < 20, labels, decided, range(1000))
    assert (few.share, few.high) == (0, 0)
    assert "fewer images" in few.problem
    decided = np.concatenate([np.ones(300), np.zeros(200), np.zeros(500)])
    many = estimate_share(np.arange(500) < 480, labels, decided, range(1000))
    assert (many.share, many.low) == (1, 1)
    assert "more images" in many.problem


@pytest.mark.parametrize(
    ("called", "labels", "decided", "groups", "said"),
    [
        ([], [0, 1], [0, 1], [0, 1], "images with a decision"),
        ([True], [1, 1], [0, 1], [0, 1], "both kinds"),
        ([True], [0, 0], [0, 1], [0, 1], "both kinds"),
        ([True], [0, 1], [0], [0, 1], "both kinds"),
        ([True], [0, 1], [0, 1], [0], "both kinds"),
    ],
)
def test_a_folder_or_a_test_that_tells_nothing_is_refused(called, labels, decided, groups, said):
    with pytest.raises(ScoreError, match=said):
        estimate_share(called, labels, decided, groups)
