"""Predicted files laid out by decision, as links or copies; the originals stay where they are."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from photoclf.files import full_disk_told
from photoclf.paths import check_outside
from photoclf.prediction_places import InTheWayError, PredictionError
from photoclf.prediction_table import read_prediction_chunks
from photoclf.schema import DECISIONS


def sort_into(
    predictions: Path, folder: Path, place: Path, *, copy: bool = False, progress: bool = False
) -> int:
    """Lay predicted files out as `place/<decision>/<pathname>`.

    What lies there already as it would be laid is left as it is, so that it can be interrupted and
    called again; nothing is overwritten.

    Args:
        predictions: A predictions file.
        folder: What its pathnames are relative to.
        place: Where to; made if missing. Files without a decision are left out.
        copy: Whether to copy; symbolic links otherwise.
        progress: Whether to show a progress bar.

    Returns:
        How many files lie there.

    Raises:
        ConfigError: If `place` lies in the folder.
        InTheWayError: If a file lies there under another decision, or another file or a link does.
        PredictionError: If a file is gone, or the disk is full.
    """
    check_outside(place, [folder], "sorted files")
    lay: Callable[[Path, Path], None] = _copy if copy else _link
    laid = 0
    with tqdm(desc="sort", unit="file", disable=not progress) as bar:
        for rows in read_prediction_chunks(predictions):
            decided = rows[rows.decision != ""]
            for name, decision in zip(decided.pathname, decided.decision, strict=True):
                _check_free(place, name, decision)
                _make_folder(place, (place / decision / name).parent)
                lay((folder / name).resolve(), place / decision / name)
                laid += 1
                bar.update()
    return laid


def _make_folder(place: Path, folder: Path) -> None:
    """Make a folder below a place; through a link files would be laid elsewhere."""
    for part in [folder, *folder.parents]:
        if part == place:
            break
        if part.is_symlink():
            raise _in_the_way(part)
    folder.mkdir(parents=True, exist_ok=True)


def _check_free(place: Path, name: str, decision: str) -> None:
    for other in DECISIONS:
        if other != decision and os.path.lexists(place / other / name):
            raise InTheWayError(
                f"A file must be sorted once. Received: {name!r}, which is {decision} and lies in"
                f" {place / other} from an earlier sorting. Give a new folder."
            )


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source)
    except FileExistsError:
        if not target.is_symlink() or target.readlink() != source:
            raise _in_the_way(target) from None


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{os.getpid()}.tmp")
    try:
        if os.path.lexists(target):
            theirs, ours = target.stat(), source.stat()
            same = (theirs.st_size, theirs.st_mtime_ns) == (ours.st_size, ours.st_mtime_ns)
            if target.is_symlink() or not same:
                raise _in_the_way(target)
            return
        with full_disk_told(_no_room(target)):
            shutil.copy2(source, temporary)
            os.replace(temporary, target)
    except FileNotFoundError as error:
        raise PredictionError(
            f"A file that is copied must be there. Received: {source}, which is gone since it was"
            " predicted. Predict again."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _no_room(target: Path) -> Callable[[str], PredictionError]:
    return lambda said: PredictionError(
        f"Copies need room on the disk of {target}. Received: {said}. Make some; the same command"
        " goes on where this one was."
    )


def _in_the_way(target: Path) -> InTheWayError:
    return InTheWayError(
        f"Nothing is overwritten by sorting. Received: {target}, which is there and is something"
        " else. Give a new folder."
    )
