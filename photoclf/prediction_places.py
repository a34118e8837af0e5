"""The files that belong to some predictions, and who may write them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoclf.errors import PhotoclfError
from photoclf.files import full_disk_told
from photoclf.locks import locked


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

    def _beside(self, ending: str) -> Path:
        return self.out.with_name(self.out.name + ending)


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


def difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Tell in what two descriptions of what predictions are made with differ."""
    keys: Iterable[str] = sorted({*theirs, *ours})
    apart = [key for key in keys if theirs.get(key) != ours.get(key)]
    told = [f"{key} {theirs.get(key)!r} and not {ours.get(key)!r}" for key in apart]
    return f"made with {'; '.join(told)}"
