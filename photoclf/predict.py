"""Files → predictions at the speed of decoding, with an exported model and without TensorFlow."""

import functools
import math
import os
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from photoclf.decode import DECODER_VERSION, MAX_MEMORY, MAX_SECONDS, DecodeError
from photoclf.errors import RunError
from photoclf.exported import ExportedModel
from photoclf.file_list import Source, list_into
from photoclf.listing import why_ignored
from photoclf.prediction_file import PredictionWriter, Row, read_checkpoints
from photoclf.prediction_note import finished_counts
from photoclf.prediction_places import claimed, room_needed
from photoclf.prediction_table import check_format, is_parquet, read_predictions, to_parquet
from photoclf.run_folder import RunFolder
from photoclf.run_names import open_run
from photoclf.scorer import score_file
from photoclf.spool import Spool
from photoclf.workers import Lost, isolated_map

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Predicted:
    """What predicting came to.

    Args:
        out: The predictions.
        counts: Files by decision, and those without one by status; they add up to all files.
        kept: Files that an earlier, interrupted prediction had done; all when it was whole.
    """

    out: Path
    counts: Mapping[str, int]
    kept: int

    def summary(self) -> dict[str, Any]:
        """Tell `files`, those without a score by status, and shares of those with one."""
        decided = {name: self.counts.get(name, 0) for name in ("photo", "other", "review")}
        scored = sum(decided.values())
        without = ("unreadable", "not_an_image", "ignored")
        return {
            "files": sum(self.counts.values()),
            "kept": self.kept,
            **decided,
            **{name: self.counts.get(name, 0) for name in without},
            **{f"{name}_share": decided[name] / max(scored, 1) for name in ("photo", "review")},
        }


def predict_folder(
    folder: Path,
    run: RunFolder | Path | str,
    *,
    out: Path | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> "pd.DataFrame":
    """Predict every file below a folder.

    Args:
        folder: A folder of images, with or without class folders. Nothing in it is changed.
        run: The run whose exported model predicts, its folder, or `release` for the one that comes
            with the project.
        out: Where to write the predictions, see `predict_files`; nowhere by default.
        workers: See `predict_files`.
        progress: Whether to show a progress bar.

    Returns:
        A `schema.PREDICTIONS` frame sorted by pathname, one row a file: `score` is P(photo), 0 to
        1; `decision` is `photo`, `other`, or `review` where the run's review band leaves it to a
        person. Files without a score have no decision, and a status and reason that say why.

    Raises:
        ArchiveError: If the folder is missing or holds no file.
        RunError: If the run's model can't be used.
        InTheWayError: If `out` is there and isn't what would be written.
    """
    run, source = open_run(run), Source(Path(folder))
    if out is not None:
        predict_files(source, run, out, workers=workers, progress=progress)
        return read_predictions(out)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "predictions.csv"
        predict_files(source, run, out, workers=workers, progress=progress)
        return read_predictions(out)


def predict_files(
    source: Source,
    run: RunFolder,
    out: Path,
    *,
    workers: int | None = None,
    anew: bool = False,
    progress: bool = False,
) -> Predicted:
    """Predict files and write one row each, as they come; memory stays flat in their number.

    Killed at any time and called again, it goes on where it was and ends with the same bytes. Each
    image is decoded and scored alone, in a process that may be lost to it, so that a score depends
    neither on its neighbours nor on the number of processes. The files are listed first; one that
    vanishes meanwhile has a row that says so. Beside `out` lies a note on what it was made with.

    Args:
        source: What is predicted.
        run: The run whose exported model predicts.
        out: `;`-separated UTF-8, or Parquet when it ends in `.parquet`.
        workers: Processes that decode and score; one a processor core by default. 0 does it here,
            unprotected.
        anew: Whether other predictions that are there, and what was begun, make way; never what
            somebody has changed since, or another file.
        progress: Whether to show a progress bar.

    Returns:
        What it came to. Predictions that are whole and would come out the same are left as they
        are.

    Raises:
        ArchiveError: If the folder is missing or nothing is there to predict.
        RunError: If the run's model can't be used.
        InTheWayError: If `out` is there and isn't what would be written.
        PredictionError: If another process is writing it, or its disk is full.
        ConfigError: If Parquet is wanted and pyarrow isn't installed.
    """
    check_format(out)
    model = ExportedModel.of(run)
    facts = made_with(run, model)
    with claimed(out) as places, Spool(places.out.parent) as listed:
        begun = read_checkpoints(places, facts, anew=anew)
        points, listing = list_into(listed, source, begun, progress)
        if os.path.lexists(places.out):
            counts = finished_counts(places, facts, listing, anew=anew)
            if counts is not None:
                return Predicted(places.out, counts, sum(counts.values()))
        with closing(PredictionWriter(places, facts, points)) as writer:
            _write_rows(writer, listed, source, model, points[-1].rows, workers, progress)
            whole = places.partial
            if is_parquet(out):
                with room_needed(out):
                    whole = to_parquet(places.partial, places.converted)
            return Predicted(places.out, writer.finish(whole, anew=anew), points[-1].rows)


def _write_rows(
    writer: PredictionWriter,
    listed: Spool,
    source: Source,
    model: ExportedModel,
    done: int,
    workers: int | None,
    progress: bool,
) -> None:
    for facts in islice(listed, done):
        writer.pass_over(facts)
    root = os.path.join(source.folder, "")  # `Path` would keep the parts of every name
    paths = (
        root + name
        for name, _, _, problem in islice(listed, done, None)
        if not _why_not(name, problem)
    )
    score = functools.partial(score_file, model=model)
    scores = isolated_map(score, paths, workers=workers, seconds=MAX_SECONDS, memory=MAX_MEMORY)
    bar = tqdm(total=len(listed), initial=done, desc="predict", unit="image", disable=not progress)
    with closing(scores), bar:
        for facts in islice(listed, done, None):
            name, _, _, problem = facts
            why_not = _why_not(name, problem)
            row = (name, None, "", *why_not) if why_not else _row(name, next(scores), model)
            writer.write(facts, row)
            bar.update()
    writer.checkpoint()


def _why_not(name: str, problem: str) -> tuple[str, str] | None:
    """Tell status and reason of a file that isn't read."""
    if problem:
        status = {"special_file": "not_an_image", "link_to_folder": "ignored", "folder": "ignored"}
        return status.get(problem, "unreadable"), problem
    ignored = why_ignored(name)
    return ("ignored", ignored) if ignored == "system_file" else None


def _row(name: str, result: float | DecodeError | Lost, model: ExportedModel) -> Row:
    if isinstance(result, float):
        if not math.isfinite(result):
            raise RunError(
                f"A model must give a score. Received: {result} of {name!r} by {model.path}. Train"
                " it again with a lower learning rate."
            )
        return name, result, str(model.band.triage(result)), "used", ""
    status = "not_an_image" if result.reason == "not_an_image" else "unreadable"
    return name, None, "", status, result.reason


def made_with(run: RunFolder, model: ExportedModel) -> dict[str, Any]:
    """Tell all that the rows depend on, but for the files."""
    return {
        "run_id": run.run_id,
        "model_sha256": model.sha256,
        "image_size": model.image_size,
        "fit": model.fit,
        "decoder_version": DECODER_VERSION,
        "temperature": model.temperature,
        "threshold": model.threshold,
        "review_low": model.band.low,
        "review_high": model.band.high,
    }
