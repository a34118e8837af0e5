"""The release: one trained run with all that is needed to use it, and what is known of it."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.cache import build_cache_for
from photoclf.calibration import fit_temperature
from photoclf.config import RunConfig
from photoclf.errors import ConfigError
from photoclf.evaluate import evaluate
from photoclf.evaluation import read_evaluation
from photoclf.export import export_model, load_model
from photoclf.figures import measured, number
from photoclf.files import write_json, write_text
from photoclf.left_out import LeftOut, measure_left_out
from photoclf.model_card import model_card
from photoclf.models import KINDS
from photoclf.paths import Workspace, resolve_archive
from photoclf.plan_results import plan_results
from photoclf.recipe_results import ENOUGH_PHOTOS
from photoclf.review_plan import Terms, plan_review
from photoclf.run import HEAD, RELEASE, TRAINED_ON, TRAINED_ON_DIGITS, Run, finish_run
from photoclf.runs import load_run
from photoclf.schema import STRESS
from photoclf.shipped import NAME
from photoclf.split_files import find_split
from photoclf.stress import stress
from photoclf.tables import read_table
from photoclf.temperature import tempered
from photoclf.train import train
from photoclf.training_views import is_frozen

THRESHOLD_RULE = "equal_errors_on_left_out_sources"
DRAWS = 1000
_COPIED = ("config.json", "provenance.json", "history.csv")


def make_release(
    config: RunConfig,
    workspace: Workspace,
    *,
    archive: str | Path | None = None,
    progress: bool = False,
) -> Run:
    """Train a config for release, on the plan's splits and on the split that is worked on.

    The temperature comes from val of that split, the threshold from the sources that the plan
    leaves out. What is finished is read, so a release that was interrupted goes on where it was.

    Args:
        config: Of a frozen pretrained network, whose head can be kept in a small file.
        workspace: Holds the split and the plan. `models/release/` is written, an earlier one
            replaced.
        archive: The archive's folder, see `paths.resolve_archive`.
        progress: Whether to show bars.

    Returns:
        The release.

    Raises:
        ConfigError: If the config's network isn't a frozen pretrained one.
        RunError: If there is no plan, or the exported model decides otherwise than the original.
    """
    if not is_frozen(config):
        raise ConfigError(
            "A release must be a frozen pretrained network with a head. Received: model"
            f" {config.model}, fine_tune_from {config.fine_tune_from}. Release one of those."
        )
    config = config.resolved()
    left_out = measure_left_out(config, workspace, archive=archive, progress=progress)
    run = train(config, workspace, archive=archive, progress=progress)
    if not run.is_evaluated:  # a test is opened once
        evaluate(run, workspace, archive=archive, progress=progress)
    decided = _decided(run, left_out, workspace)
    decided["stress"] = _stressed(run, decided, workspace, archive, progress)
    folder = Path(tempfile.mkdtemp(prefix=".release-", dir=workspace.models))
    try:
        return _write(folder, run, decided, workspace, archive)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _decided(run: Run, left_out: LeftOut, workspace: Workspace) -> dict[str, Any]:
    """Choose temperature and threshold, and gather what is known at them."""
    val_scores = run.val_scores
    temperature = fit_temperature(val_scores.label, val_scores.score)
    test = read_evaluation(run).side("test")
    # Without the images on which the figures below are taken.
    threshold = left_out.without_images(test.pathname).threshold()
    seed = run.config.seed
    return {
        "threshold": threshold,
        "temperature": temperature,
        "review": review_band(val_scores, threshold, temperature),
        "threshold_rule": THRESHOLD_RULE,
        "run_id": run.run_id,
        "interval_level": 0.95,
        "bootstrap_draws": DRAWS,
        "seed": seed,
        "test": measured(test.label, test.score, threshold, test.group, draws=DRAWS, seed=seed),
        "left_out": left_out.figures(draws=DRAWS, seed=seed),
        "beside": _beside(workspace),
    }


def review_band(val_scores: pd.DataFrame, threshold: float, temperature: float) -> dict[str, Any]:
    """Choose what the release leaves to a person where it isn't evaluated anew.

    Args:
        val_scores: A `schema.VAL_SCORES` frame of the trained run.
        threshold: The release's.
        temperature: The release's.

    Returns:
        `low` and `high`, what is promised of images like these, and how many they are.
    """
    val = val_scores.assign(score=tempered(val_scores.score.to_numpy(), temperature))
    plan = plan_review(val, threshold, Terms(), len(val))
    promise = None if plan.promise is None else asdict(plan.promise)
    return {
        "low": plan.band.low,
        "high": plan.band.high,
        "promise": promise,
        "images": len(val),
        "reviewed": float((plan.band.triage(val.score) == "review").mean()),
    }


def _stressed(
    run: Run,
    decided: Mapping[str, Any],
    workspace: Workspace,
    archive: str | Path | None,
    progress: bool,
) -> list[dict[str, Any]]:
    """Measure the run on spoilt images at the release's own decision; read what is measured."""
    path, decision = run.eval_folder / "stress.csv", (decided["threshold"], decided["temperature"])
    if path.is_file():
        table = read_table(path, STRESS)
        if np.allclose(table[["threshold", "temperature"]], decision):
            return _records(table)
    table = stress(run, workspace, archive=archive, decision=decision, progress=progress)
    return _records(table)


