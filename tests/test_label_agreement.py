import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from photoclf.label_agreement import (
    agreement_table,
    conflicts_table,
    kappa_interval,
    named_folders,
    people_table,
    photo_or_not,
    random_share,
)
from photoclf.schema import JOURNAL


def journal(*rows, source="random"):
    """Rows of (who, image, label) or (who, image, label, seconds)."""
    made = []
    for at, (who, image, label, *seconds) in enumerate(rows):
        when = pd.Timestamp("2026-11-26T08:00:00") + pd.Timedelta(seconds=(seconds or [at])[0])
        text = when.isoformat(timespec="milliseconds") + "Z"
        made.append((who, text, f"{image}.png", f"{image:064x}", label, source))
    return pd.DataFrame(made, columns=list(JOURNAL.columns)).astype("str")


def test_a_class_folder_is_no_photograph_unless_it_is_theirs():
    labels = pd.Series(["photo", "other", "Painting", "Photo", "unsure", "withdrawn"])
    assert photo_or_not(labels).tolist() == [1, 0, 0, 1, pd.NA, pd.NA]
    assert photo_or_not(labels, "Painting").tolist() == [1, 0, 1, 0, pd.NA, pd.NA]


def test_a_class_folder_is_known_where_all_who_name_one_agree():
    rows = journal(
        ("anna", 1, "Text"),
        ("ben", 1, "other"),
        ("anna", 2, "Text"),
        ("ben", 2, "Sketch"),
        ("anna", 3, "photo"),
        ("anna", 4, "Photo"),
    )
    assert named_folders(rows) == {f"{1:064x}": "Text"}


def test_each_person_is_counted_by_what_holds_now():
    rows = journal(
        ("ben", 1, "photo"),
        ("anna", 1, "photo"),
        ("anna", 2, "Painting"),
        ("anna", 3, "unsure"),
        ("anna", 1, "other"),
        ("anna", 2, "withdrawn"),
    )
    table = people_table(rows)
    assert table.who.tolist() == ["anna", "ben"]
    anna = table.iloc[0]
    assert (anna.images, anna.photos, anna.others, anna.unsure, anna.withdrawn) == (2, 0, 1, 1, 1)
    assert anna["last"] == "2026-11-26T08:00:05.000Z"


def test_the_pace_is_that_of_looking_and_not_of_lunch():
    times = [0, 3, 6, 9, 3609, 3612, 3615]
    rows = journal(*(("anna", i, "photo", s) for i, s in enumerate(times)))
    assert people_table(rows).per_minute[0] == pytest.approx(20)
    assert np.isnan(people_table(rows.head(1)).per_minute[0])


def test_nobody_labelled_yet():
    none = journal()
    assert people_table(none).empty
    assert agreement_table(none).empty
    assert conflicts_table(none).empty
    share = random_share(none)
    assert (share.images, share.low, share.high) == (0, 0.0, 1.0)
    assert np.isnan(share.share)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=40))
def test_kappa_is_scikit_learns_and_lies_in_its_interval(pairs):
    one, other = np.array(pairs).T
    cells = np.bincount(2 * one + other, minlength=4)
    kappa, low, high = kappa_interval(cells)
    if len(set(one)) == len(set(other)) == 1 and one[0] == other[0]:
        assert np.isnan(kappa)
        return
    assert kappa == pytest.approx(cohen_kappa_score(one, other))
    assert -1 <= low <= kappa <= high <= 1


@pytest.mark.parametrize(("share", "wrong"), [(0.3, 0.05), (0.5, 0.02), (0.2, 0.15)])
def test_the_interval_of_kappa_keeps_its_promise(share, wrong):
    rng = np.random.default_rng(7)
    # Two people who each see the truth through an error of their own.
    sure = np.array([[1 - wrong, wrong], [wrong, 1 - wrong]])
    cells = sum(p * np.outer(row, row) for p, row in zip((1 - share, share), sure, strict=True))
    truth = kappa_interval(np.round(cells.ravel() * 10**7).astype(int))[0]
    held = 0
    for drawn in rng.multinomial(120, cells.ravel(), size=300):
        _, low, high = kappa_interval(drawn)
        held += low <= truth <= high
    assert held / 300 >= 0.93


def test_two_people_who_always_agree_may_still_disagree_one_day():
    kappa, low, high = kappa_interval(np.array([20, 0, 0, 20]))
    assert (kappa, high) == (1.0, 1.0)
    assert 0.7 < low < 0.95


def test_agreement_is_measured_on_what_both_are_sure_of():
    rows = journal(
        *(("anna", i, "photo" if i < 5 else "other") for i in range(10)),
        *(("ben", i, "photo" if i < 4 else "Text") for i in range(9)),
        ("ben", 9, "unsure"),
        ("cleo", 99, "photo"),
    )
    table = agreement_table(rows)
    assert table[["one", "other", "images", "agreed"]].values.tolist() == [["anna", "ben", 9, 8]]
    assert table.kappa[0] == pytest.approx(cohen_kappa_score([1] * 5 + [0] * 4, [1] * 4 + [0] * 5))


def test_where_kappa_is_not_defined_it_is_said():
    table = agreement_table(journal(("anna", 1, "photo"), ("ben", 1, "photo")))
    assert np.isnan(table.kappa[0])
    assert "one and the same label" in table.problem[0]


def test_a_conflict_names_both_sides_and_ends_when_one_gives_in():
    rows = journal(
        ("anna", 1, "photo"),
        ("ben", 1, "other"),
        ("cleo", 1, "photo"),
        ("ben", 2, "unsure"),
        ("anna", 2, "photo"),
    )
    found = conflicts_table(rows)
    assert found[["pathname", "photo", "other"]].values.tolist() == [["1.png", "anna, cleo", "ben"]]
    more = journal(("ben", 1, "photo"))
    assert conflicts_table(pd.concat([rows, more], ignore_index=True)).empty


def test_the_random_sample_counts_what_nobody_is_sure_of_both_ways():
    rows = journal(
        *(("anna", i, "photo") for i in range(30)),
        *(("anna", i, "other") for i in range(30, 90)),
        *(("anna", i, "unsure") for i in range(90, 95)),
        *(("ben", i, "other") for i in range(5)),
    )
    share = random_share(rows)
    assert (share.images, share.photos, share.undecided) == (95, 25, 10)
    assert share.share == pytest.approx(25 / 85)
    sure = random_share(rows[~rows.label.eq("unsure") & rows.who.eq("anna")])
    assert share.low < sure.low < sure.high < share.high
    small = random_share(rows, population=95)
    assert (small.low, small.high) == (25 / 95, 35 / 95)


def test_other_queues_do_not_count_in_the_random_sample_but_later_decisions_do():
    rows = pd.concat(
        [
            journal(("anna", 1, "photo"), ("anna", 2, "photo")),
            journal(("anna", 3, "photo"), ("anna", 2, "other"), source="uncertainty"),
        ],
        ignore_index=True,
    )
    share = random_share(rows)
    assert (share.images, share.photos) == (2, 1)


def test_the_interval_of_the_random_share_keeps_its_promise():
    rng, held = np.random.default_rng(3), 0
    for _ in range(200):
        photos = rng.random(60) < 0.3
        rows = journal(*(("a", i, "photo" if p else "other") for i, p in enumerate(photos)))
        share = random_share(rows)
        held += share.low <= 0.3 <= share.high
    assert held >= 190
