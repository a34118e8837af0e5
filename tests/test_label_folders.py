"""A mistyped label is told, and doesn't count as `other`."""

import pandas as pd
import pytest

from photoclf import steps
from photoclf.errors import ConfigError, TableError
from photoclf.files import sha256_file
from photoclf.label_folders import known_folders, name_folders, understood, unknown_labels
from photoclf.label_journal import LabelJournal
from photoclf.label_merge import merge_labels
from photoclf.manifest import read_manifest
from photoclf.paths import Workspace, remembered_archive
from photoclf.schema import JOURNAL
from tests.images import write_image


@pytest.fixture
def archive(tmp_path):
    for i in range(3):
        write_image(tmp_path / "archive" / "Photo" / f"{i}.png", seed=i)
        write_image(tmp_path / "archive" / "Text" / f"{i}.png", seed=100 + i)
        write_image(tmp_path / "archive" / "Photo_2" / f"{i}.png", seed=200 + i)
    return tmp_path / "archive"


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "ws")


def rows_of(*labels):
    rows = dict.fromkeys(JOURNAL.columns, "x")
    return pd.DataFrame([rows | {"label": label} for label in labels])


def decide(workspace, archive, name, label, who="anna"):
    LabelJournal(workspace.labels).append(
        who=who,
        pathname=name,
        sha256=sha256_file(archive / name),
        label=label,
        source="unlabelled",
    )


def test_folders_are_known_from_archive_manifest_audit_and_who_named_them(workspace, archive):
    assert known_folders(workspace) == {"Photo"}
    assert known_folders(workspace, archive) == {"Photo", "Text", "Photo_2"}
    steps.audit(workspace, archive)
    workspace.archive_note.unlink()
    assert known_folders(workspace) == {"Photo", "Text", "Photo_2"}
    name_folders(workspace, ["Maps"])
    name_folders(workspace, [" Plans "])
    assert {"Maps", "Plans"} < known_folders(workspace)


def test_a_label_that_no_folder_explains_is_listed_with_the_nearest_right_name():
    rows = rows_of("photo", "Text", "photograph", "PHOTO", "text", "photograph", "zzz", "unsure")
    table = unknown_labels(rows, {"Photo", "Text"})
    assert dict(zip(table.label, table.decisions, strict=True)) == {
        "photograph": 2, "PHOTO": 1, "text": 1, "zzz": 1,
    }  # fmt: skip
    hints = dict(zip(table.label, table.hint, strict=True))
    assert "'photo'" in hints["photograph"]
    assert "'Text'" in hints["text"]
    assert hints["zzz"] == ""
    assert understood(rows, {"Photo", "Text"}).label.tolist() == [
        "photo", "Text", "unsure", "unsure", "unsure", "unsure", "unsure", "unsure",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", " ", "a/b", "photo", "other", "a\nb"])
def test_a_folder_that_cannot_be_one_is_refused(name, workspace):
    with pytest.raises(ConfigError, match="class folder"):
        name_folders(workspace, ["Maps", name])
    assert not workspace.class_folders.exists()


@pytest.mark.parametrize("content", ["{", "{}", "[1]"])
def test_a_spoilt_list_of_folders_is_named(content, workspace):
    workspace.data.mkdir(parents=True)
    workspace.class_folders.write_text(content)
    with pytest.raises(TableError, match="class_folders.json"):
        known_folders(workspace)


def test_merging_leaves_mistyped_labels_out_until_the_folder_is_named(workspace, archive):
    steps.audit(workspace, archive)
    decide(workspace, archive, "Photo_2/0.png", "photo")
    decide(workspace, archive, "Photo_2/0.png", "Map")  # which replaces the first
    decide(workspace, archive, "Photo_2/1.png", "unsure")
    merge = merge_labels(workspace)
    assert merge.changes.empty
    assert merge.unknown.label.tolist() == ["Map"]
    assert merge.unsure == 1
    merge = merge_labels(workspace, class_folders=["Map"])
    assert merge.changes.values.tolist() == [["Photo_2/0.png", "", "other"]]
    assert merge.unknown.empty
    assert merge_labels(workspace).kept == 1  # the name is remembered


def test_an_archive_is_remembered_once_it_has_a_labelled_image(workspace, archive, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    decide(workspace, archive, "Photo_2/0.png", "photo")
    merge_labels(workspace, tmp_path / "elsewhere")
    assert remembered_archive(workspace) is None
    merge_labels(workspace, archive)
    assert remembered_archive(workspace) == archive
    assert len(read_manifest(workspace.manifest, archive)) == 7
