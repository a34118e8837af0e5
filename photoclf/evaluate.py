"""Threshold from val, then metrics once on test, with intervals, baselines, errors by kind."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.alarms import find_alarms
from photoclf.baselines import baseline_metadata, baseline_other, baseline_release
from photoclf.cache import build_cache
from photoclf.cached_scores import score_cached
from photoclf.calibration import fit_temperature
from photoclf.classifier import Classifier
from photoclf.errors import RunError, TableError
from photoclf.evaluation import Evaluation, read_evaluation
from photoclf.figures import measured
from photoclf.files import sha256_file, write_json
from photoclf.heat import HEAT
from photoclf.label_check import find_suspects
from photoclf.paths import Workspace, resolve_archive
from photoclf.review_plan import Terms, plan_review, review_figures
from photoclf.runs import Run, is_on_split, list_runs
from photoclf.schema import AUDIT, EVALUATION, OPENINGS, SUSPECTS, check_table
from photoclf.split import split_hash
from photoclf.split_files import hashes_with_same_test, split_to_evaluate
from photoclf.subgroups import subgroup_rates
from photoclf.tables import read_table, write_table
from photoclf.temperature import tempered
from photoclf.thresholds import ThresholdRule, choose_threshold


def evaluate(
    run: Run,
    workspace: Workspace,
    *,
    archive: str | Path | None = None,
    rule: ThresholdRule | None = None,
    terms: Terms | None = None,
    draws: int = 1000,
    progress: bool = False,
) -> Evaluation:
    """Choose temperature, threshold and review band on val, then open the test once.

    On val, the temperature gives the least log-loss, the threshold is the best by its rule, and the
    band keeps what is promised. A release brings temperature and threshold, and is evaluated on any
    split, but for the images that it was trained on. What can't be kept is refused before the test
    is opened. Each opening is recorded in the run's `eval/openings.csv`; those by other runs on the
    same split are counted in the figures.

    Args:
        run: A finished run.
        workspace: Holds the split that the run was trained on, `data/split.csv` or one of a plan,
            and the pixel cache.
        archive: The archive's folder, needed when the pixels aren't cached; see `resolve_archive`.
        rule: What the threshold is chosen for: the highest F1, or what the release brings, by
            default.
        terms: What is promised, at which prices, for which archive; see `review_plan.Terms`.
        draws: Bootstrap draws over groups for the 95 % intervals, 100 or more.
        progress: Whether to show a progress bar while pixels are decoded.

    Returns:
        The evaluation, also written to the run's `eval/metrics.json` and `eval/predictions.csv`.

    Raises:
        RunError: If the run isn't finished.
        SplitError: If the run was trained on a split that the workspace doesn't have, or a side of
            it lacks images.
        PromiseError: If the val images can't prove what is to be promised.
        ThresholdError: If no threshold does what the rule asks for.
    """
    if not run.done:
        raise RunError(
            f"A run must be finished to be evaluated. Received: {run.run_id}, unfinished."
            " Train it to its end: photoclf train with the same parameters resumes it."
        )
    terms = terms or Terms()
    split = split_to_evaluate(run, workspace)
    predictions = _scored(run, split, workspace, archive, progress)
    chosen = _chosen(run, predictions[predictions.split == "val"], rule)
    threshold, temperature = chosen["threshold"], chosen["temperature"]
    predictions["score"] = tempered(predictions.score.to_numpy(), temperature)
    predictions["decision"] = np.where(predictions.score >= threshold, "photo", "other")
    val = predictions[predictions.split == "val"]
    plan = plan_review(val, threshold, terms, len(split), _candidates(run, workspace))
    predictions["triage"] = plan.band.triage(predictions.score)
    val, test = (predictions[predictions.split == side] for side in ("val", "test"))
    told = {"draws": draws, "seed": run.config.seed}
    # All that may fail comes before the test counts as opened.
    suspects = find_suspects(predictions, predictions.score, run.run_id)
    rates = subgroup_rates(test, _audit_of(workspace))
    blind = baseline_metadata(workspace, split, **told)
    released = baseline_release(
        run,
        workspace,
        split[split.split == "test"],
        resolve_archive(archive, workspace),
        progress=progress,
        **told,
    )
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
        "seed": run.config.seed,
        "val": measured(val.label, val.score, threshold, val.group, **told),
        "test": measured(test.label, test.score, threshold, test.group, **told),
        "suspected_labels": len(suspects),
        "baseline_other": baseline_other(test),
        "baseline_metadata": blind,
        "baseline_release": released,
        "left_out": _left_out(run),
        "subgroups": rates,
        "review": review_figures(plan, val, test, threshold, terms, len(split), **told),
        "test_openings": _openings(run, openings, split_hash(split)),
        "test_opened_by_other_runs": _other_openings(
            run, workspace, hashes_with_same_test(workspace, split)
        ),
    }
    figures["alarms"] = find_alarms(figures, test.score.to_numpy())
    _forget_others(run, figures)
    write_table(suspects, run.eval_folder / "suspects.csv", SUSPECTS)
    write_table(predictions, run.eval_folder / "predictions.csv", EVALUATION)
    figures["predictions_sha256"] = sha256_file(run.eval_folder / "predictions.csv")
    write_json(run.eval_folder / "metrics.json", figures)
    return read_evaluation(run)


def _candidates(run: Run, workspace: Workspace) -> int:
    """Count the models among which this split's val images have chosen: epochs of all its runs.

    A release was chosen on other images.
    """
    if run.is_release:
        return 1
    split, epochs = str(run.provenance.get("split_hash")), 0
    for other in list_runs(workspace.models):
        with suppress(RunError, TableError):  # a spoilt run chose nothing that is known
            if other.done and not other.is_release and is_on_split(other, split):
                epochs += len(other.history)
    return max(1, epochs)


def _chosen(run: Run, val: pd.DataFrame, rule: ThresholdRule | None) -> dict[str, Any]:
    if run.release is not None and rule is None:
        return run.release
    labels, scores = val.label.to_numpy(), val.score.to_numpy()
    release = run.release or {}
    temperature = release.get("temperature") or fit_temperature(labels, scores)
    rule = rule or ThresholdRule()
    return {
        "temperature": temperature,
        "threshold": choose_threshold(labels, tempered(scores, temperature), rule),
        "threshold_rule": rule.text,
    }


def _left_out(run: Run) -> dict[str, float] | None:
    """Return what a release is worth, in F1, on sources that it never saw; `None` of other runs."""
    summary = (run.release or {}).get("left_out", {}).get("summary", {}).get("f1")
    return None if summary is None else {name: summary[name] for name in ("mean", "worst")}


def _audit_of(workspace: Workspace) -> pd.DataFrame:
    if workspace.audit.is_file():
        return read_table(workspace.audit, AUDIT)
    return check_table(pd.DataFrame(columns=list(AUDIT.columns)), AUDIT)


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
    scored = wanted.assign(
        score=score_cached(classifier, cache, wanted.pathname), decision="", triage=""
    )
    return check_table(scored.reindex(columns=list(EVALUATION.columns)), EVALUATION)


def _forget_others(run: Run, figures: dict[str, Any]) -> None:
    """Remove what was measured of an earlier evaluation, if it decided otherwise."""
    names = ("split_hash", "threshold", "temperature")
    try:
        before = run.read_object("eval/metrics.json", *names)
    except RunError:  # there is none, or a spoilt one
        before = {}
    if any(before.get(name) != figures[name] for name in names):
        for name in ("stress.csv", "neighbours.csv", HEAT):
            (run.eval_folder / name).unlink(missing_ok=True)


def _record_opening(run: Run, split: str, images: int) -> pd.DataFrame:
    path = run.eval_folder / "openings.csv"
    earlier = read_table(path, OPENINGS) if path.is_file() else pd.DataFrame()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    row = pd.DataFrame([{"opened_at": now, "split_hash": split, "images": images}])
    openings = check_table(pd.concat([earlier, row], ignore_index=True), OPENINGS)
    write_table(openings, path, OPENINGS)
    return openings


def _openings(run: Run, openings: pd.DataFrame, split: str) -> int:
    """Count the openings of a split's test; a release was measured on its own when it was made."""
    before = run.is_release and run.provenance.get("split_hash") == split
    return int((openings.split_hash == split).sum()) + before


def _other_openings(run: Run, workspace: Workspace, splits: set[str]) -> list[str]:
    others = []
    for other in list_runs(workspace.models):
        path = other.eval_folder / "openings.csv"
        if other.run_id == run.run_id or not path.is_file():
            continue
        if read_table(path, OPENINGS).split_hash.isin(splits).any():
            others.append(other.run_id)
    return others
