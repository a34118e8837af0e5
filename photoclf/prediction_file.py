"""The file that predictions are written to: as they come, whole at the end, never overwritten."""

import csv
import hashlib
import io
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from photoclf.errors import PhotoclfError
from photoclf.escaping import escape_pathname
from photoclf.files import full_disk_told, read_json, replacing, sha256_file, write_json
from photoclf.listing import FileFacts
from photoclf.locks import locked

COLUMNS = ("pathname", "score", "decision", "status", "reason")
# A kill loses no more than this: rows, or seconds where images are large.
CHECKPOINT_ROWS, CHECKPOINT_SECONDS = 256, 2.0

# A row of the file; score and decision are empty for a file without a score.
Row = tuple[str, float | None, str, str, str]


class PredictionError(PhotoclfError):
    """Predictions can't be written."""


class InTheWayError(PredictionError):
    """What is there isn't what would be written, and isn't overwritten."""

    exit_code = 2


@dataclass(frozen=True)
class Checkpoint:
    """How far the file is.

    Args:
        rows: Rows written.
        bytes: Their size with the header.
        listing: SHA-256 of what was listed of these rows' files, see `as_hashed`.
        counts: Rows by what became of them.
    """

    rows: int = 0
    bytes: int = 0
    listing: str = ""
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Places:
    """The files that belong to some predictions.

    Args:
        out: The predictions, there once they are whole.
    """

    out: Path

    @property
    def partial(self) -> Path:
        """The rows so far, while there are more to come."""
        return self._beside(".partial")

    @property
    def progress(self) -> Path:
        """What they are made with, and a checkpoint a line."""
        return self._beside(".progress")

    @property
    def note(self) -> Path:
        """What whole predictions were made with, and their hash."""
        return self._beside(".json")

    @property
    def lock(self) -> Path:
        """Held while they are written."""
        return self._beside(".lock")

    def _beside(self, ending: str) -> Path:
        return self.out.with_name(self.out.name + ending)


def as_hashed(listed: FileFacts) -> bytes:
    """Write what was listed of a file as the bytes that are hashed."""
    name, *facts = listed
    return "\0".join([name, *map(str, facts)]).encode("utf-8", "surrogateescape") + b"\n"


@contextmanager
def claimed(out: Path) -> Iterator[Places]:
    """Keep others from writing the same predictions.

    Raises:
        PredictionError: If another process writes them.
    """
    places = Places(Path(out))
    busy = PredictionError(
        f"One prediction at a time may write a file. Received: {out}, which another process is"
        " writing. Wait for it, or give another --out FILE."
    )
    with locked(places.lock, wait=False, busy=busy):
        yield places


def read_checkpoints(
    places: Places, facts: Mapping[str, Any], *, anew: bool = False
) -> list[Checkpoint]:
    """Read how far an interrupted prediction came.

    Args:
        places: Where it is.
        facts: What the model is and decides by; it must have been begun with the same.
        anew: Whether what was begun with another model is given up.

    Returns:
        Its checkpoints, the first of no row; none but that where nothing was begun.

    Raises:
        InTheWayError: If it was begun with another model.
    """
    if not places.partial.is_file() or not places.progress.is_file():
        return [Checkpoint()]
    size = places.partial.stat().st_size
    lines = places.progress.read_bytes().split(b"\n")[:-1]  # what has no end was cut off
    begun = json.loads(lines[0]) if lines else facts
    if begun != facts and anew:
        return [Checkpoint()]
    if begun != facts:
        raise InTheWayError(
            f"Predictions must be finished with what they were begun with. Received:"
            f" {places.partial}, {_difference(begun, facts)}. Finish it so, give another --out"
            " FILE, or move it away."
        )
    points = [Checkpoint(**json.loads(line)) for line in lines[1:]]
    return [Checkpoint(), *(point for point in points if point.bytes <= size)]


def finished_counts(
    places: Places, facts: Mapping[str, Any], listing: str, *, anew: bool = False
) -> dict[str, int] | None:
    """Tell what whole predictions came to, if they are those that would be made again.

    Args:
        places: Where they are.
        facts: What the model is and decides by.
        listing: See `Checkpoint`, of all files.
        anew: Whether others make way, if nobody has changed them; then there is nothing to tell.

    Raises:
        InTheWayError: If they are others and don't make way: nothing is overwritten.
    """
    note = _note_of_untouched(places)
    if note["made_with"] == facts and note["listing"] == listing:
        places.progress.unlink(missing_ok=True)
        return dict(note["counts"])
    if anew:
        places.out.unlink()
        return None
    changed = "and since then files were added, removed or changed"
    why = changed if note["made_with"] == facts else _difference(note["made_with"], facts)
    raise InTheWayError(
        f"Predictions that are there must be those that would be made. Received: {places.out},"
        f" {why}. Nothing is overwritten: give another --out FILE, move it away, or let it be made"
        " --anew."
    )


