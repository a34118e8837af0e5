import json
import os
import shutil
import subprocess
import sys
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import (
    masked_crc32c as slow_crc,
)

from photoclf import run as run_module
from photoclf.config import RunConfig
from photoclf.errors import ConfigError, RunError, TableError
from photoclf.events import masked_crc32c, read_scalars
from photoclf.files import sha256_file, write_json
from photoclf.runs import (
    Run,
    comparable_runs,
    comparison_table,
    create_run,
    find_run,
    finish_run,
    list_runs,
    load_run,
    need_comparable,
    read_choice,
    read_events,
    smooth,
    verify_run,
    write_choice,
)
from photoclf.schema import EVENTS
from tests.made_runs import SPLIT, START, event, make_run, record, write_events

# Folders


def test_a_run_is_explained_before_it_begins(tmp_path):
    run = create_run(tmp_path / "models", RunConfig(epochs=3), {"split_hash": SPLIT})
    assert run.config == RunConfig(epochs=3).resolved()
    assert run.provenance == {"split_hash": SPLIT}
    assert run.state == {}
    assert not run.done
    assert run.folder.parent == tmp_path / "models"


def test_a_runs_name_tells_time_model_and_choices(tmp_path):
    config = RunConfig(model="reference_cnn")
    stamp, rest = create_run(tmp_path, config, {}).run_id.split("_", 1)
    assert abs(datetime.now() - datetime.strptime(stamp, "%Y%m%d-%H%M%S")).total_seconds() < 60
    assert rest == f"reference_cnn_{config.hash8}"


