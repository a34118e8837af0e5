import errno
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.errors import TableError
from photoclf.label_journal import LabelJournal
from photoclf.schema import JOURNAL

A, B = "a" * 64, "b" * 64
ROW = {"who": "anna", "pathname": "box/1.png", "sha256": A, "label": "photo", "source": "random"}
HEADER = "who;when;pathname;sha256;label;source\n"


@pytest.fixture
def journal(tmp_path):
    return LabelJournal(tmp_path / "data" / "labels.csv")


def append(journal, **values):
    journal.append(**(ROW | values))


def test_a_decision_comes_back_as_it_was_made(journal):
    append(journal)
    text = journal.path.read_text(encoding="utf-8")
    assert re.fullmatch(
        HEADER + rf"anna;\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z;box/1.png;{A};photo;random\n",
        text,
    )
    found = journal.read()
    assert list(found.columns) == list(JOURNAL.columns)
    assert {k: found[k][0] for k in ROW} == ROW


def test_no_journal_yet_means_no_decision(journal):
    assert journal.read().empty
    assert list(journal.current().columns) == list(JOURNAL.columns)


def test_the_latest_decision_of_each_person_counts_and_a_withdrawn_one_does_not(journal):
    append(journal, label="photo")
    append(journal, label="other", pathname="copy/1.png")
    append(journal, who="ben", label="photo")
    append(journal, sha256=B, label="photo")
    append(journal, sha256=B, label="withdrawn")
    now = journal.current()
    assert now[["who", "pathname", "label"]].values.tolist() == [
        ["anna", "copy/1.png", "other"],
        ["ben", "box/1.png", "photo"],
    ]
    assert journal.current("ben").label.tolist() == ["photo"]
    assert len(journal.read()) == 5


def test_what_was_withdrawn_may_be_decided_anew(journal):
    for label in ("photo", "withdrawn", "other"):
        append(journal, label=label)
    assert journal.current().label.tolist() == ["other"]


NAMES = st.text(st.characters(exclude_characters="\0", codec=None), min_size=1, max_size=20)


@settings(deadline=None, max_examples=60)
@given(st.lists(NAMES, max_size=4))
def test_any_file_name_comes_back_and_takes_one_line(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("names") / "labels.csv"
    for name in names:
        LabelJournal(path).append(**(ROW | {"pathname": name}))
    assert LabelJournal(path).read().pathname.tolist() == names
    if names:
        assert path.read_bytes().count(b"\n") == 1 + len(names)


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(1, 400), name=NAMES)
def test_a_row_torn_anywhere_loses_no_other_row(tmp_path_factory, cut, name):
    path = tmp_path_factory.mktemp("torn") / "labels.csv"
    journal = LabelJournal(path)
    for sha in (A, B):
        journal.append(**(ROW | {"pathname": name, "sha256": sha}))
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    path.write_bytes(whole[: max(len(whole) - cut, last)])
    kept = journal.read().sha256.tolist()
    assert kept == ([A, B] if cut == 1 else [A])
    append(journal, who="ben")
    assert journal.read().sha256.tolist() == [*kept, A]
    assert journal.read().who.iloc[-1] == "ben"


@pytest.mark.parametrize("start", [0, 1, 20, len(HEADER) - 1, len(HEADER)])
def test_a_header_torn_anywhere_is_written_anew(journal, start):
    journal.path.parent.mkdir()
    journal.path.write_text(HEADER[:start])
    assert journal.read().empty
    append(journal)
    assert journal.read().who.tolist() == ["anna"]


def test_a_journal_that_an_editor_saved_is_read(journal):
    append(journal)
    text = journal.path.read_text(encoding="utf-8")
    journal.path.write_bytes(b"\xef\xbb\xbf" + text.rstrip("\n").replace("\n", "\r\n").encode())
    assert journal.read().who.tolist() == ["anna"]
    append(journal, who="ben")
    assert journal.read().who.tolist() == ["anna", "ben"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("anna;photo", r"Row 3 .*2 values instead of 6"),
        (f"anna;yesterday;1.png;{A};photo;random", r"Row 3 .*`when`.*'yesterday'"),
        (f"anna;2026-11-26T16:00:00.000Z;1.png;{A[:5]};photo;random", r"Row 3 .*64 hexadecimal"),
        (f"anna;2026-11-26T16:00:00.000Z;1.png;{A};photo;rndom", r"Row 3 .*mean 'random'"),
        (f';2026-11-26T16:00:00.000Z;1.png;{A};"";random', r"Row 3 .*`who`"),
        (f'anna;2026-11-26T16:00:00.000Z;"1.png;{A};photo;random', r"Row 3 .*columns"),
    ],
)
def test_a_foreign_row_is_named(journal, row, said):
    append(journal)
    with open(journal.path, "a", encoding="utf-8") as file:
        file.write(f"{row}\n")
    append(journal)
    with pytest.raises(TableError, match=said):
        journal.read()


