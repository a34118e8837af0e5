"""Verbs on a workspace: what people corrected stays, what a kill would lose is kept."""

from pathlib import Path

import pytest

from photoclf import steps
from photoclf.errors import TableError
from photoclf.paths import Workspace, remembered_archive
from photoclf.schema import AUDIT, read_table
from tests.images import write_image


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    for i in range(12):
        write_image(tmp_path / "archive" / "Photo" / f"{i}.png", seed=i)
        write_image(tmp_path / "archive" / "Text" / f"{i}.png", seed=100 + i)
    return tmp_path / "archive"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def edit(workspace: Workspace) -> str:
    text = workspace.manifest.read_text(encoding="utf-8").replace("Text/3.png;0", "Text/3.png;1")
    workspace.manifest.write_text(text, encoding="utf-8")
    return text


def test_scanning_again_follows_the_archive(archive, workspace):
    steps.scan(workspace, archive)
    write_image(archive / "Text" / "new.png", seed=7)
    assert "Text/new.png" in set(steps.scan(workspace).pathname)


def test_scanning_again_keeps_what_a_person_corrected(archive, workspace):
    steps.scan(workspace, archive)
    assert not steps.manifest_was_edited(workspace)
    text = edit(workspace)
    for _ in range(2):
        manifest = steps.scan(workspace, archive).set_index("pathname")
        assert manifest.label["Text/3.png"] == 1
        assert workspace.manifest.read_text(encoding="utf-8") == text
    assert steps.manifest_was_edited(workspace)


def test_an_edited_manifest_of_another_archive_is_refused_not_overwritten(
    archive, workspace, tmp_path
):
    steps.scan(workspace, archive)
    text = edit(workspace)
    other = tmp_path / "other"
    write_image(other / "Photo" / "x.png", seed=1)
    write_image(other / "Text" / "y.png", seed=2)
    with pytest.raises(TableError, match="move the table away"):
        steps.scan(workspace, other)
    assert workspace.manifest.read_text(encoding="utf-8") == text


def test_an_archive_that_moved_is_found_again_when_it_is_named(archive, workspace, tmp_path):
    steps.scan(workspace, archive)
    moved = archive.rename(tmp_path / "moved")
    steps.scan(workspace, moved)
    assert remembered_archive(workspace) == moved
    steps.audit(workspace)


def test_the_journal_outlives_a_table_that_could_not_be_written(archive, workspace, monkeypatch):
    steps.scan(workspace, archive)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(steps, "write_table", refuse)
        with pytest.raises(OSError, match="No space left"):
            steps.audit(workspace)
    journal = workspace.data / "audit.journal"
    lines = [line for line in journal.read_text(encoding="utf-8").splitlines() if line]
    assert len(lines) == 24
    steps.audit(workspace)
    assert not journal.exists()
    assert len(read_table(workspace.audit, AUDIT)) == 24
