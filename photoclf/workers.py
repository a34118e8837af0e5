"""Work that may hang, eat memory or kill its process, done in processes that can be lost."""

import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

from photoclf.errors import PhotoclfError
from photoclf.slots import SLOTS, open_slots
from photoclf.worker_process import LOST, Lost

__all__ = ["LOST", "Lost", "WorkerError", "available_threads", "isolated_map", "isolated_pool"]

BATCH_SIZE = SLOTS  # items handed over at once: a kill of the whole run loses a few batches of them
START_SECONDS = 120.0  # for a worker to import what it needs, also from a slow disk
_TICK = 0.25  # how often stalled workers are looked for
_AHEAD = 2  # batches in work or waiting, a worker


class WorkerError(PhotoclfError):
    """A worker can't start, or the function has an error of its own."""


def available_threads() -> int:
    """Return the number of processor threads this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def isolated_map(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    workers: int | None = None,
    seconds: float = 60.0,
    memory: int | None = None,
) -> Generator[Any, None, None]:
    """Apply a function to items in worker processes that may die of them.

    A worker that dies, or is silent for too long, is killed and replaced: its item becomes `Lost`,
    and the rest of its batch is done again. An item whose worker died is tried once more, in a
    fresh one, as something else may have killed it. Workers are started as programs of their own,
    without forking and without importing the caller's main module.

    Args:
        function: A function of a module that a worker can import. It takes one item.
        items: What it is applied to; taken a few batches ahead, so memory stays flat.
        workers: Processes; one a processor core by default. 0 applies it here, unprotected.
        seconds: Wall-clock time that one item may take.
        memory: Bytes of address space that a worker may use beyond what it has after its imports;
            no limit by default, and where the system has none (Windows, macOS).

    Yields:
        In the order of the items, the function's result or a `Lost`.

    Raises:
        WorkerError: If a worker can't start, or the function raises anything but `MemoryError`.

    Example:
        >>> list(isolated_map(abs, [-1, 2], workers=1))
        [1, 2]
    """
    with isolated_pool(function, workers=workers, seconds=seconds, memory=memory) as apply:
        yield from apply(items)


@contextmanager
def isolated_pool(
    function: Callable[[Any], Any],
    *,
    workers: int | None = None,
    seconds: float = 60.0,
    memory: int | None = None,
) -> Iterator[Callable[[Iterable[Any]], Iterator[Any]]]:
    """Keep the workers of `isolated_map` for several maps, one after the other.

    Args:
        function: See `isolated_map`, as for the rest.
        workers: Processes; one a processor core by default.
        seconds: Wall-clock time that one item may take.
        memory: Bytes of address space that a worker may use.

    Yields:
        A function that takes items and gives an iterator over their results.
    """
    if workers == 0:
        yield lambda items: map(function, items)
        return
    pool = _Pool(function, workers or available_threads(), seconds, memory)
    try:
        yield pool.map
    finally:
        pool.close()


class _Worker:
    """One process, and the pipes to it."""

    def __init__(self, function: Callable[[Any], Any], seconds: float, memory: int | None) -> None:
        # The parent's path, so that the worker finds the same modules; without `-m`, whose module
        # would exist twice.
        found = f"import sys; sys.path[:] = {sys.path!r}"
        start = f"{found}; import photoclf.worker_process as w; w.serve()"
        # One thread each: the workers themselves are what runs side by side.
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.since = time.monotonic()
        self.limit = START_SECONDS
        self.timed_out = False
        self._slots = open_slots()
        handle = None if self._slots is None else self._slots.handle
        self._process = subprocess.Popen(
            [sys.executable, "-c", start],
            pass_fds=() if handle is None else (handle,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libtiff's warnings are nobody's business
            env=os.environ | single,
        )
        self._seconds = seconds
        self._setup = (function, seconds, memory, handle)

    def start(self) -> None:
        """Wait until it has imported what it needs."""
        try:
            self._send(self._setup)
            kind, what = self._receive(0)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise WorkerError(
                f"A worker process must start. Received: it ended ({error!r}). Is there memory"
                f" left, and does {sys.executable} run?"
            ) from error
        if kind != "ready":
            raise WorkerError(f"A worker process must start. Received:\n{what}")

    def results(self, items: Sequence[Any]) -> Iterator[Any]:
        """Hand items over, and yield each result as it is sent back."""
        self._tick(self._seconds)
        self._send(items)
        for slot in range(len(items)):
            kind, what = self._receive(slot)
            self._tick(self._seconds)
            if kind == "error":
                raise WorkerError(f"What runs in a worker mustn't raise. Received:\n{what}")
            yield what
        self.limit = float("inf")  # idle

    def forgive(self, seconds: float) -> None:
        """Don't count a time in which nobody looked."""
        self.since = min(self.since + seconds, time.monotonic())

    def kill_if_stalled(self) -> None:
        if time.monotonic() - self.since > self.limit:
            self.timed_out = True
            self.kill()

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was still to be written to a dead process
                pipe.close()  # type: ignore[union-attr]
        slots, self._slots = self._slots, None  # a worker may be ended twice
        if slots is not None:
            slots.close()

    def _tick(self, limit: float) -> None:
        self.since, self.limit = time.monotonic(), limit

    def _send(self, message: Any) -> None:
        assert self._process.stdin
        pickle.dump(message, self._process.stdin, protocol=5)
        self._process.stdin.flush()

    def _receive(self, slot: int) -> tuple[str, Any]:
        assert self._process.stdout
        answer, sizes = pickle.load(self._process.stdout)
        return pickle.loads(answer, buffers=self._slots.take(slot, sizes) if self._slots else ())


