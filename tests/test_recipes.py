from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from photoclf import recipes as recipes_module
from photoclf.cli import main
from photoclf.errors import ConfigError, RunError
from photoclf.features import Features
from photoclf.heads import count_kinds, fit_head
from photoclf.paths import Workspace
from photoclf.recipe_results import errors_by_source, summarise_recipes
from photoclf.recipes import Recipe, measure_recipes, read_recipes
from photoclf.schema import ABLATION, SPLIT, VAL_SCORES
from photoclf.tables import read_table, write_table

CLASSES = {"Photo": 1, "Painting": 0, "Text": 0}


def made_images(n=120, seed=0):
    """Three classes on a triangle; what tells a photograph is a corner of it."""
    rng = np.random.default_rng(seed)
    folders = np.array(list(CLASSES))[np.arange(n) % 3]
    corners = {"Photo": (4, 0), "Painting": (0, 4), "Text": (-4, -4)}
    values = np.array([corners[f] for f in folders]) + rng.normal(size=(n, 2))
    names = [f"{f}/s{i % 2}/{i:03}.png" for i, f in enumerate(folders)]
    table = pd.DataFrame({"pathname": names, "class_folder": folders})
    table["label"] = table.class_folder.map(CLASSES)
    table["source"] = [f"s{i // 3 % 2}" for i in range(n)]
    return values.astype(np.float32), table


def test_others_among_photographs_are_one_kind_more_and_weigh_no_more_than_their_number():
    values, images = made_images()
    wrong = images.index[images.label == 1][:3]
    corrected = images.assign(label=images.label.where(~images.index.isin(wrong), 0))
    choices = {"target": "class_folder", "balance": "source", "strength": 1.0}
    kinds = count_kinds(images, "class_folder")
    assert count_kinds(corrected, "class_folder") == kinds + 1
    # A folder with everything in it says nothing of what the others are.
    assert count_kinds(images.assign(class_folder="box"), "class_folder") == 2
    before, after = (fit_head(values, rows, **choices) for rows in (images, corrected))
    unseen, _ = made_images(seed=1)
    assert np.abs(after.scores(unseen) - before.scores(unseen)).mean() < 0.05


@pytest.mark.parametrize("target", ["label", "class_folder"])
@pytest.mark.parametrize("balance", ["none", "source"])
def test_a_head_scores_photographs_high_and_everything_else_low(target, balance):
    values, images = made_images()
    head = fit_head(values, images, target=target, balance=balance, strength=1.0)
    others, unseen = made_images(seed=1)
    scores = head.scores(others)
    assert scores.shape == (120,)
    assert ((scores > 0.5) == (unseen.label == 1)).mean() > 0.97
    assert ((scores >= 0) & (scores <= 1)).all()


def test_a_head_gives_scikit_learn_s_probabilities():
    from sklearn.linear_model import LogisticRegression

    values, images = made_images()
    for target in ("label", "class_folder"):
        head = fit_head(values, images, target=target, strength=0.3)
        standard = (values - head.mean) / head.spread
        model = LogisticRegression(C=0.3, max_iter=300, tol=1e-3).fit(standard, images[target])
        photo = [c in (1, "Photo") for c in model.classes_]
        expected = model.predict_proba(standard)[:, photo].sum(axis=1)
        np.testing.assert_allclose(head.scores(values), expected, atol=1e-5)


def test_balancing_sources_lets_a_small_source_be_heard():
    # One class, two sources that contradict each other along the second feature.
    rng = np.random.default_rng(0)
    images = pd.DataFrame({"label": [1] * 400 + [1] * 20 + [0] * 420})
    images["class_folder"] = np.where(images.label == 1, "Photo", "Text")
    images["source"] = ["large"] * 400 + ["small"] * 20 + ["large"] * 420
    values = rng.normal(size=(840, 2)).astype(np.float32)
    values[:400, 0] += 3
    values[400:420, 1] += 3
    small = values[400:420]
    plain, balanced = (
        fit_head(values, images, balance=b, strength=1.0).scores(small).mean()
        for b in ("none", "source")
    )
    assert balanced > plain + 0.02


@pytest.mark.parametrize(
    ("choices", "message"),
    [({"target": "labels"}, "`target` must be"), ({"balance": "class"}, "`balance` must be")],
)
def test_an_unknown_choice_of_a_head_is_told(choices, message):
    with pytest.raises(ConfigError, match=message):
        fit_head(*made_images(), **choices)


