"""A plan's splits are worked on like the workspace's own, and their evaluations laid together."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from photoclf import steps
from photoclf.cli import main
from photoclf.comparison_report import compare
from photoclf.errors import ConfigError, RunError, SplitError
from photoclf.evaluate import evaluate
from photoclf.evaluation import read_evaluation
from photoclf.paths import Workspace
from photoclf.plan_results import METRICS, plan_results
from photoclf.runs import list_runs
from photoclf.schema import SPLIT
from photoclf.split import read_split, split_hash
from photoclf.tables import write_table
from tests.conftest import TINY
from tests.images import write_image


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A plan of two splits, with a run trained and evaluated on each, and two on the first."""
    from photoclf.train import train

    folder = tmp_path_factory.mktemp("planned")
    for c, name in enumerate(("Photo/a", "Photo/b", "Text/a", "Text/b")):
        for i in range(10):
            write_image(folder / "archive" / name / f"{i}.png", seed=100 * c + i)
    workspace = Workspace(folder / "workspace")
    steps.audit(workspace, folder / "archive")
    steps.split(workspace)
    assert list(steps.plan_splits(workspace).splits) == ["without_1", "without_2"]
    for name, config in (
        ("without_1", TINY),
        ("without_1", TINY.replace(seed=1)),
        ("without_2", TINY),
    ):
        evaluate(train(config, Workspace(workspace.root, name), progress=False), workspace)
    return workspace


@pytest.fixture
def copy(planned: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(planned.root, tmp_path / "copy")
    return Workspace(tmp_path / "copy")


def call(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_runs_are_trained_and_evaluated_on_the_split_that_was_named(planned):
    first, _, second = (run.provenance["split_hash"] for run in list_runs(planned.models))
    for name, expected in (("without_1", first), ("without_2", second)):
        assert split_hash(read_split(planned.splits / f"{name}.csv")) == expected
    for run in list_runs(planned.models):  # evaluation found the split by itself
        assert read_evaluation(run).figures["split_hash"] == run.provenance["split_hash"]


def test_an_unknown_split_is_refused_at_once_with_the_near_one(planned):
    with pytest.raises(ConfigError, match=r"without_1, without_2.*Did you mean 'without_2'"):
        Workspace(planned.root, "witout_2")
    told = call("train", "--workspace", planned.root, "--split", "../split")
    assert told.exit_code == 2
    assert "must be one of data/splits" in told.output


def test_without_a_plan_the_error_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="none is made.*split --plan"):
        Workspace(tmp_path, "without_1")


def test_a_plan_s_splits_are_in_the_order_of_their_numbers(tmp_path):
    for i in (10, 9, 1):
        (tmp_path / "data/splits").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"data/splits/without_{i}.csv").touch()
    names = [path.stem for path in Workspace(tmp_path).planned_splits]
    assert names == ["without_1", "without_9", "without_10"]


def test_runs_of_different_splits_are_never_compared_and_each_split_has_its_choice(copy):
    for name, compared in (("without_1", 2), ("without_2", 1)):
        workspace = Workspace(copy.root, name)
        comparison = compare(workspace, pages=False)
        assert len(comparison.members) == compared
        assert workspace.choice.relative_to(copy.models) == Path("splits", name, "choice.json")
        assert steps.find_run_named(workspace) == comparison.chosen_run
    assert not copy.choice.exists()
    with pytest.raises(RunError):
        compare(copy)  # none was trained on data/split.csv
    told = call("evaluate", "--workspace", copy.root, "--split", "without_2")
    assert told.exit_code == 0, told.output
    assert list_runs(copy.models)[2].run_id in told.output


def test_a_run_whose_split_is_gone_is_refused_with_all_hashes(copy):
    run = list_runs(copy.models)[0]
    split = copy.splits / "without_1.csv"
    write_table(read_split(split).iloc[1:], split, SPLIT)
    with pytest.raises(SplitError) as caught:
        evaluate(run, copy)
    for path in copy.all_splits:
        assert split_hash(read_split(path)) in str(caught.value)
    assert f"- {run.provenance['split_hash']} ({run.run_id})" in str(caught.value)
    assert "data/splits/without_1.csv" in str(caught.value)


def test_a_broken_split_that_nobody_asks_for_stops_no_evaluation(copy):
    copy.split.write_text("nonsense\n")
    evaluate(list_runs(copy.models)[0], copy, draws=100)


def test_a_plan_with_runs_is_frozen(copy):
    before = (copy.splits / "without_1.csv").read_bytes()
    steps.plan_splits(copy)  # the same again
    with pytest.raises(SplitError, match="frozen"):
        steps.plan_splits(copy, seed=5)
    assert (copy.splits / "without_1.csv").read_bytes() == before


def test_results_of_a_plan_give_each_split_then_mean_and_worst(planned):
    results = plan_results(planned)
    assert results.runs.split.tolist() == ["without_1", "without_1", "without_2"]
    assert results.runs.sources.tolist()[-1] in ("Photo/a, Text/a", "Photo/b, Text/b")
    assert (results.runs.photos == 10).all()
    (row,) = results.summary.to_dict("records")
    assert (row["splits"], row["planned"], row["runs"]) == (2, 2, 3)
    for name in METRICS:
        values = results.runs[name]
        per_split = [values[:2].mean(), values.iloc[2]]
        assert row[f"{name}_mean"] == pytest.approx(sum(per_split) / 2)
        assert row[f"{name}_worst"] == pytest.approx(min(per_split))


def test_the_command_line_shows_the_plan_s_results(planned):
    told = call("compare", "--plan", "--workspace", planned.root)
    assert told.exit_code == 0, told.output
    assert "f1_worst" in told.output
    assert "without_2" in told.output


def test_a_plan_without_evaluations_says_what_to_do(copy):
    for run in list_runs(copy.models):
        shutil.rmtree(run.eval_folder)
    with pytest.raises(RunError, match="2 splits.*photoclf train --split NAME"):
        plan_results(copy)


def test_sweeps_on_a_planned_split_are_kept_apart(planned):
    assert planned.sweeps == planned.models / "sweeps"
    assert Workspace(planned.root, "without_1").sweeps != planned.sweeps
