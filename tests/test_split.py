import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.duplicates import MAX_DISTANCE
from photoclf.errors import ConfigError, SplitError, TableError
from photoclf.files import sha256_text
from photoclf.schema import AUDIT, SPLIT, SPLITS, check_table
from photoclf.split import check_split, make_split, read_split, split_hash
from photoclf.tables import write_table


def audit_of(rows) -> pd.DataFrame:
    """Rows (pathname, label, group), the rest as an audit would have it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rows, columns=["pathname", "label", "group"])
    frame["class_folder"] = [p.split("/")[0] for p in frame.pathname]
    frame["source"] = ["/".join(p.split("/")[1:-1]) for p in frame.pathname]
    frame["sha256"] = [sha256_text(p) for p in frame.pathname]
    frame["phash"] = [f"{int(v):016x}" for v in rng.integers(0, 2**63, len(frame))]
    frame = frame.assign(status="used", label_conflict=False, bytes=1, mtime_ns=1)
    return check_table(frame.reindex(columns=list(AUDIT.columns)), AUDIT)


def folder(name, n, label, box=""):
    return [(f"{name}{box}/{i:04d}.jpg", label, f"{name}{box}/{i:04d}.jpg") for i in range(n)]


@pytest.fixture
def audit():
    return audit_of(
        folder("Photo", 100, 1)
        + folder("Photo", 40, 1, "/box_12")
        + folder("Plans", 160, 0)
        + folder("Texte", 60, 0)
    )


def shares(split, column="split"):
    return split[column].value_counts(normalize=True)


def planted(split, pathname, other, **changes):
    """Give `pathname` the same values as `other` has, on another side."""
    split = split.copy()
    here, there = (split.index[split.pathname == p][0] for p in (pathname, other))
    for column, value in changes.items():
        split.loc[here, column] = value or split.loc[there, column]
    return split


def two_sides(split):
    first = split.pathname[split.split == "train"].iloc[0]
    return first, split.pathname[split.split == "test"].iloc[0]


def test_each_used_image_is_on_one_side_in_proportion(audit):
    split = make_split(audit)
    assert split.pathname.tolist() == sorted(audit.pathname)
    assert {c: str(d) for c, d in split.dtypes.items()} == SPLIT.columns
    for _, images in [*split.groupby("class_folder"), ("all", split)]:
        found = shares(images)
        for side, share in {"train": 0.55, "val": 0.15, "test": 0.3}.items():
            assert found[side] == pytest.approx(share, abs=0.02)


def test_other_fractions_are_kept(audit):
    found = shares(make_split(audit, val_fraction=0.1, test_fraction=0.5))
    assert found["test"] == pytest.approx(0.5, abs=0.02)
    assert found["val"] == pytest.approx(0.1, abs=0.02)


def test_the_same_seed_gives_the_same_split_and_another_seed_another(audit):
    first = make_split(audit, seed=1)
    pd.testing.assert_frame_equal(make_split(audit, seed=1), first)
    assert split_hash(make_split(audit, seed=2)) != split_hash(first)


def test_the_order_of_the_audit_changes_nothing(audit):
    shuffled = audit.sample(frac=1, random_state=5)
    pd.testing.assert_frame_equal(make_split(shuffled), make_split(audit))


def test_groups_stay_whole_even_when_large():
    rows = folder("Photo", 60, 1) + folder("Plans", 60, 0)
    rows += [(f"Photo/big/{i}.jpg", 1, "big") for i in range(25)]
    rows += [(f"Plans/mixed/{i}.jpg", 0, "mixed") for i in range(5)]
    rows += [(f"Photo/mixed/{i}.jpg", 1, "mixed") for i in range(5)]
    split = make_split(audit_of(rows))
    assert len(split[["group", "split"]].drop_duplicates()) == split.group.nunique()


GROUPS = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(["Photo", "Plans", "Texte"])),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=50)
@given(GROUPS, st.floats(0.05, 0.45), st.floats(0.05, 0.45), st.integers(0, 5))
def test_any_split_that_is_made_keeps_groups_whole_and_loses_nothing(groups, val, test, seed):
    rows = [
        (f"{name}/{g}_{i}.jpg", int(name == "Photo"), f"group {g}")
        for g, (size, name) in enumerate(groups)
        for i in range(size)
    ]
    audit = audit_of(rows)
    try:
        split = make_split(audit, val_fraction=val, test_fraction=test, seed=seed)
    except SplitError as error:
        assert "without" in str(error)  # too few groups for three sides; nothing else may fail
        return
    assert sorted(split.pathname) == sorted(audit.pathname)
    assert len(split[["group", "split"]].drop_duplicates()) == split.group.nunique()
    assert all(set(split.label[split.split == side]) == {0, 1} for side in SPLITS)
    check_split(split)


def test_only_used_labelled_images_without_conflict_are_split(audit):
    audit.loc[0, "status"] = "duplicate"
    audit.loc[1, "status"] = "unreadable"
    audit.loc[2, "label"] = pd.NA
    audit.loc[3, "label_conflict"] = True
    split = make_split(audit)
    assert len(split) == len(audit) - 4
    assert not set(audit.pathname[:4]) & set(split.pathname)


# Holding out


def test_a_held_out_folder_is_the_whole_test(audit):
    boxes = folder("Plans", 20, 0, "/box_12")
    audit = audit_of([*audit[["pathname", "label", "group"]].itertuples(index=False), *boxes])
    split = make_split(audit, hold_out=["Photo/box_12", "Plans/box_12/"], val_fraction=0.2)
    held = split.pathname.str.contains("box_12")
    assert (split.split[held] == "test").all()
    assert not (split.split[~held] == "test").any()
    assert shares(split[~held])["val"] == pytest.approx(0.2, abs=0.02)


def test_a_whole_class_folder_may_be_held_out(audit):
    split = make_split(audit, hold_out=["Texte", "Photo/box_12"])
    assert set(split.class_folder[split.split == "test"]) == {"Texte", "Photo"}
    assert not (split.split[split.class_folder == "Texte"] != "test").any()


def test_images_that_belong_to_a_held_out_one_follow_it(audit):
    audit.loc[audit.pathname == "Photo/0000.jpg", "group"] = "Photo/box_12/0000.jpg"
    split = make_split(audit, hold_out=["Photo/box_12", "Texte"]).set_index("pathname")
    assert split.split["Photo/0000.jpg"] == "test"


def test_what_can_not_be_held_out_says_what_groups_took_along(audit):
    """All photographs are renderings of what is in the box, so none would be left to learn."""
    photos = audit.pathname[audit.class_folder == "Photo"]
    boxes = [f"Photo/box_12/{i % 40:04d}.jpg" for i in range(len(photos))]
    audit.loc[photos.index, "group"] = boxes
    with pytest.raises(SplitError, match=r"train without photo.*along.*: 100 images of Photo\."):
        make_split(audit, hold_out=["Photo/box_12", "Texte"])


def test_a_folder_whose_name_begins_alike_is_not_held_out(audit):
    more = folder("Photo", 5, 1, "/box_123")
    audit = audit_of([*audit[["pathname", "label", "group"]].itertuples(index=False), *more])
    split = make_split(audit, hold_out=["Photo/box_12", "Texte"])
    assert not (split.split[split.source == "box_123"] == "test").any()


def test_an_unknown_folder_to_hold_out_is_refused_with_the_near_one(audit):
    with pytest.raises(SplitError, match=r"'Photo/box12'.*Did you mean 'Photo/box_12'"):
        make_split(audit, hold_out=["Photo/box12"])


def test_holding_out_everything_leaves_nothing_to_learn_from(audit):
    with pytest.raises(SplitError, match="train without"):
        make_split(audit, hold_out=["Photo", "Plans", "Texte"])


# What can't be split


@pytest.mark.parametrize(
    ("val", "test", "named"),
    [
        (0, 0.3, "val_fraction"),
        (1, 0.3, "val_fraction"),
        (-0.1, 0.3, "val_fraction"),
        (0.15, 0.0, "test_fraction"),
        (0.15, 1.5, "test_fraction"),
        (float("nan"), 0.3, "val_fraction"),
        (0.5, 0.5, "under 1"),
        (0.6, 0.7, "under 1"),
    ],
)
def test_fractions_out_of_range_are_refused_by_name(audit, val, test, named):
    with pytest.raises(ConfigError, match=named):
        make_split(audit, val_fraction=val, test_fraction=test)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_two_images_a_class_are_too_few_for_three_sides(n):
    with pytest.raises(SplitError, match=r"without .*more images"):
        make_split(audit_of(folder("Photo", n, 1) + folder("Plans", n, 0)))


def test_ten_images_a_class_are_enough():
    for seed in range(5):
        split = make_split(audit_of(folder("Photo", 10, 1) + folder("Plans", 10, 0)), seed=seed)
        assert set(split.split) == set(SPLITS)


def test_one_group_for_everything_can_not_be_split():
    rows = [(p, v, "one") for p, v, _ in folder("Photo", 9, 1) + folder("Plans", 9, 0)]
    with pytest.raises(SplitError, match="smaller groups"):
        make_split(audit_of(rows))


def test_an_archive_without_photographs_says_what_is_missing():
    with pytest.raises(SplitError, match="train without photo"):
        make_split(audit_of(folder("Plans", 30, 0)))


# Proof


def test_equal_bytes_on_two_sides_are_refused_by_name(audit):
    split = make_split(audit)
    train, test = two_sides(split)
    with pytest.raises(SplitError) as caught:
        check_split(planted(split, train, test, sha256=""))
    assert train in str(caught.value)
    assert test in str(caught.value)
    assert "sha256" in str(caught.value)


def test_a_group_on_two_sides_is_refused_by_name(audit):
    split = make_split(audit)
    train, test = two_sides(split)
    with pytest.raises(SplitError) as caught:
        check_split(planted(split, train, test, group=""))
    assert train in str(caught.value)
    assert test in str(caught.value)


@pytest.mark.parametrize("bits", [0, 1, MAX_DISTANCE])
def test_images_that_look_alike_on_two_sides_are_refused_by_name(audit, bits):
    split = make_split(audit)
    train, test = two_sides(split)
    near = int(split.phash[split.pathname == test].iloc[0], 16) ^ (2**bits - 1)
    with pytest.raises(SplitError, match="look alike") as caught:
        check_split(planted(split, train, test, phash=f"{near:016x}"))
    assert train in str(caught.value)
    assert test in str(caught.value)


def test_images_just_too_different_to_look_alike_may_be_on_two_sides(audit):
    split = make_split(audit)
    train, test = two_sides(split)
    far = int(split.phash[split.pathname == test].iloc[0], 16) ^ (2 ** (MAX_DISTANCE + 1) - 1)
    check_split(planted(split, train, test, phash=f"{far:016x}"))


def test_blank_images_have_no_hash_and_do_not_look_alike(audit):
    audit["phash"] = ""
    check_split(make_split(audit))


def test_an_image_that_stands_twice_is_refused_on_one_side_or_two(audit):
    split = make_split(audit)
    train, _ = two_sides(split)
    again = split[split.pathname == train]
    with pytest.raises(SplitError, match=train):
        check_split(pd.concat([split, again]))
    with pytest.raises(SplitError, match=train):
        check_split(pd.concat([split, again.assign(split="test")]))


def test_an_unknown_side_is_refused_with_the_near_one(audit):
    split = make_split(audit)
    with pytest.raises(SplitError, match=r"'valid'.*Did you mean 'val'"):
        check_split(split.assign(split=split.split.replace("val", "valid")))


def test_a_side_that_lacks_a_class_is_refused(audit):
    split = make_split(audit)
    with pytest.raises(SplitError, match="val without photo"):
        check_split(split[(split.split != "val") | (split.label == 0)])


# Writing, reading, hashing


def test_a_split_comes_back_from_its_file_with_its_hash(audit, tmp_path):
    odd = folder("Photo", 30, 1, "/\udcff\n;é")
    audit = audit_of([*audit[["pathname", "label", "group"]].itertuples(index=False), *odd])
    split = make_split(audit, hold_out=["Photo/\udcff\n;é", "Texte"])
    write_table(split, tmp_path / "split.csv", SPLIT)
    again = read_split(tmp_path / "split.csv")
    pd.testing.assert_frame_equal(again, split)
    assert split_hash(again) == split_hash(split)


def test_a_split_that_was_changed_by_hand_into_a_leak_is_refused(audit, tmp_path):
    split = make_split(audit)
    train, test = two_sides(split)
    write_table(planted(split, train, test, sha256=""), tmp_path / "split.csv", SPLIT)
    with pytest.raises(SplitError, match=train):
        read_split(tmp_path / "split.csv")


def test_a_file_cut_short_is_refused(audit, tmp_path):
    write_table(make_split(audit), tmp_path / "split.csv", SPLIT)
    whole = (tmp_path / "split.csv").read_bytes()
    (tmp_path / "split.csv").write_bytes(whole[:-5])
    with pytest.raises(SplitError, match="must be one of"):
        read_split(tmp_path / "split.csv")
    (tmp_path / "split.csv").write_bytes(whole.split(b"\n")[0] + b"\n")
    with pytest.raises(SplitError, match="train without"):
        read_split(tmp_path / "split.csv")


def test_another_table_is_no_split(tmp_path):
    (tmp_path / "split.csv").write_text("pathname;label\na;1\n")
    with pytest.raises(TableError, match="The split"):
        read_split(tmp_path / "split.csv")


@pytest.mark.parametrize("column", ["label", "split", "sha256", "pathname"])
def test_the_hash_changes_with_any_image_label_or_side(audit, column):
    split = make_split(audit)
    changed = split.copy()
    other = {"label": 1 - split.label[0], "split": "none"}.get(column, "x")
    changed.loc[0, column] = other
    assert split_hash(changed) != split_hash(split)
    assert split_hash(split.sample(frac=1, random_state=0)) == split_hash(split)
    assert len(split_hash(split)) == 64


def test_the_hash_is_the_same_in_another_process(audit, tmp_path):
    split = make_split(audit)
    write_table(split, tmp_path / "split.csv", SPLIT)
    code = (
        "import sys; from pathlib import Path; from photoclf.split import read_split, split_hash;"
        "print(split_hash(read_split(Path(sys.argv[1]))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "split.csv")],
        env=dict(os.environ) | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == split_hash(split)
