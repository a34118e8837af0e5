"""Search space → trials → papermill, one run a trial, resumable at any point."""

import dataclasses
import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from tqdm import tqdm

from photoclf.config import RunConfig
from photoclf.errors import ConfigError, PhotoclfError, did_you_mean
from photoclf.files import read_json, write_json
from photoclf.notebook import execute_notebook
from photoclf.paths import Workspace, find_space, list_spaces
from photoclf.run import Run
from photoclf.runs import find_run
from photoclf.split import read_split, split_hash

_KEYS = ("name", "question", "base", "grid")


@dataclasses.dataclass(frozen=True)
class Space:
    """A search space: a base config, and the values that each varied parameter takes.

    Args:
        name: Names the sweep's folder.
        question: What the sweep is to answer, in one sentence.
        base: Parameters that all trials share.
        grid: Parameter → its values; the trials are all combinations.
    """

    name: str
    question: str
    base: Mapping[str, Any]
    grid: Mapping[str, list[Any]]

    def trials(self) -> list[RunConfig]:
        """Make the config of each trial, the last parameter varying fastest.

        Raises:
            ConfigError: If a parameter is unknown, a value out of range, or two trials are equal.
        """
        points = itertools.product(*self.grid.values())
        configs = [
            RunConfig.from_mapping({**self.base, **dict(zip(self.grid, point, strict=True))})
            for point in points
        ]
        hashes = [config.hash8 for config in configs]
        if len(set(hashes)) < len(hashes):
            raise ConfigError(
                f"The trials of a space must differ. Received: {self.name}, of whose"
                f" {len(hashes)} trials {len(set(hashes))} differ. Remove repeated values."
            )
        return configs


def read_space(name: str | Path) -> Space:
    """Read a search space and check all of it before any trial starts.

    Args:
        name: A space that comes with the project, such as `depth`, or a YAML file's path.

    Returns:
        The space.

    Raises:
        ConfigError: If there is no such space, a key or parameter is unknown, a value is out of
            range, or there is no trial.
    """
    path = Path(name) if Path(name).suffix in (".yaml", ".yml") else find_space(str(name))
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"A space must be a YAML file or one of {', '.join(list_spaces())}."
            f" Received: {str(name)!r}, which does not exist."
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"A space must be YAML. Received: {path} ({error}).") from error
    if not isinstance(content, dict):
        raise ConfigError(f"A space must have the keys {_KEYS}. Received: {path} without any.")
    for key in content:
        if key not in _KEYS:
            raise ConfigError(
                f"A space must have the keys {_KEYS}. Received: {key!r} in {path}."
                f"{did_you_mean(key, _KEYS)}"
            )
    grid = content.get("grid") or {}
    if not isinstance(grid, dict) or not all(isinstance(v, list) and v for v in grid.values()):
        raise ConfigError(
            "`grid` must give each varied parameter a list of values, so that there are trials."
            f" Received: {grid!r} in {path}."
        )
    base = content.get("base") or {}
    if not isinstance(base, dict):
        raise ConfigError(
            f"`base` must give parameters their values. Received: {base!r} in {path}."
        )
    name = str(content.get("name", path.stem))
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(
            "`name` must be letters, digits, `_`, `-` and `.`, since it names a folder."
            f" Received: {name!r} in {path}."
        )
    space = Space(
        name=name,
        question=str(content.get("question", "")),
        base=base,
        grid=grid,
    )
    space.trials()
    return space


