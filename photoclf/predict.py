"""Folder → predictions, with an exported model and without TensorFlow."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from photoclf.decode import (
    DECODER_VERSION,
    MAX_MEMORY,
    MAX_SECONDS,
    DecodeError,
    decode_or_error,
)
from photoclf.errors import ArchiveError, RunError
from photoclf.files import sha256_file
from photoclf.manifest import list_files, why_ignored
from photoclf.quiet import quiet_stderr
from photoclf.runs import Run
from photoclf.schema import PREDICTIONS, check_table, write_table
from photoclf.workers import Lost, isolated_map

BATCH_SIZE = 32


@dataclass(frozen=True)
class Classifier:
    """An exported model, ready to score images.

    Args:
        image_size: Side of the square that the model sees, in px.
        fit: How images fill it, see `decode.decode_image`.
        threshold: Score from which an image is called a photograph, 0 to 1.
        interpreter: The loaded LiteRT interpreter.

    Example:
        >>> classifier = Classifier.load(run)                            # doctest: +SKIP
        >>> classifier.scores(np.zeros((1, 128, 128, 3), np.uint8)).shape  # doctest: +SKIP
        (1,)
    """

    image_size: int
    fit: str
    threshold: float
    interpreter: Any

    @classmethod
    def load(
        cls, run: Run, *, threshold: float | None = None, threads: int | None = None
    ) -> "Classifier":
        """Load a run's exported model, checked against its recorded hash.

        Args:
            run: A run that was exported.
            threshold: Score from which an image is called a photograph; what evaluation chose by
                default, else 0.5.
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
        if threshold is None:
            threshold = _chosen_threshold(run)
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
        return np.concatenate(batches) if batches else np.empty(0, np.float32)

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


def predict_folder(
    folder: Path,
    run: Run,
    *,
    out: Path | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Predict every file below a folder.

    Args:
        folder: A folder of images, with or without class folders. Nothing in it is changed.
        run: The run whose exported model predicts.
        out: Where to write the predictions; nowhere by default.
        workers: Decoding processes, see `workers.isolated_map`; one a processor core by default.
        progress: Whether to show a progress bar.

    Returns:
        A `schema.PREDICTIONS` frame sorted by pathname, one row a file. Files without a score have
        no decision, and a status and reason that say why.

    Raises:
        ArchiveError: If the folder is missing or holds no file.
        RunError: If the run's model can't be used.
    """
    if not folder.is_dir():
        raise ArchiveError(f"What is predicted must be a folder. Received: {folder}.")
    files = list_files(folder)
    if files.empty:
        raise ArchiveError(f"What is predicted must hold files. Received: {folder}, empty.")
    classifier = Classifier.load(run)
    statuses = [_status(*row) for row in files[["pathname", "problem"]].itertuples(index=False)]
    rows = [
        {"pathname": name, "score": np.nan, "decision": "", "status": status, "reason": reason}
        for name, (status, reason) in zip(files.pathname, statuses, strict=True)
    ]
    todo = [row for row in rows if row["status"] == "used"]
    with tqdm(total=len(todo), desc="predict", unit="image", disable=not progress) as bar:
        for batch, results in _decoded_batches(folder, todo, classifier, workers):
            _score_rows(classifier, batch, results)
            bar.update(len(batch))
    predictions = check_table(pd.DataFrame(rows), PREDICTIONS)
    if out is not None:
        write_table(predictions, out, PREDICTIONS)
    return predictions


def summarise(predictions: pd.DataFrame) -> dict[str, int]:
    """Count predictions by decision, and the files without one by status."""
    what = predictions.decision.where(predictions.decision != "", predictions.status)
    return dict(sorted(Counter(what).items()))


def _chosen_threshold(run: Run) -> float:
    if not (run.eval_folder / "metrics.json").is_file():
        return 0.5
    try:
        return float(run.read_object("eval/metrics.json", "threshold")["threshold"])
    except (RunError, TypeError, ValueError) as error:
        raise RunError(
            f"eval/metrics.json of {run.run_id} must hold the threshold. Received: another"
            f" content. Evaluate it again: photoclf evaluate --run {run.run_id}."
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


def _status(pathname: str, problem: str) -> tuple[str, str]:
    if problem:
        status = {"special_file": "not_an_image", "link_to_folder": "ignored"}
        return status.get(problem, "unreadable"), problem
    ignored = why_ignored(pathname)
    return ("ignored", ignored) if ignored == "system_file" else ("used", "")


def _decoded_batches(
    folder: Path, rows: list[dict[str, Any]], classifier: Classifier, workers: int | None
) -> Iterator[tuple[list[dict[str, Any]], list[np.ndarray | DecodeError | Lost]]]:
    results = isolated_map(
        partial(decode_or_error, image_size=classifier.image_size, fit=classifier.fit),
        (folder / row["pathname"] for row in rows),
        workers=workers,
        seconds=MAX_SECONDS,
        memory=MAX_MEMORY,
    )
    with closing(results):
        for start in range(0, len(rows), BATCH_SIZE):
            batch = rows[start : start + BATCH_SIZE]
            yield batch, list(islice(results, len(batch)))


def _score_rows(
    classifier: Classifier,
    batch: list[dict[str, Any]],
    results: list[np.ndarray | DecodeError | Lost],
) -> None:
    good = [i for i, result in enumerate(results) if isinstance(result, np.ndarray)]
    scores = classifier.scores(np.array([results[i] for i in good])) if good else np.empty(0)
    for i, score in zip(good, scores, strict=True):
        decision = "photo" if score >= classifier.threshold else "other"
        batch[i] |= {"score": float(score), "decision": decision}
    for row, result in zip(batch, results, strict=True):
        if not isinstance(result, np.ndarray):
            status = "not_an_image" if result.reason == "not_an_image" else "unreadable"
            row |= {"status": status, "reason": result.reason}
