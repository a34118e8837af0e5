import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from photoclf import workers
from photoclf.workers import BATCH_SIZE, Lost, WorkerError, isolated_map
from tests.hostile_functions import crash_once, double_or_suffer

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory, /proc")


def run(items, **options):
    return list(isolated_map(double_or_suffer, items, **{"workers": 2, **options}))


def alive(pid) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, seconds=10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("count", [0, 1, BATCH_SIZE, 5 * BATCH_SIZE + 3])
@pytest.mark.parametrize("processes", [0, 1, 3])
def test_results_come_in_the_order_of_the_items(count, processes):
    assert run(range(count), workers=processes) == [2 * i for i in range(count)]


def test_an_array_comes_back_as_it_was():
    arrays = [np.full((50, 60, 3), i, np.uint8) for i in range(3)]
    back = list(isolated_map(np.ascontiguousarray, arrays, workers=1))
    assert all((a == b).all() and a.dtype == b.dtype for a, b in zip(arrays, back, strict=True))


@pytest.mark.parametrize("death", ["exit", pytest.param("segfault", marks=POSIX)])
@pytest.mark.parametrize("place", [0, 3, BATCH_SIZE - 1, BATCH_SIZE, 3 * BATCH_SIZE])
def test_a_death_costs_its_item_and_no_other(death, place):
    items = list(range(3 * BATCH_SIZE + 1))
    expected = [2 * i for i in items]
    items[place], expected[place] = death, Lost("decoder_crashed")
    assert run(items) == expected


def test_many_deaths_cost_no_more_than_themselves():
    items = [i if i % 3 else "exit" for i in range(20)]
    lost = Lost("decoder_crashed")
    assert run(items) == [2 * i if i % 3 else lost for i in range(20)]


STOPPED = """
from photoclf.workers import isolated_map
from tests.hostile_functions import burn
for result in isolated_map(burn, 8 * [0.01] + 2 * [1.0], workers=1, seconds=3):
    print(result, flush=True)
"""


@POSIX
def test_a_pause_of_all_is_no_hang():
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[1],
    ) as process:
        told = [process.stdout.readline()]
        time.sleep(0.2)  # amid the first of the slow ones
        os.killpg(process.pid, signal.SIGSTOP)  # as Ctrl-Z does
        time.sleep(3.5)
        os.killpg(process.pid, signal.SIGCONT)
        told += process.stdout.readlines()
    assert told == 10 * ["None\n"]


def test_a_hang_costs_its_item_and_no_other():
    start = time.monotonic()
    assert run([1, "hang", 2, 3], seconds=0.5) == [2, Lost("timed_out"), 4, 6]
    assert time.monotonic() - start < 20


@LINUX
def test_an_appetite_for_memory_costs_its_item_and_no_other():
    got = run([1, "eat memory", 2], memory=2**30)
    assert got == [2, Lost("too_much_memory"), 4]


def test_a_worker_that_something_else_killed_costs_nothing(tmp_path):
    assert list(isolated_map(crash_once, [tmp_path / "mark"], workers=1)) == ["survived"]


def test_what_a_worker_prints_is_neither_seen_nor_taken_for_a_result(capfd):
    assert run([1, "noise", 2]) == [2, "", 4]
    assert capfd.readouterr() == ("", "")


def test_an_error_of_the_function_is_told_with_its_cause():
    with pytest.raises(WorkerError, match="ZeroDivisionError"):
        run([1, "raise", 2])


def test_a_worker_that_cannot_start_is_told():
    with pytest.raises(WorkerError, match="must start"):
        list(isolated_map(_Unknown(), [1], workers=1))


class _Unknown:
    """Can be sent to a worker, and not received there."""

    def __call__(self, item):
        return item

    def __reduce__(self):
        return int, ("no number",)


def test_workers_are_used_again():
    assert len(set(run(["process"] * (4 * BATCH_SIZE), workers=1))) == 1


def test_items_are_taken_a_few_batches_ahead_and_no_more():
    taken = itertools.count()
    items = (0 for i in taken)
    results = isolated_map(double_or_suffer, items, workers=1)
    for _ in range(100):
        next(results)
    time.sleep(0.2)
    results.close()
    assert next(taken) < 100 + 6 * BATCH_SIZE


@POSIX
def test_leaving_early_ends_the_workers_and_leaves_no_zombie():
    results = isolated_map(double_or_suffer, itertools.repeat("process"), workers=2)
    pids = {next(results) for _ in range(40)}
    threads = threading.active_count()
    results.close()
    assert not any(alive(pid) for pid in pids)
    assert threading.active_count() < threads


@POSIX
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_a_parent_that_is_stopped(tmp_path, sent):
    mark = tmp_path / "pid"
    code = (
        "import sys; from photoclf.workers import isolated_map; from tests.hostile_functions"
        " import linger; list(isolated_map(linger, sys.argv[1:], workers=1, seconds=1.5))"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", code, str(mark)]
    parent = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    assert wait_until(lambda: mark.exists() and mark.read_text(), 30)
    os.kill(parent.pid, sent)
    parent.wait(30)
    assert wait_until(lambda: not alive(int(mark.read_text())))


def test_a_worker_imports_neither_tables_nor_networks():
    code = (
        "import sys; import photoclf.workers, photoclf.decode;"
        "print({'pandas', 'scipy', 'sklearn', 'tensorflow', 'matplotlib'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_a_stalled_worker_is_one_that_is_silent_for_longer_than_its_time(monkeypatch):
    assert workers._TICK < 1
    slow_but_steady = [0.3] * 6
    assert list(isolated_map(time.sleep, slow_but_steady, workers=1, seconds=1)) == [None] * 6
