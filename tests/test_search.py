"""What is tried next depends on the space and on results, and on nothing else."""

import json

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from photoclf.distributions import Distribution
from photoclf.search import GENERATION, count_trials, rounds
from photoclf.space import Halving, Space
from photoclf.study import Outcome, suggest_points, write_study

RATES = {"learning_rate": Distribution("loguniform", low=1e-5, high=1e-1)}
DROPOUTS = {"dropout": Distribution("choice", choices=tuple(i / 10 for i in range(9)))}


def space(parameters=DROPOUTS, **more):
    return Space("s", "?", {"epochs": 8}, parameters, **more)


def go_through(searched, score, **options):
    """Collect the rounds as (points, epochs), scoring each trial by its config."""
    return [
        (sorted({t.point for t in one.trials}), one.epochs)
        for one in rounds(searched, lambda planned: score(planned.config), **options)
    ]


def test_without_halving_all_trials_are_one_round():
    assert go_through(space(seeds=(1, 2)), lambda c: 0.0) == [(list(range(9)), None)]
    (one,) = rounds(space(seeds=(1, 2)), lambda planned: 0.0)
    assert [t.trial for t in one.trials] == list(range(18))
    assert [(t.point, t.config.seed) for t in one.trials[:3]] == [(0, 1), (0, 2), (1, 1)]


def test_halving_keeps_the_best_and_trains_them_further():
    halved = space(halving=Halving(1, 3))
    # The higher the dropout, the lower the loss.
    seen = go_through(halved, lambda c: 1 - c.dropout)
    assert seen == [(list(range(9)), 1), ([6, 7, 8], 3), ([8], None)]


def test_halving_keeps_the_highest_where_more_is_better():
    halved = space(halving=Halving(2, 3), objective="val_accuracy")
    assert go_through(halved, lambda c: 1 - c.dropout)[1] == ([0, 1, 2], 6)


def test_a_point_that_failed_goes_no_further_and_takes_no_place():
    halved = space(halving=Halving(1, 3))
    seen = go_through(halved, lambda c: None if c.dropout > 0.65 else 1 - c.dropout)
    assert seen == [(list(range(9)), 1), ([4, 5, 6], 3), ([6], None)]


def test_a_point_is_judged_by_the_mean_over_its_seeds():
    halved = space(halving=Halving(4, 9), seeds=(1, 2))
    lucky = lambda c: 0.0 if (c.dropout, c.seed) == (0.1, 1) else abs(c.dropout - 0.5) + 0.2  # noqa: E731
    assert go_through(halved, lucky)[-1][0] == [5]


def test_when_every_point_failed_the_sweep_ends():
    assert len(go_through(space(halving=Halving(1, 3)), lambda c: None)) == 1


def test_the_first_trials_are_the_first_ones_of_the_space():
    (one,) = rounds(space(seeds=(1, 2)), lambda planned: 0.0, max_trials=3)
    assert [(t.point, t.config.seed) for t in one.trials] == [(0, 1), (0, 2), (1, 1)]
    assert count_trials(space(seeds=(1, 2)), 3) == 3
    assert count_trials(space(seeds=(1, 2))) == 18


def test_threads_reach_every_trial():
    (one,) = rounds(space(), lambda planned: 0.0, threads=3)
    assert {t.config.threads for t in one.trials} == {3}


def rates_tried(searched, score):
    return [
        planned.config.learning_rate
        for one in rounds(searched, lambda planned: score(planned.config))
        for planned in one.trials
    ]


def near_a_hundredth(config):
    return abs(config.learning_rate - 0.01)


def test_tpe_suggests_the_same_points_whenever_it_is_asked_and_nears_the_best():
    searched = space(RATES, search="tpe", points=24)
    rates = rates_tried(searched, near_a_hundredth)
    assert rates == rates_tried(searched, near_a_hundredth)
    assert len(set(rates)) == 24
    half = len(rates) // 2
    distance = [min(abs(r - 0.01) for r in part) for part in (rates[:half], rates[half:])]
    assert distance[1] < distance[0]


def test_tpe_goes_a_few_points_at_a_time_and_heeds_what_they_gave():
    searched = space(RATES, search="tpe", points=10)
    assert [len(points) for points, _ in go_through(searched, near_a_hundredth)] == [4, 4, 2]
    others = rates_tried(searched, lambda c: -near_a_hundredth(c))
    assert others[:GENERATION] == rates_tried(searched, near_a_hundredth)[:GENERATION]
    assert others != rates_tried(searched, near_a_hundredth)


def test_tpe_ends_when_the_space_has_no_more_points():
    searched = space(
        {"batch_size": Distribution("choice", choices=(8, 16))}, search="tpe", points=9
    )
    assert [len(points) for points, _ in go_through(searched, lambda c: 0.0)] == [2]


def test_tpe_with_halving_drops_points_within_each_generation():
    searched = space(RATES, search="tpe", points=8, halving=Halving(2, 4))
    seen = go_through(searched, near_a_hundredth)
    assert [(len(points), epochs) for points, epochs in seen] == [(4, 2), (1, None)] * 2


CONDITIONAL = {
    "model": Distribution("choice", choices=("compact_cnn", "reference_cnn")),
    "dense_units": Distribution(
        "choice", choices=([64], [128, 64]), when={"model": ("reference_cnn",)}
    ),
    "batch_size": Distribution("int", low=8, high=64, step=8),
}


@settings(max_examples=10, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 9)), min_size=4, max_size=4), st.integers(0, 99))
def test_suggested_points_are_new_and_keep_to_their_conditions(values, seed):
    searched = space(CONDITIONAL, search="tpe", points=8, search_seed=seed)
    first = suggest_points(searched, [], 4)
    outcomes = [Outcome(p, v, None) for p, v in zip(first, values, strict=True)]
    points = [*first, *suggest_points(searched, outcomes, 4)]
    for point in points:
        assert ("dense_units" in point) == (point["model"] == "reference_cnn")
        assert point["batch_size"] in range(8, 65, 8)
    assert len({searched.config(point, 1).hash8 for point in points}) == 8


def test_a_study_can_be_opened_by_optunas_own_storage(tmp_path):
    searched = space(CONDITIONAL)
    outcomes = [
        (Outcome({"model": "compact_cnn", "batch_size": 8}, 0.3, None), {"runs": ["a"]}),
        (Outcome({"model": "compact_cnn", "batch_size": 16}, 0.5, 2), {}),
        (Outcome({"model": "reference_cnn", "dense_units": [64], "batch_size": 8}, None, None), {}),
    ]
    path = tmp_path / "study.log"
    for _ in range(2):  # written again, it holds the same
        write_study(searched, outcomes, path)
    storage = JournalStorage(JournalFileBackend(str(path)))
    study = optuna.load_study(study_name="s", storage=storage)
    assert [t.state.name for t in study.trials] == ["COMPLETE", "PRUNED", "FAIL"]
    assert study.best_value == pytest.approx(0.3)
    assert study.trials[1].intermediate_values == {2: 0.5}
    assert json.loads(study.trials[2].params["dense_units"]) == [64]
    assert study.trials[0].user_attrs == {"runs": ["a"]}
    assert [p.name for p in tmp_path.iterdir()] == ["study.log"]