def test_a_class_that_is_missing_is_told():
    values, images = made_images()
    with pytest.raises(ConfigError, match="photographs and other images"):
        fit_head(values, images.assign(label=0))


class Table:
    """Stands for the extraction: features by pathname, counted by view."""

    def __init__(self, monkeypatch, values, images):
        self.asked = []
        self.values, self.images = values, images
        monkeypatch.setattr(recipes_module, "view_features", self)

    def __call__(self, archive, images, extractor, view, folder, *, progress):
        self.asked.append(view)
        noise = 0 if view == "squash" else 1
        rng = np.random.default_rng(noise)
        values = self.values + noise * rng.normal(size=self.values.shape).astype(np.float32)
        parts = {"pooled": slice(0, 2), "means": slice(0, 1), "spreads": slice(1, 2)}
        return Features(values, tuple(self.images.pathname), parts)


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """A workspace with a plan of two splits that each leave one source out."""
    values, images = made_images(240)
    images = images.assign(
        group=images.pathname,
        sha256=[f"{i:064x}" for i in range(240)],
        phash="",
        detail_hash="",
    )
    workspace = Workspace(tmp_path / "workspace")
    for name, source in (("without_1", "s0"), ("without_2", "s1")):
        side = np.where(np.arange(240) // 6 % 4 == 0, "val", "train")
        table = images.assign(split=np.where(images.source == source, "test", side))
        write_table(table[list(SPLIT.columns)], workspace.splits / f"{name}.csv", SPLIT)
    (tmp_path / "archive").mkdir()
    return workspace, Table(monkeypatch, values, images), tmp_path / "archive"


TWO = {
    "whole": Recipe(strength=1.0),
    "five": Recipe(target="class_folder", fitted_on=("squash", "archive_1"), strength=1.0),
}


def test_each_recipe_is_measured_on_each_split_s_left_out_source(planned):
    workspace, _, archive = planned
    table = measure_recipes(TWO, workspace, archive=archive)
    assert list(table.recipe) == ["whole", "whole", "five", "five"]
    assert list(table.split) == ["without_1", "without_2"] * 2
    assert (table.images == 120).all()
    assert (table.photos == 40).all()
    assert (table.roc_auc > 0.99).all()
    kept = workspace.data / "ablation" / TWO["whole"].hash8 / "without_1.csv"
    scores = read_table(kept, VAL_SCORES)
    assert set(scores.pathname.str.split("/").str[0]) == set(CLASSES)
    assert len(scores) == 120
    pd.testing.assert_frame_equal(read_table(workspace.data / "ablation.csv", ABLATION), table)


def test_what_was_measured_is_not_measured_again(planned):
    workspace, extraction, archive = planned
    first = measure_recipes({"whole": TWO["whole"]}, workspace, archive=archive)
    asked = len(extraction.asked)
    both = measure_recipes(TWO, workspace, archive=archive)
    assert extraction.asked[asked:] == ["squash", "archive_1"]
    pd.testing.assert_frame_equal(both.iloc[:2], first)
    pd.testing.assert_frame_equal(measure_recipes(TWO, workspace, archive=archive), both)


def test_a_renamed_recipe_is_the_same_recipe(planned):
    workspace, _, archive = planned
    first = measure_recipes({"whole": TWO["whole"]}, workspace, archive=archive)
    renamed = measure_recipes({"squashed": TWO["whole"]}, workspace, archive=archive)
    pd.testing.assert_frame_equal(renamed, first.assign(recipe="squashed"))


def test_what_another_process_measured_meanwhile_stays(planned, monkeypatch):
    workspace, _, archive = planned
    meanwhile = []

    def disturbed(*arguments, **choices):
        if not meanwhile:
            meanwhile.append(1)
            measure_recipes({"five": TWO["five"]}, workspace, archive=archive)
        return fit_head(*arguments, **choices)

    monkeypatch.setattr(recipes_module, "fit_head", disturbed)
    measure_recipes({"whole": TWO["whole"]}, workspace, archive=archive)
    both = measure_recipes(TWO, workspace, archive=archive)
    assert sorted(both.recipe) == ["five", "five", "whole", "whole"]
    assert len(read_table(workspace.data / "ablation.csv", ABLATION)) == 4


def test_a_new_plan_is_measured_anew(planned):
    workspace, _, archive = planned
    measure_recipes({"whole": TWO["whole"]}, workspace, archive=archive)
    path = workspace.splits / "without_2.csv"
    split = read_table(path, SPLIT)
    split.loc[split.index[split["split"] == "val"][0], "split"] = "train"
    write_table(split, path, SPLIT)
    table = measure_recipes({"whole": TWO["whole"]}, workspace, archive=archive)
    assert list(table.split) == ["without_1", "without_2"]
    assert len(read_table(workspace.data / "ablation.csv", ABLATION)) == 3


def test_a_recipe_that_is_stopped_half_way_leaves_no_row(planned, monkeypatch):
    workspace, _, archive = planned
    measured = []

    def stopped(*arguments, **choices):
        if len(measured) == 1:
            raise KeyboardInterrupt
        measured.append(1)
        return fit_head(*arguments, **choices)

    monkeypatch.setattr(recipes_module, "fit_head", stopped)
    with pytest.raises(KeyboardInterrupt):
        measure_recipes(TWO, workspace, archive=archive)
    assert not (workspace.data / "ablation.csv").exists()


def test_a_summary_has_mean_worst_and_cost_and_leaves_tests_with_few_photographs_out():
    rows = pd.DataFrame(
        {
            "recipe": ["a", "a", "a", "b", "b", "b"],
            "photos": [100, 75, 10] * 2,
            "f1": [0.9, 0.7, 0.1, 0.8, 0.8, 0.9],
            "f1_half": 0.5,
            "recall": 0.6,
            "precision": 0.7,
            "roc_auc": [0.9, 0.8, 0.4, 0.9, 0.9, 0.9],
            "features": 3,
            "views": 1,
            "fit_s": [1.0, 3.0, 2.0] * 2,
        }
    )
    summary = summarise_recipes(rows).set_index("recipe")
    assert list(summary.index) == ["b", "a"]
    assert summary.f1_mean["a"] == pytest.approx(0.8)
    assert summary.f1_worst["a"] == 0.7
    assert summary.roc_auc_worst["a"] == 0.4
    assert summary.splits["a"] == 2
    assert summary.fit_s["a"] == 2.0


def test_the_command_line_measures_a_file_and_shows_the_summary(planned, tmp_path):
    workspace, _, archive = planned
    (tmp_path / "r.yaml").write_text("whole: {strength: 1.0}\n")
    words = ["ablate", tmp_path / "r.yaml", "--workspace", workspace.root, "--archive", archive]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert "f1_worst" in result.output
    assert "left-out sources with the most errors of whole" in result.output


def test_the_repository_s_recipes_can_be_read():
    for path in sorted((Path(__file__).parents[1] / "notebooks" / "recipes").glob("*.yaml")):
        assert read_recipes(path)


def test_errors_are_counted_on_each_source_that_was_left_out(planned):
    workspace, _, archive = planned
    table = measure_recipes(TWO, workspace, archive=archive)
    errors = errors_by_source(workspace, table, "whole")
    assert len(errors) == 6
    assert set(errors.source[errors.split == "without_1"]) == {"s0"}
    assert (errors.images == 40).all()
    found = errors.groupby("split").errors.sum() / 120
    figures = table[table.recipe == "whole"].set_index("split")
    for split in ("without_1", "without_2"):
        row = figures.loc[split]
        photos = errors[(errors.split == split) & (errors.label == 1)]
        assert photos.error_rate.item() == pytest.approx(1 - row.recall)
    assert (found < 0.05).all()
    with pytest.raises(RunError, match="photoclf ablate"):
        errors_by_source(workspace, table, "wohle")


def test_recipes_without_a_plan_are_told(tmp_path):
    with pytest.raises(RunError, match="--plan"):
        measure_recipes(TWO, Workspace(tmp_path))


def test_recipes_are_read_by_name_with_what_differs(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("plain:\nfive: {target: class_folder, scored_on: [squash, native_1]}\n")
    assert read_recipes(path) == {
        "plain": Recipe(),
        "five": Recipe(target="class_folder", scored_on=("squash", "native_1")),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a, b]", "must give names their values"),
        ("a: {targt: label}", "Did you mean 'target'"),
        ("a: {target: five}", "`target` must be one of"),
        ("a: {parts: pooled}", "`parts` must be a list"),
        ("a: {parts: [pool]}", "Did you mean 'pooled'"),
        ("a: {fitted_on: []}", "`fitted_on` must be a list"),
        ("a: {fitted_on: [squish]}", "A view must be"),
        ("a: {backbone: resnet}", "`backbone` must be one of"),
        ("a: {strength: 0}", "`strength` must be"),
        ("a: {strength: much}", "`strength` must be"),
        ("a: [", "must be YAML"),
    ],
)
def test_a_wrong_recipe_is_told(tmp_path, text, message):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_recipes(path)
