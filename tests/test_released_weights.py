import shutil

import numpy as np
import pytest
from PIL import Image

from photoclf import bench_images
from photoclf.backend import keras
from photoclf.bench_images import draw_scans
from photoclf.decode import decode_image
from photoclf.demo_photographs import frame_original
from photoclf.explain import model_of
from photoclf.export import keras_scores, litert_scores
from photoclf.files import read_json, write_json
from photoclf.paths import release_folder
from photoclf.run import Run

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


@pytest.fixture(scope="module")
def twin():
    return model_of(Run(release_folder()))


def test_keras_scores_drawn_images_and_noise_as_the_release_does(twin, tmp_path, monkeypatch):
    monkeypatch.setattr(bench_images, "SCANS", 2)
    rng = np.random.default_rng(0)
    photographs = [frame_original(name, rng) for name in ("astronaut", "chelsea", "rocket")]
    files = [tmp_path / f"{i}.png" for i in range(len(photographs))]
    for path, pixels in zip(files, photographs, strict=True):
        Image.fromarray((pixels * 255).astype(np.uint8)).save(path)
    files += draw_scans(tmp_path / "scans")
    drawn = [decode_image(path, 260, "crop") for path in files]
    noise = rng.integers(0, 256, (8, 260, 260, 3), dtype=np.uint8)
    images = np.array([*drawn, *noise])
    released = litert_scores(Run(release_folder()).exported_model.read_bytes(), images)
    assert released.min() < 0.2
    assert released.max() > 0.8
    np.testing.assert_allclose(keras_scores(twin, images), released, atol=1e-5)


def test_the_weights_are_those_of_the_file(twin):
    # Compared sorted: the converter orders and names them in its own way.
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(Run(release_folder()).exported_model))
    details = interpreter.get_tensor_details()
    shipped = [
        interpreter.get_tensor(one["index"]).ravel()
        for one in details
        if one["dtype"] == np.float16 and len(one["shape"]) == 4
    ]
    kernels = [
        layer.get_weights()[0].ravel() for layer in twin.layers if isinstance(layer, CONVOLUTIONS)
    ]
    assert len(kernels) == len(shipped)
    ours, theirs = np.sort(np.concatenate(kernels)), np.sort(np.concatenate(shipped))
    # Another processor may take the root's last bit otherwise.
    assert np.mean(ours.astype(np.float16) != theirs) < 1e-3


def test_batch_norm_is_left_with_nothing_but_the_bias(twin):
    norms = [la for la in twin.layers if isinstance(la, keras.layers.BatchNormalization)]
    x = np.random.default_rng(0).normal(size=(2, 3, 3, norms[0].gamma.shape[0])).astype("float32")
    beta = norms[0].beta.numpy()
    np.testing.assert_allclose(norms[0](x, training=False), x + beta, rtol=1e-6, atol=1e-6)
    assert (beta == beta.astype(np.float16)).all()
    assert not any(layer.trainable for layer in norms)


def test_a_release_in_float32_keeps_its_weights_as_published(tmp_path):
    folder = tmp_path / "release"
    shutil.copytree(release_folder(), folder)
    facts = read_json(folder / "model.json")
    write_json(folder / "model.json", facts | {"weights": "float32"})
    stem = model_of(Run(folder)).get_layer("stem").get_weights()[0]
    assert (stem != stem.astype(np.float16)).any()
