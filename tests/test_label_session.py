"""What a person decides is kept, can be taken back, and is found again."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.errors import ConfigError, TableError
from photoclf.label_agreement import random_share
from photoclf.label_journal import LabelJournal
from photoclf.label_names import check_who
from photoclf.label_session import PAGE, LabelSession
from photoclf.schema import JOURNAL, check_table


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


def named(*names, source="unlabelled"):
    return pd.DataFrame({"pathname": names, "score": np.nan, "source": source})


def test_undo_on_a_copy_brings_back_what_was_said_of_its_twin(journal):
    session = LabelSession(named("a.png", "copy.png", "c.png"), journal, "anna")
    session.decide(0, "photo", sha(1))
    session.decide(1, "other", sha(1))
    assert session.last_steps(1)[0].before == {1: "photo"}
    session.undo()
    assert list(journal.current("anna").label) == ["photo"]
    assert not session.is_open(0)
    assert session.current == 1
    session.undo()
    assert journal.current("anna").empty
    assert session.is_open(0)


def test_undo_in_a_second_round_brings_back_the_first_also_in_another_session(journal):
    LabelSession(named("box/a.png", source="random"), journal, "anna").decide(0, "photo", sha(1))
    queue = named("a.png")
    LabelSession(queue, journal, "anna").decide(0, "other", sha(1))
    again = LabelSession(queue, journal, "anna")
    assert again.undo().labels == {0: "other"}
    assert list(journal.current("anna").label) == ["photo"]


def test_of_a_page_with_copies_undo_goes_back_to_before_the_page(journal):
    session = LabelSession(named("a.png", "b.png"), journal, "anna")
    session.decide_page({0: "photo", 1: "other"}, {0: sha(1), 1: sha(1)})
    session.undo()
    assert journal.current("anna").empty
    assert [session.is_open(n) for n in (0, 1)] == [True, True]


def test_copies_that_are_known_are_decided_together_and_taken_back_together(journal):
    session = LabelSession(named("a.png", "b.png", "c.png"), journal, "anna")
    session.learn(2, sha(1))
    session.decide(0, "photo", sha(1))
    assert [session.is_open(n) for n in range(3)] == [False, True, False]
    session.undo()
    assert [session.is_open(n) for n in range(3)] == [True, True, True]
    session.decide(0, "photo", sha(1))
    assert session.learn(1, sha(1))  # nobody needs to look at it
    assert session.current is None
    assert session.progress().done == 3


def test_what_the_person_looks_at_is_not_taken_from_them(journal):
    session = LabelSession(named("a.png", "b.png"), journal, "anna")
    session.decide(0, "photo", sha(1))
    assert not session.learn(1, sha(1), shown=True)
    assert session.current == 1


def test_another_folder_with_the_same_names_is_another_folder(journal):
    queue = named(*(f"{n:04}.jpg" for n in range(3)))
    first = LabelSession(queue, journal, "anna")
    for n in range(3):
        first.decide(n, "photo", sha(n))
    second = LabelSession(queue, journal, "anna", trust_names=False)
    assert second.current is None
    assert second.unchecked() == [0, 1, 2]
    assert second.learn(1, sha(91))
    assert second.current == 1
    second.learn(0, sha(0))  # a file that the folders have both
    assert second.unchecked() == [2]
    assert [second.is_open(n) for n in range(3)] == [False, True, False]
    assert [step.labels for step in second.last_steps(9)] == [{0: "photo"}, {2: "photo"}]


def test_what_others_decided_in_another_folder_is_not_passed_over_here(journal):
    now = [0.0]
    queue = named(*(f"{n:04}.jpg" for n in range(3)))
    LabelSession(queue, journal, "anna").decide(0, "photo", sha(0))
    session = LabelSession(
        queue,
        journal,
        "ben",
        skip_labelled_by_others=True,
        trust_names=False,
        clock=lambda: now[0],
    )
    assert session.current == 1
    assert not session.learn(0, sha(90))  # what the person sees stays
    assert session.is_open(0)
    now[0] = 60.0
    session.pass_over_others()  # the name says it again
    assert session.is_open(0)
    session.learn(2, sha(0))  # the same image, under another name
    assert not session.is_open(2)


def test_a_file_that_is_replaced_is_open_again(journal):
    session = LabelSession(named("a.png", "b.png"), journal, "anna")
    session.decide(0, "photo", sha(0))
    session.learn(0, sha(9))
    assert session.is_open(0)
    assert list(journal.current("anna").sha256) == [sha(0)]


class InMemory(LabelJournal):
    """A journal whose rows are checked and kept nowhere, for simulations."""

    def __init__(self):
        super().__init__("nowhere")
        object.__setattr__(self, "rows", [])

    def append(self, **row):
        self.rows.append({"when": "2026-11-26T08:00:00.000Z"} | row)

    def read(self):
        return check_table(pd.DataFrame(self.rows, columns=list(JOURNAL.columns)), JOURNAL)


def label(journal, order, source, truth, count, **options):
    """Decide the next images of an order rightly."""
    names = [f"{i:04}.png" for i in order]
    session = LabelSession(named(*names, source=source), journal, "anna", **options)
    for _ in range(count):
        i = order[session.current]
        session.decide(session.current, "photo" if truth[i] else "other", sha(i))
    return session


def test_a_random_queue_after_another_one_gives_the_share_that_is_there():
    rng, held, errors = np.random.default_rng(0), [], []
    for _ in range(40):
        truth = rng.random(400) < 0.15
        odds = np.where(truth, rng.normal(2, 2, 400), rng.normal(-4, 2, 400))
        journal = InMemory()
        label(journal, np.argsort(np.abs(odds)), "uncertainty", truth, 80)
        label(journal, rng.permutation(400), "random", truth, 120)
        share = random_share(journal.read())
        assert share.images == 120 + share.before
        held.append(share.low <= truth.mean() <= share.high)
        errors.append(share.share - truth.mean())
    assert np.mean(held) >= 0.93
    assert abs(np.mean(errors)) < 0.01


def test_what_was_decided_before_is_drawn_once_it_is_passed_and_not_earlier(journal):
    order = np.arange(6)
    label(journal, order[[1, 4]], "uncertainty", [True] * 6, 2)
    session = LabelSession(named(*(f"{i:04}.png" for i in order), source="random"), journal, "anna")

    def drawn():
        rows = journal.read()
        return list(rows.pathname[rows.source == "random"])

    assert drawn() == []
    session.decide(0, "photo", sha(0))
    assert drawn() == ["0000.png", "0001.png"]
    session.decide(2, "other", sha(2))
    session.undo()
    session.decide(2, "other", sha(2))
    again = LabelSession(named(*(f"{i:04}.png" for i in order), source="random"), journal, "anna")
    assert again.current == 3
    assert drawn() == ["0000.png", "0001.png", "0002.png", "0002.png", "0002.png"]
    # Being drawn is no decision that could be taken back.
    assert [again.undo().labels for _ in range(3)] == [{2: "other"}, {0: "photo"}, {4: "photo"}]
    assert random_share(journal.read()).before == 1


def test_an_image_is_drawn_only_if_its_bytes_are_those_that_were_decided_on(journal):
    label(journal, np.arange(2), "uncertainty", [True] * 3, 2)
    queue = named("0000.png", "0001.png", "0002.png", source="random")
    session = LabelSession(queue, journal, "anna", trust_names=False)
    assert session.current == 2
    assert not (journal.read().source == "random").any()
    session.learn(0, sha(0))
    session.learn(1, sha(91))
    rows = journal.read()
    assert list(rows.pathname[rows.source == "random"]) == ["0000.png"]
    session.decide(2, "photo", sha(2))
    assert session.current == 1


def test_in_a_random_queue_only_what_others_drew_is_passed_over(journal):
    label(journal, np.arange(1), "uncertainty", [True], 1)
    label(journal, np.array([1]), "random", [True, True], 1)
    queue = named("0000.png", "0001.png", "0002.png", source="random")
    session = LabelSession(queue, journal, "ben", skip_labelled_by_others=True)
    assert [session.is_open(n) for n in range(3)] == [True, False, True]


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


DECISIONS = st.lists(
    st.dictionaries(
        st.integers(0, 5), st.sampled_from(["photo", "other", "unsure", ""]), min_size=1
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(DECISIONS, st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_each_undo_brings_back_what_the_journal_held_before(decisions, contents):
    """Six names, three contents: copies contradict each other, and are decided again and again."""
    journal = InMemory()
    session = LabelSession(named(*"abcdef"), journal, "anna")
    held = []
    for labels in decisions:
        held.append(dict(journal.current("anna")[["sha256", "label"]].to_numpy()))
        session.decide_page(labels, {n: sha(contents[n]) for n in labels})
    for before in reversed(held):
        session.undo()
        assert dict(journal.current("anna")[["sha256", "label"]].to_numpy()) == before
    assert all(session.is_open(n) for labels in decisions for n in labels)
