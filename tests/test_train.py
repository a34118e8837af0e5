import json
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photoclf import train as train_module
from photoclf.backend import configure, keras, tf
from photoclf.cache import PixelCache, build_cache_for
from photoclf.config import RunConfig
from photoclf.decode import DECODER_VERSION
from photoclf.errors import ConfigError, PhotoclfError, RunError, SplitError, TableError
from photoclf.export import litert_scores, load_model
from photoclf.files import sha256_file, write_json
from photoclf.paths import Workspace
from photoclf.runs import find_run, list_runs, read_events, verify_run
from photoclf.schema import SPLIT
from photoclf.split import read_split, split_hash
from photoclf.tables import write_table
from photoclf.train import train

SIDES = ["train"] * 22 + ["val"] * 10 + ["test"] * 4
TINY = RunConfig(
    image_size=16, filters=(3, 4), batch_size=5, epochs=4, patience=4, augmentation="light"
)
REFERENCE = RunConfig(
    model="reference_cnn", image_size=16, filters=(3, 4), dense_units=(5,), batch_size=8, epochs=2
)


def draw(path, label, seed):
    rng = np.random.default_rng([label, seed])
    noise = rng.integers(0, 256, (20, 24, 3)) if label else np.full((20, 24, 3), 200 + seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise.astype(np.uint8)).save(path)


def make_workspace(root, sides=SIDES):
    """An archive of noise (photos) and blank pages, and its split."""
    rows = []
    for i, side in enumerate(sides):
        label = i % 2
        name = f"{'Photo' if label else 'Text'}/{i:02}.png"
        draw(root / "archive" / name, label, i)
        folder = name.split("/")[0]
        sha256 = sha256_file(root / "archive" / name)
        rows.append((name, label, folder, "", f"g{i:02}", sha256, "", "", side))
    workspace = Workspace(root / "workspace")
    write_table(pd.DataFrame(rows, columns=list(SPLIT.columns)), workspace.split, SPLIT)
    workspace.archive_note.write_text(str(root / "archive"))
    return workspace


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """One training for all that look at a finished run, or compare with one."""
    workspace = make_workspace(tmp_path_factory.mktemp("uninterrupted"))
    return train(TINY, workspace, progress=False), workspace


def weights(run):
    model = keras.models.load_model(run.best_model, compile=False)
    return [v.value.numpy() for v in model.variables]


def assert_same_result(run, other):
    for a, b in zip(weights(run), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)
    pd.testing.assert_frame_equal(
        run.history.drop(columns="duration_s"), other.history.drop(columns="duration_s")
    )
    assert run.exported_model.read_bytes() == other.exported_model.read_bytes()


def test_a_finished_run_holds_what_explains_it(uninterrupted):
    run, workspace = uninterrupted
    assert run.done
    verify_run(run)
    assert {p.name for p in run.folder.iterdir()} == {
        *("config.json", "provenance.json", "history.csv", "logs", "state.json"),
        *("best.keras", "model.tflite", "model.json", "val_scores.csv", "done"),
    }
    assert run.config == TINY.resolved()
    assert run.provenance["split_hash"] == split_hash(read_split(workspace.split))
    assert run.provenance["seed"] == 42
    assert run.provenance["threads"] >= 1
    assert run.history["epoch"].tolist() == [0, 1, 2, 3]
    assert run.history["val_loss"].notna().all()
    model = json.loads((run.folder / "model.json").read_text())
    assert (model["image_size"], model["fit"]) == (16, "squash")
    assert model["decoder_version"] == DECODER_VERSION
    assert model["max_abs_difference"] <= 1e-4
    assert model["images"] == 10
    assert model["sha256"] == sha256_file(run.exported_model)
    assert model["parameters"] == load_model(run.best_model).count_params()


def test_the_boards_events_are_the_histories_numbers(uninterrupted):
    run, _ = uninterrupted
    events = read_events([run])
    for tag in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
        series = events[events["tag"] == tag]
        assert series["step"].tolist() == [0, 1, 2, 3]
        np.testing.assert_allclose(series["value"], run.history[tag], rtol=1e-6)


def test_the_kept_model_is_that_of_the_best_epoch(uninterrupted):
    run, workspace = uninterrupted
    split = read_split(workspace.split)
    val = split[split["split"] == "val"]
    archive = workspace.root.parent / "archive"
    pixels = build_cache_for(run.config, archive, split, workspace.cache)
    images = pixels.pixels[pixels.rows(val["pathname"])]
    scores = litert_scores(run.exported_model.read_bytes(), images).astype(float)
    loss = -np.log(np.where(val["label"] == 1, scores, 1 - scores)).mean()
    assert loss == pytest.approx(run.best_epoch["val_loss"], rel=1e-4)


