import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photoclf import overview
from photoclf.manifest import scan_archive
from tests.audits import audited


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    rng = np.random.default_rng(0)
    for name, count, suffix in (("Photo", 4, "jpg"), ("Text", 6, "png")):
        (folder / name / "box").mkdir(parents=True)
        for i in range(count):
            grid = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            image = Image.fromarray(grid).resize((80 + 10 * i, 40), Image.Resampling.NEAREST)
            image.save(folder / name / "box" / f"{i}.{suffix}")
    twin = Image.open(folder / "Text/box/0.png")
    twin.resize((160, 80), Image.Resampling.NEAREST).save(folder / "Text/box/twin.png")
    (folder / "Text/empty.png").write_bytes(b"")
    (folder / "desktop.ini").write_text("[x]")
    return folder


@pytest.fixture(scope="module")
def audit(archive):
    return audited(archive, scan_archive(archive))


def test_class_table_counts_used_images_and_their_shares_add_up(audit):
    table = overview.class_table(audit).set_index("class_folder")
    assert table.images.to_dict() == {"Photo": 4, "Text": 7}
    assert table.label.to_dict() == {"Photo": 1, "Text": 0}
    assert table.share.sum() == pytest.approx(1)
    assert table.groups["Text"] == 6
    assert table.median_side_px["Photo"] == 95


def test_status_table_adds_up_to_every_file(audit):
    table = overview.status_table(audit)
    assert table.loc["total", "total"] == len(audit)
    assert table.loc["Text", "unreadable"] == 1
    assert table.loc["(root)", "ignored"] == 1
    assert (table.drop(columns="total").sum(axis=1) == table.total).all()


def test_lost_files_come_with_a_reason(audit):
    lost = overview.lost_files(audit)
    assert lost.pathname.tolist() == ["Text/empty.png"]
    assert lost.reason.tolist() == ["empty_file"]


def test_group_table_counts_alike_images_once(audit):
    table = overview.group_table(audit)
    assert table.set_index("images_in_group").groups.to_dict() == {1: 9, 2: 1}
    assert table.images.sum() == 11


def test_extreme_images_are_the_lowest_then_the_highest(audit):
    names = overview.extreme_images(audit, "width", 1)
    assert names == ["Photo/box/0.jpg", "Text/box/twin.png"]


def test_extreme_images_show_several_sources_while_there_are_any(audit):
    several = audit.copy()
    several.loc[several.pathname.isin(["Text/box/4.png", "Text/box/5.png"]), "source"] = "crate"
    order = several[several.status == "used"].sort_values(["width", "pathname"]).pathname
    names = overview.extreme_images(several, "width", 3, of_a_source=1)
    assert names[0] == order.iloc[0]
    assert names[-1] == order.iloc[-1]
    rows = several.set_index("pathname")
    for end in (names[:3], names[3:]):
        assert len(set(zip(rows.class_folder[end], rows.source[end], strict=True))) == 3


def test_look_alike_pairs_are_one_a_group_and_of_each_class_in_turn(audit):
    alike = audit[audit.status == "used"].copy()
    alike["group"] = alike.class_folder
    for column in ("phash", "detail_hash"):
        alike[column] = alike.class_folder.map({"Photo": "0" * 16, "Text": "f" * 16})
    pairs = overview.alike_pairs(alike, 5)
    assert [name.split("/")[0] for name in pairs.pathname_a] == ["Photo", "Text"]


def test_pairs_of_copies_and_look_alikes_stand_side_by_side(audit):
    copied = audit.copy()
    row = copied.pathname == "Photo/box/1.jpg"
    copied.loc[row, ["status", "duplicate_of"]] = ["duplicate", "Photo/box/0.jpg"]
    pairs = overview.alike_pairs(copied, 3)
    assert pairs.kind.tolist() == ["same_bytes", "look_alike"]
    assert pairs.pathname_a.tolist() == ["Photo/box/0.jpg", "Text/box/0.png"]
    assert pairs.pathname_b.tolist() == ["Photo/box/1.jpg", "Text/box/twin.png"]
    assert len(overview.alike_pairs(copied, 0)) == 0


def test_issues_are_counted_by_class(audit):
    dark = audit.assign(dark=np.where(audit.class_folder == "Photo", 0.0, 1.0))
    assert overview.issue_table(dark).dark.to_dict() == {"Photo": 4, "Text": 0}


def test_samples_depend_on_the_seed_alone(audit):
    first, again = (overview.sample_images(audit, 2, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert first.class_folder.tolist() == ["Photo"] * 2 + ["Text"] * 2
    assert len(overview.sample_images(audit, 100, seed=3)) == 11


def test_thumbnails_keep_an_image_whole_on_white(archive):
    (thumbnail,) = overview.load_thumbnails(archive, ["Photo/box/0.jpg"], size=80)
    assert thumbnail.shape == (80, 80, 3)
    assert (thumbnail[:20] == 255).all()
    assert (thumbnail[20:60] != 255).any()


def test_the_picked_photo_is_a_photograph(audit):
    assert overview.pick_photo(audit).startswith("Photo/")
