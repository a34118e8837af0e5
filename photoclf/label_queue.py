"""The order in which people look at images: a queue for labelling."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

from photoclf.errors import TableError, check_one_of, check_whole
from photoclf.label_agreement import conflicts_table
from photoclf.label_folders import known_folders, understood, unknown_labels
from photoclf.label_journal import CONFLICTS, SOURCES, UNSURE, LabelJournal, latest
from photoclf.paths import Workspace, remembered_archive, resolve_archive
from photoclf.prediction_note import run_of_predictions
from photoclf.queue_files import QueueFiles, audited_files, listed_files, predicted_files
from photoclf.queue_places import any_below, check_below
from photoclf.run import Run
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
    run: Run | None = None,
    folder: Path | None = None,
    who: str = "",
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
            image, from each folder in turn. `conflicts`: what has to be decided again before
            labels can be merged, see `who`.
        images: How many at most, 1 or more.
        seed: Of what is drawn, 0 or more.
        predictions: A predictions table, whose files are queued; by default that of the run, where
            there is one: `reports/<run_id>/predictions.csv`. Pathnames are relative to the folder
            that was predicted.
        run: The run whose scores are queued; by default the chosen one, or the release while none
            is chosen.
        folder: The folder that is shown, in which the files must be; by default the archive, and
            nothing is checked.
        who: By `conflicts`, the person whose decisions are queued that contradict another person's
            or whose label is no class folder (`label_folders.unknown_labels`); everybody's by
            default.

    Returns:
        A `schema.QUEUE` frame in the order in which to look; `score` is NaN where there is none,
        `source` is `by`.

    Raises:
        ConfigError: If `by` is unknown, or a number is out of its range.
        TableError: If a table that the queue is made of is missing; the error says what makes it.
            If predictions are another run's, or the files aren't in the folder.
    """
    check_one_of("by", by, SOURCES)
    check_whole("images", images, 1, 2**31)
    check_whole("seed", seed, 0, 2**32)
    predicted = predictions or _predictions_of(workspace, run)
    if by == "suspects":
        rows = _suspects(workspace)
    elif by == "drift":
        rows = _strangers(workspace, predicted, run)
    elif by == CONFLICTS:
        rows = _to_decide_again(workspace, who)
        rows = rows.assign(score=_scores(rows.pathname, predicted, run))
    else:
        files = _files(workspace, by, predicted, run, folder, needed=predictions is not None)
        order = _order(files, by, seed, _audits(workspace, predicted))[:images]
        rows = pd.DataFrame(
            {"pathname": [files.names[i] for i in order], "score": files.scores[order]}
        )
    queue = rows.head(images).assign(source=by).reset_index(drop=True)
    if folder is not None:
        check_below(queue.pathname.tolist(), folder, remembered_archive(workspace))
    return check_table(queue[list(QUEUE.columns)], QUEUE)


def _files(
    workspace: Workspace,
    by: str,
    predicted: Path,
    run: Run | None,
    folder: Path | None,
    *,
    needed: bool,
) -> QueueFiles:
    if by == "uncertainty" or needed or (by == "random" and predicted.is_file()):
        if not predicted.is_file():
            raise TableError(
                f"A queue by {by} needs predictions. Received: no {predicted}. Make them:"
                f" photoclf predict FOLDER{f' --model {run.run_id}' if run else ''}."
            )
        return _predicted(predicted, run)
    if workspace.audit.is_file():
        files = audited_files(workspace.audit)
        if folder is None or any_below(files.names, folder):
            return files
    return listed_files(folder or resolve_archive(None, workspace))


def _predicted(path: Path, run: Run | None) -> QueueFiles:
    """List predicted files, unless another run's threshold and maps would be shown with them."""
    made_by = run_of_predictions(path)
    if run is not None and made_by not in ("", run.run_id):
        raise TableError(
            f"Predictions must be those of the run that proposes, {run.run_id}. Received: {path},"
            f" by {made_by}. Give run_id = {made_by!r}, or predict with this one: photoclf predict"
            f" FOLDER --model {run.run_id} --out FILE."
        )
    return predicted_files(path)


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


def _strangers(workspace: Workspace, predicted: Path, run: Run | None) -> pd.DataFrame:
    audit, predicted = _examined(workspace, predicted)
    asked = read_table(audit, AUDIT)
    asked = asked[(asked.status == "used") & asked.label.isna()]
    if asked.empty:
        raise TableError(
            "A queue by drift needs images that were examined and have no label. Received: none in"
            f" {audit}. Examine a folder that nobody has sorted: notebook 07_predict_unlabelled."
        )
    if run is None:
        name = predicted.parent.name
        known = {RELEASE, *(run.run_id for run in list_runs(workspace.models))}
        run = load_run(workspace.models, name if name in known else _chosen(workspace))
    reference = reference_images(workspace, run)
    if reference.problem:
        raise TableError(f"A queue by drift needs the training images. {reference.problem}")
    strangers, _ = folder_novelty(reference, asked)
    return strangers.assign(score=_scores(strangers.pathname, predicted, run))


def _examined(workspace: Workspace, predicted: Path) -> tuple[Path, Path]:
    """Find the audit of a folder that 07_predict_unlabelled predicted, and its predictions."""
    own = predicted.with_name(f"audit_{predicted.stem.removeprefix('predictions_')}.csv")
    if own.is_file():
        return own, predicted
    audits = sorted(predicted.parent.glob("audit_*.csv"), key=lambda path: path.stat().st_mtime)
    if not audits:
        return workspace.audit, predicted
    beside = audits[-1].with_name(f"predictions_{audits[-1].name.removeprefix('audit_')}")
    return audits[-1], beside if beside.is_file() else predicted


def _to_decide_again(workspace: Workspace, who: str) -> pd.DataFrame:
    known = known_folders(workspace)
    rows = latest(LabelJournal(workspace.labels).read())
    mine = rows[rows.who == who.strip()] if who else rows
    mistyped = mine[mine.label.isin(unknown_labels(mine, known).label)]
    conflicts = conflicts_table(understood(rows, known))
    decided = mine[mine.label != UNSURE]
    contested = conflicts[conflicts.sha256.isin(set(decided.sha256))]
    both = pd.concat([contested, mistyped])[["pathname", "sha256"]]
    return both.drop_duplicates("sha256").drop_duplicates("pathname")


def _scores(names: pd.Series, predicted: Path, run: Run | None) -> np.ndarray:
    if not predicted.is_file():
        return np.full(len(names), np.nan)
    files = _predicted(predicted, run)
    return names.map(dict(zip(files.names, files.scores, strict=True))).to_numpy(float)


def _predictions_of(workspace: Workspace, run: Run | None) -> Path:
    run_id = _chosen(workspace) if run is None else run.run_id
    return workspace.reports / run_id / "predictions.csv"


def _chosen(workspace: Workspace) -> str:
    if workspace.choice.is_file():
        return read_choice(workspace.choice, workspace.models).run_id
    return RELEASE


def _audits(workspace: Workspace, predicted: Path) -> list[Path]:
    beside = sorted(predicted.parent.glob("audit_*.csv")) if predicted.parent.is_dir() else []
    return [path for path in (workspace.audit, *beside) if path.is_file()]
