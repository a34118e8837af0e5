import io

import pandas as pd
import pytest
from PIL import Image

from photoclf.conflicts import label_conflicts
from photoclf.manifest import scan_archive
from photoclf.schema import AUDIT, CONFLICTS
from photoclf.split import make_split
from photoclf.tables import read_table, write_table
from tests.audits import audited
from tests.images import write_image


@pytest.fixture
def archive(tmp_path):
    for i in range(12):
        write_image(tmp_path / "archive/Photo" / f"{i:02}.png", seed=i, size=(96, 72))
        write_image(tmp_path / "archive/Text" / f"{i:02}.png", seed=100 + i, size=(96, 72))
    return tmp_path / "archive"


def audit(archive):
    return audited(archive, scan_archive(archive))


def copy(archive, source, target):
    (archive / target).write_bytes((archive / source).read_bytes())


def save_smaller(archive, source, target):
    image = Image.open(archive / source)
    file = io.BytesIO()
    image.resize((image.width * 9 // 10, image.height * 9 // 10)).save(file, "JPEG", quality=90)
    (archive / target).write_bytes(file.getvalue())


def test_an_archive_without_conflicts_has_an_empty_table(archive):
    conflicts = label_conflicts(audit(archive))
    assert conflicts.empty
    assert {c: str(d) for c, d in conflicts.dtypes.items()} == CONFLICTS.columns


def test_a_planted_copy_under_the_other_label_is_found_and_kept_out_of_the_split(archive):
    copy(archive, "Photo/03.png", "Text/planted.png")
    table = audit(archive)
    assert label_conflicts(table).to_numpy().tolist() == [
        ["Photo/03.png", "Text/planted.png", 1, 0, "exact"]
    ]
    split = make_split(table)
    assert not set(split.pathname) & {"Photo/03.png", "Text/planted.png"}


def test_a_planted_near_copy_is_found_and_stays_in_one_group_and_on_one_side(archive):
    save_smaller(archive, "Photo/03.png", "Text/planted.jpg")
    table = audit(archive)
    assert label_conflicts(table).to_numpy().tolist() == [
        ["Photo/03.png", "Text/planted.jpg", 1, 0, "near"]
    ]
    pair = make_split(table).set_index("pathname").loc[["Photo/03.png", "Text/planted.jpg"]]
    assert pair.group.nunique() == pair.split.nunique() == 1


def test_each_copy_with_another_label_than_the_first_is_listed(archive):
    for name in ("Text/p.png", "Photo/p.png", "Text/q.png"):
        copy(archive, "Photo/03.png", name)
    assert label_conflicts(audit(archive))[["pathname_a", "pathname_b"]].to_numpy().tolist() == [
        ["Photo/03.png", "Text/p.png"],
        ["Photo/03.png", "Text/q.png"],
    ]


def test_copies_with_one_label_are_no_conflict(archive):
    copy(archive, "Photo/03.png", "Photo/again.png")
    save_smaller(archive, "Photo/04.png", "Photo/smaller.jpg")
    assert label_conflicts(audit(archive)).empty


def test_what_a_groups_file_puts_together_is_no_conflict_but_equal_bytes_are(archive):
    save_smaller(archive, "Photo/03.png", "Text/rendering.jpg")
    rows = "Photo/03.png;a\nText/rendering.jpg;a\nPhoto/00.png;b\nText/00.png;b\n"
    (archive / "groups.csv").write_text("pathname;group\n" + rows)
    assert label_conflicts(audit(archive)).empty
    copy(archive, "Photo/00.png", "Text/00.png")
    assert label_conflicts(audit(archive)).kind.tolist() == ["exact"]


def test_near_copies_in_two_named_groups_are_a_conflict(archive):
    save_smaller(archive, "Photo/03.png", "Text/rendering.jpg")
    rows = "Photo/03.png;a\nText/rendering.jpg;b\n"
    (archive / "groups.csv").write_text("pathname;group\n" + rows)
    assert label_conflicts(audit(archive)).kind.tolist() == ["near"]


def test_unreadable_and_unlabelled_files_are_no_conflict(archive):
    for name in ("Photo/empty.png", "Text/empty.png"):
        (archive / name).write_bytes(b"")
    for name in ("Photo/broken.png", "Text/broken.png"):
        (archive / name).write_bytes(b"\x89PNG broken")
    assert label_conflicts(audit(archive)).empty
    copy(archive, "Photo/03.png", "Text/planted.png")
    assert label_conflicts(audited(archive)).empty


def test_conflicts_are_those_of_the_audit_as_written(archive, tmp_path):
    copy(archive, "Photo/03.png", "Text/planted.png")
    save_smaller(archive, "Photo/05.png", "Text/planted.jpg")
    table = audit(archive)
    write_table(table, tmp_path / "audit.csv", AUDIT)
    again = label_conflicts(read_table(tmp_path / "audit.csv", AUDIT))
    pd.testing.assert_frame_equal(again, label_conflicts(table))
    assert again.kind.tolist() == ["exact", "near"]