def run_sweep(
    space: Space,
    workspace: Workspace,
    *,
    max_trials: int | None = None,
    retry_failed: bool = False,
    progress: bool = False,
) -> pd.DataFrame:
    """Run the trials of a space that aren't finished, each as a papermill run of `03_train_run`.

    A finished trial is never run again, an interrupted one goes on from its last epoch, a failed
    one is left unless asked for. The trials share the workspace's split and pixel cache.

    Args:
        space: From `read_space`.
        workspace: Must hold a split; see `paths.resolve_archive` for where its archive is found.
        max_trials: Trials to run at most, the first ones of the space; all by default.
        retry_failed: Whether to run failed trials again.
        progress: Whether to show a progress bar.

    Returns:
        The sweep's table, see `read_sweep`.

    Raises:
        TableError: If the workspace has no split.
    """
    _check_max_trials(max_trials)
    folder = sweep_folder(space, workspace)
    wanted = split_hash(read_split(workspace.split))
    trials = space.trials()[:max_trials]
    with tqdm(trials, desc=f"sweep {space.name}", unit="trial", disable=not progress) as bar:
        for config in bar:
            state = _state(folder, config)
            finished = _finished_run(workspace, config, wanted)
            if finished is None and (retry_failed or state.get("state") != "failed"):
                _run_trial(folder, config, workspace, wanted)
            best = read_sweep(space, workspace).val_loss.min()
            bar.set_postfix(best_val_loss=f"{best:.4f}")
    return read_sweep(space, workspace, max_trials=max_trials)


def read_sweep(
    space: Space, workspace: Workspace, *, max_trials: int | None = None
) -> pd.DataFrame:
    """Read how far a sweep is.

    Returns:
        One row a trial: `trial` (from 0), `state` (`waiting`, `running`, `done`, `failed`),
        `run_id`, a column for each varied parameter, `val_loss` and `val_accuracy` of the best
        epoch, `best_epoch` (from 0), `duration_s` of its training, and `reason` when it failed.
    """
    wanted = split_hash(read_split(workspace.split))
    folder = sweep_folder(space, workspace)
    rows = []
    for number, config in enumerate(space.trials()[:max_trials]):
        state = _state(folder, config)
        run = _finished_run(workspace, config, wanted)
        row = {"trial": number, "state": state.get("state", "waiting"), "run_id": ""}
        row |= {name: getattr(config, name) for name in space.grid}
        row |= {"val_loss": None, "val_accuracy": None, "best_epoch": None, "duration_s": None}
        row["reason"] = state.get("reason", "")
        if run is not None:
            row |= {"state": "done", "run_id": run.run_id, "reason": ""} | _result(run)
        rows.append(row)
    numbers = {"val_loss": "float64", "val_accuracy": "float64", "duration_s": "float64"}
    return pd.DataFrame(rows).astype({**numbers, "best_epoch": "Int64"})


def _check_max_trials(max_trials: int | None) -> None:
    whole = isinstance(max_trials, int) and not isinstance(max_trials, bool)
    if max_trials is not None and (not whole or max_trials < 1):
        raise ConfigError(
            "`max_trials` must be a whole number from 1, or None for all trials."
            f" Received: {max_trials!r}."
        )


def sweep_folder(space: Space, workspace: Workspace) -> Path:
    """Return the folder that holds a sweep's trial states, notebooks and logs."""
    return workspace.sweeps / space.name


def _run_trial(folder: Path, config: RunConfig, workspace: Workspace, wanted: str) -> None:
    output = folder / f"{config.hash8}.ipynb"
    _write_state(folder, config, "running")
    try:
        parameters = {**config.to_mapping(), "workspace": ".", "split": workspace.split_name}
        execute_notebook("03_train_run", output, parameters, folder=workspace.root)
    except PhotoclfError as error:
        _write_state(folder, config, "failed", str(error))
        return
    run = _finished_run(workspace, config, wanted)
    if run is None:
        _write_state(folder, config, "failed", "the notebook ended without a finished run")
        return
    output.replace(run.folder / "notebook.ipynb")
    _write_state(folder, config, "done")


def _finished_run(workspace: Workspace, config: RunConfig, wanted: str) -> Run | None:
    run = find_run(workspace.models, config, wanted)
    return run if run is not None and run.done else None


def _result(run: Run) -> dict[str, Any]:
    best = run.best_epoch
    return {
        "val_loss": best.val_loss,
        "val_accuracy": best.val_accuracy,
        "best_epoch": int(best.epoch),
        "duration_s": run.history.duration_s.sum(),
    }


def _state(folder: Path, config: RunConfig) -> dict[str, str]:
    path = folder / f"{config.hash8}.json"
    return read_json(path) if path.is_file() else {}


def _write_state(folder: Path, config: RunConfig, state: str, reason: str = "") -> None:
    content = {"state": state, "reason": reason, "config": config.to_mapping()}
    write_json(folder / f"{config.hash8}.json", content)
