"""Work for a person who waits: the latest wish first, in processes that may be lost."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from photoclf.decode import MAX_MEMORY, MAX_SECONDS
from photoclf.workers import Lost, WorkerError, isolated_pool


class Workshop:
    """A few processes that work on what is wanted most recently, and forget the rest.

    A person who goes fast leaves behind images that were asked for ahead: each call of `want`
    replaces what no process has begun.

    Args:
        function: What is done to an item, see `workers.isolated_map`.
        deliver: Called with key and result, from a thread; a result may be a `Lost`.
        workers: Processes; they start when something is wanted first.
        seconds: Wall-clock time that one item may take.
        memory: Bytes of address space that a process may use.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        deliver: Callable[[Any, Any], None],
        *,
        workers: int = 2,
        seconds: float = MAX_SECONDS,
        memory: int | None = MAX_MEMORY,
    ) -> None:
        self._deliver = deliver
        self._setup = {"workers": workers, "seconds": seconds, "memory": memory}
        self._function = function
        self._wanted: dict[Any, Any] = {}
        self._busy: set[Any] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._opened = ExitStack()
        self._apply: Callable[[Iterable[Any]], Iterator[Any]] | None = None
        self._threads: list[threading.Thread] = []

    def want(self, items: dict[Any, Any]) -> None:
        """Ask for items, the most urgent first, and for no others any more.

        Args:
            items: Key → item. Those in work under the same key aren't begun again.
        """
        with self._changed:
            if self._closed:
                return
            self._wanted = {key: item for key, item in items.items() if key not in self._busy}
            if self._wanted and not self._threads:
                self._start()
            self._changed.notify_all()

    def close(self) -> None:
        """End the processes; what is in work is lost."""
        with self._changed:
            self._closed = True
            self._wanted = {}
            self._changed.notify_all()
        self._opened.close()

    def _start(self) -> None:
        pool = isolated_pool(self._function, **self._setup)  # type: ignore[arg-type]
        self._apply = self._opened.enter_context(pool)
        for _ in range(max(1, int(self._setup["workers"] or 0))):
            # A notebook's kernel must be able to end without waiting for an image.
            self._threads.append(threading.Thread(target=self._work, daemon=True))
            self._threads[-1].start()

    def _work(self) -> None:
        assert self._apply is not None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    return
                key = next(iter(self._wanted))
                item = self._wanted.pop(key)
                self._busy.add(key)
            try:
                result = next(iter(self._apply([item])))
            except WorkerError as error:
                result = error
            except Exception:  # the pool was closed under it
                result = Lost("decoder_crashed")
            with self._changed:
                self._busy.discard(key)
                if self._closed:
                    return
            self._deliver(key, result)