def test_the_val_scores_are_those_of_the_exported_model_and_tell_the_same_loss(uninterrupted):
    run, workspace = uninterrupted
    rows = read_split(workspace.split).query("split == 'val'")
    scores = run.val_scores
    assert scores["pathname"].tolist() == rows["pathname"].tolist()
    assert scores["label"].tolist() == rows["label"].tolist()
    assert scores["group"].tolist() == rows["group"].tolist()
    p = np.where(scores["label"] == 1, scores["score"], 1 - scores["score"])
    assert -np.log(p).mean() == pytest.approx(run.best_epoch["val_loss"], abs=1e-4)
    assert (p > 0.5).mean() == pytest.approx(run.best_epoch["val_accuracy"])
    assert run.cost["parameters"] == keras.models.load_model(run.best_model).count_params()
    assert run.cost["flops"] > run.cost["parameters"]
    assert len(list((run.logs / "hparams").iterdir())) == 1


def test_two_trainings_of_one_config_give_the_same_bits(uninterrupted, tmp_path):
    run, _ = uninterrupted
    again = train(TINY, make_workspace(tmp_path), progress=False)
    assert_same_result(run, again)


def test_another_seed_gives_other_weights(uninterrupted, tmp_path):
    run, _ = uninterrupted
    other = train(TINY.replace(seed=43, epochs=1), make_workspace(tmp_path), progress=False)
    assert any((a != b).any() for a, b in zip(weights(run), weights(other), strict=True))


KILLED = """
    import os, signal, sys
    from photoclf import train
    from photoclf.config import RunConfig
    from photoclf.paths import Workspace

    class Killed(train.EpochBoard):
        epoch = 0
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if (self.epoch, batch) == (2, 2):
                os.kill(os.getpid(), signal.SIGKILL)

    train.EpochBoard = Killed
    config = RunConfig.from_json(sys.argv[2])
    train.train(config, Workspace(sys.argv[1]), progress=False)
"""


def test_a_training_killed_in_mid_epoch_and_resumed_ends_with_the_same_bits(
    uninterrupted, workspace, capfd
):
    run, _ = uninterrupted
    command = [sys.executable, "-c", textwrap.dedent(KILLED), workspace.root, TINY.to_json()]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (killed.stdout, killed.stderr) == ("", ""), "TensorFlow keeps quiet"
    [unfinished] = list_runs(workspace.models)
    assert not unfinished.done
    assert unfinished.history["epoch"].tolist() == [0, 1]
    assert (unfinished.folder / "checkpoint.npz").is_file()

    resumed = train(TINY, workspace)
    assert resumed == unfinished
    assert "going on after 2 finished epochs" in capfd.readouterr().err
    assert resumed.done
    assert_same_result(resumed, run)
    assert not (resumed.folder / "checkpoint.npz").exists()
    steps = read_events([resumed]).query("tag == 'val_loss'")["step"].tolist()
    assert steps == [0, 1, 2, 3]


def test_a_training_that_paused_ends_with_the_same_bits(uninterrupted, workspace):
    run, _ = uninterrupted
    for epochs in (1, 3):
        paused = train(TINY, workspace, stop_after=epochs, progress=False)
        assert not paused.done
        assert len(paused.history) == epochs
        assert not (paused.folder / "model.tflite").exists()
    # Asked to pause where it has long been, it trains nothing.
    assert len(train(TINY, workspace, stop_after=2, progress=False).history) == 3
    resumed = train(TINY, workspace, progress=False)
    assert resumed == paused
    assert resumed.done
    assert_same_result(resumed, run)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_a_wrong_pause_is_refused(workspace, wrong):
    with pytest.raises(ConfigError, match="`stop_after` must be a whole number"):
        train(TINY, workspace, stop_after=wrong, progress=False)
    assert not list_runs(workspace.models)


@pytest.mark.parametrize("place", ["export_model", "write_val_scores", "finish_run"])
def test_a_kill_after_the_last_epoch_costs_no_epoch(place, workspace, monkeypatch):
    def dying(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train_module, place, dying)
        with pytest.raises(KeyboardInterrupt):
            train(REFERENCE, workspace, progress=False)
    [run] = list_runs(workspace.models)
    durations = run.history["duration_s"].tolist()
    assert train(REFERENCE, workspace, progress=False) == run
    assert run.done
    assert run.history["duration_s"].tolist() == durations, "no epoch was trained again"


