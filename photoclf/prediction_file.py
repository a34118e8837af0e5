"""The file that predictions are written to: as they come, whole at the end, never overwritten."""

import csv
import hashlib
import io
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from photoclf.escaping import escape_pathname
from photoclf.files import replacing
from photoclf.listing import FileFacts
from photoclf.prediction_note import put_in_place
from photoclf.prediction_places import InTheWayError, Places, difference, room_needed

COLUMNS = ("pathname", "score", "decision", "status", "reason")
# A kill loses no more than this: rows, or seconds where images are large.
CHECKPOINT_ROWS, CHECKPOINT_SECONDS = 256, 2.0

# A row of the file; score and decision are empty for a file without a score.
Row = tuple[str, float | None, str, str, str]


@dataclass(frozen=True)
class Checkpoint:
    """How far the file is.

    Args:
        rows: Rows written.
        bytes: Their size with the header.
        sha256: Of these bytes.
        listing: SHA-256 of what was listed of these rows' files, see `as_hashed`.
        counts: Rows by what became of them.
    """

    rows: int = 0
    bytes: int = 0
    sha256: str = ""
    listing: str = ""
    counts: dict[str, int] = field(default_factory=dict)


def as_hashed(listed: FileFacts) -> bytes:
    """Write what was listed of a file as the bytes that are hashed."""
    name, *facts = listed
    return "\0".join([name, *map(str, facts)]).encode("utf-8", "surrogateescape") + b"\n"


def read_checkpoints(
    places: Places, facts: Mapping[str, Any], *, anew: bool = False
) -> list[Checkpoint]:
    """Read how far an interrupted prediction came.

    Args:
        places: Where it is.
        facts: What the model is and decides by; it must have been begun with the same.
        anew: Whether what was begun with another model is given up.

    Returns:
        Its checkpoints up to which the rows are what was written, the first of no row; none but
        that where nothing was begun.

    Raises:
        InTheWayError: If it was begun with another model.
    """
    if not places.partial.is_file():
        return [Checkpoint()]
    lines = places.progress.read_bytes().split(b"\n")[:-1]  # what has no end was cut off
    begun = json.loads(lines[0])["made_with"]
    if begun != facts and anew:
        return [Checkpoint()]
    if begun != facts:
        raise InTheWayError(
            f"Predictions must be finished with what they were begun with. Received:"
            f" {places.partial}, {difference(begun, facts)}. Finish it so, give another --out"
            " FILE, or move it away."
        )
    return [Checkpoint(), *_holding(_points(lines[1:]), places.partial)]


def _points(lines: Sequence[bytes]) -> Iterator[Checkpoint]:
    for line in lines:
        try:
            yield Checkpoint(**json.loads(line))
        except (ValueError, TypeError):  # damaged: what comes after it is done again
            return


def _holding(points: Iterable[Checkpoint], partial: Path) -> Iterator[Checkpoint]:
    """Yield the checkpoints up to which a file still is what was written."""
    digest, at = hashlib.sha256(), 0
    with open(partial, "rb", buffering=0) as file:
        for point in points:
            _hash_more(digest, file, point.bytes - at)
            at = point.bytes
            if digest.hexdigest() != point.sha256:
                return
            yield point


def _hash_more(digest: Any, file: io.FileIO, size: int) -> None:
    while size > 0 and (data := file.read(min(size, 2**20))):
        digest.update(data)
        size -= len(data)


class PredictionWriter:
    """Appends rows, and every few of them a checkpoint from which a killed prediction goes on.

    Args:
        places: Where to.
        facts: What the model is and decides by.
        points: The checkpoints that hold; what was written after the last of them is cut off.
    """

    def __init__(
        self, places: Places, facts: Mapping[str, Any], points: Sequence[Checkpoint]
    ) -> None:
        start = points[-1]
        self._places, self._facts = places, dict(facts)
        self._rows, self._counts = start.rows, Counter(start.counts)
        self._listing, self._written = hashlib.sha256(), hashlib.sha256()
        self._text = io.StringIO()
        self._csv = csv.writer(self._text, delimiter=";", lineterminator="\n")
        self._since, self._last = 0, time.monotonic()
        with room_needed(self._places.out):
            lines = [{"made_with": self._facts}, *map(asdict, points[1:])]
            with replacing(places.progress) as file:
                file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
            if not start.rows:
                places.partial.write_bytes(b"")
                self._csv.writerow(COLUMNS)
            self._partial = open(places.partial, "r+b", buffering=0)  # noqa: SIM115
            self._partial.truncate(start.bytes)
            _hash_more(self._written, self._partial, start.bytes)
            self._progress = open(places.progress, "ab", buffering=0)  # noqa: SIM115

    def pass_over(self, listed: FileFacts) -> None:
        """Take note of a file whose row is there."""
        self._listing.update(as_hashed(listed))

    def write(self, listed: FileFacts, row: Row) -> None:
        """Add a file's row, and a checkpoint when it is time."""
        self._listing.update(as_hashed(listed))
        name, score, decision, status, reason = row
        shown = "" if score is None else repr(score)
        self._csv.writerow((escape_pathname(name), shown, decision, status, reason))
        self._rows += 1
        self._counts[decision or status] += 1
        self._since += 1
        late = time.monotonic() - self._last > CHECKPOINT_SECONDS
        if late or self._since >= CHECKPOINT_ROWS:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Put down what was added since the last checkpoint."""
        with room_needed(self._places.out):
            data = self._text.getvalue().encode()
            _write_all(self._partial, data)
            os.fsync(self._partial.fileno())
            self._written.update(data)
            point = {
                "rows": self._rows,
                "bytes": self._partial.tell(),
                "sha256": self._written.hexdigest(),
                "listing": self._listing.hexdigest(),
                "counts": dict(sorted(self._counts.items())),
            }
            _write_all(self._progress, json.dumps(point).encode() + b"\n")
        self._text.seek(0)
        self._text.truncate()
        self._since, self._last = 0, time.monotonic()

    def finish(self, whole: Path, *, anew: bool = False) -> dict[str, int]:
        """Put the whole predictions in their place, see `put_in_place`."""
        counts = dict(sorted(self._counts.items()))
        listing = self._listing.hexdigest()
        put_in_place(self._places, self._facts, listing, counts, whole, anew=anew)
        return counts

    def close(self) -> None:
        """Let go of the files."""
        self._partial.close()
        self._progress.close()


def _write_all(file: BinaryIO | io.FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:  # a nearly full disk takes a part
        view = view[file.write(view) or 0 :]
