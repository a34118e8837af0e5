"""The other end of `workers`: what a process does that may be lost."""

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from photoclf.slots import Slots, packed

LOST = ("decoder_crashed", "timed_out", "too_much_memory")


@dataclass(frozen=True)
class Lost:
    """What stands for the result of an item that its worker didn't survive.

    Args:
        reason: One of `LOST`.
    """

    reason: str


def serve() -> None:
    """Do what the parent asks through the pipes, until they close."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the parent ends the others
    # Pipes of our own, so that nothing that a library prints gets among the results.
    received, sent = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)

    slots: Slots | None = None

    def answer(kind: str, what: Any = None, slot: int = 0) -> None:
        sent.write(pickle.dumps(packed((kind, what), slots, slot), protocol=5))
        sent.flush()

    try:
        function, seconds, memory, handle = pickle.load(received)
        slots = None if handle is None else Slots(handle)
        _limit_memory(memory)
    except Exception:
        answer("error", traceback.format_exc())
        return
    answer("ready")
    try:
        while True:
            for slot, item in enumerate(pickle.load(received)):
                _end_alone_after(seconds)
                answer(*_outcome(function, item), slot)
            _end_alone_after(0)
    except (EOFError, OSError):  # the parent is gone, or wants no more
        os._exit(0)


def _outcome(function: Callable[[Any], Any], item: Any) -> tuple[str, Any]:
    try:
        return "done", function(item)
    except MemoryError:
        return "done", Lost("too_much_memory")
    except Exception:
        return "error", traceback.format_exc()


def _limit_memory(memory: int | None) -> None:
    if memory is None or sys.platform in ("win32", "darwin"):
        return
    import resource

    used = 0
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = memory + used if hard == resource.RLIM_INFINITY else min(memory + used, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _end_alone_after(seconds: float) -> None:
    # The parent kills sooner; this is for a worker that hangs when its parent is gone.
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 2 * seconds)
