"""Networks of `keras.applications`: their weights are fetched, checked, kept, or refused."""

import dataclasses
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from photoclf import pretrained
from photoclf.backbones import make_extractor
from photoclf.backend import keras
from photoclf.config import RunConfig
from photoclf.errors import ConfigError, WeightsError
from photoclf.models import build_model
from photoclf.pretrained import APPLICATIONS, weights_facts

NAME = "mobilenet_v3_small"
CONFIG = RunConfig(model=NAME, image_size=32)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Weights such as the publisher's: the whole file's bytes."""
    keras.utils.set_random_seed(7)
    path = tmp_path_factory.mktemp("published") / "w.weights.h5"
    keras.applications.MobileNetV3Small(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    ).save_weights(path)
    return path.read_bytes()


@pytest.fixture
def server(published):
    """A server on this machine; `cut` makes it stop in the middle of the file."""

    class Answer(BaseHTTPRequestHandler):
        asked, cut = 0, None

        def do_GET(self):
            type(self).asked += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(published)))
            self.end_headers()
            self.wfile.write(published[: self.cut])

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield Answer, f"http://127.0.0.1:{http.server_port}/w.weights.h5"
    http.shutdown()
    http.server_close()


@pytest.fixture
def pinned(published, server, tmp_path, monkeypatch):
    """The network's weights come from the server, with the hash of what it has."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    weights = dataclasses.replace(
        APPLICATIONS[NAME].weights, url=server[1], digest=hashlib.md5(published).hexdigest()
    )
    application = dataclasses.replace(APPLICATIONS[NAME], weights=weights)
    monkeypatch.setitem(pretrained.APPLICATIONS, NAME, application)
    monkeypatch.setitem(pretrained.WEIGHTS, NAME, weights)
    return weights


def test_weights_are_fetched_once_kept_and_loaded(pinned, server, published):
    first, second = build_model(CONFIG), build_model(CONFIG)
    assert server[0].asked == 1
    assert pinned.path.read_bytes() == published
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(first(pixels, training=False), second(pixels, training=False))
    assert [v.path for v in first.trainable_variables] == ["kinds/kernel", "kinds/bias"]


def test_features_are_what_the_published_network_gives(pinned, published, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    values = make_extractor(NAME, 32, threads=1).features(pixels)
    network = keras.applications.MobileNetV3Small(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    (tmp_path / "w.weights.h5").write_bytes(published)
    network.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_allclose(
        values, network(pixels.astype(np.float32), training=False), rtol=1e-3, atol=1e-4
    )


def test_a_run_records_which_weights_it_had(pinned, published):
    build_model(CONFIG)
    facts = weights_facts(NAME)
    assert facts["source"] == pinned.url
    assert facts["sha256"] == hashlib.sha256(published).hexdigest()


def test_a_download_that_is_cut_short_keeps_nothing_and_says_what_to_do(pinned, server):
    server[0].cut = 1000
    with pytest.raises(WeightsError, match=r"(?s)must be downloaded.*efficientnet_lite2"):
        build_model(CONFIG)
    assert not pinned.path.exists()
    server[0].cut = None
    build_model(CONFIG)


@pytest.mark.parametrize("kept", [True, False])
def test_other_bytes_than_those_pinned_are_refused(pinned, kept, monkeypatch):
    if kept:
        pinned.path.parent.mkdir(parents=True)
        pinned.path.write_bytes(b"other")
    else:
        other = dataclasses.replace(pinned, digest="0" * 32)
        application = dataclasses.replace(APPLICATIONS[NAME], weights=other)
        monkeypatch.setitem(pretrained.APPLICATIONS, NAME, application)
    with pytest.raises(WeightsError, match="must be what was published"):
        build_model(CONFIG)
    assert kept or not pinned.path.exists()


def test_offline_the_address_the_place_and_the_alternatives_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    nowhere = dataclasses.replace(APPLICATIONS[NAME].weights, url="http://127.0.0.1:9/w.h5")
    application = dataclasses.replace(APPLICATIONS[NAME], weights=nowhere)
    monkeypatch.setitem(pretrained.APPLICATIONS, NAME, application)
    with pytest.raises(WeightsError) as told:
        build_model(CONFIG)
    for word in (nowhere.url, str(tmp_path / "models"), "KERAS_HOME", "compact_cnn"):
        assert word in str(told.value)


@pytest.mark.parametrize("choice", [{"features": "all"}, {"fine_tune_from": 3}])
def test_what_such_a_network_cannot_do_is_told(choice):
    with pytest.raises(ConfigError, match="must be"):
        build_model(CONFIG.replace(**choice))


@pytest.mark.parametrize("name", list(APPLICATIONS))
def test_each_network_is_there_and_as_wide_as_is_said(name):
    facts = APPLICATIONS[name]
    network = getattr(keras.applications, facts.name)(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    assert network.output_shape[-1] == facts.width
    assert len(facts.weights.digest) in (32, 64)
