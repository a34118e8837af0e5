"""One trial of a sweep: a papermill run of `03_train_run`, and what is known of it afterwards."""

import errno
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoclf.config import RunConfig
from photoclf.errors import PhotoclfError, RunError
from photoclf.files import read_json, write_json
from photoclf.locks import is_held, locked, wait_until_free
from photoclf.notebook import KernelDiedError, execute_notebook
from photoclf.paths import Workspace
from photoclf.run import Run, now
from photoclf.runs import find_run
from photoclf.split import read_split, split_hash

# What state.json may say. An interrupted trial goes on at the next start, a failed one if asked.
STATES = ("waiting", "running", "paused", "dropped", "done", "interrupted", "failed")
_LOG_LINES = 15  # of a failed trial's log, kept with its state
_ORPHAN_SECONDS = 60.0  # for a kernel that lost its worker to notice and end


@dataclass(frozen=True)
class Trial:
    """One trial, wherever it is run.

    Args:
        folder: Where its state, log and executed notebook are.
        workspace: The workspace's folder, as it is called on the machine that runs the trial.
        split: The split's name in it, empty for `data/split.csv`.
        config: The run's choices.
    """

    folder: Path
    workspace: Path
    split: str
    config: RunConfig

    @property
    def place(self) -> Workspace:
        """The workspace with its split."""
        return Workspace(self.workspace, self.split)

    @property
    def log(self) -> Path:
        """What the notebook's cells printed."""
        return self.folder / "log.txt"

    @property
    def state(self) -> dict[str, Any]:
        """What the last attempt left; empty before one.

        `state`, `run_id`, `config`; `reason` and `log_tail` of a failure; `wall_s`, what the
        notebook took with its kernel's start and end.
        """
        try:
            state = read_json(self.folder / "state.json")
        except (FileNotFoundError, ValueError):  # a spoilt state costs a look at the run, no more
            return {}
        return state if isinstance(state, dict) else {}

    @property
    def run(self) -> Run | None:
        """The run that the state names, when it is still there."""
        run = Run(self.place.models / str(self.state.get("run_id")))
        own = re.fullmatch(rf".+_{self.config.hash8}(-\d+)?", run.run_id)
        return run if own and (run.folder / "config.json").is_file() else None


def run_trial(trial: Trial, stop_after: int | None = None) -> str:
    """Run a trial to its end, or to the end of some epochs, in a kernel of its own.

    Whatever ran it before and was killed has left a checkpoint: it goes on from there. A trial
    that another process is running is waited for.

    Args:
        trial: What to run.
        stop_after: Epochs after which it pauses; to its end when `None`.

    Returns:
        The state that is now in `state.json`: `done`, `paused`, `failed`, or `interrupted` when
        the kernel died or the disk is full.
    """
    with locked(trial.folder / ".lock"):
        reached = reached_state(trial, stop_after)
        if reached in ("done", "paused"):
            return _write(trial, reached)
        _wait_for_orphan(trial)
        _write(trial, "running", started_at=now())
        started = time.monotonic()
        try:
            _execute(trial, stop_after)
        except PhotoclfError as error:
            return _write_failure(trial, error)
        run = _found(trial)
        if run is None or (not run.done and stop_after is None):
            left = "A trial must leave a finished run. Received: its notebook left none."
            return _write_failure(trial, RunError(left))
        notebook = trial.folder / "notebook.ipynb"
        if run.done and notebook.is_file():
            notebook.replace(run.folder / "notebook.ipynb")
        wall = round(time.monotonic() - started, 3)
        return _write(trial, "done" if run.done else "paused", run_id=run.run_id, wall_s=wall)


