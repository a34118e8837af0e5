import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photoclf import areas
from photoclf.areas import shrink


def true_means(pixels: np.ndarray, size: int) -> np.ndarray:
    """Average areas exactly, in floats."""

    def rows(values):
        edges = np.linspace(0, len(values), size + 1)
        sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, 0)])
        whole = np.minimum(edges.astype(int), len(values) - 1)
        part = (edges - whole).reshape(-1, *[1] * (values.ndim - 1))
        return np.diff(sums[whole] + values[whole] * part, axis=0) / (len(values) / size)

    return rows(rows(pixels.astype(np.float64)).swapaxes(0, 1)).swapaxes(0, 1)


def draw(height: int, width: int, shape=(3,)) -> np.ndarray:
    rng = np.random.default_rng(5)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 10, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    return smooth if shape else np.ascontiguousarray(smooth[..., 0])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(1, 1.59),
    st.floats(1, 1.59),
    st.integers(0, 99),
)
def test_by_pairs_each_byte_is_what_the_means_of_rows_and_columns_give(
    width, height, across, down, seed
):
    size = (int(height * down) + 1, int(width * across) + 1)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    box = (0, 0, max(width * across, width), max(height * down, height))
    rows = areas._mean_rows(pixels, height, box[1], box[3])
    expected = areas._mean_columns(rows, width, box[0], box[2])
    np.testing.assert_array_equal(areas._shrink_by_pairs(pixels, width, height, box), expected)


@pytest.mark.parametrize("shape", [(3,), ()])
@pytest.mark.parametrize(("height", "width"), [(65, 70), (150, 129), (300, 700), (64, 900)])
def test_each_pixel_is_near_the_mean_of_its_area(height, width, shape):
    pixels = draw(height, width, shape)
    small = shrink(pixels, 64, 64, (0, 0, width, height))
    assert small.shape == (64, 64, *shape)
    assert np.sqrt(np.mean((small - true_means(pixels, 64)) ** 2)) < 5
    assert abs(small.mean() - pixels.mean()) < 1


def test_whole_areas_are_averaged_exactly():
    pixels = draw(128, 192)
    expected = pixels.reshape(32, 4, 48, 4, 3).astype(int).sum((1, 3)) / 16
    assert np.abs(shrink(pixels, 48, 32, (0, 0, 192, 128)) - expected).max() <= 1


def test_a_size_that_fits_changes_nothing():
    pixels = draw(64, 64)
    assert (shrink(pixels, 64, 64, (0, 0, 64, 64)) == pixels).all()


def test_a_part_gives_what_it_gives_alone():
    pixels = draw(100, 300)
    part = np.ascontiguousarray(pixels[:, 100:200])
    assert (
        shrink(pixels, 40, 40, (100, 0, 200, 100)) == shrink(part, 40, 40, (0, 0, 100, 100))
    ).all()


@pytest.mark.parametrize("value", [0, 1, 128, 255])
@pytest.mark.parametrize(("height", "width"), [(33, 1), (5, 40_000), (12_000, 3)])
def test_a_flat_image_stays_as_it_is(height, width, value):
    pixels = np.full((height, width, 3), value, np.uint8)
    small = shrink(pixels, min(width, 32), min(height, 32), (0, 0, width, height))
    assert (small == value).all()
