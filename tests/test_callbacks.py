import json
import logging

import numpy as np
import pandas as pd
import pytest

from photoclf import callbacks
from photoclf.averaging import WeightAverage
from photoclf.backend import keras
from photoclf.callbacks import EpochBoard, EpochProgress, StopAtMinimum
from photoclf.checkpoints import load_checkpoint
from photoclf.errors import RunError
from photoclf.schema import HISTORY
from photoclf.tables import read_table


def a_model():
    pixels = keras.Input((1,), name="pixels")
    x = keras.layers.Dropout(0.5, seed=3, name="dropout")(pixels)
    head = keras.layers.Dense(1, kernel_initializer="zeros", name="dense")
    model = keras.Model(pixels, head(x), name="tiny")
    model.compile("adam", "mse", metrics=["accuracy"])
    return model


def weight(model):
    return float(np.asarray(model.get_layer("dense").kernel)[0, 0])


def feed(stopper, model, val_losses, first_epoch=0):
    """Play epochs with these losses; the weight of epoch 3 is 3."""
    model.optimizer.build(model.trainable_variables)
    stopper.set_model(model)
    model.stop_training = False
    stopper.on_train_begin()
    for epoch in range(first_epoch, len(val_losses)):
        stopper.on_epoch_begin(epoch)
        model.get_layer("dense").kernel.assign([[float(epoch)]])
        model.optimizer.iterations.assign(10 * (epoch + 1))
        logs = {"loss": 0.5, "accuracy": 0.5, "val_loss": val_losses[epoch], "val_accuracy": 0.75}
        stopper.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    stopper.on_train_end()
    return stopper


def state_of(folder):
    return json.loads((folder / "state.json").read_text())


def kept_weight(folder):
    return weight(keras.models.load_model(folder / "best.keras", compile=False))


@pytest.mark.parametrize(
    ("patience", "losses", "epochs", "best"),
    [
        (2, [5, 4, 3, 4, 4, 1], 5, 2),
        (2, [5, 4, 5, 3, 5, 5], 6, 3),
        (0, [5, 4, 4, 1], 3, 1),
        (1, [5, 4, 4, 1], 3, 1),
        (3, [3, 2, 1], 3, 2),
        (5, [3, 1, 2, 2], 4, 1),
    ],
)
def test_training_stops_after_patience_and_ends_with_the_best_weights(
    patience, losses, epochs, best, tmp_path
):
    model = a_model()
    stopper = feed(StopAtMinimum(tmp_path, patience=patience), model, losses)
    assert len(stopper.rows) == epochs
    assert stopper.best_epoch == best
    assert weight(model) == best, "whether patience fired or not"
    assert kept_weight(tmp_path) == best
    assert (
        model.stop_training
        == stopper.stopped
        == (epochs < len(losses) or epochs - 1 - best >= patience)
    )


def test_an_equal_loss_is_no_improvement_and_the_earliest_epoch_stays_best(tmp_path):
    model = a_model()
    feed(StopAtMinimum(tmp_path, patience=9), model, [2, 1, 1, 1])
    assert weight(model) == 1


def test_each_epoch_is_a_row_of_the_history_as_soon_as_it_ends(tmp_path):
    stopper = StopAtMinimum(tmp_path, patience=9)
    feed(stopper, a_model(), [3.0])
    feed(stopper, stopper.model, [3.0, 0.1 + 0.2], first_epoch=1)
    history = read_table(tmp_path / "history.csv", HISTORY)
    assert history["epoch"].tolist() == [0, 1]
    assert history["val_loss"].tolist() == [3.0, 0.1 + 0.2], "every digit is kept"
    assert history["learning_rate"].tolist() == pytest.approx([1e-3, 1e-3])
    assert (history["duration_s"] >= 0).all()
    assert state_of(tmp_path)["best_epoch"] == 1
    assert state_of(tmp_path)["best_sha256"] == callbacks.sha256_file(tmp_path / "best.keras")


def test_the_kept_model_holds_no_optimizer_and_its_scorer_is_kept_instead_of_the_fitted(tmp_path):
    model = a_model()
    scorer = keras.Model(model.input, model.output * 2, name="scorer")
    feed(StopAtMinimum(tmp_path, patience=2, scorer=scorer), model, [1])
    kept = keras.models.load_model(tmp_path / "best.keras")
    assert kept.name == "scorer"
    assert not kept.compiled


