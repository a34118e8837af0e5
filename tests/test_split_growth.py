import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from photoclf.errors import SplitError
from photoclf.label_lines import growth_lines
from photoclf.split import check_split, make_split
from photoclf.split_growth import grow_split


def images(count, *, start=0, groups=None):
    """Audit rows of images that look like nothing else."""
    rng = np.random.default_rng(start + 1)
    names = [f"{'Photo' if i % 3 == 0 else 'Text'}/{start + i:04d}.png" for i in range(count)]
    rows = pd.DataFrame({"pathname": names, "status": "used", "source": ""})
    rows["label"] = pd.array([int(i % 3 == 0) for i in range(count)], dtype="Int64")
    rows["class_folder"] = rows.pathname.str.split("/").str[0]
    rows["group"] = rows.pathname if groups is None else groups
    rows["sha256"] = [f"{start + i:064x}" for i in range(count)]
    for column in ("phash", "detail_hash"):
        rows[column] = [f"{h:016x}" for h in rng.integers(0, 2**63, count, dtype=np.uint64)]
    return rows.assign(label_conflict=False)


@pytest.fixture
def audit():
    return images(90)


@pytest.fixture
def split(audit):
    return make_split(audit)


def side(split, name):
    return split[split["split"] == name].reset_index(drop=True)


def flipped(audit, names):
    labels = audit.label.where(~audit.pathname.isin(names), 1 - audit.label)
    return audit.assign(label=labels)


def test_new_labels_go_to_train_and_val_and_test_stay_as_they_are(audit, split):
    more = pd.concat([audit, images(30, start=500)], ignore_index=True)
    growth = grow_split(split, more)
    for name in ("val", "test"):
        pd.testing.assert_frame_equal(side(growth.split, name), side(split, name))
    assert len(growth.added) == 30
    assert len(side(growth.split, "train")) == len(side(split, "train")) + 30
    assert (growth.relabelled, growth.left_out, growth.tied, growth.dropped) == ((),) * 4
    again = grow_split(split, more)
    pd.testing.assert_frame_equal(again.split, growth.split)


def test_train_has_the_labels_of_today_and_corrections_in_the_test_are_told(audit, split):
    learnt, tested = side(split, "train").pathname[0], side(split, "test").pathname[0]
    growth = grow_split(split, flipped(audit, [learnt, tested]))
    assert growth.relabelled == (learnt,)
    labels = growth.split.set_index("pathname").label
    before = split.set_index("pathname").label
    assert labels[learnt] == 1 - before[learnt]
    assert labels[tested] == before[tested]
    assert growth.corrected.pathname.tolist() == [tested]
    assert growth.corrected.now[0] == 1 - before[tested]


def test_a_new_image_of_a_group_in_the_test_is_left_out_with_all_that_it_ties(audit, split):
    tested, learnt = (side(split, name).iloc[0] for name in ("test", "train"))
    new = images(4, start=500)
    new.loc[0, "group"] = tested.group  # of one group
    new.loc[1, "sha256"] = tested.sha256  # a copy
    new.loc[2, ["phash", "detail_hash"]] = [tested.phash, tested.detail_hash]  # looks alike
    new.loc[3, "group"] = learnt.group
    growth = grow_split(split, pd.concat([audit, new], ignore_index=True))
    assert set(growth.left_out) == set(new.pathname[:3])
    assert growth.added == (new.pathname[3],)


def regrouped(audit, groups):
    """Say by name which images are in which group today."""
    return audit.assign(group=audit.pathname.map(groups).fillna(audit.group))


def test_a_train_image_that_is_tied_to_val_or_test_by_now_leaves_train_and_is_told(audit, split):
    learnt = side(split, "train").pathname
    tested, checked = (side(split, name).pathname[0] for name in ("test", "val"))
    today = {learnt[0]: "album", tested: "album", learnt[1]: "box", checked: "box"}
    bridge = images(1, start=500, groups=["album"])
    today = regrouped(pd.concat([audit, bridge], ignore_index=True), today)
    growth = grow_split(split, today)
    assert growth.tied == tuple(sorted(learnt[:2]))
    assert growth.dropped == ()
    assert growth.left_out == tuple(bridge.pathname)
    assert not set(growth.tied) & set(growth.split.pathname)
    for name in ("val", "test"):
        pd.testing.assert_frame_equal(side(growth.split, name), side(split, name))
    assert f"2 former train images left out, tied to val or test by now: {growth.tied[0]}" in (
        "\n".join(growth_lines(growth))
    )
    again = grow_split(growth.split, pd.concat([today, images(1, start=600)], ignore_index=True))
    assert (len(again.added), again.tied) == (1, ())


def test_a_test_image_that_has_moved_still_ties_its_group(audit, split):
    tested, learnt = (side(split, name).pathname[0] for name in ("test", "train"))
    today = regrouped(audit, {learnt: "album", tested: "album"})
    for label in (pd.NA, 0):  # moved to where nobody labels, or has labelled
        moved = today.pathname == tested
        today.loc[moved, ["pathname", "label"]] = ["Box/moved.png", label]
        assert grow_split(split, today).tied == (learnt,)
        today.loc[moved, "pathname"] = tested


