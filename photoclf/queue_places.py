"""Where the files of a labelling queue are: below the folder that is shown, or which other one."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from photoclf.errors import TableError
from photoclf.listing import check_inside

# A table of another folder is told by its first names; some may be gone since it was made.
_LOOKED_AT = 20


def check_below(names: Sequence[str], folder: Path, archive: Path | None = None) -> None:
    """Check that a queue's files lie below the folder that is shown.

    Args:
        names: Their pathnames.
        folder: What they should be relative to.
        archive: Where to look for what they are relative to instead, for the error.

    Raises:
        TableError: If a name leads out of the folder, or none of the first exists in it.
    """
    for name in names:
        check_inside(name, "the queue")
    if not len(names) or any_below(names, folder):
        return
    place = next(_others_with(names, folder, archive), None)
    told = (
        f"Give folder = {str(place)!r}, where they are."
        if place
        else "Give `folder`: the one that was predicted or examined."
    )
    raise TableError(
        "Queued files must lie below the folder that is shown. Received:"
        f" {folder}, which has none of the first {min(len(names), _LOOKED_AT)}, such as"
        f" {names[0]}. {told}"
    )


def any_below(names: Sequence[str], folder: Path) -> bool:
    """Tell whether a folder has any of the first names."""
    some = (names[i] for i in range(min(len(names), _LOOKED_AT)))
    return any(os.path.lexists(os.path.join(folder, name)) for name in some)


def _others_with(names: Sequence[str], folder: Path, archive: Path | None) -> Iterator[Path]:
    """Look into the archive and its folders, those of the folder, and the one above it."""
    for top in (archive, folder):
        for place in () if top is None else (top, *_folders_in(top)):
            if place != folder and any_below(names, place):
                yield place
    if any_below(names, folder.parent):
        yield folder.parent


def _folders_in(top: Path) -> list[Path]:
    try:
        return sorted(path for path in top.iterdir() if path.is_dir())
    except OSError:
        return []
