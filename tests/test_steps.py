"""Verbs on a workspace: what people corrected stays, what a kill would lose is kept."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from photoclf import audit as audit_module
from photoclf import steps
from photoclf.errors import SplitError, TableError
from photoclf.paths import Workspace, remembered_archive
from photoclf.schema import AUDIT, LEDGER, SPLIT
from photoclf.split import read_split
from photoclf.tables import read_table, write_table
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
        full.setattr(audit_module, "write_chunks", refuse)
        with pytest.raises(TableError, match="No space left"):
            steps.audit(workspace)
    journal = workspace.data / "audit.journal"
    lines = [line for line in journal.read_text(encoding="utf-8").splitlines() if line]
    assert len(lines) == 24
    steps.audit(workspace)
    assert not journal.exists()
    assert len(read_table(workspace.audit, AUDIT)) == 24


def test_auditing_writes_a_ledger_that_adds_up_to_the_files(archive, workspace):
    (archive / "Text" / "empty.png").write_bytes(b"")
    counts = steps.audit(workspace, archive)
    written = read_table(workspace.ledger, LEDGER)
    pd.testing.assert_frame_equal(written, counts)
    assert written.files.sum() == len(read_table(workspace.audit, AUDIT)) == 25
    assert written.to_numpy().tolist() == [["used", "", 24], ["unreadable", "empty_file", 1]]
    (archive / "Text" / "empty.png").unlink()
    steps.scan(workspace)
    steps.audit(workspace)
    assert read_table(workspace.ledger, LEDGER).files.sum() == 24


def test_an_audit_of_another_version_is_made_anew(archive, workspace):
    steps.audit(workspace, archive)
    expected = workspace.audit.read_bytes()
    lines = workspace.audit.read_text(encoding="utf-8").splitlines()
    workspace.audit.write_text("\n".join(line.rpartition(";")[0] for line in lines) + "\n")
    steps.audit(workspace)
    assert workspace.audit.read_bytes() == expected


def test_a_plan_of_splits_is_written_and_an_older_longer_one_leaves_nothing(archive, workspace):
    for i in range(12):
        for folder in ("Photo", "Text"):
            source = archive / folder / f"{i}.png"
            (archive / folder / f"box_{i % 3}").mkdir(exist_ok=True)
            source.rename(archive / folder / f"box_{i % 3}" / source.name)
    steps.audit(workspace, archive)
    assert list(steps.plan_splits(workspace).splits) == ["without_1", "without_2", "without_3"]
    families = workspace.data / "families.yaml"
    families.write_text("scanner: [Photo/box_1, Photo/box_2, Text/box_1, Text/box_2]\n")
    plan = steps.plan_splits(workspace, families=families)
    assert sorted(p.name for p in workspace.splits.iterdir()) == ["without_1.csv", "without_2.csv"]
    for name, split in plan.splits.items():
        pd.testing.assert_frame_equal(read_split(workspace.splits / f"{name}.csv"), split)


def test_a_near_duplicate_moved_across_the_split_is_refused_by_name(archive, workspace):
    write_image(archive / "Photo" / "3.png", seed=3, size=(96, 72))
    with Image.open(archive / "Photo" / "3.png") as image:
        image.resize((image.width * 9 // 10, image.height * 9 // 10)).save(
            archive / "Photo" / "rescan.jpg", quality=90
        )
    steps.audit(workspace, archive)
    split = steps.split(workspace).set_index("pathname", drop=False)
    here = split.split["Photo/rescan.jpg"]
    assert split.split["Photo/3.png"] == here
    other = "train" if here != "train" else "test"
    split.loc["Photo/rescan.jpg", "split"] = other
    split["group"] = split.pathname  # as if nobody had told that they belong together
    write_table(split, workspace.split, SPLIT)
    with pytest.raises(SplitError, match=r"look alike.*Photo/(3.png|rescan.jpg)") as caught:
        read_split(workspace.split)
    assert "'Photo/3.png'" in str(caught.value)
    assert "'Photo/rescan.jpg'" in str(caught.value)


def test_a_split_that_runs_were_trained_on_is_frozen(own_copy: Workspace):
    before = own_copy.split.read_bytes()
    steps.split(own_copy)  # the same again
    with pytest.raises(SplitError, match="frozen"):
        steps.split(own_copy, seed=7)
    assert own_copy.split.read_bytes() == before
    own_copy.split.unlink()
    steps.split(own_copy, seed=7)
    assert own_copy.split.read_bytes() != before
