"""A release: made from a plan and a split, shipped, laid into other workspaces, and trusted."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from photoclf import explain, shipped
from photoclf.classifier import Classifier
from photoclf.cli import main
from photoclf.config import RunConfig
from photoclf.errors import ConfigError, RunError, SplitError
from photoclf.evaluate import evaluate
from photoclf.explain import explain_errors, model_of
from photoclf.files import read_json, sha256_file, write_json
from photoclf.heat import overlaid, read_heat
from photoclf.left_out import LeftOut, measure_left_out
from photoclf.paths import Workspace
from photoclf.predict import predict_folder
from photoclf.release import make_release
from photoclf.run import Run
from photoclf.runs import list_runs, load_run, verify_run
from photoclf.schema import EVALUATION, SPLIT, STRESS
from photoclf.split import read_split
from photoclf.stress import CHANGES, stress
from photoclf.tables import read_table, write_table

CONFIG = RunConfig(
    model="efficientnet_lite0", image_size=32, features="stages", target="class_folder", threads=2
)
KINDS = {"Photo": 1, "Text": 0, "Sketch": 0}


def draw(path, folder, seed):
    rng = np.random.default_rng([len(folder), seed])
    if folder == "Photo":
        pixels = rng.integers(0, 256, (40, 44, 3))
    else:
        pixels = np.full((40, 44, 3), 250 if folder == "Text" else 90) + rng.integers(-2, 3, 3)
        pixels[rng.integers(40, size=9), rng.integers(44, size=9)] = 0  # no two are the same
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def make_workspace(root, first=0):
    """An archive of three kinds from two sources each, its split and a plan of two splits."""
    rows = []
    for i in range(72):
        folder = list(KINDS)[i % 3]
        name = f"{folder}/s{i // 3 % 2}/{first + i:03}.png"
        draw(root / "archive" / name, folder, first + i)
        sha256 = sha256_file(root / "archive" / name)
        rows.append((name, KINDS[folder], folder, f"s{i // 3 % 2}", name, sha256, "", ""))
    table = pd.DataFrame(rows, columns=list(SPLIT.columns)[:-1])
    number = np.arange(72) // 6
    workspace = Workspace(root / "workspace")
    sides = np.select([number % 4 == 0, number % 4 == 1], ["test", "val"], "train")
    write_table(table.assign(split=sides), workspace.split, SPLIT)
    for k in (0, 1):
        left_out = np.where(number % 3 == 0, "val", "train")
        split = table.assign(split=np.where(table.source == f"s{k}", "test", left_out))
        write_table(split, workspace.splits / f"without_{k + 1}.csv", SPLIT)
    workspace.archive_note.write_text(str(root / "archive"))
    return workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    workspace = make_workspace(tmp_path_factory.mktemp("made"))
    return make_release(CONFIG, workspace), workspace


@pytest.fixture
def brought(made, tmp_path, monkeypatch):
    """A project that the release comes with, and another archive's workspace."""
    folder = tmp_path / "project" / "release"
    shutil.copytree(made[0].folder, folder)
    monkeypatch.setattr(shipped, "release_folder", lambda: folder)
    return folder, make_workspace(tmp_path / "other", first=500)


def test_a_release_is_a_small_folder_that_vouches_for_itself(made):
    run, _ = made
    verify_run(run)
    names = {path.name for path in run.folder.iterdir()}
    assert names == {
        *("config.json", "provenance.json", "history.csv", "model.json", "model.tflite"),
        *("head.npz", "trained_on.txt", "release.json", "MODEL_CARD.md", "done"),
    }
    size = sum(path.stat().st_size for path in run.folder.iterdir())
    assert size < 20 * 2**20
    assert run.read_object("model.json")["weights"] == "float16"


def test_its_threshold_and_temperature_are_those_it_predicts_with(made):
    run, _ = made
    classifier = Classifier.load(run)
    assert classifier.threshold == run.release["threshold"]
    assert classifier.model.temperature == run.release["temperature"]
    review = run.release["review"]
    assert (classifier.band.low, classifier.band.high) == (review["low"], review["high"])
    assert review["low"] <= classifier.threshold <= review["high"]
    assert Classifier.load(run, as_trained=True).model.temperature == 1


def test_it_is_made_again_with_the_same_bytes(made, tmp_path):
    run, workspace = made
    again = make_workspace(tmp_path)
    shutil.copytree(workspace.features, again.features)
    other = make_release(CONFIG, again)
    for name in ("model.tflite", "head.npz", "trained_on.txt"):
        assert (other.folder / name).read_bytes() == (run.folder / name).read_bytes(), name


def test_its_card_tells_data_figures_limits_and_how_to_train_it(made):
    run, _ = made
    card = (run.folder / "MODEL_CARD.md").read_text()
    for told in ("research use", "never saw", "95 %", "Limits", "photoclf release", "jpeg", "s0"):
        assert told in card
    assert str(run.folder.parents[1]) not in card


