"""A pretrained network as the model of a run, from its features to its exported model."""

import shutil

import numpy as np
import pandas as pd
import pytest

from photoclf.classifier import Classifier
from photoclf.config import RunConfig
from photoclf.decode import decode_image
from photoclf.errors import WeightsError
from photoclf.explain import grad_cam
from photoclf.export import load_model
from photoclf.extractor import Extractor
from photoclf.models import build_model
from photoclf.paths import resolve_archive
from photoclf.pretrained import WEIGHTS, PackagedWeights
from photoclf.runs import list_runs, verify_run
from photoclf.split import read_split
from photoclf.train import train
from tests.test_train import make_workspace

HEAD = RunConfig(
    model="efficientnet_lite0",
    image_size=32,
    features="all",
    target="class_folder",
    balance="source",
    pieces=1,
    threads=2,
)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    workspace = make_workspace(tmp_path_factory.mktemp("learnt"))
    return train(HEAD, workspace, progress=False), workspace


def test_a_head_on_frozen_features_makes_a_whole_run(learnt):
    run, workspace = learnt
    verify_run(run)
    assert len(run.history) == 1, "an optimum has no epochs"
    kept = {path.parent.name for path in workspace.features.rglob("*.npz")}
    assert len(kept) == 2, "features of the whole and of a piece"
    kinds = read_split(workspace.split).class_folder.nunique()
    outputs = kinds if kinds > 2 else 1
    assert run.cost["parameters"] == 4_694_024 - 1281 * 1000 + 2849 * outputs


def test_the_run_records_where_its_weights_come_from(learnt):
    run, _ = learnt
    assert run.provenance["weights"] == WEIGHTS["efficientnet_lite0"].facts()
    assert run.provenance["weights"]["sha256"].startswith("57934424")


def test_the_exported_model_scores_files_as_the_keras_model_and_val_scores_do(learnt):
    run, workspace = learnt
    split = read_split(workspace.split)
    val = split[split["split"] == "val"]
    archive = resolve_archive(None, workspace)
    pixels = np.stack([decode_image(archive / name, 32) for name in val.pathname])
    scores = Classifier.load(run).scores(pixels)
    keras_scores = load_model(run.best_model).predict(pixels.astype(np.float32), verbose=0)[:, 0]
    np.testing.assert_allclose(scores, keras_scores, atol=1e-4)
    recorded = run.val_scores.set_index("pathname").score
    np.testing.assert_allclose(scores, recorded[val.pathname], atol=1e-6)


def test_what_it_is_fitted_on_is_what_the_whole_model_scores(learnt):
    # The features come from the exported network: were they others, val_loss would be another.
    run, _ = learnt
    scores = run.val_scores
    chosen = np.where(scores.label == 1, scores.score, 1 - scores.score)
    assert -np.log(chosen).mean() == pytest.approx(run.best_epoch["val_loss"], abs=1e-3)


def test_the_same_run_again_is_bit_identical_from_features_that_are_there(
    learnt, tmp_path, monkeypatch
):
    run, before = learnt
    workspace = make_workspace(tmp_path)
    shutil.copytree(before.features, workspace.features)
    monkeypatch.setattr(Extractor, "features", lambda *_: pytest.fail("extracted again"))
    again = train(HEAD, workspace, progress=False)
    assert again.exported_model.read_bytes() == run.exported_model.read_bytes()


def test_fine_tuning_goes_on_from_the_fitted_head_and_may_be_paused(learnt, tmp_path):
    run, before = learnt
    tuned = HEAD.replace(fine_tune_from=15, epochs=2, patience=5, batch_size=5, learning_rate=1e-5)
    whole = train(tuned, before, progress=False)
    assert len(whole.history) == 2
    first, probe = whole.history.iloc[0], run.history.iloc[0]
    assert first.val_loss == pytest.approx(probe.val_loss)
    workspace = make_workspace(tmp_path)
    paused = train(tuned, workspace, progress=False, stop_after=1)
    assert not paused.done
    again = train(tuned, workspace, progress=False)
    assert again.run_id == paused.run_id
    pd.testing.assert_frame_equal(
        again.history.drop(columns="duration_s"), whole.history.drop(columns="duration_s")
    )


def test_fine_tuning_changes_the_freed_blocks_alone():
    model = build_model(HEAD.replace(fine_tune_from=15), kinds=3)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    noise = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    model.fit(noise, np.array([[0], [1], [0], [1]]), verbose=0)
    moved = {
        layer.name
        for layer in model.layers
        for a, b in zip(before[layer.name], layer.get_weights(), strict=True)
        if a.dtype.kind == "f" and (a != b).any()
    }
    expected = {"block_15_expand", "block_15_depthwise", "block_15_project", "top", "kinds"}
    assert moved == expected


def test_it_is_explained_like_any_other_model(learnt):
    run, _ = learnt
    noise = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    heat = grad_cam(load_model(run.best_model), noise)
    assert heat.shape == (2, 32, 32)
    assert np.isfinite(heat).all()


def test_missing_weights_stop_a_training_before_it_leaves_a_run(tmp_path, monkeypatch):
    workspace = make_workspace(tmp_path)

    def missing(self):
        raise WeightsError("Pretrained weights must be installed.")

    monkeypatch.setattr(PackagedWeights, "read", missing)
    with pytest.raises(WeightsError, match="must be installed"):
        train(HEAD, workspace, progress=False)
    assert list_runs(workspace.models) == []