class _Pool:
    """Workers, each driven by one thread, that replace one another."""

    def __init__(
        self, function: Callable[[Any], Any], workers: int, seconds: float, memory: int | None
    ) -> None:
        self._setup = (function, seconds, memory)
        self._ahead = _AHEAD * workers
        self._threads = ThreadPoolExecutor(workers)
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._alive: set[_Worker] = set()
        self._closed = False
        self._looked = time.monotonic()

    def map(self, items: Iterable[Any]) -> Iterator[Any]:
        source = iter(items)
        waiting: deque[Future] = deque()
        while True:
            while len(waiting) <= self._ahead and (batch := list(islice(source, BATCH_SIZE))):
                waiting.append(self._threads.submit(self._work_through, batch))
            if not waiting:
                return
            yield from self._watched(waiting.popleft())

    def close(self) -> None:
        with self._lock:
            self._closed = True
            alive = list(self._alive)
        for worker in alive:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in alive:
            worker.end()

    def _watched(self, future: Future) -> list[Any]:
        while True:
            try:
                return future.result(timeout=_TICK)
            except TimeoutError:
                with self._lock:
                    alive = list(self._alive)
                # All of us may have been stopped meanwhile (Ctrl-Z): that is no worker's fault.
                pause = time.monotonic() - self._looked - 2 * _TICK
                for worker in alive:
                    worker.forgive(max(pause, 0))
                    worker.kill_if_stalled()
            self._looked = time.monotonic()

    def _work_through(self, batch: list[Any]) -> list[Any]:
        results: list[Any] = []
        tried_again = -1
        while len(results) < len(batch):
            worker = self._take()
            try:
                for result in worker.results(batch[len(results) :]):
                    results.append(result)
            except (OSError, EOFError, pickle.UnpicklingError):
                self._bury(worker)
                if worker.timed_out:
                    results.append(Lost("timed_out"))
                elif tried_again == len(results):
                    results.append(Lost("decoder_crashed"))
                else:
                    tried_again = len(results)
            else:
                self._idle.put(worker)
        return results

    def _take(self) -> _Worker:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            pass
        with self._lock:  # so that none is born while the others are killed
            if self._closed:
                raise WorkerError("The workers must be at work. Received: they were stopped.")
            worker = _Worker(*self._setup)
            self._alive.add(worker)
        worker.start()
        return worker

    def _bury(self, worker: _Worker) -> None:
        with self._lock:
            self._alive.discard(worker)
        worker.end()