def test_the_same_choices_in_the_same_second_get_their_own_folders(tmp_path, monkeypatch):
    class Frozen(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2030, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(run_module, "datetime", Frozen)
    made = [create_run(tmp_path, RunConfig(), {}).run_id for _ in range(11)]
    name = f"20300102-030405_compact_cnn_{RunConfig().hash8}"
    assert made[:3] == [name, f"{name}-2", f"{name}-3"]
    assert [run.run_id for run in list_runs(tmp_path)] == made


def test_done_vouches_for_the_models(tmp_path):
    run = make_run(tmp_path)
    done = json.loads((run.folder / "done").read_text())
    assert done["sha256"]["model.tflite"] == sha256_file(run.exported_model)
    verify_run(run)
    run.best_model.write_text("another")
    with pytest.raises(RunError, match=r"best\.keras(.|\n)*\n- [0-9a-f]{64}\n\+ [0-9a-f]{64}"):
        verify_run(run)


@pytest.mark.parametrize(
    "name", ["history.csv", "best.keras", "model.tflite", "model.json", "val_scores.csv"]
)
def test_a_run_that_lacks_a_part_is_not_finished(tmp_path, name):
    run = make_run(tmp_path, done=False)
    (run.folder / name).unlink()
    with pytest.raises(RunError, match=name):
        finish_run(run)
    assert not run.done
    with pytest.raises(RunError, match="must be finished"):
        verify_run(run)


def test_listing_skips_what_is_no_run_and_keeps_the_unfinished(tmp_path):
    unfinished = make_run(tmp_path, done=False)
    (tmp_path / "notes").mkdir()
    (tmp_path / "README.md").write_text("")
    (tmp_path / ".trash").mkdir()
    (tmp_path / ".trash" / "config.json").write_text("{}")
    assert list_runs(tmp_path) == [unfinished]
    assert not list_runs(tmp_path)[0].done
    assert list_runs(tmp_path / "nowhere") == []


def test_a_misspelt_run_is_guessed(tmp_path):
    run = make_run(tmp_path)
    assert load_run(tmp_path, run.run_id) == run
    with pytest.raises(RunError, match=f"Did you mean '{run.run_id}'"):
        load_run(tmp_path, run.run_id[:-1])


@pytest.mark.parametrize("run_id", ["", ".", "..", "a/b", "/", "gone"])
def test_a_name_that_is_no_run_is_refused(tmp_path, run_id):
    with pytest.raises(RunError, match="no run in"):
        load_run(tmp_path / "models", run_id)


def test_a_half_deleted_run_says_what_is_missing(tmp_path):
    run = make_run(tmp_path)
    (run.folder / "history.csv").unlink()
    with pytest.raises(RunError, match=r"must hold history\.csv"):
        _ = run.best_epoch
    (run.folder / "config.json").unlink()
    with pytest.raises(RunError, match=r"must hold config\.json.*best\.keras"):
        load_run(tmp_path, run.run_id)
    with pytest.raises(RunError, match="no such folder"):
        _ = Run(tmp_path / "gone").config


def test_spoilt_files_are_told_by_name(tmp_path):
    run = make_run(tmp_path)
    (run.folder / "provenance.json").write_text("{")
    with pytest.raises(RunError, match=r"provenance\.json .* must be JSON"):
        _ = run.provenance
    (run.folder / "config.json").write_text('{"colour": 1}')
    with pytest.raises(ConfigError, match="colour"):
        _ = run.config
    (run.folder / "history.csv").write_text("epoch\n1\n")
    with pytest.raises(TableError, match="val_loss"):
        _ = run.history


# The best epoch


@pytest.mark.parametrize(
    ("val_losses", "best"),
    [
        ((0.6, 0.4, 0.5), 1),
        ((0.5, 0.4, 0.4), 1),
        ((0.3,), 0),
        ((float("nan"), 0.9, float("nan")), 1),
    ],
)
def test_the_best_epoch_has_the_lowest_val_loss_the_earliest_on_ties(tmp_path, val_losses, best):
    run = make_run(tmp_path, val_losses)
    assert run.best_epoch["epoch"] == best
    assert run.best_epoch["val_loss"] == val_losses[best]


def test_a_run_that_diverged_at_once_has_no_best_epoch(tmp_path):
    run = make_run(tmp_path, (float("nan"),))
    with pytest.raises(RunError, match="Lower the learning rate"):
        _ = run.best_epoch


# Finding


def test_a_run_is_found_by_its_choices_and_its_split(tmp_path):
    run = make_run(tmp_path, epochs=3)
    make_run(tmp_path, epochs=4)
    assert find_run(tmp_path, RunConfig(epochs=3), SPLIT) == run
    assert find_run(tmp_path, RunConfig(epochs=3, image_size=128), SPLIT) == run
    assert find_run(tmp_path, RunConfig(epochs=3), "b" * 64) is None
    assert find_run(tmp_path, RunConfig(epochs=5), SPLIT) is None


def test_a_finished_run_is_found_before_a_newer_unfinished_one(tmp_path):
    first, second = make_run(tmp_path, done=False), make_run(tmp_path, done=False)
    assert find_run(tmp_path, RunConfig(), SPLIT) == second
    finish_run(first)
    assert find_run(tmp_path, RunConfig(), SPLIT) == first


def test_a_spoilt_run_does_not_stop_the_search(tmp_path):
    run = make_run(tmp_path)
    for name, text in (("1", "{"), ("2", '{"colour": 1}'), ("3", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
    assert find_run(tmp_path, RunConfig(), SPLIT) == run


# Event files


def test_checksums_equal_tensorboards_own(tmp_path):
    generator = np.random.default_rng(0)
    blocks = [generator.bytes(n) for n in (0, 1, 7, 8, 300, 8, 0, 41)]
    assert masked_crc32c(blocks).tolist() == [slow_crc(b) for b in blocks]
    assert masked_crc32c([]).shape == (0,)


KERAS = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"], os.environ["CUDA_VISIBLE_DEVICES"] = "3", ""
import sys
import keras, numpy, tensorflow
folder = sys.argv[1]
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
x, y = numpy.random.rand(8, 4), numpy.arange(8) % 2
board = keras.callbacks.TensorBoard(folder)
model.fit(x, y, validation_data=(x, y), epochs=3, verbose=0, callbacks=[board])
with tensorflow.summary.create_file_writer(folder + "/train").as_default():
    tensorflow.summary.scalar("epoch_zero", 0.0, step=7)
    tensorflow.summary.scalar("epoch_count", tensorflow.constant(3, tensorflow.int64), step=7)
    tensorflow.summary.image("epoch_image", numpy.zeros((1, 4, 4, 3)), step=7)
with tensorflow.compat.v1.Graph().as_default():
    writer = tensorflow.compat.v1.summary.FileWriter(folder + "/validation")
    value = tensorflow.compat.v1.Summary.Value(tag="epoch_old", simple_value=0.25)
    writer.add_summary(tensorflow.compat.v1.Summary(value=[value]), 9)
    writer.close()
"""


@pytest.fixture(scope="module")
def keras_logs(tmp_path_factory):
    pytest.importorskip("keras", reason="writing logs needs Keras")
    folder = tmp_path_factory.mktemp("keras") / "run" / "logs"
    # In a process of its own: the other tests stay free of TensorFlow.
    subprocess.run([sys.executable, "-c", KERAS, str(folder)], check=True, capture_output=True)
    return folder


def test_keras_logs_read_as_tensorboard_reads_them(keras_logs):
    expected = set()
    for folder in ("train", "validation"):
        # TensorBoard's accumulator takes one generation of writers a folder; ours takes all.
        for path in (keras_logs / folder).iterdir():
            board = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
            board.Reload()
            prefix = "val_" if folder == "validation" else ""
            for tag in board.Tags()["tensors"]:
                if tag.startswith("epoch_") and tag != "epoch_image":
                    for e in board.Tensors(tag):
                        number = numbers_of(e.tensor_proto)
                        expected.add((prefix + tag[6:], e.step, e.wall_time, number))
            for tag in board.Tags()["scalars"]:
                expected |= {(prefix + tag[6:], *e) for e in swapped(board.Scalars(tag))}
    frame = read_events([Run(keras_logs.parent)])
    received = set(
        frame[["tag", "step", "wall_time_s", "value"]].itertuples(index=False, name=None)
    )
    assert received == expected
    assert {"loss", "val_accuracy", "learning_rate", "zero", "count", "val_old"} <= set(
        frame["tag"]
    )
    assert len(frame) == 3 * 5 + 3


def numbers_of(tensor):
    from tensorboard.util import tensor_util

    return float(tensor_util.make_ndarray(tensor))


def swapped(events):
    return [(e.step, e.wall_time, e.value) for e in events]


def test_events_are_one_tidy_table_named_as_a_history(tmp_path):
    runs = [make_run(tmp_path, epochs=3), make_run(tmp_path, epochs=4)]
    frame = read_events(runs)
    assert list(frame.columns) == list(EVENTS.columns)
    assert frame["run"].unique().tolist() == [run.run_id for run in runs]
    assert sorted(frame["tag"].unique()) == [
        "accuracy",
        "loss",
        "val_accuracy",
        "val_loss",
    ]
    first = frame[(frame["run"] == runs[0].run_id) & (frame["tag"] == "val_loss")]
    np.testing.assert_allclose(first["value"], runs[0].history["val_loss"], rtol=1e-6)


def test_no_run_and_a_run_without_logs_give_an_empty_table(tmp_path):
    run = make_run(tmp_path)
    shutil.rmtree(run.logs)
    for runs in ([], [run]):
        frame = read_events(runs)
        assert list(frame.columns) == list(EVENTS.columns)
        assert len(frame) == 0


def test_steps_of_batches_are_left_out(tmp_path):
    run = make_run(tmp_path)
    payloads = [
        event(1, "evaluation_loss_vs_iterations", 1.0),
        event(1, "batch_loss", 1.0),
    ]
    write_events(run.logs / "train", payloads, "events.out.tfevents.2")
    assert set(read_events([run])["tag"]) == {
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
    }


def test_of_a_step_written_twice_the_last_written_counts(tmp_path):
    run = make_run(tmp_path)
    again = [
        event(2, "epoch_loss", 9.0, wall_time=START + 500),
        event(3, "epoch_loss", 8.0),
    ]
    # The name sorts first: when it was written counts, not what the file is called.
    write_events(run.logs / "train", again, "events.out.tfevents.0")
    frame = read_events([run])
    series = frame[frame["tag"] == "loss"]
    assert series["step"].tolist() == [0, 1, 2, 3]
    assert series["value"].tolist()[2:] == [9.0, 8.0]


def test_both_forms_of_a_scalar_are_read(tmp_path):
    payloads = [event(0, "a", 0.5), event(1, "a", 0.25, tensor=True), event(2)]
    frame = read_scalars([write_events(tmp_path, payloads)])
    assert frame["value"].tolist() == [0.5, 0.25]
    assert frame["wall_time_s"].tolist() == [START, START + 10]


@pytest.mark.parametrize("cut", [1, 4, 5, 20, 30])
def test_a_killed_runs_half_record_is_left_out(tmp_path, cut):
    path = write_events(tmp_path, [event(i, "a", 1.0) for i in range(3)])
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_scalars([path])["step"].tolist() == [0, 1]


def test_every_prefix_of_a_file_reads_without_error(tmp_path):
    data = write_events(tmp_path, [event(i, "a", 1.0) for i in range(2)]).read_bytes()
    counts = []
    for end in range(len(data) + 1):
        (tmp_path / "cut").write_bytes(data[:end])
        counts.append(len(read_scalars([tmp_path / "cut"])))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 2)


def test_a_record_with_a_wrong_checksum_is_left_out_alone(tmp_path):
    path = write_events(tmp_path, [event(i, "a", 1.0) for i in range(3)])
    size = len(record(event(1, "a", 1.0)))
    data = bytearray(path.read_bytes())
    data[-size - 6] ^= 1
    path.write_bytes(data)
    assert read_scalars([path])["step"].tolist() == [0, 2]


def test_after_a_wrong_length_nothing_is_believed(tmp_path):
    path = write_events(tmp_path, [event(i, "a", 1.0) for i in range(3)])
    data = bytearray(path.read_bytes())
    data[len(record(event(0, "a", 1.0)))] ^= 2
    path.write_bytes(data)
    assert read_scalars([path])["step"].tolist() == [0]


def test_a_foreign_file_reads_as_nothing(tmp_path):
    for data in (
        b"",
        b"\0" * 64,
        os.urandom(1000),
        record(b"not an event \xff"),
        b"\xff" * 40,
    ):
        (tmp_path / "file").write_bytes(data)
        assert len(read_scalars([tmp_path / "file"])) == 0


def test_large_records_are_stepped_over(tmp_path):
    graph = Event(graph_def=b"epoch_loss" * 10_000).SerializeToString()
    path = write_events(tmp_path, [graph, event(0, "epoch_loss", 0.5)])
    frame = read_scalars([path], "epoch_")
    assert frame["value"].tolist() == [0.5]


def test_a_hundred_runs_of_fifty_epochs_are_read_whole(tmp_path):
    run = make_run(tmp_path, tuple(np.linspace(0.9, 0.1, 50)))
    many = []
    for i in range(100):
        folder = tmp_path / f"copy_{i}"
        shutil.copytree(run.logs, folder / "logs")
        many.append(Run(folder))
    frame = read_events(many)
    assert len(frame) == 100 * 50 * 4


# Comparing


def test_smoothing_follows_tensorboards_formula():
    # (0.4·1·0.6 + 0.4·2) / (1 − 0.6²) and so on, worked out by hand.
    np.testing.assert_allclose(
        smooth([1.0, 2.0, 4.0]), [1.0, 1.04 / 0.64, (1.04 * 0.6 + 1.6) / 0.784]
    )


def test_smoothing_leaves_constants_and_gaps_as_they_are():
    values = np.array([0.3, np.nan, 0.5])
    smoothed = smooth(values)
    assert np.isnan(smoothed[1])
    np.testing.assert_allclose(smoothed[2], (0.4 * 0.3 * 0.6 + 0.4 * 0.5) / 0.64)
    assert np.isnan(values[1]), "the input must stay untouched"
    assert smooth([0.1] * 5).tolist() == [0.1] * 5
    assert smooth([]).shape == (0,)
    assert smooth([1.0, 3.0], weight=0.0).tolist() == [1.0, 3.0]
    with pytest.raises(ConfigError, match="weight"):
        smooth([1.0], weight=1.0)


@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy", "loss"])
def test_each_row_comes_from_the_runs_best_epoch(tmp_path, metric):
    runs = [
        make_run(tmp_path, (0.6, 0.2, 0.5, 0.4), epochs=3),
        make_run(tmp_path, (0.3, 0.4)),
    ]
    table = comparison_table(runs, metric)
    assert list(table.columns) == [
        "run",
        "smoothed",
        "value",
        "step",
        "time",
        "relative_s",
    ]
    assert table["run"].tolist() == [run.run_id for run in runs]
    assert table["step"].tolist() == [1, 0]
    assert table["relative_s"].tolist() == [10.0, 0.0]
    assert table["time"][0] == pd.Timestamp(START + 10, unit="s", tz="UTC")
    expected = [run.history[metric][step] for run, step in zip(runs, (1, 0), strict=True)]
    np.testing.assert_allclose(table["value"], expected, rtol=1e-6)
    series = runs[0].history[metric]
    np.testing.assert_allclose(table["smoothed"][0], smooth(series)[1], rtol=1e-6)


def test_runs_of_different_splits_are_refused_with_both_sides(tmp_path):
    ours, theirs = make_run(tmp_path), make_run(tmp_path, split="b" * 64)
    for act in (need_comparable, lambda runs: comparison_table(runs, "val_loss")):
        with pytest.raises(RunError) as caught:
            act([ours, theirs])
        assert f"- {'a' * 64} {ours.run_id}\n+ {'b' * 64} {theirs.run_id}\n" in str(caught.value)


def test_a_metric_that_was_not_logged_is_named(tmp_path):
    with pytest.raises(RunError, match="`val_auc` at its best epoch, 1"):
        comparison_table([make_run(tmp_path)], "val_auc")


def test_the_unfinished_are_passed_over(tmp_path):
    worse, better = make_run(tmp_path, (0.4,)), make_run(tmp_path, (0.9, 0.3, 0.8))
    unfinished = make_run(tmp_path, (0.1,), done=False)
    assert need_comparable([better, unfinished, worse]) == [worse, better]
    assert len(comparison_table([worse, better, unfinished], "val_loss")) == 2
    with pytest.raises(RunError, match="must be finished"):
        need_comparable([unfinished])
    with pytest.raises(RunError, match="0 runs"):
        need_comparable([])


def test_a_finished_run_that_lost_a_file_is_not_the_one_sought(tmp_path):
    run = make_run(tmp_path, seed=3)
    assert run.whole
    assert find_run(tmp_path, run.config, SPLIT) == run
    (run.folder / "best.keras").write_bytes(b"")
    assert not run.whole
    assert find_run(tmp_path, run.config, SPLIT) is None


def test_the_runs_on_the_workspaces_split_are_comparable(own_copy):
    (run,) = comparable_runs(own_copy)
    make_run(own_copy.models)
    assert comparable_runs(own_copy) == [run]


def test_scores_that_changed_since_the_run_finished_are_refused(tmp_path):
    run = make_run(tmp_path)
    assert len(run.val_scores) == 4
    path = run.folder / "val_scores.csv"
    path.write_text(path.read_text().replace("0.9", "0.8"))
    with pytest.raises(RunError, match=r"val_scores\.csv(.|\n)*train again"):
        _ = run.val_scores
    with pytest.raises(RunError, match=r"val_scores\.csv"):
        verify_run(run)
    path.unlink()
    with pytest.raises(RunError, match="must hold val_scores.csv"):
        _ = run.val_scores


def test_a_run_that_does_not_tell_its_cost_says_what_to_do(tmp_path):
    run = make_run(tmp_path)
    assert run.cost == {"flops": 1000, "parameters": 10, "duration_s": 6.0}
    write_json(run.folder / "model.json", {"parameters": 10})
    with pytest.raises(RunError, match=r"flops.*train again"):
        _ = run.cost


def test_a_choice_is_read_as_it_was_written(tmp_path):
    runs = [make_run(tmp_path), make_run(tmp_path, (0.2,))]
    write_choice(tmp_path / "choice.json", runs[1], runs)
    assert read_choice(tmp_path / "choice.json", tmp_path) == runs[1]
    choice = json.loads((tmp_path / "choice.json").read_text())
    assert choice["compared"] == [run.run_id for run in runs]
    assert (choice["epoch"], choice["val_loss"]) == (0, 0.2)
    write_choice(tmp_path / "choice.json", runs[0], runs, {"verdict": {"en": "Because."}})
    assert json.loads((tmp_path / "choice.json").read_text())["verdict"] == {"en": "Because."}


def test_a_choice_that_is_missing_spoilt_or_gone_is_told(tmp_path):
    path, run = tmp_path / "choice.json", make_run(tmp_path)
    with pytest.raises(RunError, match="must have been chosen"):
        read_choice(path, tmp_path)
    write_choice(path, run, [run])
    shutil.rmtree(run.folder)
    with pytest.raises(RunError, match=run.run_id):
        read_choice(path, tmp_path)
    for text in ("{", "[]", "{}"):
        path.write_text(text)
        with pytest.raises(RunError, match="must be JSON"):
            read_choice(path, tmp_path)


def test_reading_runs_does_not_load_tensorflow(tmp_path):
    make_run(tmp_path)
    code = (
        "import sys, pathlib; from photoclf.runs import *;"
        "comparison_table(list_runs(pathlib.Path(sys.argv[1])), 'val_loss');"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
