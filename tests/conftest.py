"""Shared fixtures: a tiny drawn archive, and a workspace in which one tiny run was trained."""

import shutil
from pathlib import Path

import pytest

from photoclf import steps
from photoclf.config import RunConfig
from photoclf.demo_archive import draw_demo_archive
from photoclf.paths import ARCHIVE_VARIABLE, Workspace
from photoclf.run import Run
from tests.bright_model import convert_brightness_model, make_bright_run

TINY = RunConfig(image_size=32, filters=(4, 8), epochs=1, batch_size=16)


@pytest.fixture(autouse=True)
def _no_archive_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ARCHIVE_VARIABLE, raising=False)


@pytest.fixture(scope="session")
def tiny_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo archive with 10 images a class. Tests read it; none writes into it."""
    folder = tmp_path_factory.mktemp("archive") / "tiny"
    draw_demo_archive(folder, images_per_class=10)
    return folder


@pytest.fixture(scope="session")
def trained(tiny_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with one finished tiny run. Tests read it; those that write take `own_copy`."""
    from photoclf.train import train

    workspace = Workspace(tmp_path_factory.mktemp("trained"))
    steps.scan(workspace, tiny_archive)
    steps.audit(workspace)
    steps.split(workspace)
    train(TINY, workspace, progress=False)
    return workspace


@pytest.fixture
def own_copy(trained: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the trained workspace that a test may change."""
    shutil.copytree(trained.root, tmp_path / "copy")
    return Workspace(tmp_path / "copy")


@pytest.fixture(scope="session")
def brightness_model() -> bytes:
    """A model whose P(photo) is the image's mean brightness."""
    return convert_brightness_model()


@pytest.fixture
def bright_run(tmp_path, brightness_model) -> Run:
    """A run with that model."""
    return make_bright_run(
        tmp_path / "models" / "20260101-120000_compact_cnn_00000000", brightness_model
    )
