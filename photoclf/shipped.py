"""The release that comes with the project, laid into a workspace as one of its runs."""

import os
import shutil
from pathlib import Path

from photoclf.errors import RunError
from photoclf.paths import release_folder

NAME = "release"


def lay_release(models: Path) -> Path:
    """Copy the release into a workspace, unless it is there.

    It is copied and not used in its place, so that evaluating it writes nothing into the project.

    Args:
        models: The workspace's `models/`; made if missing.

    Returns:
        Its folder there.

    Raises:
        RunError: If no release comes with this project.
    """
    place = Path(models) / NAME
    if (place / "done").is_file():  # copied last
        return place
    source = release_folder()
    if not (source / "done").is_file():
        raise RunError(
            f"A release must come with the project. Received: none in {source}. Make one"
            " (photoclf release), or name a run of your own."
        )
    files = sorted(path for path in source.iterdir() if path.is_file() and path.name != "done")
    place.mkdir(parents=True, exist_ok=True)
    for file in [*files, source / "done"]:
        temporary = place / f".{file.name}.{os.getpid()}.tmp"
        shutil.copyfile(file, temporary)
        os.replace(temporary, place / file.name)
    return place


def release_comes_with_project() -> bool:
    """Tell whether there is a release to lay."""
    return (release_folder() / "done").is_file()
