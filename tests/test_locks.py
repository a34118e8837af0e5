"""Locks: one holder at a time, and none left when a holder dies."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from photoclf.locks import BusyError, locked, wait_until_free

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")

HOLDER = """
import sys, time
from pathlib import Path
from photoclf.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path):
    """A lock that another process holds, and that process."""
    path = tmp_path / "new" / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    yield path, holder
    holder.kill()
    holder.communicate()


def test_a_lock_that_another_process_holds_is_refused(held):
    path, _ = held
    with pytest.raises(BusyError, match="another process holds"), locked(path, wait=False):
        pass


def test_a_lock_is_free_once_its_holder_was_killed(held):
    path, holder = held
    with pytest.raises(BusyError):
        wait_until_free(path, seconds=0.3)
    threading.Timer(0.3, holder.send_signal, [signal.SIGKILL]).start()
    wait_until_free(path, seconds=30)
    with locked(path, wait=False):
        assert path.is_file()
    assert not path.exists()


def test_what_is_not_locked_needs_no_waiting(tmp_path):
    wait_until_free(tmp_path / "none", seconds=0)
    assert not list(tmp_path.iterdir())


def test_many_who_wait_hold_it_one_after_the_other(tmp_path):
    path, inside, most = tmp_path / "lock", [], []

    def enter():
        for _ in range(20):
            with locked(path):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.001)
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80
    assert max(most) == 1
    assert not path.exists()
