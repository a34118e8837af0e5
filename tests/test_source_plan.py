import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.errors import SplitError
from photoclf.source_plan import plan_source_splits, read_families
from photoclf.split import check_split, source_folders, usable_images
from tests.test_split import audit_of, folder


@pytest.fixture
def audit():
    return audit_of(
        folder("Photo", 40, 1, "/museum")
        + folder("Photo", 30, 1, "/press")
        + folder("Photo", 20, 1, "/album/deep")
        + folder("Plans", 40, 0, "/museum")
        + folder("Plans", 30, 0, "/works")
        + folder("Texte", 40, 0)
    )


def left_out(split):
    return set(source_folders(split[split.split == "test"]))


def test_each_source_is_left_out_once_and_each_class_loses_one_at_a_time(audit):
    plan = plan_source_splits(audit)
    assert list(plan) == ["without_1", "without_2", "without_3"]
    assert [left_out(split) for split in plan.values()] == [
        {"Photo/museum", "Plans/museum"},
        {"Photo/press", "Plans/works"},
        {"Photo/album/deep", "Plans/museum"},
    ]
    for split in plan.values():
        check_split(split)
        assert len(split) == len(audit)
        left = set(source_folders(split[split.split != "test"]))
        assert not left & left_out(split)


def test_a_source_right_in_the_class_folder_takes_no_deeper_one_along():
    audit = audit_of(
        folder("Photo", 20, 1)
        + folder("Photo", 20, 1, "/box")
        + folder("Plans", 20, 0)
        + folder("Plans", 20, 0, "/box")
    )
    assert {"Photo", "Plans"} in [left_out(split) for split in plan_source_splits(audit).values()]


def test_families_are_left_out_together(audit):
    plan = plan_source_splits(audit, {"museum": ["Photo/museum", "Plans/museum", "Photo/press"]})
    museum = {"Photo/museum", "Plans/museum", "Photo/press"}
    assert [left_out(split) for split in plan.values()] == [
        museum,
        {"Photo/album/deep", "Plans/works"},
    ]


def test_what_is_grouped_with_a_left_out_source_goes_with_it(audit):
    audit.loc[audit.pathname == "Photo/press/0000.jpg", "group"] = "Photo/museum/0000.jpg"
    split = plan_source_splits(audit)["without_1"].set_index("pathname")
    assert split.split["Photo/press/0000.jpg"] == "test"


def test_a_class_with_one_source_stays_to_be_learned_from(audit):
    for split in plan_source_splits(audit).values():
        assert "Texte" not in left_out(split)


@pytest.mark.parametrize(
    ("families", "message"),
    [
        ({"a": ["Photo/musem"]}, r"'Photo/musem'.*Did you mean 'Photo/museum'"),
        ({"a": ["Photo/museum"], "b": ["Photo/museum"]}, r"one family.*'a' and 'b'"),
    ],
)
def test_families_that_would_be_misunderstood_are_refused(audit, families, message):
    with pytest.raises(SplitError, match=message):
        plan_source_splits(audit, families)


def test_without_two_sources_there_is_nothing_to_leave_out():
    audit = audit_of(folder("Photo", 20, 1) + folder("Plans", 20, 0))
    with pytest.raises(SplitError, match="two sources"):
        plan_source_splits(audit)


def test_a_test_without_photographs_is_refused():
    audit = audit_of(
        folder("Photo", 20, 1) + folder("Plans", 20, 0, "/a") + folder("Plans", 20, 0, "/b")
    )
    with pytest.raises(SplitError, match="test without photo"):
        plan_source_splits(audit)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(2, 4), min_size=2, max_size=4), st.integers(0, 3))
def test_any_plan_covers_every_source_and_never_empties_a_class(sources, seed):
    rows = [
        row
        for c, count in enumerate(sources)
        for s in range(count)
        for row in folder(f"C{c}", 6 + s, int(c == 0), f"/s{s}")
    ]
    audit = audit_of(rows)
    plan = plan_source_splits(audit, seed=seed)
    assert set().union(*map(left_out, plan.values())) == set(source_folders(usable_images(audit)))
    for split in plan.values():
        assert set(split.class_folder[split.split != "test"]) == set(audit.class_folder)
        assert len(left_out(split)) == len(sources)


@pytest.mark.parametrize(
    "text",
    ["museum: [Photo/museum, Plans/museum]\n", '{"museum": ["Photo/museum", "Plans/museum"]}'],
)
def test_families_are_read_from_yaml_and_json(tmp_path, text):
    (tmp_path / "families").write_text(text)
    assert read_families(tmp_path / "families") == {"museum": ["Photo/museum", "Plans/museum"]}


@pytest.mark.parametrize("text", ["", "[a]", "a: b", "a: [1]", "a: [", "\x00"])
def test_a_file_that_holds_no_families_is_refused(tmp_path, text):
    (tmp_path / "families").write_text(text)
    with pytest.raises(SplitError, match="families file"):
        read_families(tmp_path / "families")


def test_families_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(SplitError, match="families file"):
        read_families(tmp_path / "none.yaml")
