"""What happens at the end of each epoch: stop at the minimum, keep the best, survive a kill."""

import json
import math
import os
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from photoclf.backend import keras, tf
from photoclf.errors import RunError
from photoclf.files import replacing, sha256_file, write_json
from photoclf.schema import HISTORY, write_table

BEST, HISTORY_FILE, STATE, CHECKPOINT = "best.keras", "history.csv", "state.json", "checkpoint.npz"
_MEASURES = ("loss", "accuracy", "val_loss", "val_accuracy")


class WeightAverage(keras.callbacks.Callback):
    """Validate, and keep, the running average of a model's weights instead of its last weights.

    At a constant step size a small network with batch norm swings about its way: one epoch in
    five may score far worse than its neighbours, and patience would take that for the end. The
    average of the last 50 or so steps hardly swings. Batch norm's statistics are averaged too, so
    that they fit the averaged weights. Training itself goes on with the last weights.

    Args:
        momentum: Weight of the past at each step; less during the first steps, of which there are
            too few to average.

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """

    def __init__(self, momentum: float = 0.98) -> None:
        super().__init__()
        self.momentum = momentum
        self.variables: list[tf.Variable] = []

    def attach(self, model: keras.Model) -> None:
        """Begin with the model's weights as they are, unless begun before."""
        self.set_model(model)
        if not self.variables:
            self._followed = [v.value for v in model.variables if v.dtype.startswith("float")]
            self.variables = [tf.Variable(v, trainable=False) for v in self._followed]
            self._update = tf.function(self._update_eagerly, autograph=False)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin with the model's weights, unless `attach` did."""
        self.attach(self.model)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the step's weights into the average."""
        step = int(self.model.optimizer.iterations)
        self._update(tf.constant(min(self.momentum, (1 + step) / (10 + step)), tf.float32))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Validate with the average."""
        self.swap()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Go on with the last weights."""
        self.swap()

    def swap(self) -> None:
        """Exchange the model's weights and the average; twice is as they were."""
        for weights, average in zip(self._followed, self.variables, strict=True):
            last = weights.numpy()
            weights.assign(average)
            average.assign(last)

    def _update_eagerly(self, momentum: tf.Tensor) -> None:
        for weights, average in zip(self._followed, self.variables, strict=True):
            average.assign_add((1 - momentum) * (weights - average))


