"""Where a model looks in an image that a person labels."""

import pickle
from pathlib import Path

import pytest

from photoclf import label_heat
from photoclf.config import RunConfig
from photoclf.errors import RunError
from photoclf.files import sha256_file
from photoclf.label_heat import map_image
from photoclf.models import build_model
from tests.images import write_image


@pytest.fixture
def _small_model(monkeypatch, request):
    fit = getattr(request, "param", "squash")
    config = RunConfig(model="compact_cnn", image_size=32, filters=(4, 8), fit=fit).resolved()
    model = build_model(config)
    monkeypatch.setattr(label_heat, "_model", lambda folder: (model, config))


@pytest.mark.usefixtures("_small_model")
def test_a_map_has_the_proportions_of_its_image_and_says_of_which_bytes_it_is(tmp_path):
    path = write_image(tmp_path / "wide.png", seed=1, size=(300, 100))
    picture = map_image((path, tmp_path))
    assert (picture.width, picture.height) == (300, 100)
    assert picture.sha256 == sha256_file(path)


@pytest.mark.usefixtures("_small_model")
@pytest.mark.parametrize("_small_model", ["letterbox", "crop"], indirect=True)
def test_a_model_that_sees_a_square_is_shown_with_that_square(tmp_path):
    path = write_image(tmp_path / "wide.png", seed=1, size=(300, 100))
    picture = map_image((path, tmp_path))
    assert picture.width == picture.height


@pytest.mark.usefixtures("_small_model")
def test_a_file_that_cannot_be_read_gives_the_reason(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert map_image((tmp_path / "broken.jpg", tmp_path)) == "corrupt"
    assert map_image((tmp_path / "gone.jpg", tmp_path)) == "vanished"


def test_a_run_without_a_model_gives_the_error(tmp_path):
    path = write_image(tmp_path / "a.png", seed=1)
    said = map_image((path, Path(tmp_path / "no_run")))
    assert isinstance(said, RunError)
    assert isinstance(pickle.loads(pickle.dumps(said)), RunError)  # it comes from a process
