"""Eager use, cache, training and prediction see the same pixels of every kind of file."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image, features

from photoclf import scorer
from photoclf.band import Band
from photoclf.cache import build_cache
from photoclf.datasets import make_dataset
from photoclf.decode import decode_image
from photoclf.exported import ExportedModel
from photoclf.files import sha256_file
from photoclf.predict import predict_folder
from photoclf.run import Run
from tests.images import draw_noise

SIZE = 32
TURNED = Image.Exif()
TURNED[0x0112] = 6

# Name → Pillow's mode, and how to save.
KINDS = {
    "colour.jpg": ("RGB", {}),
    "progressive.jpg": ("RGB", {"progressive": True, "subsampling": 0}),
    "grey.jpg": ("L", {}),
    "inks.jpg": ("CMYK", {}),
    "turned.jpg": ("RGB", {"exif": TURNED}),
    "jpeg_named.png": ("RGB", {"format": "JPEG"}),
    "colour.png": ("RGB", {}),
    "one_bit.png": ("1", {}),
    "palette.png": ("P", {}),
    "grey_alpha.png": ("LA", {}),
    "alpha.png": ("RGBA", {}),
    "sixteen_bit.png": ("I;16", {}),
    "turned.png": ("RGB", {"exif": TURNED}),
    "animated.gif": ("P", {"save_all": True, "append_images": [draw_noise(9)]}),
    "lossy.webp": ("RGB", {}),
    "alpha.webp": ("RGBA", {"lossless": True}),
    "colour.tif": ("RGB", {}),
    "fax.tif": ("1", {"compression": "group4"}),
    "inks.tif": ("CMYK", {}),
    "lab.tif": ("LAB", {}),
    "sixteen_bit.tif": ("I;16", {}),
    "pages.tif": ("RGB", {"save_all": True, "append_images": [draw_noise(9)]}),
    "colour.bmp": ("RGB", {}),
    "colour.ppm": ("RGB", {}),
    "colour.tga": ("RGB", {}),
    "colour.pcx": ("RGB", {}),
    "colour.ico": ("RGBA", {"sizes": [(64, 64)]}),
}
if features.check("jpg_2000"):
    KINDS["colour.jp2"] = ("RGB", {})
if features.check("avif"):
    KINDS["colour.avif"] = ("RGB", {})

try:
    from pillow_heif import from_pillow
except ImportError:  # an extra
    from_pillow = None


def in_mode(image, mode):
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "LAB":
        return Image.merge("LAB", image.split())
    if mode in ("LA", "RGBA"):
        image = image.convert(mode)
        image.putalpha(image.getchannel(0))
        return image
    return image.convert(mode)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("kinds")
    for seed, (name, (mode, options)) in enumerate(KINDS.items()):
        in_mode(draw_noise(seed, size=(150, 100)), mode).save(root / name, **options)
    if from_pillow is not None:
        from_pillow(draw_noise(77, size=(150, 100))).save(root / "colour.heic")
    return root


def predicted_pixels(folder, fit, monkeypatch):
    seen = []

    def score(pixels):
        seen.append(pixels)
        return np.float32(0)

    model = ExportedModel(folder / "no.tflite", "", SIZE, fit, 1.0, 0.5, Band(0.5, 0.5))
    monkeypatch.setattr(scorer, "_kept_scorer", lambda model: SimpleNamespace(score=score))
    monkeypatch.setattr(ExportedModel, "of", lambda run: model)
    table = predict_folder(folder, Run(folder / "no_run"), workers=0)
    return dict(zip(table.pathname, seen, strict=True))


@pytest.mark.parametrize("fit", ["squash", "letterbox", "crop"])
def test_a_file_has_the_same_pixels_everywhere(folder, tmp_path, monkeypatch, fit):
    names = sorted(path.name for path in folder.iterdir())
    images = pd.DataFrame(
        {"pathname": names, "sha256": [sha256_file(folder / n) for n in names], "label": 0}
    )
    cache = build_cache(folder, images, tmp_path, image_size=SIZE, fit=fit)
    fed = {}
    for training in (False, True):
        data = make_dataset(cache, images, batch_size=8, training=training, seed=1)
        steps = -(-len(names) // 8)
        fed[training] = np.concatenate([pixels for pixels, _ in data.take(steps)])
    predicted = predicted_pixels(folder, fit, monkeypatch)
    trained = {pixels.tobytes() for pixels in fed[True]}
    for row, name in enumerate(names):
        eager = decode_image(folder / name, SIZE, fit)
        assert eager.std() > 5, name
        np.testing.assert_array_equal(cache.pixels[row], eager, err_msg=name)
        np.testing.assert_array_equal(fed[False][row], eager, err_msg=name)
        np.testing.assert_array_equal(predicted[name], eager, err_msg=name)
        assert eager.tobytes() in trained, name
    assert len(fed[True]) == len(names)
