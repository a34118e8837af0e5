import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.errors import PhotoclfError, SplitError
from photoclf.source_plan import plan_source_splits, read_families
from photoclf.source_ties import source_families
from photoclf.split import check_split, source_folders, sources_in_test, usable_images
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
    plan = plan_source_splits(audit).splits
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
    assert {"Photo", "Plans"} in [
        left_out(split) for split in plan_source_splits(audit).splits.values()
    ]


def test_families_are_left_out_together(audit):
    plan = plan_source_splits(
        audit, {"museum": ["Photo/museum", "Plans/museum", "Photo/press"]}
    ).splits
    museum = {"Photo/museum", "Plans/museum", "Photo/press"}
    assert [left_out(split) for split in plan.values()] == [
        museum,
        {"Photo/album/deep", "Plans/works"},
    ]


def test_what_is_grouped_with_a_left_out_source_goes_with_it(audit):
    audit.loc[audit.pathname == "Photo/press/0000.jpg", "group"] = "Photo/museum/0000.jpg"
    split = plan_source_splits(audit).splits["without_1"].set_index("pathname")
    assert split.split["Photo/press/0000.jpg"] == "test"


def test_a_class_with_one_source_stays_to_be_learned_from(audit):
    for split in plan_source_splits(audit).splits.values():
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
    with pytest.raises(SplitError, match=r"keep another. Received: only Photo\..*sub-folders"):
        plan_source_splits(audit)


def test_a_plan_without_photographs_to_leave_out_is_refused():
    audit = audit_of(
        folder("Photo", 20, 1) + folder("Plans", 20, 0, "/a") + folder("Plans", 20, 0, "/b")
    )
    with pytest.raises(SplitError, match="source of photographs out.*only Photo"):
        plan_source_splits(audit)


def tie(audit, first, second, images):
    """Put the first images of two sources into groups of two."""
    for i in range(images):
        audit.loc[audit.pathname == f"{second}/{i:04d}.jpg", "group"] = f"{first}/{i:04d}.jpg"


def test_sources_that_share_many_groups_are_left_out_together_and_it_is_told(audit):
    tie(audit, "Photo/museum", "Plans/museum", 10)
    tie(audit, "Plans/museum", "Plans/works", 1)  # a stray look-alike joins nothing
    plan = plan_source_splits(audit)
    first = plan.left_out["without_1"][0]
    assert first.sources == ("Photo/museum", "Plans/museum")
    assert first.why == (
        "10 groups lie in several of them, such as"
        " 'Photo/museum/0000.jpg' and 'Plans/museum/0000.jpg'"
    )
    assert [family.why for family in plan.families if len(family.sources) == 1] == [""] * 4
    tested = sources_in_test(plan.splits["without_1"]).to_numpy().tolist()
    assert tested == [["Photo/museum", 40, 40], ["Plans/museum", 40, 40]]


def test_a_stray_look_alike_follows_the_source_that_is_left_out(audit):
    tie(audit, "Photo/museum", "Photo/press", 2)
    plan = plan_source_splits(audit)
    assert all(len(family.sources) == 1 for family in plan.families)
    tested = sources_in_test(plan.splits["without_1"]).set_index("source").tested
    assert tested["Photo/press"] == 2


def test_sources_are_one_family_through_others_and_through_what_is_told(audit):
    tie(audit, "Photo/museum", "Photo/press", 10)
    families = source_families(audit, {"box": ["Photo/press", "Plans/works"]})
    joined = families[0]
    assert joined.sources == ("Photo/museum", "Photo/press", "Plans/works")
    assert "told as 'box'" in joined.why
    assert "10 groups" in joined.why


def test_when_all_photographs_are_tied_the_plan_says_so_and_what_to_do(audit):
    for second in ("Photo/press", "Photo/album/deep", "Plans/museum"):
        tie(audit, "Photo/museum", second, 10)
    with pytest.raises(SplitError, match="source of photographs") as caught:
        plan_source_splits(audit)
    for part in ("Photo/press", "10 groups lie in several", "of another source"):
        assert part in str(caught.value)


def test_a_class_with_one_family_is_told_to_be_trained_on_always(audit):
    assert [str(f) for f in plan_source_splits(audit).always_trained] == ["Texte"]


def test_a_family_of_several_classes_takes_no_photographs_from_the_tests_of_others():
    audit = audit_of(
        [row for box in "abc" for row in folder("Plans", 20, 0, f"/{box}")]
        + [row for box in "ab" for row in folder("Photo", 20, 1, f"/{box}")]
    )
    families = {box: [f"Photo/{box}", f"Plans/{box}"] for box in "ab"}
    plan = plan_source_splits(audit, families)
    assert {"Plans/c"} < left_out(plan.splits["without_3"])
    for split in plan.splits.values():
        check_split(split)


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
    plan = plan_source_splits(audit, seed=seed).splits
    assert set().union(*map(left_out, plan.values())) == set(source_folders(usable_images(audit)))
    for split in plan.values():
        assert set(split.class_folder[split.split != "test"]) == set(audit.class_folder)
        assert len(left_out(split)) == len(sources)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=4),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=12),
    st.integers(0, 3),
)
def test_whatever_groups_tie_sources_a_plan_leaks_nothing_and_covers_what_can_be_left_out(
    sources, ties, seed
):
    rows = [
        row
        for c, count in enumerate(sources)
        for s in range(count)
        for row in folder(f"C{c}", 12, int(c == 0), f"/s{s}")
    ]
    audit = audit_of(rows)
    for first, second in ties:  # any two images, so groups of any size across sources and classes
        here, there = (audit.group[i % len(audit)] for i in (first, second))
        audit.loc[audit.group == there, "group"] = here
    try:
        plan = plan_source_splits(audit, seed=seed)
    except SplitError as error:
        assert "Received" in str(error)
        assert "--plan" in str(error) or "without" in str(error)
        return
    always = {source for family in plan.always_trained for source in family.sources}
    everything = set(source_folders(audit))
    assert set().union(*map(left_out, plan.splits.values())) | always == everything
    for name, split in plan.splits.items():
        assert (split.groupby("group").split.nunique() == 1).all()
        assert len(split) == len(audit)
        assert set(split.class_folder[split.split == "train"]) == set(audit.class_folder)
        sent = {source for family in plan.left_out[name] for source in family.sources}
        tested = sources_in_test(split).set_index("source")
        assert (tested.tested[sorted(sent)] == tested.images[sorted(sent)]).all()
        assert not sent & always


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
    with pytest.raises(PhotoclfError, match="(?i)families file"):
        read_families(tmp_path / "families")


def test_families_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(PhotoclfError, match="(?i)families file"):
        read_families(tmp_path / "none.yaml")
