"""What people decided about images: a journal that is appended to and never changed."""

import csv
import errno
import io
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from photoclf.errors import TableError, check_one_of
from photoclf.escaping import escape_pathname, unescape_pathname
from photoclf.listing import is_own_name
from photoclf.locks import BusyError, locked
from photoclf.schema import JOURNAL, check_table

PHOTO, OTHER, UNSURE, WITHDRAWN = "photo", "other", "unsure", "withdrawn"
CONFLICTS = "conflicts"
"""The queue of what is decided again, though somebody has decided it."""
RANDOM = "random"
"""The queue that is a sample: what it shows, and what it passes over, says what share of all is."""
SOURCES = ("uncertainty", RANDOM, "suspects", "drift", "unlabelled", CONFLICTS)
"""The queues that a decision may come from."""

_HEADER = ";".join(JOURNAL.columns)
# Ends what a killed writer left of its row, in the place of a source.
_TORN = b";torn\n"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WHEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write \r\n


@dataclass(frozen=True)
class LabelJournal:
    """The decisions of people, one row each, in the order in which they were made.

    Several people, processes and machines may append at once: each row is written by one call,
    under a lock, and is on the disk before the call returns. A decision is taken back by another
    row (`withdrawn`); no row is ever changed or removed.

    Args:
        path: The file, `Workspace.labels`; it needn't be there yet.

    Example:
        >>> journal = LabelJournal(workspace.labels)                     # doctest: +SKIP
        >>> journal.append(                                              # doctest: +SKIP
        ...     who="anna", pathname="a.png", sha256="0" * 64, label="photo", source="random"
        ... )
        >>> len(journal.current("anna"))                                 # doctest: +SKIP
        1
    """

    path: Path

    def append(self, *, who: str, pathname: str, sha256: str, label: str, source: str) -> None:
        """Write one decision, now.

        Args:
            who: Who decided.
            pathname: The image, relative to its folder.
            sha256: Of its bytes: a label belongs to the content, not to the name.
            label: `photo`, `other`, `unsure`, `withdrawn`, or the name of a class folder.
            source: The queue that the image came from, one of `SOURCES`.

        Raises:
            TableError: If a value isn't one of those, another file is in the journal's place, or it
                can't be written; the decision was not kept then.
        """
        row = {
            "who": who,
            "when": _now(),
            "pathname": pathname,
            "sha256": sha256,
            "label": label,
            "source": source,
        }
        problem = _problem(row)
        if not problem and not is_own_name(pathname):
            problem = (
                "`pathname` must be relative to its folder and inside it, without `.`, `..` or"
                f" `//`. Received: {pathname!r}."
            )
        if problem:
            raise TableError(f"{problem} The decision was NOT kept.")
        line = _line(row)
        try:
            with locked(self.path.with_name(f".{self.path.name}.lock")):
                self._write(line)
        except BusyError as error:  # a disk that knows no locks
            raise TableError(f"{error} The decision on {pathname!r} was NOT kept.") from error
        except OSError as error:
            raise TableError(
                f"A decision must be written before the next one. Received: {error.strerror}, for"
                f" {self.path}. The decision on {pathname!r} was NOT kept. Free some space, or ask"
                " for the right to write there, and decide again."
            ) from error

    def read(self) -> pd.DataFrame:
        """Read every decision, in the order in which they were written.

        A row that a killed writer left unfinished was never told to be kept, and is left out.

        Returns:
            A `schema.JOURNAL` frame; empty when there is no file yet.

        Raises:
            TableError: If a row isn't one of a journal; it is named.
        """
        rows = [_parsed(line, number, self.path) for number, line in self._lines()]
        frame = pd.DataFrame(rows, columns=list(JOURNAL.columns))
        frame["pathname"] = frame.pathname.map(unescape_pathname)
        return check_table(frame, JOURNAL, origin=str(self.path))

    def current(self, who: str | None = None) -> pd.DataFrame:
        """Read what holds now: each person's latest decision on each content.

        Args:
            who: Only this person's; everybody's by default.

        Returns:
            A `schema.JOURNAL` frame in the order of the decisions. One that was withdrawn is left
            out, and so is what it had replaced.
        """
        rows = self.read()
        if who is not None:
            rows = rows[rows.who == who]
        return latest(rows)

    def _lines(self) -> Iterator[tuple[int, str]]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise TableError(
                f"The labels journal must be a file that one may read. Received: {self.path}"
                f" ({error.strerror})."
            ) from error
        lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        last = lines.pop()
        if not lines and _HEADER.encode().startswith(last):
            return  # its first writer was killed
        _check_header((lines or [last])[0], self.path)
        for number, line in enumerate(lines[1:], 2):
            row = line.removesuffix(b"\r")  # an editor may have saved it so
            if row.strip() and not (row + b"\n").endswith(_TORN):
                yield number, _text(row, number, self.path)
        if last and (whole := _whole(last)) is not None:
            yield len(lines) + 1, whole

    def _write(self, line: bytes) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY
        with closing(os.fdopen(os.open(self.path, flags, 0o666), "r+b", buffering=0)) as file:
            size = file.seek(0, os.SEEK_END)
            before = self._ending(file, size)
            if before is None:
                file.truncate(0)  # part of a header, no decision
                size, before = 0, f"{_HEADER}\n".encode()
            row = before + line
            try:
                written = file.write(row)
                if written != len(row):  # the disk took a part of it
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise

    def _ending(self, file: io.FileIO, size: int) -> bytes | None:
        """Return what ends the row that another writer began; None where no header is whole."""
        file.seek(0)
        start = file.read(len(_HEADER) + 8).removeprefix(b"\xef\xbb\xbf")
        if b"\n" not in start and _HEADER.encode().startswith(start):
            return None
        _check_header(start.split(b"\n")[0], self.path)
        file.seek(max(size - 65536, 0))  # longer than any row: names have 4,096 bytes at most
        last = file.read().rsplit(b"\n", 1)[-1]
        if not last:
            return b""
        return b"\n" if _whole(last) is not None else _TORN


