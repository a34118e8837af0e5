import os
import shutil

import pandas as pd
import pytest

from photoclf import steps
from photoclf.errors import SplitError, TableError
from photoclf.files import sha256_file
from photoclf.label_journal import LabelJournal
from photoclf.label_merge import merge_labels
from photoclf.manifest import read_manifest
from photoclf.paths import Workspace, remember_archive
from photoclf.schema import AUDIT
from photoclf.split import make_split, split_hash
from photoclf.split_files import hashes_with_same_test
from photoclf.tables import read_table
from tests.images import write_image


@pytest.fixture
def archive(tmp_path):
    for i in range(6):
        write_image(tmp_path / "archive" / "Photo" / f"{i}.png", seed=i)
        write_image(tmp_path / "archive" / "Text" / f"{i}.png", seed=100 + i)
    return tmp_path / "archive"


@pytest.fixture
def workspace(tmp_path, archive):
    workspace = Workspace(tmp_path / "ws")
    remember_archive(workspace, archive)
    return workspace


@pytest.fixture
def audited(workspace):
    steps.scan(workspace)
    steps.audit(workspace)
    return workspace


def label(workspace, archive, name, label, who="anna", sha256=""):
    LabelJournal(workspace.labels).append(
        who=who,
        pathname=name,
        sha256=sha256 or sha256_file(archive / name),
        label=label,
        source="suspects",
    )


def labels(workspace):
    return read_manifest(workspace.manifest).set_index("pathname").label.to_dict()


def test_a_label_reaches_every_file_with_that_content(audited, archive):
    shutil.copy(archive / "Text" / "1.png", archive / "Text" / "copy.png")
    audited.manifest.unlink()
    steps.scan(audited)
    steps.audit(audited)
    label(audited, archive, "Text/1.png", "photo")
    merge = merge_labels(audited)
    assert merge.changes.values.tolist() == [
        ["Text/1.png", "other", "photo"],
        ["Text/copy.png", "other", "photo"],
    ]
    now = labels(audited)
    assert (now["Text/1.png"], now["Text/copy.png"], now["Text/2.png"]) == (1, 1, 0)
    assert len(now) == 13
    assert steps.manifest_was_edited(audited)  # a scan won't undo it
    assert len(steps.scan(audited)) == 13
    assert labels(audited) == now


def test_merging_again_changes_nothing_and_the_first_manifest_is_kept_beside(audited, archive):
    before = audited.manifest.read_bytes()
    label(audited, archive, "Photo/1.png", "Painting")
    merge = merge_labels(audited, class_folders=["Painting"])
    assert merge.before is not None
    assert merge.before.read_bytes() == before
    merged = audited.manifest.read_bytes()
    again = merge_labels(audited)
    assert (len(again.changes), again.kept, again.before) == (0, 1, None)
    assert audited.manifest.read_bytes() == merged
    assert merge.before.read_bytes() == before


def test_what_was_taken_back_in_the_journal_is_not_merged(audited, archive):
    label(audited, archive, "Photo/1.png", "other")
    label(audited, archive, "Photo/1.png", "withdrawn")
    assert merge_labels(audited).changes.empty


def test_conflicts_and_what_nobody_is_sure_of_are_told_and_left_out(audited, archive):
    for who, said in (("anna", "photo"), ("ben", "other")):
        label(audited, archive, "Text/1.png", said, who)
    label(audited, archive, "Text/2.png", "unsure")
    label(audited, archive, "Text/3.png", "unsure", "ben")
    label(audited, archive, "Text/3.png", "photo")
    before = labels(audited)
    merge = merge_labels(audited)
    assert merge.conflicts.pathname.tolist() == ["Text/1.png"]
    assert merge.unsure == 1
    assert merge.changes.pathname.tolist() == ["Text/3.png"]  # one was sure, nobody says no
    assert labels(audited) == before | {"Text/3.png": 1}


def test_an_image_that_is_gone_and_one_that_has_changed_are_told(audited, archive):
    for name in ("Text/1.png", "Text/2.png", "Text/3.png"):
        label(audited, archive, name, "photo")
    (archive / "Text" / "1.png").unlink()
    write_image(archive / "Text" / "2.png", seed=999)
    merge = merge_labels(audited)
    assert merge.gone == ("Text/1.png",)
    assert merge.changed == ("Text/2.png",)
    assert merge.changes.pathname.tolist() == ["Text/3.png"]
    assert labels(audited)["Text/2.png"] == 0


def test_a_file_that_changed_without_its_size_or_time_is_as_the_audit_says(audited, archive):
    label(audited, archive, "Text/2.png", "photo")
    os.utime(archive / "Text" / "2.png", ns=(0, 0))  # touched, the same bytes: read again
    assert merge_labels(audited).changes.pathname.tolist() == ["Text/2.png"]


