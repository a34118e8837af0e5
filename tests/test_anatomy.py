import numpy as np
import pytest

from photoclf.anatomy import (
    KERNELS,
    apply_layer,
    feature_maps,
    make_convolution,
    parameter_table,
    to_picture,
)
from photoclf.backend import keras
from photoclf.config import RunConfig
from photoclf.errors import ConfigError
from photoclf.models import build_model


@pytest.fixture(scope="module")
def small_model():
    return build_model(RunConfig(model="reference_cnn", image_size=20, filters=(4, 8)))


def test_identity_kernel_returns_the_mean_of_the_channels():
    image = np.random.default_rng(0).random((6, 5, 3), np.float32)
    same = apply_layer(make_convolution(KERNELS["identity"], padding="same"), image)
    np.testing.assert_allclose(same[..., 0], image.mean(axis=-1), rtol=1e-5)


def test_edge_kernels_answer_to_their_own_direction_only():
    stripes = np.tile(np.array([0, 0, 1, 1], np.float32)[None, :, None], (4, 1, 3))
    down = apply_layer(make_convolution(KERNELS["vertical edges"]), stripes)
    across = apply_layer(make_convolution(KERNELS["horizontal edges"]), stripes)
    np.testing.assert_allclose(down, 4, rtol=1e-5)
    np.testing.assert_allclose(across, 0, atol=1e-5)


def test_stride_and_padding_decide_the_output_size():
    image = np.zeros((9, 9, 3), np.float32)
    shapes = [
        apply_layer(make_convolution(KERNELS["blur"], **options), image).shape
        for options in ({}, {"padding": "same"}, {"stride": 2}, {"stride": 2, "padding": "same"})
    ]
    assert shapes == [(7, 7, 1), (9, 9, 1), (4, 4, 1), (5, 5, 1)]


def test_dropout_drops_in_training_only():
    ones = np.ones((40, 40, 1), np.float32)
    dropout = keras.layers.Dropout(0.5, seed=1)
    assert (apply_layer(dropout, ones) == 1).all()
    dropped = apply_layer(dropout, ones, training=True)
    assert set(np.unique(dropped)) == {0.0, 2.0}


def test_feature_maps_of_a_layer_are_those_of_the_model(small_model):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    maps = feature_maps(small_model, pixels, "conv_1")
    first = small_model.get_layer("conv_1")
    np.testing.assert_allclose(maps, apply_layer(first, pixels / 255), rtol=1e-4, atol=1e-5)


def test_an_unknown_layer_is_refused_with_the_nearest_name(small_model):
    with pytest.raises(ConfigError, match="Did you mean 'conv_1'"):
        feature_maps(small_model, np.zeros((20, 20, 3), np.uint8), "conv1")


def test_parameter_table_accounts_for_every_parameter(small_model):
    table = parameter_table(small_model)
    assert table.parameters.sum() == small_model.count_params()
    assert table.share.sum() == pytest.approx(1)
    assert table.layer.iloc[0] == "rescale"
    assert table.set_index("layer").output_shape["conv_1"] == (16, 16, 4)


def test_a_picture_spans_black_to_white_with_zero_in_the_middle_of_signed_maps():
    assert to_picture(np.linspace(0, 2, 100).reshape(10, 10, 1)).ravel()[[0, -1]].tolist() == [
        0,
        255,
    ]
    signed = to_picture(np.linspace(-1, 2, 301).reshape(7, 43))
    assert signed.ravel()[100] in (127, 128)
    assert not to_picture(np.full((2, 2), 7.0)).any()


def test_one_strong_answer_does_not_darken_a_picture():
    values = np.linspace(0, 1, 10_000).reshape(100, 100)
    values[0, 0] = 1000
    assert to_picture(values)[99, 50] > 250
