import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from photoclf.two_samples import kolmogorov_smirnov, total_variation
from photoclf.weighted_metrics import ScoreError

SOME = st.lists(st.sampled_from("abc"), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None)
@given(SOME, SOME)
def test_distances_are_symmetric_and_none_to_itself(first, second):
    distance, p = total_variation(first, second, draws=50)
    assert distance == pytest.approx(total_variation(second, first, draws=50)[0])
    assert 0 <= distance <= 1
    assert 0 < p <= 1
    assert total_variation(first, first, draws=50) == (0, 1)


def test_samples_without_a_common_value_are_as_far_apart_as_can_be():
    assert total_variation(["a"] * 30, ["b"] * 30, draws=999) == (1, 1 / 1000)
    distance, p = kolmogorov_smirnov(range(30), range(100, 130))
    assert distance == 1
    assert p < 1e-10


def test_the_p_value_of_two_categories_is_fishers():
    first, second = ["a"] * 8 + ["b"] * 12, ["a"] * 22 + ["b"] * 13
    expected = fisher_exact([[8, 12], [22, 13]])[1]
    assert total_variation(first, second)[1] == pytest.approx(expected, abs=0.02)


def test_p_values_of_one_distribution_are_as_often_low_as_they_say():
    generator = np.random.default_rng(0)
    drawn = [
        (generator.choice(list("abcd"), 80), generator.choice(list("abcd"), 30)) for _ in range(300)
    ]
    low = [total_variation(*pair, draws=199)[1] <= 0.05 for pair in drawn]
    assert np.mean(low) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_large_samples_are_compared_in_moments():
    generator = np.random.default_rng(0)
    distance, p = kolmogorov_smirnov(generator.normal(size=200_000), generator.normal(size=5000))
    assert distance < 0.03
    assert p > 0.01


@pytest.mark.parametrize("compare", [kolmogorov_smirnov, total_variation])
def test_an_empty_sample_is_refused(compare):
    with pytest.raises(ScoreError, match="two lists with values"):
        compare([], [1])
