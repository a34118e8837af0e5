"""Memory shared with a worker: large results needn't pass through a pipe."""

import mmap
import os
import pickle
from collections.abc import Sequence
from typing import Any

SLOTS = 8  # one for each item that a worker is handed at once, so that none is written too early
SLOT_BYTES = 2**20  # a square of 590 px in RGB; what is larger takes the pipe


class Slots:
    """Shared memory in slots. Pages are taken when they are first written to.

    Args:
        handle: Of a file in memory of `SLOTS` × `SLOT_BYTES` bytes.
    """

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self._memory = mmap.mmap(handle, SLOTS * SLOT_BYTES)

    def put(self, slot: int, buffers: Sequence[pickle.PickleBuffer]) -> list[int] | None:
        """Copy buffers into a slot; return their sizes, or `None` when they are too large."""
        raw = [buffer.raw() for buffer in buffers]
        if sum(part.nbytes for part in raw) > SLOT_BYTES:
            return None
        at = slot * SLOT_BYTES
        for part in raw:
            self._memory[at : at + part.nbytes] = part
            at += part.nbytes
        return [part.nbytes for part in raw]

    def take(self, slot: int, sizes: Sequence[int]) -> list[bytearray]:
        """Copy buffers of these sizes out of a slot."""
        at, taken = slot * SLOT_BYTES, []
        with memoryview(self._memory) as memory:
            for size in sizes:
                taken.append(bytearray(memory[at : at + size]))
                at += size
        return taken

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self.handle)


def open_slots() -> Slots | None:
    """Make slots that a child process may inherit; `None` where the system has no such memory."""
    if not hasattr(os, "memfd_create"):  # Windows, macOS
        return None
    handle = os.memfd_create("photoclf")
    os.ftruncate(handle, SLOTS * SLOT_BYTES)
    return Slots(handle)


def packed(value: Any, slots: Slots | None, slot: int) -> tuple[bytes, list[int]]:
    """Pickle a value, its large buffers into a slot where there is one and they fit.

    Returns:
        The pickle, and the sizes of the buffers in the slot.
    """
    if slots is not None:
        buffers: list[pickle.PickleBuffer] = []
        text = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        sizes = slots.put(slot, buffers)
        if sizes is not None:
            return text, sizes
    return pickle.dumps(value, protocol=5), []