def latest(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep each person's latest decision on each content, none where that one withdraws.

    Args:
        rows: A `schema.JOURNAL` frame in the order of the decisions.

    Returns:
        A part of it, in its order.
    """
    kept = rows[~rows.duplicated(["who", "sha256"], keep="last")]
    return kept[kept.label != WITHDRAWN].reset_index(drop=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(row: dict[str, str]) -> bytes:
    text = io.StringIO()
    values = [*(row | {"pathname": escape_pathname(row["pathname"])}).values()]
    csv.writer(text, delimiter=";", lineterminator="\n").writerow(values)
    return text.getvalue().encode("utf-8")


def _problem(row: dict[str, str]) -> str:
    """Say what is wrong with a row; empty when nothing is."""
    for name in ("who", "label"):
        value = row[name]
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            return f"`{name}` must be a word or more on one line. Received: {value!r}."
    if not row["pathname"]:
        return "`pathname` must name a file. Received: an empty text."
    if not isinstance(row["sha256"], str) or not _SHA256.fullmatch(row["sha256"]):
        return f"`sha256` must be 64 hexadecimal digits in lower case. Received: {row['sha256']!r}."
    if not _is_time(row["when"]):
        return (
            "`when` must be a UTC time such as 2026-11-26T16:00:00.000Z. Received:"
            f" {row['when']!r}."
        )
    try:
        check_one_of("source", row["source"], SOURCES)
    except ValueError as error:
        return str(error)
    return ""


def _is_time(when: str) -> bool:
    """Tell whether it is a time of this calendar, written as `_now` writes it."""
    try:
        return bool(_WHEN.fullmatch(when) and datetime.fromisoformat(when))
    except ValueError:
        return False


def _split(line: str) -> dict[str, str]:
    """Split one line into its values; the csv module raises `csv.Error` where it can't."""
    values = next(csv.reader([line], delimiter=";", strict=True), [])
    if len(values) != len(JOURNAL.columns):
        raise csv.Error(f"{len(values)} values instead of {len(JOURNAL.columns)}")
    return dict(zip(JOURNAL.columns, values, strict=True))


def _parsed(line: str, number: int, path: Path) -> dict[str, str]:
    try:
        row = _split(line)
        problem = _problem(row)
    except csv.Error as error:
        problem = f"It must have the columns {_HEADER}. Received: {error}."
    if problem:
        raise TableError(
            f"Each row of the labels journal must be a decision. Row {number} of {path} is none."
            f" {problem} Correct or remove that row; no other was read."
        )
    return row


def _whole(last: bytes) -> str | None:
    """Return a last line that lacks nothing but its end, as some editors leave it."""
    try:
        text = last.removesuffix(b"\r").decode("utf-8")
        return None if _problem(_split(text)) else text
    except (UnicodeDecodeError, csv.Error):
        return None


def _text(line: bytes, number: int, path: Path) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TableError(
            f"The labels journal must be UTF-8 text. Received: row {number} of {path} ({error})."
            " Save it as UTF-8."
        ) from error


def _check_header(line: bytes, path: Path) -> None:
    if line.removesuffix(b"\r") != _HEADER.encode():
        raise TableError(
            f"The labels journal must begin with {_HEADER}. Received: {path}, which begins with"
            f" {line[:80]!r}. It is left as it is: move it away, or give another workspace."
            " No decision was kept."
        )
