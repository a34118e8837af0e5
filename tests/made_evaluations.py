"""Evaluated runs and releases as files, without training or scoring."""

import numpy as np
import pandas as pd

from photoclf.figures import measured
from photoclf.files import sha256_file, write_json, write_text
from photoclf.run import RELEASE, Run, finish_run
from photoclf.schema import EVALUATION
from photoclf.tables import write_table
from tests.made_runs import SPLIT, make_run


def draw_test(images=120, seed=1):
    """A test's rows: three class folders, two sources each, groups of two."""
    rng = np.random.default_rng(seed)
    folder = np.array(["Photo", "Painting", "Text"])[np.arange(images) // 2 % 3]
    return pd.DataFrame(
        {
            "pathname": [f"{name}/box_{i % 2}/{i:04d}.png" for i, name in enumerate(folder)],
            "split": "test",
            "label": (folder == "Photo").astype(int),
            "class_folder": folder,
            "source": [f"box_{i % 2}" for i in range(images)],
            "group": [f"group {i // 2:04d}" for i in range(images)],
            "hard": rng.normal(0, 1, images),
        }
    )


def draw_scores(table, quality, seed):
    noise = np.random.default_rng(seed).normal(0, 0.7, len(table))
    towards = quality + table.hard + noise
    return (1 / (1 + np.exp(-(2 * table.label - 1) * towards))).round(6)


def evaluated(run, table, scores, *, threshold=0.5, split=SPLIT, openings=1, others=()):
    """Give a run the evaluation of a test with these scores."""
    scores = np.asarray(scores, float)
    decision = np.where(scores >= threshold, "photo", "other")
    rows = table.assign(score=scores, decision=decision, triage=decision)[list(EVALUATION.columns)]
    write_table(rows, run.eval_folder / "predictions.csv", EVALUATION)
    figures = {
        "run_id": run.run_id,
        "evaluated_at": "2026-11-02T09:00:00+00:00",
        "split_hash": split,
        "threshold": threshold,
        "temperature": 1.0,
        "test": measured(rows.label, scores, threshold, rows.group, draws=100, seed=42),
        "review": {"point": {"low": threshold, "high": threshold}},
        "subgroups": [],
        "alarms": [],
        "test_openings": openings,
        "test_opened_by_other_runs": list(others),
    }
    figures |= {"val": {}, "left_out": None}
    figures["predictions_sha256"] = sha256_file(run.eval_folder / "predictions.csv")
    write_json(run.eval_folder / "metrics.json", figures)
    return run


def make_evaluated(models, table, scores, **about):
    """A finished run with its evaluation."""
    return evaluated(make_run(models), table, scores, **about)


def make_release(models, known):
    """A release that was trained on images, given by their SHA-256."""
    run = make_run(models, done=False)
    folder = run.folder.rename(models / "release")
    write_text(folder / RELEASE, "{}")
    write_text(folder / "trained_on.txt", "".join(f"{sha[:16]}\n" for sha in known))
    (folder / "head.npz").write_bytes(b"head")
    finish_run(Run(folder))
    return Run(folder)
