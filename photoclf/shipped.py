"""The release that comes with the project, laid into a workspace as one of its runs."""

import os
import shutil
from pathlib import Path

from photoclf.errors import RunError
from photoclf.paths import release_folder

NAME = "release"
# Marks a copy, which follows the project's release; one that the workspace made stays.
_COPY = ".copy"


def lay_release(models: Path) -> Path:
    """Copy the release into a workspace, unless it is there or the workspace made its own.

    It is copied and not used in its place, so that evaluating it writes nothing into the project
    (but in a checkout that is its own workspace). A copy that lacks a file, or of another release
    than the project's, is laid anew, without what was evaluated.

    Args:
        models: The workspace's `models/`; made if missing.

    Returns:
        Its folder there.

    Raises:
        RunError: If no release comes with this project.
    """
    place, source = Path(models) / NAME, release_folder()
    if (place / "done").is_file() and not _is_stale(place, source):
        return place
    if not (source / "done").is_file():
        raise RunError(
            f"A release must come with the project. Received: none in {source}. Make one"
            " (photoclf release), or name a run of your own."
        )
    shutil.rmtree(place / "eval", ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    (place / _COPY).touch()
    for name in [*sorted(_files(source) - {"done"}), "done"]:  # which tells that all is there
        temporary = place / f".{name}.{os.getpid()}.tmp"
        shutil.copyfile(source / name, temporary)
        os.replace(temporary, place / name)
    return place


def release_comes_with_project() -> bool:
    """Tell whether there is a release to lay."""
    return (release_folder() / "done").is_file()


def _is_stale(place: Path, source: Path) -> bool:
    if not (place / _COPY).is_file() or not (source / "done").is_file():
        return False
    same = (place / "done").read_bytes() == (source / "done").read_bytes()
    return not same or not _files(source) <= _files(place)


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file() and path.name[0] != "."}
