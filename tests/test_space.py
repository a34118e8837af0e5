"""Spaces: everything that is wrong with one is told before a trial starts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.config import RunConfig
from photoclf.distributions import Distribution
from photoclf.errors import ConfigError
from photoclf.paths import list_spaces
from photoclf.space import Halving, Space
from photoclf.space_file import read_space

BASE = "base: {image_size: 32, filters: [4, 8], batch_size: 16, epochs: 4}\n"
DROPOUT = "parameters: {dropout: [0.1, 0.2]}\n"


def write_space(folder: Path, text: str) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read_text(folder: Path, text: str) -> Space:
    return read_space(write_space(folder, text))


@pytest.mark.parametrize("name", list_spaces())
def test_spaces_of_the_project_are_right_and_ask_a_question(name):
    space = read_space(name)
    assert space.name == name
    assert space.question.endswith("?")
    assert len(space.corner_points()) > 1


def test_the_projects_spaces_are_those_that_the_study_was_about():
    wanted = {"depth", "filters", "batch_size", "dense_dropout", "augmentation", "backbone"}
    assert wanted | {"image_size", "reference_study"} <= set(list_spaces())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parameters: {dropuot: [0.1]}", "Did you mean 'dropout'"),
        ("parameters: {dropout: [0.1, 1.5]}", "from 0.0 to 0.95"),
        ("parameters: {dropout: [[0.1]]}", "must be a number"),
        ("parameters: {dropout: []}", "so that there are trials"),
        ("parameters: {}", "so that there are trials"),
        ("base: {epochs: 2}", "so that there are trials"),
        ("parameters: {dropout: 0.5}", "so that there are trials"),
        ("parmeters: {dropout: [0.1]}", "Did you mean 'parameters'"),
        ("base: {epoch: 2}\n" + DROPOUT, "Did you mean 'epochs'"),
        ("base: {epochs: many}\n" + DROPOUT, "whole number"),
        ("parameters: {dropout: [0.1, 0.1]}", "must differ"),
        ("parameters: {dropout: [0.1], dropout: [0.2]}", "'dropout' must be given once"),
        ("parameters: [", "must be YAML"),
        ("just text", "must give names their values"),
        ("base: [1]\n" + DROPOUT, "`base` must give"),
        ("name: ../../out\n" + DROPOUT, "names a folder"),
        ("parameters: {seed: [1, 2]}", "Write `seeds: 3`"),
        ("parameters: {threads: [1, 2]}", "Set it in `base`"),
        ("search: gird\n" + DROPOUT, "Did you mean 'grid'"),
        ("search: random\n" + DROPOUT, "how many `points`"),
        ("search: tpe\n" + DROPOUT, "how many `points`"),
        ("search: random\npoints: 3\n" + DROPOUT, "2 of 3"),
        ("points: 0\n" + DROPOUT, "`points` must be a whole number from 1"),
        ("seeds: 0\n" + DROPOUT, "`seeds` must be"),
        ("seeds: [1, 1]\n" + DROPOUT, "must be different"),
        ("objective: val_los\n" + DROPOUT, "Did you mean 'val_loss'"),
        ("objective: f1\n" + DROPOUT, "must be one of"),
        ("parameters: {dropout: {unifrom: [0, 0.5]}}", "Did you mean 'uniform'"),
        ("parameters: {dropout: {uniform: [0.5, 0.1]}}", "least and greatest"),
        ("parameters: {dropout: {uniform: [0, 0.5]}}", "must have a `step`"),
        ("parameters: {dropout: {uniform: [0, 0.9], stp: 1}}", "Did you mean 'step'"),
        ("search: tpe\npoints: 4\nparameters: {dropout: {uniform: [0, 2]}}", "from 0.0 to 0.95"),
        ("parameters: {learning_rate: {loguniform: [0, 1]}}", "begin above 0"),
        ("parameters: {batch_size: {int: [8, 16.5]}}", "whole number"),
        ("parameters: {batch_size: {int: [8, 16], step: 0}}", "above 0"),
        ("parameters: {batch_size: {int: [0, 16], log: true}}", "range above 0"),
        ("parameters: {batch_size: {int: [1, 4096]}}", "at most"),
        (
            "base: {model: compact_cnn}\n"
            "parameters: {dropout: {choice: [0.1], when: {modle: compact_cnn}}}",
            "Did you mean 'model'",
        ),
        ("parameters: {dropout: {choice: [0.1], when: 3}}", "`when` of dropout"),
        ("halving: {first: 1, factor: 2}\nparameters: {epochs: [2, 4]}", "leave one"),
        ("halving: {first: 10, factor: 2}\n" + DROPOUT, "begin below the 10 epochs"),
        ("halving: {first: 1, factor: 1}\n" + DROPOUT, "from 2"),
        ("halving: {first: 1}\n" + DROPOUT, "must have `first`"),
        ("search: tpe\npoints: 9\n" + DROPOUT, "2 of 9"),
        ("points: 1e9\n" + DROPOUT, "written without a point"),
        ("search: random\npoints: 1000000000\n" + DROPOUT, "from 1 to 10000"),
        ("seeds: 1000000000\n" + DROPOUT, "from 1 to 10000"),
        ("seeds: 9000\n" + DROPOUT, "10000 trials at most"),
        ("seeds: [1, 99999999999999]\n" + DROPOUT, "`seed"),
        ("search_seed: 99999999999\n" + DROPOUT, "`search_seed`"),
        ("seeds: 11\nparameters: {batch_size: {int: [1, 999]}}", "10000 trials at most"),
        ("parameters: {dropout: {uniform: [0, 0.5], step: 1e-320}}", "millionth"),
        ("parameters: {batch_size: {int: [8, 1" + "0" * 30 + "]}}", "whole number"),
        ("parameters: " + "[" * 3000, "must be YAML"),
        (
            "parameters: {dropout: {choice: [0.1], when: {model: nonsense}}}",
            "`model` must be one of",
        ),
        ("parameters: {dropout: {choice: [0.1], when: {model: []}}}", "`when` of dropout"),
        ("name: true\n" + DROPOUT, "names a folder"),
        ("name: " + "a" * 200 + "\n" + DROPOUT, "1 to 100"),
        ("question: {a: b}\n" + DROPOUT, "`question` must be a text"),
        ("base: false\n" + DROPOUT, "`base` must give"),
    ],
)
def test_a_wrong_space_is_refused_before_anything_trains(tmp_path, text, said):
    with pytest.raises(ConfigError, match=f"(?i){said}"):
        read_text(tmp_path, text)


def test_an_unknown_space_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'depth'"):
        read_space("deph")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="which does not exist"):
        read_space(tmp_path / "none.yaml")


def test_a_condition_may_name_what_the_base_leaves_at_its_default(tmp_path):
    text = "parameters: {{dropout: {{choice: [0.1, 0.3], when: {{model: {}}}}}}}"
    assert len(read_text(tmp_path, text.format("compact_cnn")).known_points()) == 2
    assert read_text(tmp_path, text.format("reference_cnn")).known_points() == [{}]


def test_yaml_may_be_merged_as_usual(tmp_path):
    text = "base: &all {epochs: 3}\nhalving:\n  <<: {first: 1}\n  factor: 2\n"
    assert read_text(tmp_path, text + DROPOUT).halving == Halving(1, 2)


def test_a_number_may_be_written_without_a_point(tmp_path):
    space = read_text(tmp_path, "parameters: {learning_rate: [1e-4, 1e-3]}")
    assert space.known_points() == [{"learning_rate": 1e-4}, {"learning_rate": 1e-3}]


def test_a_grid_has_all_combinations_the_last_parameter_varying_fastest(tmp_path):
    space = read_text(tmp_path, BASE + "parameters: {dropout: [0.1, 0.2], fit: [crop, squash]}")
    points = [(p["dropout"], p["fit"]) for p in space.known_points()]
    assert points == [(0.1, "crop"), (0.1, "squash"), (0.2, "crop"), (0.2, "squash")]


def test_each_changes_one_parameter_at_a_time_and_begins_with_the_base(tmp_path):
    text = "search: each\nparameters: {dropout: [0.2, 0.3], batch_size: [16, 32]}"
    points = read_text(tmp_path, BASE + text).known_points()
    # The base's own batch size is no second point.
    assert points == [{}, {"dropout": 0.3}, {"batch_size": 32}]


def test_a_range_with_a_step_is_a_grid(tmp_path):
    text = (
        "parameters: {dropout: {uniform: [0, 0.3], step: 0.1}, batch_size: {int: [8, 24], step: 8}}"
    )
    points = read_text(tmp_path, text).known_points()
    assert sorted({p["dropout"] for p in points}) == [0.0, 0.1, 0.2, 0.3]
    assert sorted({p["batch_size"] for p in points}) == [8, 16, 24]


CONDITIONAL = """\
base: {image_size: 64, epochs: 1}
parameters:
  model: [compact_cnn, reference_cnn]
  dense_units: {choice: [[], [64], [128]], when: {model: reference_cnn}}