def test_another_file_in_its_place_is_left_as_it_is(journal):
    journal.path.parent.mkdir()
    for content in ("pathname;label\na.png;1\n", "x", "\x00\xff" * 50):
        journal.path.write_text(content, encoding="latin-1")
        for use in (journal.read, lambda: append(journal)):
            with pytest.raises(TableError, match="must begin with who;when"):
                use()
        assert journal.path.read_text(encoding="latin-1") == content


@pytest.mark.parametrize(
    "values",
    [
        {"who": ""},
        {"who": " "},
        {"who": "a\nb"},
        {"label": ""},
        {"label": "a\rb"},
        {"pathname": ""},
        {"sha256": A.upper()},
        {"sha256": ""},
        {"source": "guess"},
        {"pathname": "../x.png"},
        {"pathname": "/x.png"},
        {"pathname": "a/../../x.png"},
    ],
)
def test_a_wrong_value_is_refused_and_nothing_is_written(journal, values):
    with pytest.raises(TableError, match=r"Received: .*NOT kept"):
        append(journal, **values)
    assert not journal.path.exists()


def test_a_full_disk_says_that_the_decision_was_not_kept(journal, monkeypatch):
    append(journal)
    before = journal.path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(TableError, match=r"No space left.*NOT kept\. Free some space"):
            append(journal, who="ben")
    assert journal.path.read_bytes() == before
    append(journal, who="cleo")
    assert journal.read().who.tolist() == ["anna", "cleo"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits a file's size by resource")
def test_a_row_that_the_disk_took_half_of_is_taken_back(journal):
    append(journal)
    size = journal.path.stat().st_size
    code = f"""
import resource, signal
from pathlib import Path
from photoclf.errors import TableError
from photoclf.label_journal import LabelJournal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size} + 30, {size} + 30))
try:
    LabelJournal(Path({str(journal.path)!r})).append(**{ROW!r})
except TableError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "NOT kept" in told.stdout
    assert journal.path.stat().st_size == size


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_read_only_folder_says_that_the_decision_was_not_kept(journal):
    journal.path.parent.mkdir(mode=0o500)
    with pytest.raises(TableError, match=r"Permission denied.*NOT kept.*right to write"):
        append(journal)


def test_a_folder_in_its_place_says_that_the_decision_was_not_kept(journal):
    journal.path.mkdir(parents=True)
    with pytest.raises(TableError, match=r"directory.*NOT kept"):
        append(journal)


def _write_many(path, who, rows):
    for i in range(rows):
        LabelJournal(path).append(**(ROW | {"who": who, "pathname": f"{who}/{i}.png"}))


def test_people_who_label_at_once_lose_no_row(journal):
    context = multiprocessing.get_context("spawn")
    people = [
        context.Process(target=_write_many, args=(journal.path, f"p{k}", 40)) for k in range(4)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    found = journal.read()
    for k in range(4):  # each one's rows in the order in which they were made
        assert found.pathname[found.who == f"p{k}"].tolist() == [f"p{k}/{i}.png" for i in range(40)]
    assert len(found) == 160


def test_a_killed_writer_loses_no_row_that_it_was_told_to_be_kept(journal, tmp_path):
    kept = tmp_path / "kept"
    code = f"""
from pathlib import Path
from photoclf.label_journal import LabelJournal
journal = LabelJournal(Path({str(journal.path)!r}))
with open({str(kept)!r}, "w", buffering=1) as told:
    for i in range(10**6):
        journal.append(**({ROW!r} | {{"pathname": str(i)}}))
        print(i, file=told)
"""
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code])
        while not kept.exists() or kept.stat().st_size < 100:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        told = kept.read_text().split("\n")[:-1]
        kept.unlink()
        found = journal.read().pathname.tolist()
        start = len(found) - found[::-1].index("0") - 1
        assert found[start:][: len(told)] == told
    append(journal, who="ben")
    assert journal.read().who.iloc[-1] == "ben"


def test_a_long_journal_is_read_in_seconds(journal):
    append(journal)
    row = journal.path.read_text(encoding="utf-8").splitlines()[1]
    journal.path.write_text(HEADER + f"{row}\n" * 100_000)
    started = time.perf_counter()
    assert len(journal.read()) == 100_000
    assert time.perf_counter() - started < 10
    assert isinstance(journal.current(), pd.DataFrame)
