import subprocess
import sys

import numpy as np
import pytest

from photoclf import intervals
from photoclf.intervals import exact_interval
from photoclf.metric_intervals import bootstrap_intervals
from photoclf.metrics import classification_metrics
from photoclf.weighted_metrics import METRICS, ScoreError, WeightedMetrics


def some(n=300, seed=0):
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, n)
    return y, np.clip(generator.normal(0.3 + 0.4 * y, 0.25), 0, 1)


def test_intervals_hold_the_estimate_and_repeat_with_their_seed():
    y, s = some()
    groups = np.arange(300) // 3
    first = bootstrap_intervals(y, s, 0.5, groups, draws=200)
    assert first == bootstrap_intervals(y, s, 0.5, groups, draws=200)
    assert first != bootstrap_intervals(y, s, 0.5, groups, draws=200, seed=1)
    for name, value in classification_metrics(y, s, 0.5).items():
        low, high = first[name]
        # The calibration error of a resample is larger than that of its sample, on average.
        assert low < high
        assert name == "ece" or low <= value <= high


def test_a_resample_is_measured_as_if_its_images_had_been_copied():
    y, s = some(40)
    s = s.round(1)
    group = np.arange(40) // 4
    weights = intervals.draw_weights(np.random.default_rng(0), 3, 10)
    assert weights.sum(axis=1).tolist() == [10, 10, 10]
    received = WeightedMetrics(y, s, 0.5, group).metrics(weights)
    for draw in range(3):
        rows = np.repeat(np.arange(40), weights[draw][group].astype(int))
        for name, value in classification_metrics(y[rows], s[rows], 0.5).items():
            np.testing.assert_allclose(received[name][draw], value, rtol=1e-12, err_msg=name)


def test_copies_of_an_image_do_not_make_an_interval_narrower():
    y, s = some(100)
    once = bootstrap_intervals(y, s, 0.5, np.arange(100))
    copied = [np.repeat(values, 10) for values in (y, s, np.arange(100))]
    tenfold = bootstrap_intervals(copied[0], copied[1], 0.5, copied[2])
    blind = bootstrap_intervals(copied[0], copied[1], 0.5, np.arange(1000))
    np.testing.assert_allclose(tenfold["accuracy"], once["accuracy"])
    assert np.diff(blind["accuracy"])[0] < 0.5 * np.diff(once["accuracy"])[0]


def test_the_interval_of_accuracy_is_about_the_binomial_one():
    y, s = some(1000)
    right = int(((s >= 0.5) == y).sum())
    np.testing.assert_allclose(
        bootstrap_intervals(y, s, 0.5, np.arange(1000))["accuracy"],
        exact_interval(right, 1000),
        atol=0.006,
    )


def test_groups_may_be_named_and_rows_in_any_order():
    y, s = some(60)
    groups = np.array([f"Photo/{i // 4}é" for i in range(60)])
    shuffled = np.random.default_rng(1).permutation(60)
    first = bootstrap_intervals(y, s, 0.5, list(groups), draws=50)
    second = bootstrap_intervals(y[shuffled], s[shuffled], 0.5, groups[shuffled], draws=50)
    for name in METRICS:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-9)


def test_what_cannot_be_resampled_has_no_interval():
    for labels, groups in (([], []), ([1, 0], ["a", "a"])):
        received = bootstrap_intervals(labels, [0.5] * len(labels), 0.5, groups)
        assert np.isnan(list(received.values())).all()
    received = bootstrap_intervals([1, 1], [0.9, 0.1], 0.5, ["a", "b"], draws=20)
    assert np.isnan(received["roc_auc"]).all()
    assert 0 < received["recall"][0] < 0.1 < 0.9 < received["recall"][1] < 1


