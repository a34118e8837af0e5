import pytest

from photoclf.backend import keras
from photoclf.config import RunConfig
from photoclf.flops import count_flops
from photoclf.models import build_model


def test_the_reference_is_counted_as_by_hand():
    config = RunConfig(model="reference_cnn", image_size=32, filters=(3, 4), dense_units=(6, 5))
    # Valid convolutions: 32 → 28, pooled 14 → 12, pooled 6; 6 · 6 · 4 = 144 values.
    convolutions = 5 * 5 * 3 * 3 * 28**2 + 3 * 3 * 3 * 4 * 12**2
    dense = 144 * 6 + 6 * 5 + 5 * 2
    assert count_flops(build_model(config)) == 2 * (convolutions + dense)
    parameters = 5 * 5 * 3 * 3 + 3 + 3 * 3 * 3 * 4 + 4 + dense + 6 + 5 + 2
    assert build_model(config).count_params() == parameters


def test_the_compact_model_is_counted_as_by_hand():
    config = RunConfig(image_size=32, filters=(4, 6, 8))
    stem = 5 * 5 * 3 * 4 * 16**2
    first = (4 * 6 + 9 * 4 * 6 + 9 * 6 * 6) * 8**2
    second = (6 * 8 + 9 * 6 * 8 + 9 * 8 * 8) * 4**2
    assert count_flops(build_model(config)) == 2 * (stem + first + second + 8)
    kernels = 5 * 5 * 3 * 4 + 4 * 6 + 9 * 4 * 6 + 9 * 6 * 6 + 6 * 8 + 9 * 6 * 8 + 9 * 8 * 8
    norms = 4 * (4 + 3 * 6 + 3 * 8)
    assert build_model(config).count_params() == kernels + norms + 8 + 1


def test_models_inside_models_and_separable_kernels_are_counted():
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.DepthwiseConv2D(3)])
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.SeparableConv2D(5, 1)(inner(pixels))
    assert count_flops(keras.Model(pixels, x)) == 2 * 36 * (9 * 3 + 3 + 3 * 5)


def test_an_image_of_unknown_size_is_refused():
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3)])
    with pytest.raises(ValueError, match="fixed image size"):
        count_flops(model)
