import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photoclf.backbones import make_extractor
from photoclf.backend import keras
from photoclf.cache import CacheError, build_cache
from photoclf.efficientnet_lite import efficientnet_lite
from photoclf.errors import ConfigError
from photoclf.extractor import Extractor
from photoclf.feature_parts import PARTS, part_widths
from photoclf.features import Features, cached_features, view_features
from photoclf.files import sha256_file

SIDE = 16


class Counted:
    """An extractor of three numbers an image that counts what it is asked."""

    def __init__(self, key="mean_v1"):
        self.key, self.image_size, self.seen = key, SIDE, 0
        self.parts = {"pooled": slice(0, 1), "means": slice(1, 3)}

    def features(self, pixels):
        self.seen += len(pixels)
        return pixels.mean(axis=(1, 2)).astype(np.float32)


@pytest.fixture
def archive(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(7):
        path = tmp_path / "archive" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
        rows.append((path.name, sha256_file(path)))
    return path.parent, pd.DataFrame(rows, columns=["pathname", "sha256"])


def extract(archive, extractor, folder, view="squash", images=None):
    place, table = archive
    table = table if images is None else images
    return view_features(place, table, extractor, view, folder, workers=0)


def test_features_are_extracted_once_and_read_afterwards(archive, tmp_path):
    extractor = Counted()
    first = extract(archive, extractor, tmp_path)
    again = extract(archive, extractor, tmp_path, images=archive[1].sample(frac=1, random_state=1))
    assert extractor.seen == 7
    assert first.pathnames == again.pathnames == tuple(archive[1].pathname)
    np.testing.assert_array_equal(first.values, again.values)


def test_another_network_view_or_image_has_features_of_its_own(archive, tmp_path):
    extractor = Counted()
    squash = extract(archive, extractor, tmp_path)
    window = extract(archive, extractor, tmp_path, view="native_1")
    assert (squash.values != window.values).any()
    extract(archive, extractor, tmp_path, images=archive[1].head(5))
    assert extractor.seen == 7 + 7 + 5
    other = Counted("mean_v2")
    extract(archive, other, tmp_path)
    assert other.seen == 7


def test_a_spoilt_file_of_features_is_extracted_again(archive, tmp_path):
    extractor = Counted()
    first = extract(archive, extractor, tmp_path)
    (file,) = tmp_path.rglob("*.npz")
    data = bytearray(file.read_bytes())
    data[-200] ^= 255
    file.write_bytes(data)
    np.testing.assert_array_equal(extract(archive, extractor, tmp_path).values, first.values)
    assert extractor.seen == 14


def test_cached_pixels_give_the_features_that_their_fit_s_view_gives(archive, tmp_path):
    place, table = archive
    cache = build_cache(place, table, tmp_path / "cache", image_size=SIDE, fit="crop", workers=0)
    extractor = Counted()
    cached = cached_features(cache, table, extractor, tmp_path / "f", progress=False)
    viewed = extract(archive, extractor, tmp_path / "f", view="crop")
    np.testing.assert_array_equal(cached.values, viewed.values)
    assert extractor.seen == 7


def test_compact_pixels_have_features_of_their_own(archive, tmp_path):
    place, table = archive
    kinds = {"image_size": SIDE, "fit": "squash", "storage": "compact", "workers": 0}
    cache = build_cache(place, table, tmp_path / "cache", **kinds)
    exact = extract(archive, Counted(), tmp_path / "f")
    compact = cached_features(cache, table, Counted(), tmp_path / "f", progress=False)
    assert (exact.values != compact.values).any()


def test_an_image_that_changed_since_the_audit_is_told(archive, tmp_path):
    Image.new("RGB", (4, 4)).save(archive[0] / "3.png")
    with pytest.raises(CacheError, match=r"what it was in the audit.*3\.png"):
        extract(archive, Counted(), tmp_path)


def test_parts_are_taken_by_name_and_rows_by_pathname():
    features = Features(
        np.arange(6, dtype=np.float32).reshape(2, 3),
        ("a", "b"),
        {"pooled": slice(0, 1), "means": slice(1, 3)},
    )
    swapped = features.of("means", "pooled")
    np.testing.assert_array_equal(swapped.values, [[1, 2, 0], [4, 5, 3]])
    assert swapped.parts == {"means": slice(0, 2), "pooled": slice(2, 3)}
    assert swapped.rows(["b", "a"]).tolist() == [1, 0]
    with pytest.raises(CacheError, match="'c'"):
        swapped.rows(["c"])


def test_the_extractor_gives_what_the_network_gives_with_its_mean_and_spread():
    extractor = make_extractor("efficientnet_lite0", 64, threads=1)
    assert isinstance(extractor, Extractor)
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    values = extractor.features(noise)
    assert tuple(extractor.parts) == PARTS
    assert values.shape == (3, sum(part_widths("efficientnet_lite0").values()))
    pixels = keras.Input((64, 64, 3))
    network = efficientnet_lite("efficientnet_lite0", pixels)
    model = keras.Model(pixels, [network.maps, network.stages[0], network.stages[-1]])
    maps, first, last = (np.asarray(x) for x in model(noise.astype(np.float32), training=False))
    parts = {name: values[:, where] for name, where in extractor.parts.items()}
    close = {"rtol": 1e-3, "atol": 1e-3}
    np.testing.assert_allclose(parts["pooled"], maps.mean((1, 2)), **close)
    np.testing.assert_allclose(parts["means"][:, :16], first.mean((1, 2)), **close)
    np.testing.assert_allclose(parts["spreads"][:, :16], first.std((1, 2)), **close)
    np.testing.assert_allclose(parts["spreads"][:, -320:], last.std((1, 2)), **close)
    np.testing.assert_allclose(extractor.features(noise[:1]), values[:1], atol=1e-5)


def test_an_unknown_extractor_is_told():
    with pytest.raises(ConfigError, match="efficientnet_lite0"):
        make_extractor("efficientnet_lite9", 64)