def test_shares_without_an_error_have_their_exact_interval():
    y, s = [1] * 20 + [0] * 30, [0.9] * 20 + [0.1] * 30
    received = bootstrap_intervals(y, s, 0.5, np.arange(50), draws=20)
    np.testing.assert_allclose(received["recall"], exact_interval(20, 20))
    np.testing.assert_allclose(received["specificity"], exact_interval(30, 30))
    low = exact_interval(20, 20)[0]
    np.testing.assert_allclose(received["f1"], (2 * low / (1 + low), 1))
    np.testing.assert_allclose(received["roc_auc"], exact_interval(20, 20))
    assert np.isnan(received["average_precision"]).all()
    np.testing.assert_allclose(
        bootstrap_intervals(y, s, 0.5, np.arange(50) // 2, draws=20)["recall"],
        exact_interval(10, 10),
    )


def scored_groups(rng, groups, size, apart=3.0, alike=0.8):
    """Scores on the log-odds of two normal distributions, alike within groups of one label."""
    sizes = rng.geometric(1 / size, groups)
    group = np.repeat(np.arange(groups), sizes)
    y = (rng.random(groups) < 0.3).astype(int)[group]
    own, shared = rng.standard_normal(len(group)), rng.standard_normal(groups)[group]
    odds = np.sqrt(alike) * shared + np.sqrt(1 - alike) * own + apart * (y - 0.5)
    return y, 1 / (1 + np.exp(-odds)), group


@pytest.mark.parametrize(("freedom", "expected"), [(4, 2.7764), (10, 2.2281), (60, 2.0003)])
def test_few_groups_make_an_interval_as_long_as_students_t_does(freedom, expected):
    assert intervals.students_quantile(0.95, freedom) == pytest.approx(expected, rel=0.01)


def test_scores_that_are_probabilities_have_a_calibration_error_of_nearly_none():
    rng, held = np.random.default_rng(2), 0
    for _ in range(150):
        s = rng.random(200)
        y = (rng.random(200) < s).astype(int)
        low, high = bootstrap_intervals(y, s, 0.5, np.arange(200), draws=100)["ece"]
        held += low < 0.02 < high
    assert held >= 0.9 * 150


@pytest.mark.parametrize("size", [1, 2])
def test_of_95_percent_intervals_95_percent_hold_the_true_value(size):
    rng, experiments = np.random.default_rng(3), 400
    truth = classification_metrics(*scored_groups(rng, 300_000, 1)[:2], 0.5)
    names = ("recall", "precision", "f1", "accuracy", "balanced_accuracy", "roc_auc", "brier")
    held = dict.fromkeys(names, 0)
    for _ in range(experiments):
        y, s, group = scored_groups(rng, 500, size)
        found = bootstrap_intervals(y, s, 0.5, group, draws=150)
        for name in names:
            held[name] += found[name][0] <= truth[name] <= found[name][1]
    # Three deviations of 400 experiments to either side: 3.3 points.
    assert {n: k for n, k in held.items() if not 0.917 <= k / experiments <= 0.983} == {}
    assert 0.93 <= sum(held.values()) / (experiments * len(names)) <= 0.97


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    [(0, 10, (0, 0.308498)), (10, 10, (0.691503, 1)), (5, 10, (0.187086, 0.812914))],
)
def test_exact_intervals_equal_published_ones(successes, trials, expected):
    np.testing.assert_allclose(exact_interval(successes, trials), expected, atol=5e-6)


def test_an_interval_without_trials_says_nothing():
    assert exact_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("arguments", [(-1, 3), (4, 3), (0, -1), (1, 2, 1.0)])
def test_impossible_proportions_are_refused(arguments):
    with pytest.raises(ScoreError, match="successes"):
        exact_interval(*arguments)


def test_bootstrapping_refuses_what_it_cannot_use():
    with pytest.raises(ScoreError, match="one group an image"):
        bootstrap_intervals([0, 1], [0.5, 0.5], 0.5, ["a"])
    for wrong in ({"draws": 0}, {"level": 1.0}):
        with pytest.raises(ScoreError, match="draws"):
            bootstrap_intervals([0, 1], [0.5, 0.5], 0.5, ["a", "b"], **wrong)


def test_measuring_loads_neither_scikit_learn_nor_scipy():
    code = (
        "import sys; from photoclf.metric_intervals import *; import photoclf.metrics;"
        "bootstrap_intervals([0, 1], [0.1, 0.9], 0.5, ['a', 'b'], draws=3);"
        "assert not {'sklearn', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
