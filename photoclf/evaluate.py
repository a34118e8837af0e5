"""Threshold from val, then metrics once on test, with intervals, baselines, errors by kind."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.cache import build_cache
from photoclf.calibration import fit_temperature, tempered
from photoclf.classifier import Classifier, score_cached
from photoclf.errors import RunError
from photoclf.figures import measured, number
from photoclf.files import read_json, write_json
from photoclf.heat import HEAT
from photoclf.intervals import exact_interval
from photoclf.label_check import find_suspects
from photoclf.metrics import choose_threshold, classification_metrics, confusion
from photoclf.paths import Workspace, resolve_archive
from photoclf.runs import Run, list_runs
from photoclf.schema import AUDIT, EVALUATION, OPENINGS, check_table
from photoclf.shortcuts import shortcut_baseline
from photoclf.split import split_hash
from photoclf.split_files import split_to_evaluate
from photoclf.tables import read_table, write_table

THRESHOLD_RULE = "max_f1_on_val"


@dataclass(frozen=True)
class Evaluation:
    """A run's evaluation, as it stands in its folder.

    Args:
        run: The evaluated run.
        figures: What `eval/metrics.json` holds.
        predictions: A `schema.EVALUATION` frame, the val and test images with their scores.
    """

    run: Run
    figures: dict[str, Any]
    predictions: pd.DataFrame

    @property
    def threshold(self) -> float:
        """Score from which an image is called a photograph."""
        return self.figures["threshold"]

    def side(self, name: str) -> pd.DataFrame:
        """Return the predictions of `val` or `test`."""
        return self.predictions[self.predictions.split == name].reset_index(drop=True)

    def errors(self) -> pd.DataFrame:
        """Return the test images whose decision is wrong, the most confident first."""
        test = self.side("test")
        wrong = test[(test.decision == "photo") != (test.label == 1)]
        # How far beyond the threshold, as a share of the room on that side of it.
        room = np.where(wrong.label == 0, 1 - self.threshold, self.threshold)
        distance: pd.Series = (wrong.score - self.threshold).abs() / np.maximum(room, 1e-9)
        return wrong.assign(confidence=distance).sort_values(
            ["confidence", "pathname"], ascending=[False, True], ignore_index=True
        )


def evaluate(
    run: Run,
    workspace: Workspace,
    *,
    archive: str | Path | None = None,
    draws: int = 1000,
    progress: bool = False,
) -> Evaluation:
    """Choose temperature and threshold on val, then open the test once and write what it says.

    On val, the temperature gives the least log-loss, and the threshold the highest F1. A release
    brings both, and is evaluated on any split, but for the images that it was trained on. Each
    opening of the test is recorded in the run's
    `eval/openings.csv`; those by other runs on the same split are counted in the figures.

    Args:
        run: A finished run.
        workspace: Holds the split that the run was trained on, `data/split.csv` or one of a plan,
            and the pixel cache.
        archive: The archive's folder, needed when the pixels aren't cached; see `resolve_archive`.
        draws: Bootstrap draws over groups for the 95 % intervals, 100 or more.
        progress: Whether to show a progress bar while pixels are decoded.

    Returns:
        The evaluation, also written to the run's `eval/metrics.json` and `eval/predictions.csv`.

    Raises:
        RunError: If the run isn't finished.
        SplitError: If the run was trained on a split that the workspace doesn't have.
    """
    if not run.done:
        raise RunError(
            f"A run must be finished to be evaluated. Received: {run.run_id}, unfinished."
            " Train it to its end: photoclf train with the same parameters resumes it."
        )
    split = split_to_evaluate(run, workspace)
    predictions = _scored(run, split, workspace, archive, progress)
    chosen = run.release or _chosen_on(predictions[predictions.split == "val"])
    threshold, temperature = chosen["threshold"], chosen["temperature"]
    predictions["score"] = tempered(predictions.score.to_numpy(), temperature)
    val, test = (predictions[predictions.split == side] for side in ("val", "test"))
    predictions["decision"] = np.where(predictions.score >= threshold, "photo", "other")
    seed = run.config.seed
    _forget_others(run, split_hash(split))
    openings = _record_opening(run, split_hash(split), len(test))
    figures = {
        "run_id": run.run_id,
        "evaluated_at": openings.opened_at.iloc[-1],
        "split_hash": split_hash(split),
        "threshold": threshold,
        "threshold_rule": chosen["threshold_rule"],
        "temperature": temperature,
        "interval_level": 0.95,
        "bootstrap_draws": draws,
        "seed": seed,
        "val": _figures_of_side(val, threshold, draws, seed),
        "test": _figures_of_side(test, threshold, draws, seed),
        "suspected_labels": _suspected(predictions),
        "baseline_other": _baseline_other(test),
        "baseline_metadata": _baseline_metadata(workspace, split, draws, seed),
        "by_class_folder": _errors_by(test, threshold, ["class_folder"]),
        "by_source": _errors_by(test, threshold, ["class_folder", "source"]),
        "test_openings": int((openings.split_hash == split_hash(split)).sum()),
        "test_opened_by_other_runs": _other_openings(run, workspace, split_hash(split)),
    }
    write_table(predictions, run.eval_folder / "predictions.csv", EVALUATION)
    write_json(run.eval_folder / "metrics.json", figures)
    return read_evaluation(run)


def read_evaluation(run: Run) -> Evaluation:
    """Read an evaluation that `evaluate` wrote.

    Raises:
        RunError: If the run hasn't been evaluated.
    """
    path = run.eval_folder / "metrics.json"
    if not path.is_file():
        raise RunError(
            f"The run must have been evaluated. Received: {run.run_id}, which has no"
            f" eval/metrics.json. Evaluate it: photoclf evaluate --run {run.run_id}."
        )
    predictions = read_table(run.eval_folder / "predictions.csv", EVALUATION)
    return Evaluation(run, read_json(path), predictions)


def _chosen_on(val: pd.DataFrame) -> dict[str, Any]:
    labels, scores = val.label.to_numpy(), val.score.to_numpy()
    temperature = fit_temperature(labels, scores)
    return {
        "temperature": temperature,
        "threshold": choose_threshold(labels, tempered(scores, temperature)),
        "threshold_rule": THRESHOLD_RULE,
    }


def _scored(
    run: Run,
    split: pd.DataFrame,
    workspace: Workspace,
    archive: str | Path | None,
    progress: bool,
) -> pd.DataFrame:
    classifier = Classifier.load(run, as_trained=True)  # the rest is chosen from these scores
    cache = build_cache(
        resolve_archive(archive, workspace),
        split,
        workspace.cache,
        image_size=classifier.image_size,
        fit=classifier.fit,
        storage=run.config.storage,
        progress=progress,
    )
    wanted = split[split.split.isin(["val", "test"])]
    scored = wanted.assign(score=score_cached(classifier, cache, wanted.pathname), decision="")
    return check_table(scored.reindex(columns=list(EVALUATION.columns)), EVALUATION)


def _figures_of_side(rows: pd.DataFrame, threshold: float, draws: int, seed: int) -> dict[str, Any]:
    return measured(rows.label, rows.score, threshold, rows.group, draws=draws, seed=seed)


def _baseline_other(test: pd.DataFrame) -> dict[str, Any]:
    """Figures of calling every image "other": what a model must beat."""
    labels = test.label.to_numpy()
    metrics = classification_metrics(labels, np.zeros(len(labels)), 0.5)
    return {
        "confusion": confusion(labels, np.zeros(len(labels)), 0.5),
        "metrics": {name: number(value) for name, value in metrics.items()},
    }


def _baseline_metadata(
    workspace: Workspace, split: pd.DataFrame, draws: int, seed: int
) -> dict[str, Any] | None:
    """Figures of a classifier that sees no picture; `None` where it has nothing to learn from."""
    taught = split[split.split == "train"].label.nunique() == 2
    if not taught or not workspace.audit.is_file():
        return None
    return shortcut_baseline(read_table(workspace.audit, AUDIT), split, seed=seed, draws=draws)


def _suspected(predictions: pd.DataFrame) -> int:
    return len(find_suspects(predictions, predictions.score, "this run"))


def _errors_by(test: pd.DataFrame, threshold: float, keys: list[str]) -> list[dict[str, Any]]:
    wrong = (test.score >= threshold) != (test.label == 1)
    rows = []
    for names, group in wrong.groupby([test[key] for key in keys], sort=True):
        low, high = exact_interval(int(group.sum()), len(group))
        rows.append(
            dict(zip(keys, names, strict=True))
            | {"images": len(group), "errors": int(group.sum()), "rate": float(group.mean())}
            | {"low": low, "high": high}
        )
    return rows


def _forget_others(run: Run, split: str) -> None:
    """Remove what was measured of a release on another split: it would stand beside this one's."""
    metrics = run.eval_folder / "metrics.json"
    if metrics.is_file() and read_json(metrics).get("split_hash") != split:
        for name in ("stress.csv", HEAT):
            (run.eval_folder / name).unlink(missing_ok=True)


def _record_opening(run: Run, split: str, images: int) -> pd.DataFrame:
    path = run.eval_folder / "openings.csv"
    earlier = read_table(path, OPENINGS) if path.is_file() else pd.DataFrame()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    row = pd.DataFrame([{"opened_at": now, "split_hash": split, "images": images}])
    openings = check_table(pd.concat([earlier, row], ignore_index=True), OPENINGS)
    write_table(openings, path, OPENINGS)
    return openings


def _other_openings(run: Run, workspace: Workspace, split: str) -> list[str]:
    others = []
    for other in list_runs(workspace.models):
        path = other.eval_folder / "openings.csv"
        if other.run_id == run.run_id or not path.is_file():
            continue
        if (read_table(path, OPENINGS).split_hash == split).any():
            others.append(other.run_id)
    return others
