"""An exported model, ready to score images without TensorFlow."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from photoclf.cache import PixelCache
from photoclf.calibration import tempered
from photoclf.decode import DECODER_VERSION
from photoclf.errors import RunError
from photoclf.files import sha256_file
from photoclf.quiet import quiet_stderr
from photoclf.run import Run
from photoclf.triage import Band

BATCH_SIZE = 32
# Cached images taken into memory at once: 120 MB at the reference's 400 px.
_CHUNK = 256


@dataclass(frozen=True)
class Classifier:
    """An exported model, ready to score images.

    Args:
        image_size: Side of the square that the model sees, in px.
        fit: How images fill it, see `decode.decode_image`.
        threshold: Score from which an image is called a photograph, 0 to 1.
        band: Scores between which a person decides, see `triage`; without an evaluation both ends
            are the threshold.
        temperature: What the model's log-odds are divided by, see `calibration`.
        interpreter: The loaded LiteRT interpreter.

    Example:
        >>> classifier = Classifier.load(run)                            # doctest: +SKIP
        >>> classifier.scores(np.zeros((1, 128, 128, 3), np.uint8)).shape  # doctest: +SKIP
        (1,)
    """

    image_size: int
    fit: str
    threshold: float
    band: Band
    temperature: float
    interpreter: Any

    @classmethod
    def load(
        cls, run: Run, *, as_trained: bool = False, threads: int | None = None
    ) -> "Classifier":
        """Load a run's exported model, checked against its recorded hash.

        Args:
            run: A run that was exported, or the release.
            as_trained: Whether to leave out what came after training: threshold and temperature
                that evaluation chose, or that the release brings. They are 0.5 and 1 then, as they
                are before evaluation.
            threads: Processor threads for inference; all by default.

        Returns:
            The classifier.

        Raises:
            RunError: If the model is missing, isn't the one that was recorded, or was trained on
                pixels of another decoder version.
        """
        # Here and not at the top: only those who score pay for loading it.
        from ai_edge_litert.interpreter import Interpreter

        facts = _checked_facts(run)
        threshold, temperature, band = (0.5, 1.0, None) if as_trained else _chosen(run)
        with quiet_stderr():  # it announces its delegate each time
            interpreter = Interpreter(
                model_content=run.exported_model.read_bytes(),
                num_threads=threads or os.cpu_count(),
            )
            interpreter.allocate_tensors()
        return cls(
            image_size=facts["image_size"],
            fit=facts["fit"],
            threshold=threshold,
            band=band or Band(threshold, threshold),
            temperature=temperature,
            interpreter=interpreter,
        )

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """Score images.

        Args:
            pixels: uint8 RGB (n, image_size, image_size, 3), as `decode_image` returns them.

        Returns:
            P(photo), float32 (n,), in [0, 1].
        """
        batches = [
            self._score_batch(pixels[start : start + BATCH_SIZE])
            for start in range(0, len(pixels), BATCH_SIZE)
        ]
        scores = np.concatenate(batches) if batches else np.empty(0, np.float32)
        return tempered(scores, self.temperature)

    def _score_batch(self, pixels: np.ndarray) -> np.ndarray:
        facts = self.interpreter.get_input_details()[0]
        if tuple(facts["shape"]) != pixels.shape:
            self.interpreter.resize_tensor_input(facts["index"], pixels.shape)
            self.interpreter.allocate_tensors()
            facts = self.interpreter.get_input_details()[0]
        self.interpreter.set_tensor(facts["index"], pixels.astype(facts["dtype"]))
        self.interpreter.invoke()
        output = self.interpreter.get_output_details()[0]["index"]
        return self.interpreter.get_tensor(output).reshape(len(pixels)).astype(np.float32)


def score_cached(
    classifier: Classifier, cache: PixelCache, pathnames: Sequence[str] | pd.Series
) -> np.ndarray:
    """Score images of a pixel cache, a few hundred in memory at once.

    Returns:
        P(photo), float32, one a pathname.
    """
    rows = cache.rows(pathnames)
    chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    scores = [classifier.scores(cache.pixels[chunk]) for chunk in chunks]
    return np.concatenate(scores) if scores else np.empty(0, np.float32)


def _chosen(run: Run) -> tuple[float, float, Band | None]:
    """Return threshold, temperature and review band: the evaluation's, else the release's own."""
    release = run.release or {"threshold": 0.5, "temperature": 1.0}  # checked in any case
    if not run.is_evaluated:
        return release["threshold"], release["temperature"], None
    try:
        chosen = run.read_object("eval/metrics.json", "threshold", "temperature", "review")
        band = Band(chosen["review"]["point"]["low"], chosen["review"]["point"]["high"])
        return float(chosen["threshold"]), float(chosen["temperature"]), band
    except (RunError, TypeError, ValueError, LookupError) as error:
        raise RunError(
            f"eval/metrics.json of {run.run_id} must hold threshold, temperature and review band."
            " Received: another content, or an earlier version's. Evaluate it again: photoclf"
            f" evaluate --run {run.run_id}."
        ) from error


def _checked_facts(run: Run) -> dict[str, Any]:
    facts_path = run.folder / "model.json"
    if not run.exported_model.is_file() or not facts_path.is_file():
        raise RunError(
            f"A run must have an exported model to predict. Received: {run.run_id} without"
            " model.tflite and model.json. Train it to its end, or when it has a `done`, delete the"
            f" folder {run.folder} and train again."
        )
    facts = run.read_object("model.json", "image_size", "fit", "decoder_version", "sha256")
    # What a run finished with stands above a note that may have been changed with the file.
    done = run.read_object("done", "sha256")["sha256"] if run.done else {}
    expected, received = done.get("model.tflite", facts["sha256"]), sha256_file(run.exported_model)
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
    return facts
