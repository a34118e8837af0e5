"""The statistics: equal ways to train stay equal, real differences are found, both with seeds."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from photoclf.paired import (
    PairedBootstrap,
    SeedNoise,
    difference,
    holm,
    luck_of_the_best,
    mcnemar,
    pooled_noise,
)
from photoclf.weighted_metrics import ScoreError


def draw_images(rng, images=300, groups=150):
    """Labels, groups, and how hard each image is, which its whole group shares."""
    group = np.arange(images) % groups
    label = (rng.random(groups) < 0.4).astype(int)[group]
    return label, group, rng.normal(0, 1, groups)[group] + rng.normal(0, 1, images)


def draw_scores(rng, label, hard, quality, seed_sd=0.0):
    skill = quality + rng.normal(0, seed_sd)
    towards = skill + 0.7 * hard + rng.normal(0, 1, len(label))
    return 1 / (1 + np.exp(-(2 * label - 1) * towards))


def told_apart(rng, qualities, seeds=1, seed_sd=0.0, images=300):
    label, group, hard = draw_images(rng, images, images // 2)
    scores = [[draw_scores(rng, label, hard, q, seed_sd) for _ in range(seeds)] for q in qualities]
    bootstrap = PairedBootstrap(label, group, draws=400, seed=int(rng.integers(2**31)))
    first, second = (bootstrap.measure(s)["log_loss"] for s in scores)
    noise = pooled_noise([[log_loss(label, s) for s in point] for point in scores])
    return difference(first, second, noise, (seeds, seeds)).p < 0.05


@pytest.mark.parametrize(
    ("seeds", "seed_sd", "images"), [(1, 0.0, 300), (1, 0.0, 60), (2, 0.2, 300), (3, 0.2, 300)]
)
def test_equal_ways_to_train_are_told_apart_in_one_of_ten_cases_at_most(seeds, seed_sd, images):
    rng = np.random.default_rng(1)
    found = [told_apart(rng, (2, 2), seeds, seed_sd, images) for _ in range(200)]
    assert np.mean(found) <= 0.1


@pytest.mark.parametrize(("seeds", "seed_sd"), [(1, 0.0), (3, 0.1)])
def test_a_real_difference_is_found(seeds, seed_sd):
    rng = np.random.default_rng(2)
    found = [told_apart(rng, (2, 3), seeds, seed_sd) for _ in range(50)]
    assert np.mean(found) >= 0.9


def test_seeds_that_scatter_hide_what_one_seed_each_would_show():
    rng = np.random.default_rng(3)
    label, group, hard = draw_images(rng)
    bootstrap = PairedBootstrap(label, group)
    first, second = (
        bootstrap.measure([draw_scores(rng, label, hard, q)])["log_loss"] for q in (2, 3)
    )
    assert difference(first, second).p < 0.01
    scattered = difference(first, second, SeedNoise(sd=0.2, df=5))
    assert scattered.p > 0.05
    assert scattered.low < 0 < scattered.high
    assert scattered.value == difference(first, second).value


def test_measures_are_those_of_scikit_learn():
    rng = np.random.default_rng(4)
    label, group, hard = draw_images(rng)
    scores = draw_scores(rng, label, hard, 1)
    measured = PairedBootstrap(label, group, draws=1).measure([scores])
    assert measured["log_loss"][0] == pytest.approx(log_loss(label, scores))
    assert measured["accuracy"][0] == pytest.approx(accuracy_score(label, scores >= 0.5))
    assert measured["f1"][0] == pytest.approx(f1_score(label, scores >= 0.5))


def test_a_point_is_the_mean_of_its_seeds():
    rng = np.random.default_rng(5)
    label, group, hard = draw_images(rng)
    scores = [draw_scores(rng, label, hard, 1) for _ in range(3)]
    bootstrap = PairedBootstrap(label, group, draws=5)
    together = bootstrap.measure(scores)["log_loss"]
    np.testing.assert_allclose(
        together, np.mean([bootstrap.measure([s])["log_loss"] for s in scores], axis=0)
    )


def test_the_same_network_twice_differs_by_nothing():
    rng = np.random.default_rng(6)
    label, group, hard = draw_images(rng)
    measured = PairedBootstrap(label, group).measure([draw_scores(rng, label, hard, 1)])
    found = difference(measured["log_loss"], measured["log_loss"])
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_copies_of_images_do_not_make_an_interval_narrower():
    rng = np.random.default_rng(7)
    label, group, hard = draw_images(rng, 60, 60)
    pair = [draw_scores(rng, label, hard, q) for q in (2, 2.3)]
    once, often = (
        difference(*(PairedBootstrap(np.tile(label, n), np.tile(group, n)).measure([np.tile(s, n)])
                     ["log_loss"] for s in pair))
        for n in (1, 10)
    )  # fmt: skip
    assert often.high - often.low == pytest.approx(once.high - once.low)


def test_a_sure_mistake_costs_much_but_not_everything():
    measured = PairedBootstrap([1, 0], [0, 1], draws=1).measure([[0.0, 0.0]])
    assert 7 < measured["log_loss"][0] < 9


def test_an_f1_that_is_nowhere_defined_has_no_interval():
    bootstrap = PairedBootstrap([0, 0, 0], [0, 1, 2], draws=10)
    f1 = bootstrap.measure([[0.1, 0.2, 0.3]])["f1"]
    found = difference(f1, f1)
    assert np.isnan([found.value, found.low, found.high, found.p]).all()


@pytest.mark.parametrize("groups", [[0, 0], [0]])
def test_images_of_one_group_or_without_one_are_refused(groups):
    with pytest.raises(ScoreError, match="at least two groups"):
        PairedBootstrap([1, 0], groups)


def test_seed_noise_is_pooled_over_points_and_unknown_without_company():
    noise = pooled_noise([[1.0, 3.0], [10.0, 10.0, 10.0], [7.0]])
    assert (noise.sd, noise.df) == (pytest.approx(np.sqrt(2 / 3)), 3)
    assert not pooled_noise([[1.0], [2.0]]).known
    assert not pooled_noise([]).known


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (5, 5), (9, 1), (3, 40)])
def test_mcnemar_is_the_exact_sign_test(counts):
    n = sum(counts)
    expected = binomtest(counts[0], n).pvalue if n else 1.0
    assert mcnemar(*counts) == pytest.approx(expected)


def test_holm_corrects_as_worked_out_by_hand():
    assert holm([0.01, 0.02, 0.03]) == [0.03, 0.04, 0.04]
    assert holm([0.5, 0.001]) == [0.5, 0.002]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_luck_of_the_best_is_what_drawing_shows():
    rng = np.random.default_rng(8)
    for points in (1, 2, 5, 20, 100):
        drawn = rng.normal(size=(20_000, points)).max(axis=1).mean()
        assert luck_of_the_best(points) == pytest.approx(drawn, abs=0.05)