"""


def test_a_parameter_is_left_out_where_it_has_no_use(tmp_path):
    points = read_text(tmp_path, CONDITIONAL).known_points()
    assert points[0] == {"model": "compact_cnn"}
    assert [p["dense_units"] for p in points[1:]] == [[], [64], [128]]
    assert len(points) == 4


def test_a_trial_is_the_config_that_the_command_line_would_train(tmp_path):
    space = read_text(tmp_path, BASE + "parameters: {dropout: [0.1]}\n")
    by_hand = RunConfig(
        image_size=32, filters=(4, 8), batch_size=16, epochs=4, dropout=0.1, seed=42, threads=1
    )
    assert space.config({"dropout": 0.1}, 42, threads=1) == by_hand


def test_threads_of_the_base_are_kept_whatever_the_machine(tmp_path):
    space = read_text(tmp_path, "base: {threads: 3}\n" + DROPOUT)
    assert space.config({}, 1, threads=1).threads == 3


def test_seeds_begin_at_that_of_the_base(tmp_path):
    assert read_text(tmp_path, "seeds: 3\n" + DROPOUT).seeds == (42, 43, 44)
    assert read_text(tmp_path, "base: {seed: 7}\nseeds: 2\n" + DROPOUT).seeds == (7, 8)
    assert read_text(tmp_path, "seeds: [3, 1]\n" + DROPOUT).seeds == (3, 1)


RANDOM = """\
search: random
points: 12
parameters:
  learning_rate: {loguniform: [1e-4, 1e-2]}
  dropout: {uniform: [0, 0.6]}
  batch_size: {int: [8, 64], step: 8}
