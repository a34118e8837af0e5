import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from photoclf.novelty import benjamini_hochberg, conformal_p_values, find_novel, normal_scores
from photoclf.weighted_metrics import ScoreError


def usual(generator, n):
    """Correlated measures, one skewed and one that is 0 or 1."""
    normal = generator.normal(size=(n, 3))
    normal[:, 1] += normal[:, 0]
    return np.column_stack([normal[:, :2], np.exp(normal[:, 2]), generator.integers(0, 2, n)])


def test_in_a_folder_of_the_trainings_kind_any_flag_is_as_rare_as_promised():
    generator, flagged = np.random.default_rng(0), 0
    for _ in range(300):
        training, calibration, folder = (usual(generator, n) for n in (150, 400, 20))
        flagged += find_novel(training, calibration, folder).flagged.any()
    # 5 % and twice the simulation's own error.
    assert flagged / 300 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_of_the_flags_few_are_false_and_strangers_are_found():
    generator, false_shares, found = np.random.default_rng(1), [], []
    for _ in range(100):
        training, calibration, folder = (usual(generator, n) for n in (150, 400, 40))
        folder[:10, 1] -= 6 * np.sign(folder[:10, 0])  # each measure is usual, their pair isn't
        flagged = find_novel(training, calibration, folder).flagged
        false_shares.append(flagged[10:].sum() / max(flagged.sum(), 1))
        found.append(flagged[:10].mean())
    assert np.mean(false_shares) <= 0.05
    assert np.mean(found) > 0.6


def test_p_values_of_the_usual_kind_are_as_often_low_as_they_say():
    generator = np.random.default_rng(2)
    p = np.concatenate(
        [find_novel(*(usual(generator, n) for n in (100, 99, 20))).p for _ in range(200)]
    )
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.02)


def test_no_image_can_be_flagged_alone_with_too_few_to_compare_with():
    generator = np.random.default_rng(3)
    folder = usual(generator, 50)
    folder[0] = 1000
    few = find_novel(usual(generator, 100), usual(generator, 50), folder)
    assert few.least == 20  # 50 / (0.05 × 51), rounded up
    assert not few.flagged.any()
    many = find_novel(usual(generator, 100), usual(generator, 999), folder)
    assert many.least == 1
    assert many.flagged[0]


@given(st.lists(st.floats(0, 1), max_size=30))
def test_flags_are_those_of_scipys_adjusted_p_values(p_values):
    adjusted = false_discovery_control(p_values) if p_values else np.empty(0)
    near = np.abs(adjusted - 0.05) < 1e-9  # where a last digit decides
    assert ((benjamini_hochberg(p_values) == (adjusted <= 0.05)) | near).all()


@given(st.lists(st.integers(-5, 5), min_size=1), st.integers(-6, 6))
def test_a_p_value_counts_what_is_at_least_as_strange(calibration, score):
    (p,) = conformal_p_values(calibration, [score])
    assert p == (1 + sum(c >= score for c in calibration)) / (len(calibration) + 1)


def test_ranks_are_spread_like_a_normal_distribution_whatever_the_measure():
    skewed = np.exp(np.random.default_rng(0).normal(size=(1001, 1)) * 3)
    scores = normal_scores(skewed, skewed)
    assert np.median(scores) == pytest.approx(0)
    assert scores.std() == pytest.approx(1, abs=0.01)
    assert normal_scores(skewed, np.array([[1e12]])) > scores.max()
    assert (normal_scores(np.ones((9, 1)), np.ones((2, 1))) == 0).all()


def test_an_empty_folder_has_no_flags():
    found = find_novel(np.zeros((5, 2)), np.zeros((5, 2)), np.empty((0, 2)))
    assert (len(found.p), len(found.flagged)) == (0, 0)


@pytest.mark.parametrize(
    ("training", "calibration", "folder", "said"),
    [
        (np.empty((0, 2)), np.zeros((5, 2)), np.zeros((1, 2)), "there must be some"),
        (np.zeros((5, 2)), np.empty((0, 2)), np.zeros((1, 2)), "there must be some"),
        (np.zeros((5, 2)), np.zeros((5, 2)), np.zeros((1, 3)), "the same measures"),
        (np.zeros((5, 2)), np.zeros((5, 2)), np.full((1, 2), np.nan), "must be a number"),
    ],
)
def test_images_that_cannot_be_compared_are_refused(training, calibration, folder, said):
    with pytest.raises(ScoreError, match=said):
        find_novel(training, calibration, folder)
