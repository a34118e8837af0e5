import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from photoclf.finite_sample import hypergeometric_interval, sample_size
from photoclf.intervals import exact_interval
from photoclf.weighted_metrics import ScoreError


@st.composite
def samples(draw):
    population = draw(st.integers(1, 300))
    sample = draw(st.integers(0, population))
    return draw(st.integers(0, sample)), sample, population


def slow_interval(successes, sample, population, level=0.95):
    """Every number of photographs for which the sample is in neither tail."""
    tail = (1 - level) / 2
    possible = [
        k
        for k in range(successes, population - (sample - successes) + 1)
        if hypergeom.sf(successes - 1, population, k, sample) > tail
        and hypergeom.cdf(successes, population, k, sample) > tail
    ]
    return possible[0], possible[-1]


@settings(max_examples=60, deadline=None)
@given(samples())
def test_the_interval_is_what_trying_every_number_finds(drawn):
    assert hypergeometric_interval(*drawn) == slow_interval(*drawn)


@settings(max_examples=60, deadline=None)
@given(samples())
def test_the_interval_holds_what_was_seen_and_mirrors_with_the_classes(drawn):
    successes, sample, population = drawn
    low, high = hypergeometric_interval(*drawn)
    assert successes <= low <= high <= population - (sample - successes)
    mirrored = hypergeometric_interval(sample - successes, sample, population)
    assert mirrored == (population - high, population - low)


def test_a_whole_population_leaves_nothing_to_estimate_and_no_sample_leaves_all():
    assert hypergeometric_interval(7, 20, 20) == (7, 7)
    assert hypergeometric_interval(0, 0, 20) == (0, 20)


def test_a_sample_of_a_huge_population_has_the_binomial_interval():
    low, high = hypergeometric_interval(30, 100, 1_000_000)
    np.testing.assert_allclose((low / 1e6, high / 1e6), exact_interval(30, 100), atol=1e-4)


@pytest.mark.parametrize(("photos", "sample", "population"), [(31, 60, 119), (5, 50, 400)])
def test_the_interval_holds_the_truth_as_often_as_promised(photos, sample, population):
    held = sum(
        hypergeom.pmf(x, population, photos, sample)
        for x in range(max(0, sample - population + photos), min(photos, sample) + 1)
        if (ends := hypergeometric_interval(x, sample, population))[0] <= photos <= ends[1]
    )
    assert 0.95 <= held < 0.995


@pytest.mark.parametrize(
    ("population", "precision", "share"), [(119, 0.05, 0.26), (700, 0.1, 0.5), (60, 0.2, 0.0)]
)
def test_the_smallest_sample_is_narrow_enough_and_no_smaller_one_is(population, precision, share):
    def is_narrow(size):
        ends = [
            hypergeometric_interval(int(round_(size * share)), size, population)
            for round_ in (np.floor, np.ceil)
        ]
        return all((high - low) / 2 / population <= precision for low, high in ends)

    size = sample_size(population, precision, share)
    assert is_narrow(size)
    assert not any(is_narrow(smaller) for smaller in range(1, size))


def test_more_precision_needs_more_files_but_never_more_than_there_are():
    sizes = [sample_size(900, precision) for precision in (0.1, 0.05, 0.02, 0.0001)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 900
    assert sample_size(1, 0.05) == 1


@pytest.mark.parametrize("wrong", [(3, 2, 10), (-1, 2, 10), (1, 11, 10), (0, -1, 10)])
def test_impossible_samples_are_refused(wrong):
    with pytest.raises(ScoreError, match="successes ≤ sample ≤ population"):
        hypergeometric_interval(*wrong)


@pytest.mark.parametrize(
    "wrong", [(0, 0.05), (10, 0), (10, 0.5), (10, 0.05, 1.5), (10, 0.1, 0.5, 1)]
)
def test_sizes_that_nothing_can_have_are_refused(wrong):
    with pytest.raises(ScoreError, match="A sample's size needs"):
        sample_size(*wrong)