def reached_state(trial: Trial, stop_after: int | None = None) -> str:
    """Tell where a trial stands, by its state and by what is really there.

    Args:
        trial: The trial.
        stop_after: The epochs that it is to reach; its end when `None`.

    Returns:
        One of `STATES`: `done` with a finished run that is whole, `paused` when it has trained so
        many epochs, else what `state.json` says; `waiting` if that is no longer so, and
        `interrupted` when nobody is running what was `running`.
    """
    said = str(trial.state.get("state", "waiting"))
    run = trial.run
    if run is not None and run.whole and said != "failed":
        return "done"
    going = run is not None and not run.done
    if run is not None and going and stop_after and epochs_trained(run) >= stop_after:
        return "paused"
    if said == "running" and not is_held(trial.folder / ".lock"):
        return "interrupted"
    return said if said in ("running", "interrupted", "failed") else "waiting"


def epochs_trained(run: Run) -> int:
    """Count the epochs that a run has finished; 0 for one that is damaged."""
    try:
        return len(run.history)
    except PhotoclfError:
        return 0


def epochs_so_far(trial: Trial) -> int:
    """Count the epochs that a trial has finished, also while it runs."""
    histories = list(trial.place.models.glob(f"*_{trial.config.hash8}*/history.csv"))
    newest = max(histories, key=lambda path: path.stat().st_mtime, default=None)
    return 0 if newest is None else epochs_trained(Run(newest.parent))


def result(trial: Trial) -> dict[str, Any]:
    """Read a trial's figures: those of its best epoch so far.

    Returns:
        `run_id`, `epochs`, `val_loss`, `val_accuracy`, `best_epoch` (from 0) and `duration_s`;
        empty before a first epoch has ended.
    """
    run = trial.run
    if run is None or not epochs_trained(run):
        return {}
    best, history = run.best_epoch, run.history
    return {
        "run_id": run.run_id,
        "epochs": len(history),
        "val_loss": float(best["val_loss"]),
        "val_accuracy": float(best["val_accuracy"]),
        "best_epoch": int(best["epoch"]),
        "duration_s": float(history["duration_s"].sum()),
    }


def mark_interrupted(trial: Trial, reason: str) -> None:
    """Record that whatever ran a trial is gone, unless it ended the trial first."""
    if reached_state(trial) != "done" and trial.state.get("state") == "running":
        _write(trial, "interrupted", reason=reason)


def _execute(trial: Trial, stop_after: int | None) -> None:
    trial.folder.mkdir(parents=True, exist_ok=True)
    parameters = {
        **trial.config.to_mapping(),
        "workspace": ".",
        "split": trial.split,
        "stop_after": stop_after,
    }
    with open(trial.log, "a", encoding="utf-8") as log:
        log.write(f"--- {now()}\n")
        execute_notebook(
            "03_train_run",
            trial.folder / "notebook.ipynb",
            parameters,
            folder=trial.workspace,
            log=log,
        )


def _found(trial: Trial) -> Run | None:
    wanted = split_hash(read_split(trial.place.split))
    return find_run(trial.place.models, trial.config, wanted)


def _wait_for_orphan(trial: Trial) -> None:
    # The kernel of a worker that was killed trains on until it notices.
    run = _found(trial)
    if run is not None and not run.done:
        wait_until_free(run.folder / ".training", seconds=_ORPHAN_SECONDS)


def _write_failure(trial: Trial, error: PhotoclfError) -> str:
    with open(trial.log, "a", encoding="utf-8") as log:
        log.write(f"{error}\n")
    tail = trial.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    passing = isinstance(error, KernelDiedError) or _disk_is_full(error)
    state = "interrupted" if passing else "failed"
    run = _found(trial)
    run_id = run.run_id if run is not None else ""
    return _write(trial, state, run_id=run_id, reason=str(error), log_tail=tail)


def _disk_is_full(error: PhotoclfError) -> bool:
    return any(said in str(error) for said in ("No space left", f"Errno {errno.ENOSPC}"))


def _write(trial: Trial, state: str, **more: Any) -> str:
    content = {"run_id": trial.state.get("run_id", ""), "reason": "", **more, "state": state}
    content["config"] = trial.config.to_mapping()
    write_json(trial.folder / "state.json", content)
    return state
