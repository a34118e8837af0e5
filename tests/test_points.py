import numpy as np
import pandas as pd
import pytest

from photoclf.config import RunConfig
from photoclf.errors import ConfigError
from photoclf.points import (
    check_objective,
    pareto_front,
    point_table,
    run_table,
    seed_noise,
    varied_parameters,
)
from tests.made_runs import make_run


def test_seeds_threads_and_memory_are_no_choices():
    configs = [RunConfig(seed=1, threads=2), RunConfig(seed=2, gpu_memory_limit_mib=100)]
    assert varied_parameters(configs) == []
    assert varied_parameters([*configs, RunConfig(filters=(4,))]) == ["filters"]
    # What a model takes by default is the same choice as naming it.
    assert varied_parameters([RunConfig(), RunConfig(dropout=0.2)]) == []


@pytest.fixture
def runs(tmp_path):
    return [
        make_run(tmp_path, (0.5,), filters=(4, 8), seed=1, flops=300),
        make_run(tmp_path, (0.9, 0.2), seed=1, batch_size=16, flops=100),
        make_run(tmp_path, (0.4,), filters=(4, 8), seed=2, flops=300),
        make_run(tmp_path, (0.6,), seed=2, batch_size=16, flops=100),
    ]


def test_runs_that_differ_in_their_seed_are_one_point_ranked_by_their_mean(runs):
    table = run_table(runs)
    assert table["val_loss"].tolist() == [0.5, 0.2, 0.4, 0.6]
    assert table["best_epoch"].tolist() == [0, 1, 0, 0]
    points = point_table(table, ["batch_size", "filters"], "val_loss")
    assert points["mean"].tolist() == pytest.approx([0.4, 0.45])
    assert points["filters"].tolist() == ["16,32,64,128", "4,8"]
    assert points["rank"].tolist() == [1, 2]
    assert points["runs"].tolist() == [2, 2]
    assert points["run_ids"][0] == [runs[1].run_id, runs[3].run_id]
    noise = seed_noise(table, points, "val_loss")
    assert (noise.sd, noise.df) == (pytest.approx(np.sqrt((0.08 + 0.005) / 2)), 2)


def test_accuracy_ranks_from_high_to_low(runs):
    table = run_table(runs).assign(val_accuracy=[0.1, 0.5, 0.2, 0.6])
    points = point_table(table, ["batch_size", "filters"], "val_accuracy")
    assert points["mean"].tolist() == pytest.approx([0.55, 0.15])


def test_a_single_run_is_a_point_without_a_spread(tmp_path):
    table = run_table([make_run(tmp_path)])
    points = point_table(table, [], "val_loss")
    assert len(points) == 1
    assert np.isnan(points["sd"][0])


def test_no_point_of_the_front_is_beaten():
    points = pd.DataFrame({"flops": [1, 2, 2, 3, 3], "mean": [0.5, 0.3, 0.4, 0.2, 0.2]})
    assert pareto_front(points, "flops", "val_loss").tolist() == [True, True, False, True, True]
    assert pareto_front(points, "flops", "val_accuracy").tolist() == [True] + 4 * [False]


def test_an_objective_that_no_run_has_is_refused():
    with pytest.raises(ConfigError, match="Did you mean 'val_loss'"):
        check_objective("val_los")
