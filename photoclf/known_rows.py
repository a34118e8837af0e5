"""What earlier audits measured, by path, size and time of change: the last table, and a journal."""

import json
import os
from array import array
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from photoclf.errors import TableError
from photoclf.quality import MEASURED_BY, QUALITY
from photoclf.schema import AUDIT
from photoclf.tables import read_chunks

# What `quality.examine_file` says of a file.
MEASURED = (
    *("status", "reason", "measured_by", "sha256", "format", "mode", "width", "height"),
    *("exif_orientation", "exif", "phash", "detail_hash", *QUALITY),
)

Key = tuple[str, int, int]
"""Pathname, bytes and time of change in ns: a file with the same ones isn't read again."""


class KnownRows:
    """Finds what was measured of files, in a journal first, then in a table.

    Neither is kept in memory: of the journal 16 bytes a line, and the table is read along with the
    questions, which must come in the order of the pathnames.

    Args:
        table: An earlier audit's, or where none is.
        journal: Of an audit that was killed, or where none is.
    """

    def __init__(self, table: Path | None, journal: Path | None) -> None:
        self._journal = JournalReader(journal)
        self._rows = _table_rows(table)
        self._row: tuple[Key, dict[str, Any]] | None = next(self._rows, None)

    def find(self, key: Key) -> dict[str, Any] | None:
        """Return what was measured of a file, or None when it has to be read."""
        while self._row is not None and self._row[0][0] < key[0]:
            self._row = next(self._rows, None)
        noted = self._journal.find(key)
        if noted is not None or self._row is None or self._row[0] != key:
            return noted
        return self._row[1]

    def close(self) -> None:
        """Let go of both files."""
        self._rows.close()
        self._journal.close()


class JournalReader:
    """Finds the lines that `noting` wrote.

    Args:
        path: The journal, or where none is. Lines that a kill tore are passed over.
    """

    def __init__(self, path: Path | None) -> None:
        there = path is not None and path.is_file()
        source = path if path is not None and there else os.devnull
        self._file = open(source, "rb")  # noqa: SIM115 - `close` closes it
        hashes, places, place = array("q"), array("q"), 0
        for line in self._file:
            noted = _read_line(line)
            if noted is not None:
                hashes.append(hash(noted[0]))
                places.append(place)
            place += len(line)
        # Stable: of several lines of one file, the last one written comes last.
        order = np.argsort(np.array(hashes, np.int64), kind="stable")
        self._hashes = np.array(hashes, np.int64)[order]
        self._places = np.array(places, np.int64)[order]

    def find(self, key: Key) -> dict[str, Any] | None:
        """Return what was last noted of a file, or None."""
        low, high = (int(np.searchsorted(self._hashes, hash(key), s)) for s in ("left", "right"))
        for place in self._places[low:high][::-1]:
            self._file.seek(int(place))
            noted = _read_line(self._file.readline())
            if noted is not None and noted[0] == key:
                return noted[1]
        return None

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@contextmanager
def noting(journal: Path | None) -> Iterator[Callable[[Key, dict[str, Any]], None]]:
    """Open a journal, if any, for `note(key, measured)`, each on the disk before the next."""
    if journal is not None:
        journal.parent.mkdir(parents=True, exist_ok=True)
    # Line by line, so that a kill loses the files in hand and no more.
    with open(journal or os.devnull, "a", encoding="utf-8", buffering=1) as file:
        file.write("\n")  # ends the half line that a kill may have left
        yield lambda key, measured: print(json.dumps([key, measured]), file=file)


def _read_line(line: bytes) -> tuple[Key, dict[str, Any]] | None:
    try:
        (name, size, mtime_ns), measured = json.loads(line)
    except (ValueError, TypeError):  # the line that was being written when an audit was killed
        return None
    if measured.get("measured_by") != MEASURED_BY:
        return None
    return (name, size, mtime_ns), measured


def _table_rows(path: Path | None) -> Generator[tuple[Key, dict[str, Any]], None, None]:
    if path is None or not path.is_file():
        return
    try:
        for rows in read_chunks(path, AUDIT, ("pathname", "bytes", "mtime_ns", *MEASURED)):
            done = rows[(rows.sha256 != "") & (rows.measured_by == MEASURED_BY)]
            # A duplicate was readable; whether it is a duplicate is decided anew each time.
            copies = done.status == "duplicate"
            done = done.assign(
                status=done.status.mask(copies, "used"), reason=done.reason.mask(copies, "")
            )
            keys = zip(done.pathname, done.bytes, done.mtime_ns, strict=True)
            yield from zip(keys, done[list(MEASURED)].to_dict("records"), strict=True)
    except TableError:  # of another version, or damaged: what it doesn't tell is measured anew
        return
