"""The order in which people look at images: a queue for labelling."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

from photoclf.errors import TableError, check_one_of, check_whole
from photoclf.label_journal import SOURCES
from photoclf.paths import Workspace, resolve_archive
from photoclf.queue_files import QueueFiles, audited_files, listed_files, predicted_files
from photoclf.runs import list_runs, load_run, read_choice
from photoclf.schema import AUDIT, QUEUE, SUSPECTS, check_table
from photoclf.shipped import NAME as RELEASE
from photoclf.tables import read_table
from photoclf.unlabelled import folder_novelty, reference_images

# Scores are float32: nearer to 0 or 1 there is nothing left to tell apart.
_LEAST_SCORE = 1e-7


def make_queue(
    workspace: Workspace,
    *,
    by: str,
    images: int = 10_000,
    seed: int = 42,
    predictions: Path | None = None,
) -> pd.DataFrame:
    """Queue the images of a workspace for people to label.

    Of files with equal bytes one is queued, where an audit knows the bytes. What people have
    labelled already stays in the queue: who labels decides what to see again.

    Args:
        workspace: Holds the tables that the queue is made of.
        by: `uncertainty`: what the model left to a person first, then what is nearest in log-odds
            to where `photo` and `other` part. `random`: a sample without replacement of all
            readable files, for an estimate that no model biases; a longer queue of one seed begins
            with the shorter one. `suspects`: what `photoclf check` wrote, the most suspect first.
            `drift`: what looks least like the images that the run was trained on, see
            `unlabelled.folder_novelty`. `unlabelled`: every file without a label that may be an
            image, from each folder in turn.
        images: How many at most, 1 or more.
        seed: Of what is drawn, 0 or more.
        predictions: A predictions table, whose files are queued; by default that of the chosen run,
            or of the release while none is chosen, where there is one. Pathnames are relative to
            the folder that was predicted.

    Returns:
        A `schema.QUEUE` frame in the order in which to look; `score` is NaN where there is none,
        `source` is `by`.

    Raises:
        ConfigError: If `by` is unknown, or a number is out of its range.
        TableError: If a table that the queue is made of is missing; the error says what makes it.
    """
    check_one_of("by", by, SOURCES)
    check_whole("images", images, 1, 2**31)
    check_whole("seed", seed, 0, 2**32)
    predicted = predictions or _predictions_of(workspace)
    if by == "suspects":
        rows = _suspects(workspace)
    elif by == "drift":
        rows = _strangers(workspace, predicted)
    else:
        files = _files(workspace, by, predicted, needed=predictions is not None)
        order = _order(files, by, seed, _audits(workspace, predicted))[:images]
        rows = pd.DataFrame(
            {"pathname": [files.names[i] for i in order], "score": files.scores[order]}
        )
    queue = rows.head(images).assign(source=by)
    return check_table(queue[list(QUEUE.columns)], QUEUE)


def _files(workspace: Workspace, by: str, predicted: Path, *, needed: bool) -> QueueFiles:
    if by == "uncertainty" or needed or (by == "random" and predicted.is_file()):
        if not predicted.is_file():
            raise TableError(
                f"A queue by {by} needs predictions. Received: no {predicted}. Make them:"
                " photoclf predict FOLDER."
            )
        return predicted_files(predicted)
    if workspace.audit.is_file():
        return audited_files(workspace.audit)
    return listed_files(resolve_archive(None, workspace))


def _order(files: QueueFiles, by: str, seed: int, audits: list[Path]) -> np.ndarray:
    kept = files.first_of_content(audits)
    if by == "unlabelled":
        return _from_each_folder(files, np.flatnonzero(kept & ~files.labelled), seed)
    if by == "random":
        return np.random.default_rng(seed).permutation(np.flatnonzero(kept))
    return _uncertain(files, np.flatnonzero(kept & ~np.isnan(files.scores)))


def _uncertain(files: QueueFiles, places: np.ndarray) -> np.ndarray:
    odds = logit(np.clip(files.scores[places], _LEAST_SCORE, 1 - _LEAST_SCORE))
    decisions = files.decisions[places]
    # Where the model parts: its threshold, or the middle of its review band.
    ends = [
        odds[decisions == "other"].max(initial=-np.inf),
        odds[decisions == "photo"].min(initial=np.inf),
    ]
    known = [end for end in ends if np.isfinite(end)]
    distance = np.abs(odds - (np.mean(known) if known else 0.0))
    return places[np.lexsort((places, distance, decisions != "review"))]


def _from_each_folder(files: QueueFiles, places: np.ndarray, seed: int) -> np.ndarray:
    """Take one file of each folder in turn, folders and their files in a drawn order."""
    drawn = np.random.default_rng(seed).permutation(places)
    folder = pd.Series([files.names[i].rpartition("/")[0] for i in drawn])
    codes = folder.factorize()[0]  # in the order in which the folders were drawn
    turn = folder.groupby(codes).cumcount().to_numpy()
    return drawn[np.lexsort((codes, turn))]


def _suspects(workspace: Workspace) -> pd.DataFrame:
    path = workspace.data / "suspects.csv"
    if not path.is_file():
        raise TableError(
            f"A queue by suspects needs suspected labels. Received: no {path}. Find them: photoclf"
            " check."
        )
    suspects = read_table(path, SUSPECTS)
    digests = read_table(workspace.audit, AUDIT).set_index("pathname").sha256
    content = suspects.pathname.map(digests)
    return suspects[~content.duplicated() | content.isna()]


def _strangers(workspace: Workspace, predicted: Path) -> pd.DataFrame:
    audits = sorted(predicted.parent.glob("audit_*.csv"), key=lambda path: path.stat().st_mtime)
    asked = read_table(audits[-1] if audits else workspace.audit, AUDIT)
    asked = asked[(asked.status == "used") & asked.label.isna()]
    if asked.empty:
        raise TableError(
            "A queue by drift needs images that were examined and have no label. Received: none in"
            f" {audits[-1] if audits else workspace.audit}. Examine a folder that nobody has"
            " sorted: notebook 07_predict_unlabelled."
        )
    name = predicted.parent.name
    known = {RELEASE, *(run.run_id for run in list_runs(workspace.models))}
    run_id = name if name in known else _chosen(workspace)
    reference = reference_images(workspace, load_run(workspace.models, run_id))
    if reference.problem:
        raise TableError(f"A queue by drift needs the training images. {reference.problem}")
    strangers, _ = folder_novelty(reference, asked)
    scores = np.full(len(strangers), np.nan)
    if predicted.is_file():
        files = predicted_files(predicted)
        known_scores = dict(zip(files.names, files.scores, strict=True))
        scores = strangers.pathname.map(known_scores).to_numpy(float)
    return strangers.assign(score=scores)


def _predictions_of(workspace: Workspace) -> Path:
    return workspace.reports / _chosen(workspace) / "predictions.csv"


def _chosen(workspace: Workspace) -> str:
    if workspace.choice.is_file():
        return read_choice(workspace.choice, workspace.models).run_id
    return RELEASE


def _audits(workspace: Workspace, predicted: Path) -> list[Path]:
    beside = sorted(predicted.parent.glob("audit_*.csv")) if predicted.parent.is_dir() else []
    return [path for path in (workspace.audit, *beside) if path.is_file()]
