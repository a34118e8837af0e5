import json
import shutil
import zipfile

import numpy as np
import pytest

from photoclf import export
from photoclf.backend import keras
from photoclf.checkpoints import save_model
from photoclf.config import RunConfig
from photoclf.errors import RunError
from photoclf.export import convert, export_model, keras_scores, litert_scores, load_model
from photoclf.files import sha256_file
from photoclf.models import build_model
from photoclf.training_views import training_view

CONFIGS = {
    "compact_cnn": RunConfig(model="compact_cnn", image_size=24, filters=(4, 6)),
    "reference_cnn": RunConfig(
        model="reference_cnn", image_size=24, filters=(3, 4), dense_units=(6,)
    ),
}


def some_pixels(n=70, side=24):
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def record(folder):
    state = {"best_sha256": sha256_file(folder / "best.keras")}
    (folder / "state.json").write_text(json.dumps(state))


@pytest.fixture(scope="module", params=CONFIGS)
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    model = build_model(CONFIGS[request.param])
    labels = np.arange(70)[:, None] % 2
    training_view(model).fit(some_pixels(), labels, epochs=2, verbose=0)
    save_model(model, folder / "best.keras")
    record(folder)
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def test_the_exported_model_scores_as_the_original_does_on_any_batch(folder):
    facts = export_model(folder / "best.keras", some_pixels(), folder)
    assert facts["max_abs_difference"] <= 1e-5
    assert facts["images"] == 70
    assert facts["sha256"] == sha256_file(folder / "model.tflite")
    model = load_model(folder / "best.keras")
    assert facts["parameters"] == model.count_params()
    exported = (folder / "model.tflite").read_bytes()
    for n in (1, 7, 33):
        scores = litert_scores(exported, some_pixels(n))
        assert scores.shape == (n,)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, keras_scores(model, some_pixels(n)), atol=1e-5)


def test_the_exported_model_takes_uint8_pixels_and_is_not_in_training_mode(folder):
    from ai_edge_litert.interpreter import Interpreter

    exported = convert(load_model(folder / "best.keras"))
    interpreter = Interpreter(model_content=exported)
    facts = interpreter.get_input_details()[0]
    assert facts["dtype"] == np.uint8
    assert facts["shape_signature"].tolist() == [-1, 24, 24, 3]
    operations = {op["op_name"] for op in interpreter._get_ops_details()}
    assert not {o for o in operations if "RANDOM" in o or "VARIABLE" in o or "VAR_HANDLE" in o}
    # A batch's statistics or dropout would make an image's score depend on its neighbours.
    one, many = litert_scores(exported, some_pixels(1)), litert_scores(exported, some_pixels(9))
    assert one[0] == pytest.approx(many[0], abs=1e-6)


@pytest.mark.parametrize("wrong", [0.001, float("nan")])
def test_an_export_that_scores_otherwise_is_refused_and_not_written(folder, wrong, monkeypatch):
    monkeypatch.setattr(export, "litert_scores", lambda *_: np.full(70, wrong, np.float32))
    with pytest.raises(RunError, match=r"within 0\.0001"):
        export_model(folder / "best.keras", some_pixels(), folder)
    assert not (folder / "model.tflite").exists()


def test_an_export_without_images_to_check_is_refused(folder):
    with pytest.raises(RunError, match="checked on images"):
        export_model(folder / "best.keras", some_pixels(0), folder)


def test_a_model_that_was_changed_since_the_run_recorded_it_is_refused(folder):
    with open(folder / "best.keras", "ab") as file:
        file.write(b"x")
    with pytest.raises(RunError, match=r"must be the file that the run recorded.\n- .*\n\+ "):
        load_model(folder / "best.keras")


def test_a_finished_run_vouches_for_its_model_with_done(folder):
    (folder / "state.json").write_text('{"best_sha256": "stale"}')
    recorded = {"best.keras": sha256_file(folder / "best.keras")}
    (folder / "done").write_text(json.dumps({"sha256": recorded}))
    assert load_model(folder / "best.keras").count_params() > 0


def test_a_model_without_a_record_is_refused_unless_its_hash_is_given(folder):
    sha256 = sha256_file(folder / "best.keras")
    (folder / "state.json").unlink()
    with pytest.raises(RunError, match="recorded by its run"):
        load_model(folder / "best.keras")
    assert load_model(folder / "best.keras", sha256).count_params() > 0


def test_an_hdf5_model_is_refused_unread(tmp_path):
    (tmp_path / "best.h5").write_bytes(b"anything")
    with pytest.raises(RunError, match=r"`.keras` file. Received: best.h5"):
        load_model(tmp_path / "best.h5")


def test_a_missing_model_is_told(tmp_path):
    with pytest.raises(RunError, match="must exist"):
        load_model(tmp_path / "best.keras")


def test_a_model_with_code_inside_is_refused_even_when_recorded(tmp_path):
    pixels = keras.Input((24, 24, 3))
    x = keras.layers.Lambda(lambda p: p[:, 0, 0, :1])(pixels)
    keras.Model(pixels, x).save(tmp_path / "best.keras")
    record(tmp_path)
    with pytest.raises(RunError, match="must be what Keras saved"):
        load_model(tmp_path / "best.keras")


def test_a_recorded_file_that_is_no_model_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "best.keras", "w") as file:
        file.writestr("metadata.json", "{}")
    record(tmp_path)
    with pytest.raises(RunError, match="must be what Keras saved"):
        load_model(tmp_path / "best.keras")


def test_exporting_prints_nothing(folder, capfd):
    export_model(folder / "best.keras", some_pixels(3), folder)
    assert capfd.readouterr() == ("", "")
