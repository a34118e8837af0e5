"""Locks that the system lets go of when their process ends, however it ends."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from photoclf.errors import PhotoclfError

try:
    import fcntl
except ImportError:  # Windows, where two processes aren't kept apart
    fcntl = None  # type: ignore[assignment]

_TICK = 0.2


class BusyError(PhotoclfError):
    """Another process holds a lock."""


@contextmanager
def locked(path: Path, *, wait: bool = True, busy: PhotoclfError | None = None) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        path: The lock's file, made for it, in a folder that is made if missing, and removed after.
        wait: Whether to wait for another process that holds it.
        busy: What to raise instead of a `BusyError`.

    Raises:
        BusyError: If another process holds it and `wait` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = _take(path, wait)
    except BusyError as error:
        raise (busy or error) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def is_held(path: Path) -> bool:
    """Tell whether a process holds a lock."""
    if not path.is_file():
        return False
    try:
        with locked(path, wait=False):
            return False
    except BusyError:
        return True


def wait_until_free(path: Path, *, seconds: float) -> None:
    """Wait until no process holds a lock.

    Args:
        path: The lock's file.
        seconds: How long to wait at most.

    Raises:
        BusyError: If it is still held then.
    """
    deadline = time.monotonic() + seconds
    while is_held(path):
        if time.monotonic() > deadline:
            raise BusyError(
                f"A lock must be free within {seconds:.0f} s. Received: {path}, which another"
                " process holds. Wait for it."
            )
        time.sleep(_TICK)


def _take(path: Path, wait: bool) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # Whoever held it may have removed the file, and a third may hold a new one by now.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    return handle
        except OSError as error:
            os.close(handle)
            raise BusyError(
                f"A lock must be free. Received: {path}, which another process holds. Wait for it."
            ) from error
        os.close(handle)
