"""An exported model as it stands in a run's folder, checked, with what it decides by."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoclf.band import Band
from photoclf.decode import DECODER_VERSION
from photoclf.errors import RunError
from photoclf.files import sha256_file
from photoclf.run_folder import RunFolder


@dataclass(frozen=True)
class ExportedModel:
    """What scoring and deciding need to know of an exported model.

    Args:
        path: The `model.tflite`.
        sha256: What its bytes must hash to.
        image_size: Side of the square that the model sees, in px.
        fit: How images fill it, see `decode.decode_image`.
        temperature: What the model's log-odds are divided by, see `calibration`.
        threshold: Score from which an image is called a photograph, 0 to 1.
        band: Scores between which a person decides, see `Band`; without one both ends are the
            threshold.
    """

    path: Path
    sha256: str
    image_size: int
    fit: str
    temperature: float
    threshold: float
    band: Band

    @classmethod
    def of(cls, run: RunFolder, *, as_trained: bool = False) -> "ExportedModel":
        """Find a run's exported model, checked against its recorded hash.

        Args:
            run: A run that was exported, or the release.
            as_trained: Whether to leave out what came after training: threshold and temperature
                that evaluation chose, or that the release brings. They are 0.5 and 1 then, as they
                are before evaluation.

        Raises:
            RunError: If the model is missing, isn't the one that was recorded, or was trained on
                pixels of another decoder version.
        """
        facts = _checked_facts(run)
        threshold, temperature, band = (0.5, 1.0, None) if as_trained else chosen(run)
        return cls(
            path=run.exported_model,
            sha256=facts["sha256"],
            image_size=facts["image_size"],
            fit=facts["fit"],
            temperature=temperature,
            threshold=threshold,
            band=band or Band(threshold, threshold),
        )


def chosen(run: RunFolder) -> tuple[float, float, Band | None]:
    """Return threshold, temperature and review band: the evaluation's, else the release's own.

    An evaluation on too few images to prove anything leaves the release its own band.

    Raises:
        RunError: If the evaluation's or the release's file isn't what it was written as.
    """
    release = run.release or {"threshold": 0.5, "temperature": 1.0}  # checked in any case
    own = release.get("review")
    own_band = Band(own["low"], own["high"]) if own else None
    if not run.is_evaluated:
        return release["threshold"], release["temperature"], own_band
    try:
        found = run.read_object("eval/metrics.json", "threshold", "temperature", "review")
        point, by = found["review"]["point"], found["review"].get("by")
        as_released = found["threshold"] == release["threshold"]
        proved = Band(point["low"], point["high"])
        band = own_band if by == "nothing" and as_released and own_band else proved
        return float(found["threshold"]), float(found["temperature"]), band
    except (RunError, TypeError, ValueError, LookupError) as error:
        raise RunError(
            f"eval/metrics.json of {run.run_id} must hold threshold, temperature and review band."
            " Received: another content, or an earlier version's. Evaluate it again: photoclf"
            f" evaluate --run {run.run_id}."
        ) from error


def _checked_facts(run: RunFolder) -> dict[str, Any]:
    if not run.folder.is_dir():
        raise RunError(
            f"A run's folder must exist. Received: {run.folder}, which doesn't. Give the folder of"
            " a run, such as models/20260101-120000_compact_cnn_0123abcd, or `release`."
        )
    facts_path = run.folder / "model.json"
    if not run.exported_model.is_file() or not facts_path.is_file():
        raise RunError(
            f"A run must have an exported model to predict. Received: {run.run_id} without"
            " model.tflite and model.json. Train it to its end, or when it has a `done`, delete the"
            f" folder {run.folder} and train again."
        )
    facts = run.read_object("model.json", "image_size", "fit", "decoder_version", "sha256")
    # What a run finished with stands above a note that may have been changed with the file.
    if run.done:
        run.check_hash("model.json")
    expected = run.finished_with.get("model.tflite", facts["sha256"])
    received = sha256_file(run.exported_model)
    if received != expected:
        raise RunError(
            f"The exported model of {run.run_id} must be the file that was recorded.\n"
            f"- {expected}\n+ {received}\nRestore it, or delete {run.folder} and train again."
        )
    if facts["decoder_version"] != DECODER_VERSION:
        raise RunError(
            f"A model must see the pixels it was trained on. Received: {run.run_id}, trained with"
            f" decoder version {facts['decoder_version']}; this is {DECODER_VERSION}. Train again."
        )
    return facts | {"sha256": expected}