def test_a_split_whose_val_and_test_are_one_group_by_now_does_not_grow(audit, split):
    checked, tested = (side(split, name).pathname[0] for name in ("val", "test"))
    today = regrouped(audit, {checked: "album", tested: "album"})
    more = pd.concat([today, images(3, start=500)], ignore_index=True)
    with pytest.raises(SplitError, match=r"two sides\. Received: .* in .*new split.*groups\.csv"):
        grow_split(split, more)


def test_what_can_no_longer_be_used_leaves_train_and_is_told(audit, split):
    gone, conflicting = side(split, "train").pathname[:2]
    left = audit[audit.pathname != gone]
    left = left.assign(label_conflict=left.pathname == conflicting)
    growth = grow_split(split, left)
    assert set(growth.dropped) == {gone, conflicting}
    assert not set(growth.dropped) & set(growth.split.pathname)


def test_a_test_image_that_is_gone_from_the_archive_stays_in_the_split(audit, split):
    tested = side(split, "test").pathname[0]
    more = pd.concat([audit[audit.pathname != tested], images(3, start=500)], ignore_index=True)
    growth = grow_split(split, more)
    pd.testing.assert_frame_equal(side(growth.split, "test"), side(split, "test"))


def test_people_name_the_class_of_what_is_added_and_of_nothing_else(audit, split):
    new = images(2, start=500).assign(class_folder="box")
    named = {new.sha256[0]: "Drawing", side(split, "train").sha256[0]: "Drawing"}
    growth = grow_split(split, pd.concat([audit, new], ignore_index=True), named)
    folders = growth.split.set_index("pathname").class_folder
    assert folders[new.pathname].tolist() == ["Drawing", "box"]
    assert (folders == "Drawing").sum() == 1


def test_with_nothing_new_there_is_nothing_to_grow_by(audit, split):
    with pytest.raises(SplitError, match="photoclf label --merge"):
        grow_split(split, audit)
    tested = side(split, "test").iloc[0]
    tied = images(1, start=500).assign(group=tested.group)
    with pytest.raises(SplitError, match="1 new images are tied to val or test"):
        grow_split(split, pd.concat([audit, tied], ignore_index=True))


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_growth_keeps_sides_and_never_leaks(data):
    audit = images(60)
    split = make_split(audit)
    drawn = st.sets(st.sampled_from(audit.pathname.tolist()), max_size=6)
    changed, lost = data.draw(drawn), data.draw(drawn)
    groups = data.draw(
        st.lists(st.sampled_from([*audit.group, "new a", "new b"]), min_size=5, max_size=5)
    )
    today = flipped(audit[~audit.pathname.isin(lost)], changed)
    today = pd.concat([today, images(5, start=500, groups=groups)], ignore_index=True)
    try:
        growth = grow_split(split, today)
    except SplitError as error:
        assert "something to grow by" in str(error)
        return
    check_split(growth.split)
    for name in ("val", "test"):
        pd.testing.assert_frame_equal(side(growth.split, name), side(split, name))
    before = split.set_index("pathname")["split"]
    now = growth.split.set_index("pathname")["split"]
    both = now.index.intersection(before.index)
    assert (now[both] == before[both]).all()
    assert set(growth.added) | set(growth.left_out) == {
        f for f in today.pathname if f not in before
    }


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_no_group_of_today_stands_on_two_sides_whatever_groups_there_were_and_are(data):
    rows = images(60)
    several = st.lists(st.integers(0, 40), min_size=60, max_size=60)
    own = rows.pathname.tolist()

    def drawn():  # two or three images share one of the first groups, others stand on their own
        return [f"g{k}" if k < 8 else own[i] for i, k in enumerate(data.draw(several))]

    try:
        split = make_split(rows.assign(group=drawn()))
    except SplitError:
        assume(False)
    lost = data.draw(st.sets(st.sampled_from(own), max_size=6))
    moved = data.draw(st.sets(st.sampled_from(own), max_size=4))
    today = pd.concat([rows.assign(group=drawn()), images(8, start=500)], ignore_index=True)
    ties = data.draw(
        st.lists(st.sampled_from([f"g{k}" for k in range(12)]), min_size=8, max_size=8)
    )
    today.loc[60:, "group"] = ties
    today = today[~today.pathname.isin(lost)]
    today["pathname"] = [f"Box/{f[-8:]}" if f in moved else f for f in today.pathname]
    group_of = today.set_index("sha256").group
    try:
        growth = grow_split(split, today)
    except SplitError as error:
        if "two sides" in str(error):  # only what stays in the split can be in the way
            held = split[split["split"] != "train"]
            assert held["split"].groupby(held.sha256.map(group_of)).nunique().max() == 2
        return
    grown = growth.split
    assert grown["split"].groupby(grown.sha256.map(group_of)).nunique().max() == 1
    for name in ("val", "test"):
        pd.testing.assert_frame_equal(side(grown, name), side(split, name))
    left = set(side(split, "train").pathname) - set(grown.pathname)
    assert left == set(growth.tied) | set(growth.dropped)
