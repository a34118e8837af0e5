"""One run: a folder that explains itself, written in an order that survives being killed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.config import RunConfig
from photoclf.errors import ConfigError, RunError
from photoclf.files import read_json, sha256_file, write_json, write_text
from photoclf.schema import HISTORY, VAL_SCORES
from photoclf.tables import read_table, write_table

# What a run must hold before it may be called done, and what `done` vouches for.
PARTS = ("config.json", "provenance.json", "history.csv", "model.json")
HASHED = ("best.keras", "model.tflite", "val_scores.csv")
# What is in the place of that in a release: its figures, and which images it was trained on.
RELEASE, TRAINED_ON, HEAD = "release.json", "trained_on.txt", "head.npz"
TRAINED_ON_DIGITS = 16  # of each image's SHA-256
HASHED_OF_RELEASE = ("model.tflite", RELEASE, TRAINED_ON, HEAD)


@dataclass(frozen=True)
class Run:
    """One run's folder. Every property reads its file when asked, so a growing run can be watched.

    Args:
        folder: `models/<run_id>/`.
    """

    folder: Path

    @property
    def run_id(self) -> str:
        """`YYYYMMDD-HHMMSS_<model>_<hash8>`, the folder's name."""
        return self.folder.name

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
    def done(self) -> bool:
        """Whether the run came to its end: `done` is written last."""
        return (self.folder / "done").is_file()

    @property
    def release(self) -> dict[str, Any] | None:
        """What a release decides by and what is known of it; `None` of any other run.

        Raises:
            RunError: If it isn't what the release was made with.
        """
        if not self.is_release:
            return None
        self.check_hash(RELEASE)
        return self.read_object(RELEASE, "threshold", "temperature", "threshold_rule")

    @property
    def is_release(self) -> bool:
        """Whether this is a release: what it finished with tells, else what is there."""
        if not self.done:
            return (self.folder / RELEASE).is_file()
        hashes = self.read_object("done", "sha256")["sha256"]
        return isinstance(hashes, dict) and RELEASE in hashes

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
    def exported_model(self) -> Path:
        """The same model for predicting without TensorFlow."""
        return self.folder / "model.tflite"

    @property
    def logs(self) -> Path:
        """TensorBoard's folder."""
        return self.folder / "logs"

    @property
    def eval_folder(self) -> Path:
        """Where evaluation writes its numbers."""
        return self.folder / "eval"

    @property
    def is_evaluated(self) -> bool:
        """Whether evaluation has left its figures."""
        return (self.eval_folder / "metrics.json").is_file()

    def need(self, name: str) -> Path:
        """Return the path of a file in the folder.

        Raises:
            RunError: If it isn't there; the error tells what is.
        """
        path = self.folder / name
        if not path.is_file():
            raise RunError(
                f"The run {self.run_id} must hold {name}. Received: {_what_is_in(self.folder)}."
                " Restore the file, or delete the folder and train again."
            )
        return path

    def read(self, name: str) -> Any:
        """Read a JSON file of the folder.

        Raises:
            RunError: If it is missing or isn't JSON.
        """
        path = self.need(name)
        try:
            return read_json(path)
        except ValueError as error:
            raise RunError(
                f"{name} of the run {self.run_id} must be JSON. Received: {error}."
                f" Restore the file, or delete {self.folder} and train again."
            ) from error

    def read_object(self, name: str, *keys: str) -> dict[str, Any]:
        """Read a JSON object of the folder that has some keys.

        Raises:
            RunError: If it is missing, isn't a JSON object, or lacks a key.
        """
        content = self.read(name)
        if not isinstance(content, dict) or not set(keys) <= set(content):
            raise RunError(
                f"{name} of the run {self.run_id} must be a JSON object"
                f" with {', '.join(keys) or 'its values'}. Received: {str(content)[:60]!r}."
                f" Restore the file, or delete {self.folder} and train again."
            )
        return content

    def check_hash(self, name: str) -> None:
        """Check that a file is the one that the run finished with.

        Raises:
            RunError: If it is missing or another one.
        """
        hashes = self.read_object("done", "sha256")["sha256"]
        known = hashes if isinstance(hashes, dict) else {}
        expected, received = known.get(name), sha256_file(self.need(name))
        if received != expected:
            raise RunError(
                f"{name} of the run {self.run_id} must be the file that the run finished with.\n"
                f"- {expected}\n+ {received}\nRestore it, or delete {self.folder} and train again."
            )


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


def _what_is_in(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    names = sorted(p.name for p in folder.iterdir())
    return f"a folder with {', '.join(names)}" if names else "an empty folder"
