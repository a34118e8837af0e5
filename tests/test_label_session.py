"""What a person decides is kept, can be taken back, and is found again."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.errors import ConfigError, TableError
from photoclf.label_journal import LabelJournal
from photoclf.label_names import check_who
from photoclf.label_session import PAGE, LabelSession


def sha(n):
    return f"{n:064x}"


def queue_of(count, source="uncertainty", scores=None):
    scores = np.linspace(0, 1, count) if scores is None else scores
    names = [f"box/{n:05}.png" for n in range(count)]
    return pd.DataFrame({"pathname": names, "score": scores, "source": source})


@pytest.fixture
def journal(tmp_path):
    return LabelJournal(tmp_path / "labels.csv")


def test_the_images_come_in_the_order_of_the_queue(journal):
    session = LabelSession(queue_of(4), journal, "anna")
    seen = []
    while (n := session.current) is not None:
        seen.append(n)
        session.decide(n, "photo", sha(n))
    assert seen == [0, 1, 2, 3]
    assert list(journal.read().pathname) == [f"box/{n:05}.png" for n in range(4)]
    assert set(journal.read().source) == {"uncertainty"}


def test_another_session_goes_on_where_this_one_was(journal):
    session = LabelSession(queue_of(6), journal, "anna")
    for n in (0, 1, 2):
        session.decide(n, "other", sha(n))
    again = LabelSession(queue_of(6), journal, "anna")
    assert again.current == 3
    assert again.progress().done == 3
    assert LabelSession(queue_of(6), journal, "ben").current == 0


def test_undo_withdraws_and_returns_to_the_image_also_in_another_session(journal):
    session = LabelSession(queue_of(3), journal, "anna")
    session.decide(0, "photo", sha(0))
    session.decide(1, "other", sha(1))
    again = LabelSession(queue_of(3), journal, "anna")
    assert again.undo().labels == {1: "other"}
    assert again.current == 1
    again.undo()
    assert again.current == 0
    assert again.undo() is None
    assert list(journal.read().label) == ["photo", "other", "withdrawn", "withdrawn"]
    assert journal.current("anna").empty


def test_what_was_put_off_comes_back_at_the_end_and_leaves_no_row(journal):
    session = LabelSession(queue_of(3), journal, "anna")
    session.skip(0)
    session.decide(1, "photo", sha(1))
    session.decide(2, "photo", sha(2))
    assert session.current is None
    assert session.progress().skipped == 1
    session.recall_skipped()
    assert session.current == 0
    assert len(journal.read()) == 2


def test_undo_of_putting_off_goes_back_without_a_row(journal):
    session = LabelSession(queue_of(3), journal, "anna")
    session.skip(0)
    session.undo()
    assert session.current == 0
    assert journal.read().empty


def test_a_decision_that_cannot_be_kept_leaves_its_image_the_current_one(journal):
    session = LabelSession(queue_of(3), journal, "anna")
    session.decide(0, "photo", sha(0))
    kept = journal.path.read_bytes()
    journal.path.unlink()
    journal.path.mkdir()
    with pytest.raises(TableError, match="NOT kept"):
        session.decide(1, "photo", sha(1))
    assert session.current == 1
    with pytest.raises(TableError, match="NOT kept"):
        session.undo()
    assert session.current == 1
    journal.path.rmdir()
    journal.path.write_bytes(kept)
    session.undo()
    assert session.current == 0


def test_of_a_page_what_was_kept_before_an_error_counts_and_can_be_taken_back(journal, monkeypatch):
    session = LabelSession(queue_of(5), journal, "anna")
    real, calls = LabelJournal.append, []

    def append(self, **row):
        calls.append(row)
        if len(calls) == 3:
            raise TableError("The disk is full. The decision was NOT kept.")
        real(self, **row)

    monkeypatch.setattr(LabelJournal, "append", append)
    with pytest.raises(TableError, match="full"):
        session.decide_page(dict.fromkeys(range(5), "photo"), {n: sha(n) for n in range(5)})
    assert [session.is_open(n) for n in range(5)] == [False, False, True, True, True]
    assert session.current == 2
    assert session.undo().labels == {0: "photo", 1: "photo"}
    assert journal.current().empty


def test_what_is_left_out_of_a_page_is_put_off_and_comes_back_with_it(journal):
    session = LabelSession(queue_of(4), journal, "anna")
    session.decide_page({0: "photo", 1: "", 2: "other"}, {0: sha(0), 2: sha(2)})
    assert session.current == 3
    assert (session.progress().done, session.progress().skipped) == (2, 1)
    assert session.undo().labels == {0: "photo", 2: "other", 1: ""}
    assert session.current == 0
    assert session.progress().skipped == 0


def test_a_page_has_the_current_image_and_those_nearest_to_it_in_score(journal):
    scores = np.array([0.9, 0.1, 0.85, 0.2, 0.95, 0.3, 0.55])
    session = LabelSession(queue_of(7, scores=scores), journal, "anna")
    assert session.page(3) == [4, 0, 2]  # by falling score, all of them proposed as photographs
    assert {session.image(n).proposal for n in session.page(7)} == {"photo"}


def test_a_page_of_a_random_sample_is_what_comes_next_whatever_the_scores(journal):
    rng = np.random.default_rng(7)
    session = LabelSession(queue_of(100, "random", rng.random(100)), journal, "anna")
    assert sorted(session.page()) == list(range(PAGE))


def test_a_page_without_scores_proposes_nothing(journal):
    session = LabelSession(queue_of(30, "unlabelled", np.full(30, np.nan)), journal, "anna")
    assert session.page(5) == [0, 1, 2, 3, 4]
    assert session.image(0).proposal == ""


def test_what_others_decided_stays_in_the_queue_unless_asked(journal):
    LabelSession(queue_of(4), journal, "ben").decide(0, "photo", sha(0))
    assert LabelSession(queue_of(4), journal, "anna").current == 0
    session = LabelSession(queue_of(4), journal, "anna", skip_labelled_by_others=True)
    assert session.current == 1
    assert session.progress().total == 3


def test_what_others_decide_meanwhile_is_passed_over(journal):
    now = [0.0]
    session = LabelSession(
        queue_of(4), journal, "anna", skip_labelled_by_others=True, clock=lambda: now[0]
    )
    LabelSession(queue_of(4), journal, "ben").decide(0, "photo", sha(0))
    now[0] = 60.0
    session.pass_over_others()
    assert session.current == 1


def test_the_pace_leaves_pauses_out(journal):
    now = [0.0]
    session = LabelSession(queue_of(10), journal, "anna", clock=lambda: now[0])
    for n, moment in enumerate([0, 2, 4, 1000, 1002]):
        now[0] = moment
        session.decide(n, "photo", sha(n))
    progress = session.progress()
    assert progress.per_minute == pytest.approx(30)
    assert progress.hours_left == pytest.approx(5 / 30 / 60)


def test_a_copy_under_another_name_does_not_take_back_its_twin(journal):
    session = LabelSession(queue_of(3), journal, "anna")
    session.decide(0, "photo", sha(9))
    session.decide(1, "photo", sha(9))
    again = LabelSession(queue_of(3), journal, "anna")
    assert again.current == 2
    assert again.progress().done == 2


def test_a_long_queue_is_ready_at_once(journal):
    session = LabelSession(queue_of(10_000), journal, "anna")
    assert session.ahead(3) == [1, 2, 3]
    assert len(session.page()) == PAGE


@pytest.mark.parametrize("who", ["", "  ", "a\nb", None, 7, "x" * 81])
def test_a_person_without_a_name_is_refused(who):
    with pytest.raises(ConfigError, match="`who` must be a name"):
        check_who(who)


@pytest.mark.parametrize(
    "classes", [["photo"], ["Photo"], [""], ["a\nb"], [str(n) for n in range(10)]]
)
def test_classes_that_cannot_be_labels_are_refused(classes, journal):
    with pytest.raises(ConfigError, match="`class_folders` must be"):
        LabelSession(queue_of(1), journal, "anna", classes=classes)


def test_a_label_that_there_is_not_is_refused_before_any_row(journal):
    session = LabelSession(queue_of(3), journal, "anna", classes=["Painting"])
    with pytest.raises(ConfigError, match="Did you mean 'Painting'"):
        session.decide_page({0: "photo", 1: "Paintin"}, {0: sha(0), 1: sha(1)})
    assert journal.read().empty


def test_what_is_to_be_decided_again_is_open_and_taking_back_leaves_what_was_said(journal):
    first = LabelSession(queue_of(2), journal, "anna")
    first.decide(0, "photo", sha(0))
    LabelSession(queue_of(2), journal, "ben").decide(0, "other", sha(0))
    queue = queue_of(1, source="conflicts", scores=np.nan)
    session = LabelSession(queue, journal, "anna", skip_labelled_by_others=True)
    assert session.current == 0
    assert session.undo() is None  # nothing was done here yet
    session.decide(0, "other", sha(0))
    assert journal.current("anna").label.tolist() == ["other"]
    session.undo()
    assert session.current == 0
    assert journal.current("anna").label.tolist() == ["photo"]
    assert LabelSession(queue_of(2), journal, "anna").current == 1  # elsewhere it is done


ACTIONS = st.lists(st.sampled_from(["photo", "other", "unsure", "skip", "undo", "page", "again"]))


@settings(max_examples=40, deadline=None)
@given(ACTIONS)
def test_whatever_is_done_the_journal_and_the_session_agree(tmp_path_factory, actions):
    journal = LabelJournal(tmp_path_factory.mktemp("journal") / "labels.csv")
    queue = queue_of(12)
    session = LabelSession(queue, journal, "anna")
    for action in actions:
        n = session.current
        if action == "undo":
            session.undo()
        elif action == "again":
            session = LabelSession(queue, journal, "anna")
        elif n is None:
            session.recall_skipped()
        elif action == "skip":
            session.skip(n)
        elif action == "page":
            page = session.page(4)
            session.decide_page(dict.fromkeys(page, "photo"), {m: sha(m) for m in page})
        else:
            session.decide(n, action, sha(n))
        holds = journal.current("anna")
        assert session.progress().done == len(holds)
        assert session.current is None or session.is_open(session.current)
        decided = {f"box/{m:05}.png" for m in range(12) if not session.is_open(m)}
        assert set(holds.pathname) <= decided