def test_a_finished_run_is_returned_at_once_and_said_so(uninterrupted, capfd):
    run, workspace = uninterrupted
    assert train(TINY, workspace) == run
    assert f"{run.run_id}: finished before" in capfd.readouterr().err
    assert len(list_runs(workspace.models)) == 1


def test_without_resume_the_same_choices_make_a_second_run(workspace, capfd):
    config = REFERENCE.replace(epochs=1)
    first = train(config, workspace, progress=False)
    second = train(config, workspace, resume=False, progress=False)
    assert first.run_id != second.run_id
    assert_same_result(first, second)
    assert capfd.readouterr() == ("", "")


def test_patience_stops_training_and_the_history_ends_there(workspace):
    config = TINY.replace(epochs=30, patience=1, learning_rate=0.5)
    run = train(config, workspace, progress=False)
    assert len(run.history) < 30
    assert len(run.history) == run.best_epoch["epoch"] + 2
    assert run.state["stopped"]


def test_a_diverging_training_is_told_and_its_run_stays_unfinished(workspace, monkeypatch):
    def hopeless(config, kinds):
        model = build(config)
        model.get_layer("photo").bias.assign([np.nan])
        return model

    build = train_module.build_model
    monkeypatch.setattr(train_module, "build_model", hopeless)
    with pytest.raises(RunError, match="Lower the learning rate"):
        train(TINY, workspace, progress=False)
    [run] = list_runs(workspace.models)
    assert not run.done
    assert run.config == TINY.resolved()


def test_a_run_is_trained_by_one_process_at_a_time(workspace):
    fcntl = pytest.importorskip("fcntl")
    run = train(REFERENCE.replace(epochs=1), workspace, progress=False)
    (run.folder / "done").unlink()
    with open(run.folder / ".training", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="another process is training"):
            train(REFERENCE.replace(epochs=1), workspace, progress=False)


def test_going_on_with_another_number_of_threads_is_said(workspace, capfd):
    config = REFERENCE.replace(epochs=1)
    run = train(config, workspace, progress=False)
    (run.folder / "done").unlink()
    write_json(run.folder / "provenance.json", {**run.provenance, "threads": 99})
    assert train(config, workspace, progress=False) == run
    assert "another number of threads" in capfd.readouterr().err


def test_no_score_of_the_test_side_is_computed(workspace, monkeypatch):
    asked = []

    class Spy(PixelCache):
        def rows(self, pathnames):
            asked.extend(pathnames)
            return super().rows(pathnames)

    opened = train_module.build_cache_for
    monkeypatch.setattr(
        train_module, "build_cache_for", lambda *a, **k: Spy(**vars(opened(*a, **k)))
    )
    train(REFERENCE.replace(epochs=1), workspace, progress=False)
    split = read_split(workspace.split)
    assert set(asked) == set(split["pathname"][split["split"] != "test"])


def test_a_workspace_without_a_split_is_told(tmp_path):
    with pytest.raises(TableError, match=r"split must exist"):
        train(TINY, Workspace(tmp_path), progress=False)


@pytest.mark.parametrize("side", ["train", "val"])
def test_a_side_with_one_class_is_told_before_a_run_is_made(side, workspace):
    split = read_split(workspace.split)
    split = split[(split["split"] != side) | (split["label"] == 1)]
    write_table(split, workspace.split, SPLIT)
    with pytest.raises(SplitError, match=f"{side} without other"):
        train(TINY, workspace, progress=False)
    assert list_runs(workspace.models) == []


def test_an_archive_that_lost_an_image_makes_no_run(workspace):
    next((workspace.root.parent / "archive" / "Photo").iterdir()).unlink()
    with pytest.raises(PhotoclfError, match="vanished"):
        train(TINY, workspace, progress=False)
    assert find_run(workspace.models, TINY, split_hash(read_split(workspace.split))) is None


def test_memory_that_runs_out_is_told():
    with pytest.raises(RunError, match="Lower `batch_size`"), train_module._told_memory(TINY):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")


def test_threads_can_not_change_once_tensorflow_has_started():
    threads = configure(seed=1)
    tf.constant(1) + 1
    assert configure(seed=1, threads=threads) == threads
    with pytest.raises(RunError, match="Restart the kernel"):
        configure(seed=1, threads=threads + 1)


def test_a_gpu_memory_limit_without_a_gpu_has_no_effect():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    assert configure(seed=1, gpu_memory_limit_mib=1024) >= 1
