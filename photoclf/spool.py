"""Things put aside on disk while a piece of work lasts, so that memory doesn't grow with them."""

import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

_BATCH = 1000  # pickled together: names of fields are written once a batch


class Spool:
    """A list on disk that is appended to, and read from the start as often as need be.

    Its file has no name: when the work ends or is killed, nothing is left of it.

    Args:
        folder: On whose disk it is; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - see `__exit__`
        self._waiting: list[Any] = []
        self._ends = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, thing: Any) -> None:
        """Add a thing, anything that can be pickled."""
        self._waiting.append(thing)
        self._length += 1
        if len(self._waiting) == _BATCH:
            self._file.seek(self._ends)
            pickle.dump(self._waiting, self._file, protocol=5)
            self._ends = self._file.tell()
            self._waiting = []

    def __iter__(self) -> Iterator[Any]:
        """Read from the start; several readers don't disturb one another."""
        place = 0
        while place < self._ends:
            self._file.seek(place)
            batch = pickle.load(self._file)
            place = self._file.tell()
            yield from batch
        yield from self._waiting

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
