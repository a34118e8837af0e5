"""Sweeps: all checked before a trial starts, nothing run twice, failures told and survived."""

from pathlib import Path

import pytest

from photoclf.config import RunConfig
from photoclf.errors import ConfigError
from photoclf.paths import Workspace, list_spaces
from photoclf.runs import list_runs
from photoclf.sweep import read_space, read_sweep, run_sweep, sweep_folder

BASE = "base: {image_size: 32, filters: [4, 8], batch_size: 16, epochs: 1}\n"


def write_space(folder: Path, text: str) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", list_spaces())
def test_spaces_of_the_project_are_right_and_ask_a_question(name):
    space = read_space(name)
    assert space.question.endswith("?")
    assert len(space.trials()) > 1


def test_trials_are_all_combinations_over_the_base(tmp_path):
    path = write_space(tmp_path, BASE + "grid: {dropout: [0.1, 0.2], seed: [1, 2]}\n")
    trials = read_space(path).trials()
    assert [(t.dropout, t.seed) for t in trials] == [(0.1, 1), (0.1, 2), (0.2, 1), (0.2, 2)]
    assert {t.image_size for t in trials} == {32}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("grid: {dropuot: [0.1]}", "Did you mean 'dropout'"),
        ("grid: {dropout: [1.5]}", "from 0.0 to 0.95"),
        ("grid: {dropout: []}", "so that there are trials"),
        ("grid: {dropout: 0.5}", "so that there are trials"),
        ("gird: {dropout: [0.1]}", "Did you mean 'grid'"),
        ("base: {epoch: 2}\ngrid: {dropout: [0.1]}", "Did you mean 'epochs'"),
        ("grid: {dropout: [0.1, 0.1]}", "must differ"),
        ("grid: [", "must be YAML"),
        ("just text", "must have the keys"),
        ("base: [1]\ngrid: {dropout: [0.1]}", "`base` must give"),
        ("name: ../../out\ngrid: {dropout: [0.1]}", "names a folder"),
    ],
)
def test_a_wrong_space_is_refused_before_anything_trains(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        read_space(write_space(tmp_path, text))


def test_an_unknown_space_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'depth'"):
        read_space("deph")


@pytest.mark.parametrize("wrong", [-1, 0, 1.5, "x", True])
def test_a_wrong_number_of_trials_trains_nothing(trained: Workspace, tmp_path, wrong):
    space = read_space(write_space(tmp_path, BASE + "grid: {seed: [5]}\n"))
    with pytest.raises(ConfigError, match="max_trials"):
        run_sweep(space, trained, max_trials=wrong)
    assert not sweep_folder(space, trained).exists()


@pytest.mark.notebooks
def test_a_sweep_trains_each_trial_once_and_goes_on_where_it_was(own_copy: Workspace, tmp_path):
    space = read_space(write_space(tmp_path, BASE + "grid: {seed: [1, 2]}\n"))
    first = run_sweep(space, own_copy, max_trials=1)
    assert list(first.state) == ["done"]
    table = run_sweep(space, own_copy)
    assert list(table.state) == ["done", "done"]
    assert table.run_id[0] == first.run_id[0]
    assert table.val_loss.notna().all()
    runs = {run.run_id for run in list_runs(own_copy.models)}
    again = run_sweep(space, own_copy)
    assert again.equals(table)
    assert {run.run_id for run in list_runs(own_copy.models)} == runs
    notebook = own_copy.models / table.run_id[0] / "notebook.ipynb"
    text = notebook.read_text(encoding="utf-8")
    assert str(own_copy.root) not in text
    assert str(Path(__file__).parents[1]) not in text


@pytest.mark.notebooks
def test_a_failing_trial_is_recorded_and_retried_only_when_asked(own_copy: Workspace, tmp_path):
    space = read_space(write_space(tmp_path, BASE + "grid: {seed: [3]}\n"))
    manifest = own_copy.split.read_bytes()
    own_copy.archive_note.write_text("gone\n", encoding="utf-8")
    failed = run_sweep(space, own_copy)
    assert list(failed.state) == ["failed"]
    assert "gone" in failed.reason[0]
    assert own_copy.split.read_bytes() == manifest
    again = run_sweep(space, own_copy)
    assert again.equals(failed)


def test_a_sweep_that_has_not_started_shows_its_trials_waiting(trained: Workspace, tmp_path):
    space = read_space(write_space(tmp_path, BASE + "grid: {seed: [7, 8, 9]}\n"))
    table = read_sweep(space, trained)
    assert list(table.state) == ["waiting"] * 3
    assert list(table.seed) == [7, 8, 9]
    assert not sweep_folder(space, trained).exists()


def test_a_trial_is_the_config_that_the_command_line_would_train(tmp_path):
    space = read_space(write_space(tmp_path, BASE + "grid: {dropout: [0.1]}\n"))
    by_hand = RunConfig(image_size=32, filters=(4, 8), batch_size=16, epochs=1, dropout=0.1)
    assert space.trials() == [by_hand]