"""


def test_a_random_search_draws_the_same_points_each_time_and_others_with_another_seed(tmp_path):
    first = read_text(tmp_path, RANDOM).known_points()
    assert first == read_text(tmp_path, RANDOM).known_points()
    assert first != read_text(tmp_path, RANDOM + "search_seed: 1\n").known_points()
    assert len(first) == 12
    more = read_text(tmp_path, RANDOM.replace("12", "20")).known_points()
    assert more[:12] == first, "a longer search goes on where a shorter one ended"


ranges = st.tuples(st.floats(1e-5, 0.4), st.floats(0.41, 0.9))


@settings(max_examples=60, deadline=None)
@given(ranges, st.sampled_from(["uniform", "loguniform"]), st.integers(0, 2**31))
def test_what_is_drawn_lies_in_the_range(ends, kind, seed):
    distribution = Distribution(kind, low=ends[0], high=ends[1])
    value = distribution.draw(np.random.default_rng(seed))
    assert ends[0] <= value <= ends[1]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 9), st.integers(0, 2**31))
def test_whole_numbers_are_drawn_from_those_of_the_grid(low, width, step, seed):
    distribution = Distribution("int", low=low, high=low + width, step=step)
    assert distribution.draw(np.random.default_rng(seed)) in distribution.values("x")


@pytest.mark.parametrize(
    ("first", "factor", "epochs", "rungs"),
    [(1, 3, 9, [1, 3, 9]), (1, 2, 10, [1, 2, 4, 8, 10]), (4, 4, 5, [4, 5])],
)
def test_rungs_multiply_up_to_all_epochs(first, factor, epochs, rungs):
    assert Halving(first, factor).rungs(epochs) == rungs
