"""Runs ranked, tested on the same images, and one proposed: with words that say how sure it is."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from photoclf.cli import main
from photoclf.comparison import FINALISTS, compare_runs, lead_by_luck
from photoclf.comparison_report import compare, comparison_folder
from photoclf.errors import ConfigError, RunError
from photoclf.files import write_json, write_text
from photoclf.lessons import lessons, reason, verdict
from photoclf.messages import LANGUAGES, Messages
from photoclf.paths import Workspace
from photoclf.runs import read_choice
from tests.made_runs import make_run

IMAGES = 120
RNG = np.random.default_rng(11)
LABEL = (np.arange(IMAGES) % 3 == 0).astype(int)
HARD = RNG.normal(0, 1, IMAGES)
TABLE = pd.DataFrame(
    {
        "pathname": [f"Photo/{i}.png" for i in range(IMAGES)],
        "label": LABEL,
        "group": [f"group {i // 2}" for i in range(IMAGES)],
    }
)


def draw_scores(quality, seed):
    noise = np.random.default_rng(seed).normal(0, 0.6, IMAGES)
    return 1 / (1 + np.exp(-(2 * LABEL - 1) * (quality + HARD + noise)))


def loss_of(scores):
    return float(-np.where(LABEL == 1, np.log(scores), np.log1p(-scores)).mean())


def trained(models, quality, seed, **choices):
    """A run whose scores are as good as asked, and whose history tells their loss."""
    scores = draw_scores(quality, 1000 * seed + len(list(models.glob("*"))))
    losses = (loss_of(scores) + 0.1, loss_of(scores))
    return make_run(models, losses, images=TABLE, scores=scores, seed=seed, **choices)


def two_points(models, better, worse, seeds=3):
    """Two points, the dear one first; the other needs a tenth of the operations."""
    return [
        run
        for seed in range(seeds)
        for run in (
            trained(models, better, seed, filters=(32, 64), flops=10_000_000),
            trained(models, worse, seed, filters=(8,), flops=1_000_000),
        )
    ]


EN, FR = Messages("en"), Messages("fr")


def test_of_two_points_of_equal_merit_the_cheaper_is_proposed(tmp_path):
    comparison = compare_runs(two_points(tmp_path, 2, 2))
    assert not comparison.finalists["told_apart"].any()
    assert comparison.chosen["filters"] == "8"
    assert comparison.chosen_run.config.filters == (8,)
    said = verdict(comparison, EN)
    if comparison.chosen_rank == 2:
        assert said.startswith("There is no telling point 1 (filters 32-64)")
        assert "computes 90% less" in said
    else:
        assert "none of them costs less" in said


def test_equal_merit_is_recognised_in_nine_of_ten_comparisons(tmp_path):
    found = []
    for i in range(20):
        comparison = compare_runs(
            [
                trained(tmp_path / str(i), 2, 100 * i + seed, filters=(filters,))
                for seed in range(2)
                for filters in (4, 8)
            ],
            draws=300,
        )
        found.append(comparison.finalists["told_apart"].any())
    assert np.mean(found) <= 0.1


def test_a_point_that_is_clearly_better_wins_whatever_it_costs(tmp_path):
    comparison = compare_runs(two_points(tmp_path, 4, 1))
    assert comparison.finalists["told_apart"].all()
    assert comparison.chosen_rank == 1
    assert comparison.chosen["filters"] == "32,64"
    assert verdict(comparison, EN).startswith("The winner is point 1 (filters 32-64)")
    assert "more than chance explains" in verdict(comparison, EN)
    assert verdict(comparison, FR).startswith("Le réglage 1 (filters 32-64) l’emporte")
    row = comparison.finalists.iloc[0]
    assert row["low"] > 0
    assert row["f1"] < 0
    assert row["only_best"] > row["only_other"]


def test_without_a_second_seed_the_verdict_is_about_these_runs_alone(tmp_path):
    comparison = compare_runs(two_points(tmp_path, 4, 1, seeds=1))
    assert not comparison.noise.known
    assert np.isnan(lead_by_luck(comparison))
    assert "No point was trained with two seeds" in verdict(comparison, EN)
    assert "train the finalists with two more seeds" in lessons(comparison, EN)[4]


def test_a_single_run_is_chosen_for_want_of_another(tmp_path):
    comparison = compare_runs([trained(tmp_path, 2, 1)])
    assert comparison.finalists.empty
    assert "for want of another" in verdict(comparison, EN)
    assert len(lessons(comparison, EN)) == len(lessons(comparison, FR)) == 5


def test_of_equal_cost_a_clearly_shorter_training_is_proposed_and_no_other(tmp_path):
    runs = [trained(tmp_path, 2, seed, batch_size=size) for seed in (1, 2) for size in (8, 16)]
    comparison = compare_runs(runs)
    assert comparison.chosen_rank == 1
    slow = [run for run in runs if run.run_id in comparison.best["run_ids"]]
    for run in slow:
        text = (run.folder / "history.csv").read_text().replace(";2.0", ";9.0")
        (run.folder / "history.csv").write_text(text)
    comparison = compare_runs(runs)
    assert comparison.chosen_rank == 2
    assert "takes 78% less time" in verdict(comparison, EN)


def test_accuracy_can_rank_too(tmp_path):
    comparison = compare_runs(two_points(tmp_path, 4, 1), objective="val_accuracy")
    assert comparison.objective == "val_accuracy"
    # The histories of all runs tell the same accuracy: nothing to choose by but the cost.
    assert set(comparison.points["mean"]) == {comparison.best["mean"]}
    with pytest.raises(ConfigError, match="val_accuracy"):
        compare_runs(two_points(tmp_path, 4, 1), objective="accuracy")


def test_five_points_at_most_are_finalists(tmp_path):
    runs = [trained(tmp_path, 2, 1, batch_size=size) for size in range(8, 16)]
    comparison = compare_runs(runs)
    assert comparison.finalists["rank"].tolist() == list(range(2, FINALISTS + 1))
    assert (comparison.finalists["p_holm"] >= comparison.finalists["p"]).all()


def test_the_same_runs_give_the_same_comparison_in_any_order(tmp_path):
    runs = two_points(tmp_path, 2, 1.5)
    first, second = compare_runs(runs), compare_runs(runs[::-1])
    assert reason(first) == reason(second)
    pd.testing.assert_frame_equal(first.finalists, second.finalists)


def test_a_lesson_names_what_mattered_and_what_did_not(tmp_path):
    runs = [
        trained(tmp_path, 1 + 2 * (filters == 32), 1, filters=(filters,), batch_size=size,
                dropout=dropout)
        for filters in (4, 32) for size in (8, 16) for dropout in (0.0, 0.2, 0.4)
    ]  # fmt: skip
    _, mattered, idle, cost, limits = lessons(compare_runs(runs), EN)
    assert mattered.startswith("The parameter that mattered most is filters: validation loss")
    assert "with 32," in mattered
    assert "chance doesn’t explain it" in mattered
    assert "batch_size" in idle
    assert "dropout" in idle
    assert "filters" not in idle
    assert "million operations an image" in cost
    assert "12 runs, one split and 120 validation images" in limits


@pytest.mark.parametrize("lang", LANGUAGES)
def test_many_choices_are_not_all_named(tmp_path, lang):
    runs = [
        trained(tmp_path, 2, 1),
        trained(tmp_path, 2, 1, model="reference_cnn", batch_size=8, epochs=3, patience=5),
    ]
    said = verdict(compare_runs(runs), Messages(lang))
    assert ", …)" in said
    assert len(said) < 700


# What is refused


def test_runs_of_different_splits_are_refused(tmp_path):
    runs = [trained(tmp_path, 2, 1), trained(tmp_path, 2, 2, split="b" * 64)]
    with pytest.raises(RunError, match="same split"):
        compare_runs(runs)


def test_a_run_that_scored_other_images_is_named(tmp_path):
    runs = [trained(tmp_path, 2, 1), make_run(tmp_path, (0.9,), seed=2)]
    with pytest.raises(RunError, match=f"{runs[1].run_id}.*train it again"):
        compare_runs(runs)


def test_a_run_from_before_scores_were_kept_says_what_to_do(tmp_path):
    runs = two_points(tmp_path, 2, 2, seeds=1)
    (runs[1].folder / "val_scores.csv").unlink()
    with pytest.raises(RunError, match=f"{runs[1].run_id} must hold val_scores.csv.*train again"):
        compare_runs(runs)


def test_a_run_of_another_version_is_named(tmp_path):
    runs = two_points(tmp_path, 2, 2, seeds=1)
    write_json(runs[0].folder / "config.json", {"colour": 1})
    with pytest.raises(ConfigError, match=f"{runs[0].run_id} must be one of this version.*colour"):
        compare_runs(runs)


# The verb


@pytest.fixture
def workspace(tmp_path):
    place = Workspace(tmp_path / "ws")
    runs = two_points(place.models, 2, 2, seeds=2)
    trials = place.models / "sweeps" / "width" / "trials"
    for i, run in enumerate(runs[:3]):
        write_json(trials / f"{i:04d}_0" / "state.json", {"state": "done", "run_id": run.run_id})
    write_json(trials / "0003_0" / "state.json", {"state": "failed", "run_id": None})
    write_json(trials.parent / "trials.json", sorted(path.name for path in trials.iterdir()))
    write_text(place.models / "sweeps" / "width" / "space.yaml", "question: Is <wider> better?\n")
    return place


def test_a_sweep_is_compared_and_the_choice_written_with_its_reason(workspace):
    comparison = compare(workspace, space="width", pages=False)
    assert len(comparison.members) == 3
    assert comparison.questions == {"en": "Is <wider> better?"}
    assert read_choice(workspace.choice, workspace.models) == comparison.chosen_run
    choice = json.loads(workspace.choice.read_text(encoding="utf-8"))
    assert choice["run_id"] == comparison.chosen_run.run_id
    assert choice["verdict"]["fr"] == verdict(comparison, FR)
    assert len(choice["lessons"]["en"]) == 5
    assert choice["trials"] == len(choice["compared"]) == 3
    assert choice["finalists"][0]["rank"] == 2
    assert choice["finalists"][0]["told_apart"] is False
    written = {path.name for path in comparison_folder(workspace, "width").iterdir()}
    assert written == {
        *("points.csv", "finalists.csv", "effects.csv", "val_loss.csv", "val_accuracy.csv"),
        "curves.png",
    }


def test_chosen_runs_are_compared_and_a_sweep_beside_them_refused(workspace):
    names = [path.parent.name for path in workspace.models.glob("*/done")]
    comparison = compare(workspace, runs=names[:2], pages=False)
    assert {run.run_id for run in comparison.members} == set(names[:2])
    with pytest.raises(ConfigError, match="not both"):
        compare(workspace, space="width", runs=names)


def test_the_command_line_compares_a_sweep_and_tells_a_mistyped_one(workspace):
    words = ["compare", "--workspace", str(workspace.root), "--space"]
    result = CliRunner().invoke(main, [*words, "widht"])
    assert result.exit_code == 1
    assert "Did you mean 'width'" in result.output
    assert not workspace.choice.exists()
    result = CliRunner().invoke(main, [*words, "width"])
    assert result.exit_code == 0, result.output
    assert "chosen: " in result.output
    assert (comparison_folder(workspace, "width") / "comparaison.fr.html").is_file()


def test_an_objective_that_runs_do_not_have_is_refused_before_anything_is_written(workspace):
    about = workspace.models / "sweeps" / "width" / "space.yaml"
    about.write_text("objective: val_lss\n")
    with pytest.raises(ConfigError, match="Did you mean 'val_loss'"):
        compare(workspace, space="width")
    assert not workspace.choice.exists()
    assert not workspace.reports.exists()
