"""One run: a folder that explains itself, written in an order that survives being killed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.config import RunConfig
from photoclf.errors import ConfigError, RunError
from photoclf.files import sha256_file, write_json, write_text
from photoclf.run_folder import RELEASE, RunFolder
from photoclf.schema import HISTORY, VAL_SCORES
from photoclf.tables import read_table, write_table

# What a run must hold before it may be called done, and what `done` vouches for.
PARTS = ("config.json", "provenance.json", "history.csv", "model.json")
HASHED = ("best.keras", "model.json", "model.tflite", "val_scores.csv")
# What is in the place of that in a release: its figures, and which images it was trained on.
TRAINED_ON, HEAD = "trained_on.txt", "head.npz"
TRAINED_ON_DIGITS = 16  # of each image's SHA-256
HASHED_OF_RELEASE = ("model.json", "model.tflite", RELEASE, TRAINED_ON, HEAD)


@dataclass(frozen=True)
class Run(RunFolder):
    """One run's folder, with its choices, history and scores.

    Args:
        folder: `models/<run_id>/`.
    """

    @property
    def config(self) -> RunConfig:
        """The run's choices, with the model's own defaults filled in.

        Raises:
            ConfigError: If it is spoilt, or was written by a version with other parameters.
        """
        try:
            return RunConfig.from_json(self.need("config.json").read_text(encoding="utf-8"))
        except ConfigError as error:
            raise ConfigError(
                f"config.json of the run {self.run_id} must be one of this version. Received:"
                f" {error} Delete {self.folder} and train again, or compare named runs without it."
            ) from error

    @property
    def provenance(self) -> dict[str, Any]:
        """What `collect_provenance` found when the run started."""
        return self.read_object("provenance.json")

    @property
    def history(self) -> pd.DataFrame:
        """One row an epoch (schema.HISTORY), `epoch` counted from 0."""
        return read_table(self.need("history.csv"), HISTORY)

    @property
    def state(self) -> dict[str, Any]:
        """What training needs to go on; empty before the first epoch ends."""
        return self.read("state.json") if (self.folder / "state.json").is_file() else {}

    @property
    def hashed(self) -> tuple[str, ...]:
        """The files that `done` vouches for."""
        return HASHED_OF_RELEASE if self.is_release else HASHED

    @property
    def whole(self) -> bool:
        """Whether a finished run still holds what it finished with; their hashes aren't read."""
        files = [self.folder / name for name in (*PARTS, *self.hashed)]
        return self.done and all(path.is_file() and path.stat().st_size for path in files)

    @property
    def best_epoch(self) -> pd.Series:
        """The history's row with the lowest `val_loss`, the earliest when several are equal."""
        history = self.history
        if history["val_loss"].isna().all():
            raise RunError(
                f"A run must have an epoch whose val_loss is a number. Received: {self.run_id} with"
                f" {len(history)} epochs and none. Lower the learning rate, or train it again."
            )
        return history.iloc[int(history["val_loss"].argmin())]

    @property
    def val_scores(self) -> pd.DataFrame:
        """The exported model's score of each validation image (schema.VAL_SCORES).

        Raises:
            RunError: If the file isn't the one that the run finished with.
        """
        self.check_hash("val_scores.csv")
        return read_table(self.folder / "val_scores.csv", VAL_SCORES)

    @property
    def cost(self) -> dict[str, float]:
        """What the run costs: `flops` an image, `parameters`, `duration_s` of its training."""
        facts = self.read_object("model.json", "flops", "parameters")
        return {
            "flops": facts["flops"],
            "parameters": facts["parameters"],
            "duration_s": float(self.history["duration_s"].sum()),
        }

    @property
    def best_model(self) -> Path:
        """The Keras model of the best epoch."""
        return self.folder / "best.keras"

    @property
    def logs(self) -> Path:
        """TensorBoard's folder."""
        return self.folder / "logs"


def create_run(models: Path, config: RunConfig, provenance: dict[str, Any]) -> Run:
    """Make a run's folder and write what explains it, before anything can go wrong.

    Args:
        models: The workspace's `models/`; made if missing.
        config: The run's choices; written with the model's defaults filled in, so that the run
            stays what it was when a default changes.
        provenance: From `collect_provenance`.

    Returns:
        The new run. Its name ends in `-2`, `-3`… when the same second made the same choices.
    """
    name = f"{datetime.now():%Y%m%d-%H%M%S}_{config.model}_{config.hash8}"
    models.mkdir(parents=True, exist_ok=True)
    folder = _make_folder(models, name)
    write_text(folder / "config.json", config.resolved().to_json())
    write_json(folder / "provenance.json", provenance)
    return Run(folder)


def finish_run(run: Run) -> None:
    """Write `done`, with the hashes of the run's models and validation scores.

    Raises:
        RunError: If a file that a finished run must hold is missing.
    """
    for name in PARTS:
        run.need(name)
    hashes = {name: sha256_file(run.need(name)) for name in run.hashed}
    write_json(run.folder / "done", {"finished_at": now(), "sha256": hashes})


def verify_run(run: Run) -> None:
    """Check that a run is finished, whole, and its models are those that it finished with.

    Raises:
        RunError: If it isn't finished, a part is missing, or a model or its scores changed since.
    """
    if not run.done:
        raise RunError(
            f"The run must be finished. Received: {run.run_id}, which has no `done`."
            " Train it to its end with the same parameters, which resumes it."
        )
    for name in PARTS:
        run.need(name)
    for name in run.hashed:
        run.check_hash(name)


def write_val_scores(run: Run, images: pd.DataFrame, scores: np.ndarray) -> None:
    """Write what the exported model scores the validation images, for comparing runs on them.

    Args:
        run: A run with an exported model.
        images: The split's rows of the val side, `pathname`, `label` and `group` among them.
        scores: P(photo) of each, float32 (n,).
    """
    # Nine digits tell every float32 from its neighbours.
    rounded = [float(f"{score:.9g}") for score in scores]
    rows = images[["pathname", "label", "group"]].assign(score=rounded)
    write_table(rows, run.folder / "val_scores.csv", VAL_SCORES)


def _make_folder(models: Path, name: str, number: int = 1) -> Path:
    folder = models / (name if number == 1 else f"{name}-{number}")
    try:
        folder.mkdir()
    except FileExistsError:  # made by another process, maybe: only making it tells
        return _make_folder(models, name, number + 1)
    return folder


def now() -> str:
    """Return the present time in UTC, to the second, as ISO 8601 text."""
    return datetime.now(UTC).isoformat(timespec="seconds")