@pytest.mark.parametrize("name", ["loss", "val_loss"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_training_and_keeps_the_best_epoch(name, value, tmp_path):
    model = a_model()
    stopper = feed(StopAtMinimum(tmp_path, patience=2), model, [2, 1])
    logs = {"loss": 1, "accuracy": 1, "val_loss": 1, "val_accuracy": 1} | {name: value}
    with pytest.raises(RunError, match=f"finite.*{name}.*epoch 2.*Lower the learning rate.* 1, is"):
        stopper.on_epoch_end(2, logs)
    assert kept_weight(tmp_path) == 1
    assert len(read_table(tmp_path / "history.csv", HISTORY)) == 2


WRITES = ["save_checkpoint", "save_model", "write_table", "sha256_file", "write_json"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("losses", [[3, 2, 1, 2, 2], [1, 2, 3]])
def test_a_kill_at_any_write_leaves_what_resume_brings_to_the_same_end(
    write, when, losses, tmp_path, monkeypatch
):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    feed(StopAtMinimum(whole, patience=2), a_model(), losses)

    original, calls = getattr(callbacks, write), []

    def dying(*arguments):
        calls.append(1)
        if when == "after":
            original(*arguments)
        if len(calls) == 2 or (write == "save_model" and len(losses) == 3):
            raise KeyboardInterrupt
        return original(*arguments)

    broken.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(callbacks, write, dying)
        with pytest.raises(KeyboardInterrupt):
            feed(StopAtMinimum(broken, patience=2), a_model(), losses)

    model = a_model()
    stopper = StopAtMinimum(broken, patience=2)
    first = stopper.resume(model)
    assert first in (0, 1, 2)
    if not stopper.stopped:
        feed(stopper, model, losses, first)
    assert weight(model) == kept_weight(broken) == kept_weight(whole) == np.argmin(losses)
    drop = ["duration_s"]
    pd.testing.assert_frame_equal(
        read_table(broken / "history.csv", HISTORY).drop(columns=drop),
        read_table(whole / "history.csv", HISTORY).drop(columns=drop),
    )
    assert {**state_of(broken), "best_sha256": ""} == {**state_of(whole), "best_sha256": ""}


def test_a_checkpoint_holds_weights_optimizer_and_dropout_generators(tmp_path):
    model = a_model()
    x, y = np.ones((8, 1)), np.ones((8, 1))
    stopper = StopAtMinimum(tmp_path, patience=2)
    model.fit(x, y, epochs=2, validation_data=(x, y), callbacks=[stopper], verbose=0)
    other = a_model()
    assert StopAtMinimum(tmp_path, patience=2).resume(other) == 2
    paths = [v.path for v in model.variables]
    assert any("seed" in path for path in paths)
    for a, b in zip(
        model.variables + model.optimizer.variables,
        other.variables + other.optimizer.variables,
        strict=True,
    ):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b), a.path)
    assert int(other.optimizer.iterations) == 2


def test_without_a_checkpoint_training_starts_at_epoch_0(tmp_path):
    assert StopAtMinimum(tmp_path, patience=2).resume(a_model()) == 0


def test_a_finished_run_has_no_checkpoint(tmp_path):
    stopper = feed(StopAtMinimum(tmp_path, patience=2), a_model(), [1])
    stopper.finish()
    stopper.finish()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.keras", "history.csv", "state.json"]


def test_a_damaged_checkpoint_is_told(tmp_path):
    feed(StopAtMinimum(tmp_path, patience=2), a_model(), [1])
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RunError, match="Delete the run's folder"):
        load_checkpoint(path, a_model())


def test_a_best_model_that_is_gone_is_told_when_resuming(tmp_path):
    feed(StopAtMinimum(tmp_path, patience=3), a_model(), [1, 2])
    (tmp_path / "best.keras").unlink()
    with pytest.raises(RunError, match=r"must hold best\.keras"):
        StopAtMinimum(tmp_path, patience=3).resume(a_model())


