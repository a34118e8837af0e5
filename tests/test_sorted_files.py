"""Predicted files as links or copies: complete, never moved, never over something else."""

import errno
import shutil
import sys

import pytest

from photoclf.errors import ConfigError
from photoclf.file_list import Source
from photoclf.predict import predict_files
from photoclf.prediction_places import InTheWayError, PredictionError
from photoclf.sorted_files import sort_into
from tests.bright_model import choose, png, put

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")


@pytest.fixture
def predicted(tmp_path, bright_run):
    """Three images, one of each decision, a broken file and their predictions."""
    folder, out = tmp_path / "archive", tmp_path / "out.csv"
    choose(bright_run, 0.5, low=0.3, high=0.7)
    for name, grey in {"a/1.png": 0, "b/1.png": 128, "b/ ;2\n.png": 250}.items():
        put(folder, name, png(grey))
    put(folder, "b/broken.png", b"no image")
    predict_files(Source(folder), bright_run, out, workers=0)
    return out, folder


def laid(place):
    return sorted(p.relative_to(place).as_posix() for p in place.rglob("*") if not p.is_dir())


WHERE = ["other/a/1.png", "photo/b/ ;2\n.png", "review/b/1.png"]


@pytest.mark.parametrize("copy", [False, True])
def test_each_file_with_a_decision_lies_in_its_folder_and_where_it_was(predicted, tmp_path, copy):
    out, folder = predicted
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    place = tmp_path / "sorted"
    for _ in range(2):  # the second time nothing is left to do
        assert sort_into(out, folder, place, copy=copy) == 3
        assert laid(place) == WHERE
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before
    for name in WHERE:
        assert (place / name).is_symlink() != copy
        assert (place / name).read_bytes() == (folder / name.split("/", 1)[1]).read_bytes()


@pytest.mark.parametrize("copy", [False, True])
def test_what_lies_there_otherwise_is_left_as_it_is(predicted, tmp_path, copy):
    out, folder = predicted
    place = tmp_path / "sorted"
    put(place, "other/a/1.png", b"mine")
    with pytest.raises(InTheWayError, match="something else"):
        sort_into(out, folder, place, copy=copy)
    assert (place / "other/a/1.png").read_bytes() == b"mine"


@pytest.mark.parametrize("copy", [False, True])
def test_nothing_is_laid_through_a_link_or_into_the_archive(predicted, tmp_path, copy):
    out, folder = predicted
    before = laid(folder)
    place = tmp_path / "sorted"
    place.mkdir()
    (place / "review").symlink_to(folder / "b")
    with pytest.raises(InTheWayError, match="something else"):
        sort_into(out, folder, place, copy=copy)
    for inside in (folder, folder / "sorted"):
        with pytest.raises(ConfigError, match="must go outside"):
            sort_into(out, folder, inside, copy=copy)
    assert laid(folder) == before


def test_long_names_of_many_bytes_are_copied(tmp_path, bright_run):
    folder, out = tmp_path / "archive", tmp_path / "out.csv"
    put(folder, 82 * "写" + ".png", png(250))
    predict_files(Source(folder), bright_run, out, workers=0)
    assert sort_into(out, folder, tmp_path / "sorted", copy=True) == 1


def test_a_file_is_not_sorted_twice(predicted, tmp_path, bright_run):
    out, folder = predicted
    sort_into(out, folder, tmp_path / "sorted")
    choose(bright_run, 0.5, low=0.3, high=1.5)
    predict_files(Source(folder), bright_run, out, workers=0, anew=True)
    with pytest.raises(InTheWayError, match="sorted once"):
        sort_into(out, folder, tmp_path / "sorted")


def test_a_copy_that_has_no_room_or_no_original_is_told_and_leaves_nothing(
    predicted, tmp_path, monkeypatch
):
    out, folder = predicted

    def full(source, target):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", full)
        with pytest.raises(PredictionError, match="need room"):
            sort_into(out, folder, tmp_path / "sorted", copy=True)
    assert laid(tmp_path / "sorted") == []
    (folder / "a/1.png").unlink()
    with pytest.raises(PredictionError, match="gone since"):
        sort_into(out, folder, tmp_path / "sorted", copy=True)
