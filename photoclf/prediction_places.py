"""The files that belong to some predictions, and who may write them."""

import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoclf.errors import PhotoclfError
from photoclf.files import full_disk_told
from photoclf.locks import locked

# What marks a folder of shards as such.
MADE_WITH = "made_with.json"


class PredictionError(PhotoclfError):
    """Predictions can't be written."""


class InTheWayError(PredictionError):
    """What is there isn't what would be written, and isn't overwritten."""

    exit_code = 2


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

    @property
    def converted(self) -> Path:
        """All rows in another format, until they are put in their place."""
        return self._beside(".converted")

    @property
    def shards(self) -> Path:
        """The folder of shards, while there are some."""
        return self._beside(".shards")

    def tidy(self) -> None:
        """Remove what is of no use once the predictions are whole."""
        for path in (self.partial, self.converted, self.progress):
            path.unlink(missing_ok=True)
        if (self.shards / MADE_WITH).is_file():
            shutil.rmtree(self.shards)

    def _beside(self, ending: str) -> Path:
        return self.out.with_name(self.out.name + ending)


@contextmanager
def claimed(out: Path) -> Iterator[Places]:
    """Keep others from writing the same predictions.

    Raises:
        InTheWayError: If what such predictions use is there and isn't of any.
        PredictionError: If another process writes them.
    """
    places = Places(Path(out))
    _check_own(places)
    busy = PredictionError(
        f"One prediction at a time may write a file. Received: {out}, which another process is"
        " writing. Wait for it, or give another --out FILE."
    )
    with locked(places.lock, wait=False, busy=busy):
        yield places


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


def _check_own(places: Places) -> None:
    """Check that all that will be written, read or removed is of predictions."""
    for path in (places.partial, places.progress, places.note, places.lock, places.converted):
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            raise _foreign(path, "a link, folder or device")
    if places.lock.exists() and places.lock.stat().st_size:
        raise _foreign(places.lock, "a file with something in it")
    for path in (places.progress, places.note):
        if path.exists() and not _tells_what_it_is(path):
            raise _foreign(path, "a file of another kind")
    if places.partial.exists() and not places.progress.exists():
        raise _foreign(places.partial, f"without {places.progress.name}")
    if os.path.lexists(places.shards) and not (places.shards / MADE_WITH).is_file():
        raise _foreign(places.shards, f"without {MADE_WITH}")


def _tells_what_it_is(path: Path) -> bool:
    with open(path, "rb") as file:
        first = file.readline() if path.name.endswith(".progress") else file.read()
    try:
        told = json.loads(first)
    except ValueError:
        return False
    return isinstance(told, dict) and isinstance(told.get("made_with"), dict)


def _foreign(path: Path, what: str) -> InTheWayError:
    return InTheWayError(
        f"Predictions need {path} for themselves. Received: {what}, which isn't theirs. Move it"
        " away, or give another --out FILE."
    )


def difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Tell in what two descriptions of what predictions are made with differ."""
    keys: Iterable[str] = sorted({*theirs, *ours})
    apart = [key for key in keys if theirs.get(key) != ours.get(key)]
    told = [f"{key} {theirs.get(key)!r} and not {ours.get(key)!r}" for key in apart]
    return f"made with {'; '.join(told)}"