def test_the_release_is_no_run_among_others(made):
    run, workspace = made
    assert run.run_id not in [other.run_id for other in list_runs(workspace.models)]
    assert load_run(workspace.models, "release").folder == run.folder


def test_another_workspace_predicts_with_it_when_nothing_else_is_named(brought, tmp_path):
    _, workspace = brought
    archive = tmp_path / "other" / "archive"
    arguments = ["predict", str(archive / "Photo"), "--workspace", str(workspace.root)]
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "p.csv")])
    assert result.exit_code == 0, result.output
    assert "24 files by release\nphoto" in result.output


def test_it_is_evaluated_on_another_archive_at_its_own_threshold(brought):
    _, workspace = brought
    run = load_run(workspace.models, "release")
    figures = evaluate(run, workspace, draws=100).figures
    assert figures["threshold"] == run.release["threshold"]
    assert figures["threshold_rule"] == run.release["threshold_rule"]
    assert figures["test"]["images"] == 18


def test_images_that_it_was_trained_on_are_never_evaluated_on(brought, made, tmp_path):
    _, workspace = brought
    mixed = read_split(workspace.split)
    own = read_split(made[1].split)
    learnt = own[own.split == "train"].head(6)
    for name in learnt.pathname:
        target = tmp_path / "other" / "archive" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made[1].root.parent / "archive" / name, target)
    write_table(pd.concat([mixed, learnt.assign(split="test")]), workspace.split, SPLIT)
    run = load_run(workspace.models, "release")
    assert evaluate(run, workspace, draws=100).figures["test"]["images"] == 18
    write_table(own.iloc[1:], workspace.split, SPLIT)  # its images, another split
    with pytest.raises(SplitError, match="wasn't trained"):
        evaluate(run, workspace, draws=100)


@pytest.mark.parametrize("name", ["model.tflite", "release.json"])
def test_a_release_that_was_tampered_with_is_refused(brought, tmp_path, name):
    folder, workspace = brought
    if name == "release.json":
        told = json.loads((folder / name).read_text())
        write_json(folder / name, told | {"threshold": 0.01})
    else:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
    with pytest.raises(RunError, match="must be the file"):
        predict_folder(tmp_path / "other" / "archive", load_run(workspace.models, "release"))


def test_its_keras_model_is_built_from_the_published_weights_and_its_head(made):
    run, _ = made
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    scores = model_of(run)(pixels.astype(np.float32), training=False)[:, 0]
    exported = Classifier.load(run, as_trained=True).scores(pixels)
    np.testing.assert_allclose(scores, exported, atol=5e-3)  # the exported weights are float16


def test_its_errors_are_mapped_once_and_a_changed_image_is_left_out(made, monkeypatch):
    run, workspace = made
    evaluate(run, workspace, draws=100)
    path = run.eval_folder / "predictions.csv"
    table = read_table(path, EVALUATION)
    test = table.index[table.split == "test"]
    table.loc[test[:3], "decision"] = np.where(table.label[test[:3]] == 1, "other", "photo")
    write_table(table, path, EVALUATION)
    figures = read_json(run.eval_folder / "metrics.json")
    vouched = figures | {"predictions_sha256": sha256_file(path)}
    write_json(run.eval_folder / "metrics.json", vouched)
    names = sorted(table.pathname[test[:3]])
    changed = workspace.root.parent / "archive" / names[0]
    before = changed.read_bytes()
    changed.write_bytes(before + b" ")
    explain_errors(run, workspace)
    changed.write_bytes(before)
    assert sorted(read_heat(run)) == names[1:]
    (run.eval_folder / "heat.npz").unlink()
    explain_errors(run, workspace)
    assert sorted(read_heat(run)) == names
    monkeypatch.setattr(explain, "grad_cam", lambda *_: pytest.fail("mapped again"))
    explain_errors(run, workspace)
    for pixels, heat in read_heat(run).values():
        assert overlaid(pixels, heat).shape == (32, 32, 3)
    shutil.rmtree(run.eval_folder)


def test_the_command_line_shows_its_figures_on_left_out_sources(made):
    _, workspace = made
    arguments = ["evaluate", "--workspace", str(workspace.root), "--plan"]
    shown = CliRunner().invoke(main, [*arguments, "--run", "release"])
    assert shown.exit_code == 0, shown.output
    assert "| s0 |" in shown.output
    assert "efficientnet_lite0, 32 px" in shown.output, "its own recipe, beside others"
    other = list_runs(workspace.models)[0].run_id
    refused = CliRunner().invoke(main, [*arguments, "--run", other])
    assert refused.exit_code == 1
    assert "compare --plan" in refused.output


def test_a_copy_that_lacks_a_file_or_is_of_an_older_release_is_laid_anew(brought):
    folder, workspace = brought
    run = load_run(workspace.models, "release")
    (run.folder / "release.json").unlink()
    assert load_run(workspace.models, "release").release is not None
    (run.folder / "eval").mkdir()
    write_json(folder / "done", json.loads((folder / "done").read_text()) | {"finished_at": "x"})
    load_run(workspace.models, "release")
    assert not (run.folder / "eval").exists()
    assert (run.folder / "done").read_bytes() == (folder / "done").read_bytes()