def _beside(workspace: Workspace) -> list[dict[str, Any]]:
    """Summarise every config that was evaluated on the plan, and file properties alone."""
    runs = plan_results(workspace).runs
    rows: list[dict[str, Any]] = []
    blind: dict[str, Any] = {}
    for _, group in runs.groupby("choices", sort=False):
        one_a_split = group.drop_duplicates("split")
        found = [read_evaluation(load_run(workspace.models, run)) for run in one_a_split.run]
        rows.append(
            {"config": _described(found[0].run)} | _over([f.figures["test"] for f in found])
        )
        blind |= {
            split: evaluation.figures["baseline_metadata"]
            for split, evaluation in zip(one_a_split["split"], found, strict=True)
        }
    known = [figures for figures in blind.values() if figures is not None]
    if known:
        rows.append({"config": "file properties alone"} | _over(known))
    return sorted(rows, key=lambda row: -(row["roc_auc"]["mean"] or 0))


def _over(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Average F1 and the area under the ROC curve over splits, with 95 % margins of the means."""
    told: dict[str, Any] = {"splits": len(figures)}
    for metric in ("f1", "roc_auc"):
        rows = [f for f in figures if metric == "roc_auc" or f["photos"] >= ENOUGH_PHOTOS]
        rows = [f for f in rows or figures if f["metrics"][metric] is not None]
        values = np.array([f["metrics"][metric] for f in rows])
        # Of independent splits: the halves of their bootstrap intervals, added as errors are.
        pairs = np.array([f["intervals"][metric] for f in rows], float).reshape(-1, 2)
        margin = np.sqrt((((pairs[:, 1] - pairs[:, 0]) / 2) ** 2).sum()) / max(len(rows), 1)
        told[metric] = {
            "mean": number(values.mean()) if len(values) else None,
            "margin": number(margin),
            "worst": number(values.min()) if len(values) else None,
        }
    return told


def _described(run: Run) -> str:
    config = run.config.resolved()
    parts = [config.model, f"{config.image_size} px", config.fit]
    if is_frozen(config):
        parts += [f"{config.features} features", f"{config.pieces} pieces", config.target]
    return ", ".join(parts)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows that JSON takes, which has no NaN."""
    return [
        {str(k): number(value) if isinstance(value, float) else value for k, value in row.items()}
        for row in table.to_dict("records")
    ]


def _write(
    folder: Path,
    run: Run,
    decided: dict[str, Any],
    workspace: Workspace,
    archive: str | Path | None,
) -> Run:
    for name in _COPIED:
        shutil.copyfile(run.need(name), folder / name)
    model = load_model(run.best_model)
    kernel, bias = model.get_layer(KINDS).get_weights()
    with open(folder / HEAD, "wb") as file:
        np.savez(file, kernel=kernel, bias=bias)
    split = find_split(workspace, str(run.provenance["split_hash"]), run.run_id)
    exported = export_model(
        run.best_model,
        _pixels(run, split, workspace, archive),
        folder,
        half_at=float(tempered(np.array([decided["threshold"]]), 1 / decided["temperature"])[0]),
    )
    write_json(folder / "model.json", run.read_object("model.json") | exported)
    learnt = split[split["split"] != "test"].sha256.str[:TRAINED_ON_DIGITS]
    write_text(folder / TRAINED_ON, "\n".join(sorted(learnt)) + "\n")
    write_json(folder / RELEASE, decided)
    write_text(folder / "MODEL_CARD.md", model_card(Run(folder), decided))
    finish_run(Run(folder))
    folder.chmod(0o755)  # a temporary folder is its owner's alone
    place = workspace.models / NAME
    before = folder.with_name(f"{folder.name}-before")
    if place.exists():
        place.rename(before)
    folder.rename(place)
    shutil.rmtree(before, ignore_errors=True)
    return Run(place)


def _pixels(
    run: Run, split: pd.DataFrame, workspace: Workspace, archive: str | Path | None
) -> np.ndarray:
    """Return the pixels of the val images, on which decisions are compared."""
    place = resolve_archive(archive, workspace)
    cache = build_cache_for(run.config, place, split, workspace.cache)
    return cache.pixels[cache.rows(split[split["split"] == "val"].pathname)]