class StopAtMinimum(keras.callbacks.Callback):
    """Stop when `val_loss` no longer falls, keep the best epoch's weights, survive a kill.

    At the end of each epoch the run's folder gets, each file renamed into place, in this order:

    1. `checkpoint.npz`: weights, optimizer, generators of dropout, history, early stopping. What
       it says has happened; the other files can all be made again from it, and `resume` does.
    2. `best.keras`, when `val_loss` is the lowest so far.
    3. `history.csv`, one row an epoch (schema.HISTORY).
    4. `state.json`: `epoch`, `best_epoch`, `best_val_loss`, `best_sha256`, `stopped`.

    When training ends, whether by patience or by the number of epochs, the model holds the best
    epoch's weights.

    Args:
        folder: The run's folder.
        patience: Epochs in a row without a lower `val_loss` after which training stops; the first
            such epoch stops it when 0.
        scorer: The model to keep as `best.keras`, when it isn't the fitted one but shares its
            weights. It is kept without its optimizer.
        average: Where the weights to keep are, when they aren't the last ones.

    Raises:
        RunError: During training, when a loss is no longer a finite number.
    """

    def __init__(
        self,
        folder: Path,
        *,
        patience: int,
        scorer: keras.Model | None = None,
        average: WeightAverage | None = None,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.patience = max(patience, 1)
        self.scorer = scorer
        self.average = average
        self.rows: list[dict[str, float]] = []
        self._started = time.perf_counter()

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest `val_loss`, the earliest when several are equal."""
        return int(np.argmin([row["val_loss"] for row in self.rows]))

    @property
    def stopped(self) -> bool:
        """Whether patience has run out."""
        return bool(self.rows) and len(self.rows) - 1 - self.best_epoch >= self.patience

    def resume(self, model: keras.Model) -> int:
        """Put a model, and the folder, back to the end of the last finished epoch.

        Args:
            model: The model that will be fitted, compiled.

        Returns:
            The epoch to go on with: 0 when there is no checkpoint.

        Raises:
            RunError: If the checkpoint is damaged or of another model.
        """
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return 0
        self.set_model(model)
        if self.average is not None:
            self.average.attach(model)
        self.rows = load_checkpoint(path, model, self._averages)["rows"]
        self._write_what_follows()
        return len(self.rows)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the epoch's clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch, and stop when patience has run out."""
        assert logs is not None
        measures = {name: float(logs[name]) for name in _MEASURES}
        self._check_finite(epoch, measures)
        self.rows.append(
            {
                "epoch": epoch,
                **measures,
                "learning_rate": float(self.model.optimizer.learning_rate),
                "duration_s": round(time.perf_counter() - self._started, 3),
            }
        )
        state = {"rows": self.rows}
        save_checkpoint(self.folder / CHECKPOINT, self.model, state, self._averages)
        self._write_what_follows()
        if self.stopped:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put the best epoch's weights back."""
        if self.rows:
            _bare(self._scorer).load_weights(self.folder / BEST)

    def finish(self) -> None:
        """Remove the checkpoint: the run is done and won't be resumed."""
        (self.folder / CHECKPOINT).unlink(missing_ok=True)

    @property
    def _scorer(self) -> keras.Model:
        return self.scorer or self.model

    @property
    def _averages(self) -> Sequence[Any]:
        return () if self.average is None else self.average.variables

    def _save_best(self) -> None:
        if self.average is not None:
            self.average.swap()
        save_model(self._scorer, self.folder / BEST)
        if self.average is not None:
            self.average.swap()

    def _write_what_follows(self) -> None:
        best = self.best_epoch
        if best == len(self.rows) - 1:
            self._save_best()
        elif not (self.folder / BEST).is_file():
            raise RunError(
                f"A run must hold {BEST} once an epoch is finished. Received: {self.folder}, which"
                " doesn't. Restore the file, or delete the run's folder and train again."
            )
        write_table(pd.DataFrame(self.rows), self.folder / HISTORY_FILE, HISTORY)
        state = {
            "epoch": len(self.rows) - 1,
            "best_epoch": best,
            "best_val_loss": self.rows[best]["val_loss"],
            "best_sha256": sha256_file(self.folder / BEST),
            "stopped": self.stopped,
        }
        write_json(self.folder / STATE, state)

    def _check_finite(self, epoch: int, measures: dict[str, float]) -> None:
        wrong = {name: value for name, value in measures.items() if not math.isfinite(value)}
        if wrong:
            kept = f" The best epoch so far, {self.best_epoch}, is kept." if self.rows else ""
            raise RunError(
                f"Every loss must be a finite number. Received: {wrong} in epoch {epoch}."
                f" Lower the learning rate or check the images.{kept}"
            )


class EpochBoard(keras.callbacks.TensorBoard):
    """TensorBoard's scalars of each epoch and the model's graph, on disk when the epoch ends.

    Args:
        folder: Where `train/` and `validation/` are written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), write_graph=True, update_freq="epoch", profile_batch=0)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch's scalars and flush them: a kill must not lose a finished epoch."""
        super().on_epoch_end(epoch, logs)
        for writer in self._writers.values():
            writer.flush()


class EpochProgress(keras.callbacks.Callback):
    """A progress bar for each epoch, on the error stream, with rate and time left."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the epoch's bar."""
        title = f"epoch {epoch + 1}/{self.params['epochs']}"
        self._bar = tqdm(total=self.params["steps"], desc=title, unit="batch")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance by a batch."""
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the epoch's losses and leave the bar behind."""
        assert logs is not None
        self._bar.set_postfix({name: f"{logs[name]:.4f}" for name in _MEASURES})
        self._bar.close()


def save_model(model: keras.Model, path: Path) -> None:
    """Write a model as a Keras file, without its optimizer, atomically."""
    temporary = path.with_name(f".{path.stem}.tmp.keras")
    try:
        _bare(model).save(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _bare(model: keras.Model) -> keras.Model:
    return keras.Model(model.inputs, model.outputs, name=model.name)


def save_checkpoint(
    path: Path, model: keras.Model, state: dict[str, Any], others: Sequence[Any] = ()
) -> None:
    """Write all variables of a model and its optimizer, and a state, atomically.

    Args:
        path: The `.npz` file to write.
        model: A compiled model.
        state: What JSON takes.
        others: TensorFlow variables to write with them.
    """
    variables = [*_variables(model), *others]
    state = {**state, "shapes": [list(variable.shape) for variable in variables]}
    arrays = {f"v{i}": v.numpy() for i, v in enumerate(variables)}
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, state=np.array(json.dumps(state)), **arrays)


def load_checkpoint(path: Path, model: keras.Model, others: Sequence[Any] = ()) -> dict[str, Any]:
    """Assign what `save_checkpoint` wrote to a model and its optimizer.

    Returns:
        The state.

    Raises:
        RunError: If the file is damaged or the model another.
    """
    model.optimizer.build(model.trainable_variables)
    variables = [*_variables(model), *others]
    try:
        with np.load(path, allow_pickle=False) as arrays:
            state = json.loads(str(arrays["state"]))
            _check_variables(path, state.pop("shapes"), variables)
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"v{i}"])
            return state
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(
            f"A checkpoint must be what training wrote. Received: {path} ({error})."
            " Delete the run's folder and train again."
        ) from error


def _check_variables(path: Path, saved: list[list[int]], variables: list[Any]) -> None:
    wanted = [list(variable.shape) for variable in variables]
    if saved != wanted:
        raise RunError(
            f"A checkpoint must have the variables of the model that goes on.\n- {wanted}"
            f"\n+ {saved}\nin {path}. Delete the run's folder and train again."
        )


def _variables(model: keras.Model) -> list[Any]:
    return [v.value for v in [*model.variables, *model.optimizer.variables]]
