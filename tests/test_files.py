import hashlib
import json
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from photoclf.files import (
    read_json,
    replacing,
    sha256_bytes,
    sha256_file,
    sha256_text,
    write_json,
    write_text,
)


def only_file_in(folder: Path) -> str:
    (entry,) = folder.iterdir()
    return entry.name


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "table.csv"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write(b"half of the new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert only_file_in(tmp_path) == "table.csv"


def test_an_interrupt_while_writing_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "new.csv") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_is_seen_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows replaces no open file")
def test_who_reads_the_old_file_goes_on_reading_it(tmp_path):
    write_text(tmp_path / "a.txt", "old " * 1000)
    with open(tmp_path / "a.txt") as reader:
        write_text(tmp_path / "a.txt", "new")
        assert reader.read() == "old " * 1000


def test_missing_parent_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "é")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é".encode()


def test_a_name_as_long_as_the_file_system_takes_can_be_replaced(tmp_path):
    path = tmp_path / ("n" * 251 + ".txt")
    write_text(path, "1")
    write_text(path, "2")
    assert path.read_text() == "2"
    assert only_file_in(tmp_path) == path.name


def test_replacing_a_folder_fails_and_leaves_no_temporary_file(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - which one, the operating system chooses
        write_text(tmp_path / "folder", "text")
    assert only_file_in(tmp_path) == "folder"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such mode bits")
def test_a_written_file_has_the_rights_of_an_ordinary_new_file(tmp_path):
    write_text(tmp_path / "ours", "")
    (tmp_path / "ordinary").touch()
    ours, ordinary = ((tmp_path / n).stat().st_mode for n in ("ours", "ordinary"))
    assert stat.S_IMODE(ours) == stat.S_IMODE(ordinary)


def test_many_writers_at_once_leave_one_whole_file(tmp_path):
    path = tmp_path / "shared.txt"
    texts = [str(i) * 10_000 for i in range(8)]
    threads = [threading.Thread(target=write_text, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert only_file_in(tmp_path) == "shared.txt"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [float("-inf")]}])
def test_json_refuses_numbers_that_it_has_no_word_for(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", value)
    assert list(tmp_path.iterdir()) == []


def test_json_comes_back_and_is_readable_by_eye(tmp_path):
    value = {"é": [1, 2.5, None, True], "<script>": 'a"b;\n'}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "é" in text
    assert text.endswith("}\n")


def test_a_file_name_that_is_not_utf8_passes_through_json(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg") if sys.platform != "win32" else "caf\udce9.jpg"
    write_json(tmp_path / "a.json", {"folder": name})
    assert read_json(tmp_path / "a.json") == {"folder": name}
    json.loads((tmp_path / "a.json").read_bytes())  # valid UTF-8 for any other reader


def test_hashes_of_file_bytes_and_text_agree_with_hashlib(tmp_path):
    data = os.urandom(3 * 2**20 + 7)
    (tmp_path / "f").write_bytes(data)
    assert sha256_file(tmp_path / "f") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()
    assert sha256_text("é") == hashlib.sha256("é".encode()).hexdigest()


def test_a_name_that_is_not_utf8_has_a_hash_of_its_own():
    assert sha256_text("\udce9") != sha256_text("\udce8")
    assert sha256_text("\udce9") != sha256_text("\\udce9")
