"""Folder → predictions, with an exported model and without TensorFlow."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from photoclf.classifier import BATCH_SIZE, Classifier
from photoclf.decode import DecodeError, decode_images
from photoclf.errors import ArchiveError
from photoclf.manifest import list_files, why_ignored
from photoclf.runs import Run
from photoclf.schema import PREDICTIONS, check_table
from photoclf.tables import write_table
from photoclf.workers import Lost


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
        A `schema.PREDICTIONS` frame sorted by pathname, one row a file: `decision` at the single
        threshold, and `triage`, which is `review` where the run's review band leaves it to a
        person. Files without a score have neither, and a status and reason that say why.

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
        {
            "pathname": name,
            "score": np.nan,
            "decision": "",
            "triage": "",
            "status": status,
            "reason": reason,
        }
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


def _status(pathname: str, problem: str) -> tuple[str, str]:
    if problem:
        status = {"special_file": "not_an_image", "link_to_folder": "ignored"}
        return status.get(problem, "unreadable"), problem
    ignored = why_ignored(pathname)
    return ("ignored", ignored) if ignored == "system_file" else ("used", "")


def _decoded_batches(
    folder: Path, rows: list[dict[str, Any]], classifier: Classifier, workers: int | None
) -> Iterator[tuple[list[dict[str, Any]], list[np.ndarray | DecodeError | Lost]]]:
    paths = (folder / row["pathname"] for row in rows)
    results = decode_images(paths, classifier.image_size, classifier.fit, workers=workers)
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
    ends = classifier.band.triage(scores)
    for i, score, triage in zip(good, scores, ends, strict=True):
        decision = "photo" if score >= classifier.threshold else "other"
        batch[i] |= {"score": float(score), "decision": decision, "triage": str(triage)}
    for row, result in zip(batch, results, strict=True):
        if not isinstance(result, np.ndarray):
            status = "not_an_image" if result.reason == "not_an_image" else "unreadable"
            row |= {"status": status, "reason": result.reason}