def test_a_release_of_a_workspace_s_own_stays(made, brought):
    run, workspace = made
    before = (run.folder / "done").read_bytes()
    assert load_run(workspace.models, "release").folder == run.folder
    assert (run.folder / "done").read_bytes() == before


def test_a_release_that_lost_its_decision_is_refused(made, tmp_path):
    shutil.copytree(made[0].folder, tmp_path / "release")
    (tmp_path / "release" / "release.json").unlink()
    with pytest.raises(RunError, match=r"must hold release\.json"):
        Classifier.load(Run(tmp_path / "release"))


def test_a_copy_in_the_group_of_a_learnt_image_is_not_evaluated_on(brought, made, tmp_path):
    _, workspace = brought
    own = read_split(made[1].split)
    learnt = own[own.split == "train"].iloc[:1]
    archive = tmp_path / "other" / "archive"
    shutil.copy(made[1].root.parent / "archive" / learnt.pathname.iloc[0], archive / "learnt.png")
    with Image.open(archive / "learnt.png") as image:
        image.save(archive / "copy.bmp")
    pair = pd.concat([learnt, learnt]).assign(pathname=["learnt.png", "copy.bmp"], group="g")
    pair["sha256"] = [sha256_file(archive / name) for name in pair.pathname]
    table = pd.concat([read_split(workspace.split), pair.assign(split="test")])
    write_table(table, workspace.split, SPLIT)
    run = load_run(workspace.models, "release")
    assert evaluate(run, workspace, draws=100).figures["test"]["images"] == 18


def test_a_project_without_a_release_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "release_folder", lambda: tmp_path / "none")
    with pytest.raises(RunError, match="photoclf release"):
        load_run(tmp_path / "models", "release")


def test_a_network_that_is_trained_whole_is_not_released(tmp_path):
    with pytest.raises(ConfigError, match="frozen pretrained network"):
        make_release(RunConfig(), Workspace(tmp_path))


def test_without_a_plan_nothing_is_released(tmp_path):
    workspace = make_workspace(tmp_path)
    shutil.rmtree(workspace.splits)
    with pytest.raises(RunError, match="split --plan"):
        measure_left_out(CONFIG, workspace)


def left_out(missed, called):
    """Two splits of one photo and one other source, of 100 images each, with these error rates."""
    rows = []
    for split, wrong in (("a", missed), ("b", called)):
        for label, folder in ((1, "Photo"), (0, "Painting")):
            scores = np.where(np.arange(100) < wrong[label], 0.3 if label else 0.7, label * 1.0)
            rows += [
                {"split": split, "pathname": f"{split}{label}{i}", "label": label, "score": s}
                | {"class_folder": folder, "source": f"{split}{label}", "group": f"{i}"}
                for i, s in enumerate(scores)
            ]
    return LeftOut(pd.DataFrame(rows))


def test_the_threshold_is_where_photographs_and_the_hardest_kind_err_alike():
    alike = left_out({1: 10, 0: 10}, {1: 10, 0: 10})
    assert 0.3 < alike.threshold() < 0.7
    assert left_out({1: 30, 0: 0}, {1: 30, 0: 0}).threshold() <= 0.3, "missed less at a lower one"
    assert left_out({1: 0, 0: 30}, {1: 0, 0: 30}).threshold() >= 0.7


def test_a_split_s_threshold_comes_from_the_others_and_errors_are_told_by_source():
    table = left_out({1: 30, 0: 0}, {1: 10, 0: 10})
    assert table.without_sources(["b0", "b1"]).threshold() <= 0.3
    figures = table.figures(draws=100, seed=0)
    assert [split["threshold"] for split in figures["splits"]] == [
        table.without_sources(["a0", "a1"]).threshold(),
        table.without_sources(["b0", "b1"]).threshold(),
    ]
    by_source = {row["source"]: row for row in figures["sources"]}
    assert by_source["a1"]["errors"] == 30
    assert by_source["a1"]["low"] < 0.3 < by_source["a1"]["high"]
    assert figures["summary"]["f1"]["worst"] <= figures["summary"]["f1"]["mean"]


def test_stress_measures_every_change_and_level_on_the_same_images(made, tmp_path):
    _, workspace = made
    run = list_runs(workspace.models)[-1]
    table = read_table(run.eval_folder / "stress.csv", STRESS)
    assert len(table) == 1 + sum(len(levels) for _, levels in CHANGES.values())
    assert set(table.images) == {table.images[0]}
    assert ((table.recall_low <= table.recall) & (table.recall <= table.recall_high)).all()
    told = made[0].release
    decision = (told["threshold"], told["temperature"])
    assert table.threshold[0] == decision[0], "at the release's threshold, not at its run's"
    again = stress(run, workspace, decision=decision, workers=0)
    pd.testing.assert_frame_equal(again, table)
    with pytest.raises(ConfigError, match="2 or more"):
        stress(run, workspace, images=0)
