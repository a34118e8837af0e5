import numpy as np
import pytest

from photoclf.backend import keras
from photoclf.config import RunConfig
from photoclf.errors import RunError
from photoclf.explain import grad_cam
from photoclf.models import build_model
from photoclf.training_views import training_view

CONFIGS = {
    "compact_cnn": RunConfig(
        model="compact_cnn", image_size=32, filters=(8, 12), dropout=0.0, learning_rate=0.01
    ),
    "reference_cnn": RunConfig(
        model="reference_cnn", image_size=32, filters=(6, 8), dense_units=(16,), dropout=0.0
    ),
}


def planted(n, seed):
    """Grey noise; photos hold a red patch of 8 px, whose corner is returned."""
    rng = np.random.default_rng(seed)
    pixels = np.repeat(rng.integers(90, 160, (n, 32, 32, 1)), 3, axis=3).astype(np.uint8)
    labels, corners = np.arange(n) % 2, rng.integers(0, 25, (n, 2))
    for image, label, (y, x) in zip(pixels, labels, corners, strict=True):
        if label:
            image[y : y + 8, x : x + 8] = (230, 20, 20)
    return pixels, labels, corners


@pytest.mark.parametrize("name", CONFIGS)
def test_the_map_is_hot_where_the_photo_was_planted(name):
    pixels, labels, _ = planted(192, 0)
    model = build_model(CONFIGS[name])
    training_view(model).fit(pixels, labels[:, None], epochs=12, verbose=0)
    pixels, labels, corners = planted(40, 1)
    heat = grad_cam(model, pixels)
    assert heat.shape == (40, 32, 32)
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    assert heat.max() <= 1
    inside = []
    for i in np.flatnonzero(labels == 1):
        row, column = np.unravel_index(heat[i].argmax(), (32, 32))
        y, x = corners[i]
        inside.append(y - 4 <= row < y + 12 and x - 4 <= column < x + 12)
        assert heat[i].max() == pytest.approx(1)
    assert np.mean(inside) > 0.8


def test_an_image_the_model_is_sure_of_still_has_a_map():
    model = build_model(CONFIGS["compact_cnn"])
    model.get_layer("photo").bias.assign([200.0])
    pixels = planted(4, 0)[0]
    assert (model.predict(pixels, verbose=0) == 1).all(), "the probability's gradient is 0"
    model.get_layer("photo").kernel.assign(np.ones((12, 1)))
    assert (grad_cam(model, pixels).max(axis=(1, 2)) == 1).all()


def test_an_image_in_which_nothing_speaks_for_photo_has_zeros():
    model = build_model(CONFIGS["compact_cnn"])
    model.get_layer("photo").kernel.assign(-np.ones((12, 1)))
    assert (grad_cam(model, planted(3, 0)[0]) == 0).all()


def test_no_image_gives_no_map():
    model = build_model(CONFIGS["compact_cnn"])
    assert grad_cam(model, np.empty((0, 32, 32, 3), np.uint8)).shape == (0, 32, 32)


def test_a_model_without_a_convolution_is_told():
    pixels = keras.Input((32, 32, 3))
    x = keras.layers.Dense(1)(keras.layers.Flatten()(pixels))
    with pytest.raises(RunError, match="needs a model with a convolution"):
        grad_cam(keras.Model(pixels, x, name="flat"), planted(1, 0)[0])


@pytest.mark.parametrize("features", ["pooled", "stages"])
def test_of_several_kinds_the_photograph_is_explained(features):
    config = RunConfig(model="efficientnet_lite0", image_size=64, features=features)
    model = build_model(config, kinds=4)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    kernel, bias = model.get_layer("kinds").get_weights()
    kernel[:] = 0
    model.get_layer("kinds").set_weights([kernel, bias])
    assert grad_cam(model, pixels).max() == 0
    warmest = []
    for sign in (1, -1):  # features of either sign speak for photographs, the last kind
        kernel[:, -1] = sign
        model.get_layer("kinds").set_weights([kernel, bias])
        warmest.append(grad_cam(model, pixels).max())
    assert max(warmest) == 1
