import os

import pytest

from photoclf import spool
from photoclf.spool import Spool


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(spool, "_BATCH", 3)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 9])
def test_things_come_back_in_their_order_as_often_as_they_are_read(tmp_path, count):
    things = [{"row": i, "name": "é\udcff"} for i in range(count)]
    with Spool(tmp_path) as kept:
        for thing in things:
            kept.append(thing)
        assert list(kept) == list(kept) == things


def test_readers_and_the_writer_do_not_disturb_one_another(tmp_path):
    with Spool(tmp_path) as kept:
        for i in range(8):
            kept.append(i)
        slow, fast = iter(kept), iter(kept)
        assert [next(slow), *[next(fast) for _ in range(7)]] == [0, *range(7)]
        kept.append(8)
        assert list(slow) == list(range(1, 9))


def test_no_file_is_left_even_while_it_is_in_use(tmp_path):
    with Spool(tmp_path / "new") as kept:
        for i in range(10):
            kept.append(i)
        if os.name == "posix":
            assert os.listdir(tmp_path / "new") == []
    assert os.listdir(tmp_path / "new") == []
