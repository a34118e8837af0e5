"""A small drawn archive, evaluated by a stub that takes brightness for the score."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photoclf import evaluate as evaluation
from photoclf.config import RunConfig
from photoclf.files import write_json
from photoclf.manifest import scan_archive
from photoclf.paths import Workspace
from photoclf.run import write_val_scores
from photoclf.runs import create_run, finish_run, write_choice
from photoclf.schema import AUDIT, HISTORY, SPLIT
from photoclf.split import make_split, split_hash
from photoclf.tables import write_table
from tests.audits import audited

HOSTILE = (
    "Painting/<script>alert(1)</script>.png",
    "Painting/\"onerror='alert(2)' & co.png",
    "Painting/<img src=x onerror=alert(3)>.png",
)
FOLDERS = ("Painting", "Photo", 'Sketch & "croquis"')


def draw(path, brightness, rng):
    """Draw noise around a brightness, which the stub below takes for the score."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = rng.normal(255 * brightness, 20, (8, 10, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(coarse).resize((80, 64), Image.Resampling.NEAREST).save(path)


def draw_archive(archive, images=40):
    rng = np.random.default_rng(7)
    for folder in FOLDERS:
        for i in range(images):
            right = 0.8 if folder == "Photo" else 0.2
            wrong = i % 10 == 0
            draw(
                archive / folder / f"box_{i % 4}" / f"{i:03d}.png",
                1 - right if wrong else right,
                rng,
            )
    for pathname in HOSTILE:
        draw(archive / pathname, 0.9, rng)
    (archive / "Photo" / "vide.jpg").write_bytes(b"")
    (archive / "Photo" / "copie.png").write_bytes((archive / "Photo/box_1/001.png").read_bytes())
    (archive / "Painting" / "page.jpg").write_text("<html></html>")


class BrightnessClassifier:
    image_size, fit = 16, "squash"

    def scores(self, pixels):
        return (pixels.mean(axis=(1, 2, 3)) / 255).astype(np.float32)


def make_run(workspace, split):
    provenance = {
        "started_at": "2026-11-01T09:00:00+00:00",
        "commit": "0123456789abcdef",
        "dirty": True,
        "lock_hash": "c" * 64,
        "split_hash": split_hash(split),
        "manifest_hash": "d" * 64,
        "seed": 42,
        "threads": None,
        "cpu": {"model": "A processor"},
        "versions": {"python": "3.11", "numpy": "2.4"},
    }
    run = create_run(workspace.models, RunConfig(), provenance)
    row = dict.fromkeys(HISTORY.columns, 0.5) | {"epoch": 0}
    write_table(pd.DataFrame([row]), run.folder / "history.csv", HISTORY)
    write_json(run.folder / "model.json", {})
    val = split[split.split == "val"]
    write_val_scores(run, val, np.full(len(val), 0.5))
    run.best_model.write_bytes(b"weights")
    run.exported_model.write_bytes(b"model")
    finish_run(run)
    return run


def make_workspace(root, archive):
    workspace = Workspace(root)
    audit = audited(archive, scan_archive(archive))
    write_table(audit, workspace.audit, AUDIT)
    split = make_split(audit, test_fraction=0.6)
    hostile = split.pathname.isin(HOSTILE)
    assert hostile.sum() == len(HOSTILE)
    split.loc[hostile, "split"] = "test"
    write_table(split, workspace.split, SPLIT)
    run = make_run(workspace, split)
    evaluate_made(run, workspace, archive)
    write_choice(workspace.choice, run, [run])
    return SimpleNamespace(workspace=workspace, archive=archive, run=run)


def evaluate_made(run, workspace, archive, scores=None, **asked):
    """Evaluate a made run; by default its scores are the images' brightness."""
    classifier = BrightnessClassifier()
    if scores is not None:
        classifier.scores = scores
    with pytest.MonkeyPatch.context() as patch:
        stub = SimpleNamespace(load=lambda run, as_trained: classifier)
        patch.setattr(evaluation, "Classifier", stub)
        return evaluation.evaluate(run, workspace, archive=archive, draws=100, **asked)