def _note_of_untouched(places: Places) -> dict[str, Any]:
    try:
        note = read_json(places.note)
        untouched = note["sha256"] == sha256_file(places.out)
        known = bool(note["made_with"] and note["listing"] and note["counts"])
    except (OSError, ValueError, LookupError, TypeError):
        untouched = known = False
    if not known or not untouched:
        why = (
            "which somebody has changed since it was written"
            if known
            else (
                f"which isn't known to be predictions ({places.note.name} beside it would say so)"
            )
        )
        raise InTheWayError(
            f"Predictions need a place of their own. Received: {places.out}, {why}. Nothing is"
            " overwritten: give another --out FILE, or move it away."
        )
    return note


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
        self._listing = hashlib.sha256()
        self._text = io.StringIO()
        self._csv = csv.writer(self._text, delimiter=";", lineterminator="\n")
        self._since, self._last = 0, time.monotonic()
        with room_needed(self._places.out):
            lines = [self._facts, *map(asdict, points[1:])]
            with replacing(places.progress) as file:
                file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
            if not start.rows:
                places.partial.write_bytes(b"")
                self._csv.writerow(COLUMNS)
            self._partial = open(places.partial, "r+b", buffering=0)  # noqa: SIM115
            self._partial.truncate(start.bytes)
            self._partial.seek(start.bytes)
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
            _write_all(self._partial, self._text.getvalue().encode())
            os.fsync(self._partial.fileno())
            point = {
                "rows": self._rows,
                "bytes": self._partial.tell(),
                "listing": self._listing.hexdigest(),
                "counts": dict(sorted(self._counts.items())),
            }
            _write_all(self._progress, json.dumps(point).encode() + b"\n")
        self._text.seek(0)
        self._text.truncate()
        self._since, self._last = 0, time.monotonic()

    def finish(self, whole: Path) -> dict[str, int]:
        """Put the whole predictions in their place, see `put_in_place`."""
        counts = dict(sorted(self._counts.items()))
        put_in_place(self._places, self._facts, self._listing.hexdigest(), counts, whole)
        return counts

    def close(self) -> None:
        """Let go of the files."""
        self._partial.close()
        self._progress.close()


def put_in_place(
    places: Places,
    facts: Mapping[str, Any],
    listing: str,
    counts: Mapping[str, int],
    whole: Path,
) -> None:
    """Put whole predictions in their place, with the note on what they were made with.

    Args:
        places: Where to.
        facts: What the model is and decides by.
        listing: See `Checkpoint`, of all files.
        counts: Rows by what became of them.
        whole: The file that becomes the predictions.

    Raises:
        InTheWayError: If other predictions came there meanwhile.
        PredictionError: If the disk is full.
    """
    note = {
        "made_with": dict(facts),
        "rows": sum(counts.values()),
        "counts": dict(counts),
        "listing": listing,
        "sha256": sha256_file(whole),
    }
    if places.out.exists():  # came while others were working
        finished_counts(places, facts, listing)
    with room_needed(places.out):
        write_json(places.note, note)
    os.replace(whole, places.out)
    places.partial.unlink(missing_ok=True)
    places.progress.unlink(missing_ok=True)


@contextmanager
def room_needed(out: Path) -> Iterator[None]:
    """Tell a full disk as an error on these predictions."""
    with full_disk_told(
        lambda said: PredictionError(
            f"Predictions need room on the disk of {out}. Received: {said}. Make some; the same"
            " command goes on where this one was."
        )
    ):
        yield


def _write_all(file: BinaryIO | io.FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:  # a nearly full disk takes a part
        view = view[file.write(view) or 0 :]


def _difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    keys: Iterable[str] = sorted({*theirs, *ours})
    apart = [key for key in keys if theirs.get(key) != ours.get(key)]
    told = [f"{key} {theirs.get(key)!r} and not {ours.get(key)!r}" for key in apart]
    return f"made with {'; '.join(told)}"
