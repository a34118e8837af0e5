import io
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from photoclf.archive_look import archive_look
from photoclf.decode import decode_image
from photoclf.errors import ConfigError
from photoclf.views import packed_view, render_view, view_key

CAT = (Path(skimage.__file__).parent / "data" / "chelsea.png").read_bytes()


def encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("view", ["squash", "letterbox", "crop"])
def test_a_fit_is_the_view_of_that_name(view):
    np.testing.assert_array_equal(render_view(CAT, view, 48), decode_image(CAT, 48, view))


@pytest.mark.parametrize("view", ["squash", "native_1", "archive_1"])
def test_a_view_is_a_square_of_bytes_and_the_same_every_time(view):
    first = render_view(CAT, view, 40)
    assert first.shape == (40, 40, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, render_view(CAT, view, 40))


@pytest.mark.parametrize("kind", ["native", "archive"])
def test_another_number_and_another_image_draw_something_else(kind):
    views = [render_view(CAT, f"{kind}_{i}", 40) for i in (1, 2)]
    assert (views[0] != views[1]).any()
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    turned = [render_view(encoded(p), f"{kind}_1", 40) for p in (noise, noise[::-1])]
    assert (turned[0] != turned[1][::-1]).any()


def test_a_native_window_is_a_piece_of_the_image_that_was_not_resized():
    rows = np.repeat(np.arange(100, dtype=np.uint8)[:, None], 150, axis=1)
    columns = np.repeat(np.arange(150, dtype=np.uint8)[None], 100, axis=0)
    image = np.stack([rows, columns, rows], axis=-1)
    window = render_view(encoded(image), "native_3", 20)
    top, left = window[0, 0, :2]
    np.testing.assert_array_equal(window, image[top : top + 20, left : left + 20])


def test_an_image_smaller_than_the_window_is_enlarged():
    assert render_view(encoded(np.full((9, 30, 3), 7, np.uint8)), "native_1", 20).shape[0] == 20


@pytest.mark.parametrize("view", ["squashed", "native", "native_0", "archive_01", "crop_1"])
def test_an_unknown_view_is_told(view):
    with pytest.raises(ConfigError, match="must be one of"):
        view_key(view)


def test_the_keys_of_different_pixels_differ():
    views = ["squash", "crop", "native_1", "native_2", "archive_1"]
    assert len({view_key(view) for view in views}) == len(views)


def test_a_worker_tells_what_is_wrong_with_a_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(CAT[:200])
    assert packed_view((path, "0" * 64), "squash", 20) == "other bytes"


def test_an_archive_s_look_keeps_what_is_on_the_picture_and_changes_most_pictures():
    picture = decode_image(CAT, 96)
    looks = [archive_look(picture, np.random.default_rng(i)) for i in range(60)]
    assert all(look.dtype == np.uint8 and look.shape[2] == 3 for look in looks)
    unchanged = sum(look is picture for look in looks)
    assert 5 <= unchanged <= 25
    grey = sum(np.ptp(look.astype(int), axis=2).max() < 12 for look in looks)
    assert 2 <= grey <= 25


def test_a_look_is_drawn_from_small_and_thin_pictures_too():
    for shape in ((1, 1, 3), (2, 300, 3), (300, 9, 3)):
        pixels = np.full(shape, 90, np.uint8)
        for i in range(25):
            archive_look(pixels, np.random.default_rng(i))