def test_a_moved_image_keeps_its_label(audited, archive):
    label(audited, archive, "Text/2.png", "photo")
    (archive / "Text" / "2.png").rename(archive / "Text" / "moved.png")
    audited.manifest.unlink()
    steps.scan(audited)
    steps.audit(audited)
    merge = merge_labels(audited)
    assert merge.changes.pathname.tolist() == ["Text/moved.png"]
    assert merge.gone == merge.changed == ()


def test_an_unlabelled_folder_joins_the_manifest(audited, archive):
    write_image(archive / "Dataset_L2" / "a" / "1.png", seed=50)
    write_image(archive / "Dataset_L2" / "a" / "2.png", seed=51)
    label(audited, archive, "Dataset_L2/a/1.png", "photo")
    merge = merge_labels(audited)
    assert merge.changes.values.tolist() == [["Dataset_L2/a/1.png", "", "photo"]]
    steps.audit(audited)
    rows = read_table(audited.audit, AUDIT).set_index("pathname")
    assert rows.status["Dataset_L2/a/1.png"] == "used"
    assert rows.status["Dataset_L2/a/2.png"] == "ignored"


def test_an_archive_without_folders_ends_with_a_manifest_and_a_split(tmp_path):
    archive, workspace = tmp_path / "box", Workspace(tmp_path / "ws")
    for i in range(40):
        write_image(archive / f"{i:02d}.png", seed=i)
    remember_archive(workspace, archive)
    for i in range(30):
        label(workspace, archive, f"{i:02d}.png", "photo" if i % 3 == 0 else "other")
    merge = merge_labels(workspace)
    assert (len(merge.changes), merge.before) == (30, None)
    assert sum(labels(workspace).values()) == 10
    assert len(steps.scan(workspace)) == 30  # no class folders, and none are asked for
    counts = steps.audit(workspace).set_index("status").files
    assert (counts["used"], counts["ignored"]) == (30, 10)
    split = steps.split(workspace)
    shares = split.groupby("split").label.mean()
    assert shares.between(0.2, 0.5).all()  # photographs on each side in proportion


def test_one_folder_with_both_is_shared_out_by_label():
    rows = pd.DataFrame({"pathname": [f"box/{i:03d}.png" for i in range(100)]})
    rows = rows.assign(label=[int(i < 20) for i in range(100)], class_folder="box", source="")
    rows = rows.assign(status="used", label_conflict=False, group=rows.pathname)
    rows = rows.assign(sha256=rows.pathname, phash="", detail_hash="")
    rows["label"] = rows.label.astype("Int64")
    for seed in range(5):
        photos = make_split(rows, seed=seed).groupby("split").label.sum()
        assert photos.to_dict() == {"train": 11, "val": 3, "test": 6}


def test_class_folders_that_nobody_scanned_are_where_labels_start_from(workspace, archive):
    label(workspace, archive, "Text/1.png", "photo")
    merge_labels(workspace)
    assert len(labels(workspace)) == 12


def test_without_a_journal_merging_says_where_one_comes_from(audited):
    with pytest.raises(TableError, match="08_label"):
        merge_labels(audited)


def test_a_spoilt_journal_leaves_the_manifest_as_it_is(audited, archive):
    label(audited, archive, "Text/1.png", "photo")
    with open(audited.labels, "a", encoding="utf-8") as file:
        file.write("nonsense\n")
    before = audited.manifest.read_bytes()
    with pytest.raises(TableError, match="Row 3"):
        merge_labels(audited)
    assert audited.manifest.read_bytes() == before


def test_a_name_that_is_not_utf8_is_merged(audited, archive):
    name = os.fsdecode(b"Dataset_L2/\xff\n.png")
    write_image(archive / "Dataset_L2" / "x.png", seed=60)
    (archive / "Dataset_L2" / "x.png").rename(archive / name)
    label(audited, archive, name, "other")
    assert merge_labels(audited).changes.pathname.tolist() == [name]
    assert labels(audited)[name] == 0


def test_a_grown_split_is_written_beside_and_needs_something_new(audited, archive):
    base = steps.split(audited, val_fraction=0.3, test_fraction=0.3)
    with pytest.raises(SplitError, match="something to grow by"):
        steps.grow_split(audited, "more")
    name = base.pathname[base["split"] == "train"].iloc[0]
    label(audited, archive, name, "other" if name.startswith("Photo") else "photo")
    merge_labels(audited)
    steps.audit(audited)
    growth = steps.grow_split(audited, "more")
    assert growth.relabelled == (name,)
    assert Workspace(audited.root, "more").split.is_file()
    assert audited.planned_splits == []  # it is none of a plan
    both = {split_hash(base), split_hash(growth.split)}
    assert hashes_with_same_test(audited, base) == both  # opening one test opens the other
    for wrong in ("without_1", "../x", ""):
        with pytest.raises(ValueError, match="name must be"):
            steps.grow_split(audited, wrong)