def test_a_checkpoint_of_another_model_is_told(tmp_path):
    feed(StopAtMinimum(tmp_path, patience=2), a_model(), [1])
    pixels = keras.Input((2,))
    other = keras.Model(pixels, keras.layers.Dense(3)(pixels))
    other.compile("adam", "mse")
    with pytest.raises(RunError, match="variables of the model that goes on"):
        StopAtMinimum(tmp_path, patience=2).resume(other)


def walk(average, model, weights):
    """Play steps after which the weight is each of these."""
    model.optimizer.build(model.trainable_variables)
    for value in weights:
        model.get_layer("dense").kernel.assign([[value]])
        model.optimizer.iterations.assign_add(1)
        average.on_train_batch_end(0)


def test_the_average_validates_and_the_last_weights_train_on():
    model, average = a_model(), WeightAverage(momentum=0.5)
    average.attach(model)
    # The momentum of step t is (1 + t) / (10 + t) at most: 2/11, then 3/12; the average of 0 is 0.
    walk(average, model, [11.0, 4.0])
    generator = next(v for v in model.variables if "seed" in v.path)
    before = generator.value.numpy()
    average.on_test_begin()
    assert weight(model) == pytest.approx(0.25 * 9 + 0.75 * 4)
    average.on_test_end()
    assert weight(model) == 4.0
    np.testing.assert_array_equal(generator.value.numpy(), before)


def test_the_average_forgets_what_is_long_past_and_hardly_swings():
    model, average = a_model(), WeightAverage(momentum=0.9)
    average.attach(model)
    walk(average, model, [100.0] + [1.0, 3.0] * 60)
    average.swap()
    assert weight(model) == pytest.approx(2.0, abs=0.1)


def test_the_average_is_what_is_kept_and_a_checkpoint_brings_it_back(tmp_path):
    def a_stopper():
        return StopAtMinimum(tmp_path, patience=2, average=WeightAverage(momentum=0.5))

    x, y = np.ones((8, 1)), np.ones((8, 1))
    model, stopper = a_model(), a_stopper()
    callbacks = [stopper.average, stopper]
    history = model.fit(
        x, y, batch_size=2, epochs=2, validation_data=(x, y), callbacks=callbacks, verbose=0
    ).history
    kept = keras.models.load_model(tmp_path / "best.keras", compile=False)
    score = float(kept(np.ones((1, 1), np.float32))[0, 0])
    assert (score - 1) ** 2 == pytest.approx(min(history["val_loss"]), rel=1e-4)

    other, resumed = a_model(), a_stopper()
    assert resumed.resume(other) == 2
    for a, b in zip(stopper.average.variables, resumed.average.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert weight(other) != weight(kept), "the last weights train on, the average is kept"


def test_the_board_gets_each_epochs_scalars_and_the_graph_at_once(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    model = a_model()
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            train = EventAccumulator(str(tmp_path / "train")).Reload()
            seen.append([e.step for e in train.Tensors("epoch_loss")])

    x, y = np.ones((8, 1)), np.ones((8, 1))
    board = EpochBoard(tmp_path)
    model.fit(x, y, epochs=2, validation_data=(x, y), callbacks=[board, Look()], verbose=0)
    assert seen == [[0], [0, 1]], "flushed when the epoch ends, not when training does"
    train = EventAccumulator(str(tmp_path / "train")).Reload()
    val = EventAccumulator(str(tmp_path / "validation")).Reload()
    assert {"epoch_loss", "epoch_accuracy", "epoch_learning_rate"} <= set(train.Tags()["tensors"])
    assert {"epoch_loss", "epoch_accuracy"} <= set(val.Tags()["tensors"])
    assert "keras" in train.Tags()["tensors"] or train.Tags()["graph"]
    assert not list(tmp_path.rglob("*profile*"))


def test_progress_goes_to_the_error_stream(capfd):
    model = a_model()
    x, y = np.ones((8, 1)), np.ones((8, 1))
    model.fit(x, y, epochs=2, validation_data=(x, y), callbacks=[EpochProgress()], verbose=0)
    out, err = capfd.readouterr()
    assert out == ""
    assert "epoch 2/2: 100%" in err
    assert "val_loss=" in err
