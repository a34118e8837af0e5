"""Runs found by their names, without reading a table."""

import re
from pathlib import Path

from photoclf.errors import RunError, did_you_mean
from photoclf.files import read_json
from photoclf.paths import Workspace, release_folder
from photoclf.run_folder import RunFolder
from photoclf.shipped import NAME as RELEASE
from photoclf.shipped import lay_release, release_comes_with_project


def list_run_folders(models: Path) -> list[Path]:
    """List the folders of runs, oldest first, but for the release's.

    Folders without a `config.json` are no runs.
    """
    folders = [path.parent for path in Path(models).glob("*/config.json")]
    runs = [folder for folder in folders if folder.name[0] != "." and folder.name != RELEASE]
    return sorted(runs, key=lambda folder: age(folder.name))


def find_run_folder(models: Path, run_id: str) -> Path:
    """Find a run's folder by its name; `release` is the one that comes with the project.

    Raises:
        RunError: If there is no such run, or its folder lacks `config.json`.
    """
    if run_id == RELEASE:
        return lay_release(models)
    names = [folder.name for folder in list_run_folders(models)]
    folder = Path(models) / run_id
    if run_id not in names:
        if run_id and Path(run_id).name == run_id and folder.is_dir():
            RunFolder(folder).need("config.json")
        known = f"{len(names)} runs in {models}" if names else f"no run in {models}"
        raise RunError(
            f"The run must be one of those in the models' folder, or `{RELEASE}`. Received:"
            f" {run_id!r}, with {known}.{did_you_mean(run_id, [*names, RELEASE])}"
        )
    return folder


def find_model(workspace: Workspace, name: str = "", *, or_release: bool = False) -> Path:
    """Find the folder of the run that is to predict.

    Args:
        workspace: Holds the runs.
        name: A run's name, `release` for the one that comes with the project, or a run's folder;
            empty for what comparing chose.
        or_release: Whether the release is taken while nothing was chosen.

    Raises:
        RunError: If there is no such run, or none was chosen.
    """
    nothing_chosen = not name and not workspace.choice.is_file()
    if nothing_chosen and or_release and release_comes_with_project():
        name = RELEASE
    if not name:
        name = chosen_name(workspace.choice)
    elif Path(name).name != name and (Path(name) / "model.json").is_file():
        return Path(name)
    return find_run_folder(workspace.models, name)


def open_run(run: RunFolder | Path | str) -> RunFolder:
    """Take a run, its folder, or `release` for the one that comes with the project."""
    if isinstance(run, RunFolder):
        return run
    return RunFolder(release_folder() if run == RELEASE else Path(run))


def chosen_name(path: Path) -> str:
    """Read which run comparing chose.

    Raises:
        RunError: If no run was chosen yet.
    """
    try:
        return str(read_json(Path(path))["run_id"])
    except FileNotFoundError as error:
        raise RunError(
            f"A run must have been chosen. Received: no {path}."
            " Compare the runs first, or name one."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} must be JSON with the chosen `run_id`. Received: {error!r}."
            " Compare the runs again."
        ) from error


def age(run_id: str) -> tuple[str, int]:
    """Return what runs are sorted by, oldest first: their time, then their number within it."""
    numbered = _NUMBERED.fullmatch(run_id)
    return (numbered[1], int(numbered[2])) if numbered else (run_id, 1)


_NUMBERED = re.compile(r"(.+_[0-9a-f]{8})-(\d+)")
