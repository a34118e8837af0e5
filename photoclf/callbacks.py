"""What happens at the end of each epoch: stop at the minimum, keep the best, survive a kill."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from photoclf.averaging import WeightAverage
from photoclf.backend import keras
from photoclf.checkpoints import load_checkpoint, save_checkpoint, save_model, without_optimizer
from photoclf.errors import RunError
from photoclf.files import sha256_file, write_json
from photoclf.schema import HISTORY
from photoclf.tables import write_table

BEST, HISTORY_FILE, STATE, CHECKPOINT = "best.keras", "history.csv", "state.json", "checkpoint.npz"
_MEASURES = ("loss", "accuracy", "val_loss", "val_accuracy")


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
            without_optimizer(self._scorer).load_weights(self.folder / BEST)

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
