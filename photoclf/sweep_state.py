"""A sweep's folder: what it was begun with, where each trial stands, and its table."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from photoclf.errors import RunError, did_you_mean
from photoclf.files import read_json, sha256_file, sha256_text, write_json, write_text
from photoclf.paths import Workspace
from photoclf.points import OBJECTIVES, as_value
from photoclf.run import Run, now
from photoclf.runs import load_run
from photoclf.search import Planned, Round, mean_score, rounds
from photoclf.space import Space
from photoclf.study import Outcome, write_study
from photoclf.trials import Trial, reached_state, result

# States in which a trial needs nothing more in its round.
ENDED = ("done", "paused", "failed")
_FIGURES = {
    **{"epochs": "Int64", "val_loss": "float64", "val_accuracy": "float64"},
    **{"best_epoch": "Int64", "duration_s": "float64"},
}


@dataclass(frozen=True)
class Sweep:
    """A sweep of a space in a workspace: `models/sweeps/<name>/`.

    `space.yaml` and `sweep.json` are written first; `trials.json` names the trials decided so far,
    `trials/<hash8>/` holds a trial's `state.json`, `log.txt` and, until its run is done,
    `notebook.ipynb`. `table.csv` and `study.log` (Optuna's) are written when the sweep stops,
    `done` last, when every trial ended well.

    Args:
        space: What is searched.
        workspace: Where.
    """

    space: Space
    workspace: Workspace

    @property
    def folder(self) -> Path:
        """The sweep's folder."""
        return self.workspace.sweeps / self.space.name

    @property
    def about(self) -> dict[str, Any]:
        """What the sweep was begun with: `split_hash`, `space_sha256`, `threads`, `memory`."""
        path = self.folder / "sweep.json"
        if not path.is_file():
            return {}
        try:
            about = read_json(path)
            return {
                **about,
                "threads": int(about["threads"]),
                "memory": max(int(about["memory"]), 1),
            }
        except (ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"sweep.json must be what the sweep wrote. Received: {path} ({error!r}). Restore or"
                " delete it: finished trials stay, if they get as many threads again."
            ) from error

    def begin(self, split_hash: str, threads: int, memory: int) -> None:
        """Write what the sweep is begun with, or goes on with after its space changed.

        Args:
            split_hash: Of the split that all its trials are trained on.
            threads: Processor threads of each trial.
            memory: Bytes that a trial takes at most, estimated.
        """
        write_text(self.folder / "space.yaml", self.space.text)
        about = {"split_hash": split_hash, "space_sha256": sha256_text(self.space.text)}
        write_json(self.folder / "sweep.json", {**about, "threads": threads, "memory": memory})

    def trial(self, planned: Planned) -> Trial:
        """Return a planned trial with its folder."""
        folder = self.folder / "trials" / planned.config.hash8
        return Trial(folder, self.workspace.root, self.workspace.split_name, planned.config)

    def rounds(self, max_trials: int | None = None) -> Iterator[Round]:
        """Go through the sweep's rounds, see `search.rounds`."""
        threads = self.about.get("threads")
        return rounds(self.space, self._score, threads=threads, max_trials=max_trials)

    def table(self, max_trials: int | None = None) -> pd.DataFrame:
        """Read where the sweep is, see `sweep.read_sweep`."""
        rows = [self._row(planned, state) for planned, _, state in self._standing(max_trials)]
        columns = ["trial", "point", "seed", "state", "run_id", *self.space.parameters, *_FIGURES]
        return pd.DataFrame(rows, columns=[*columns, "reason"]).astype(_FIGURES)

    def standing(self, one: Round) -> tuple[int, str]:
        """Tell of a round how many trials need no more work in it, and the best figure so far."""
        trials = [self.trial(planned) for planned in one.trials]
        ended = sum(reached_state(trial, one.epochs) in ENDED for trial in trials)
        known = [score for planned in one.trials if (score := self._score(planned)) is not None]
        objective = self.space.objective
        best = (min if OBJECTIVES[objective] else max)(known, default=None)
        return ended, "" if best is None else f"best {objective} {best:.4f}"

    def is_complete(self, max_trials: int | None = None) -> bool:
        """Tell whether every trial, or every one of the first ones, has come to a good end."""
        for one in self.rounds(max_trials):
            states = {reached_state(self.trial(planned), one.epochs) for planned in one.trials}
            if not states <= {"done", "paused"}:
                return False
        return True

    def write_trials(self) -> None:
        """Write which trials the space has now, as far as they are decided."""
        names = [planned.config.hash8 for planned, _, _ in self._standing(None)]
        write_json(self.folder / "trials.json", names)

    def write_results(self, max_trials: int | None = None) -> pd.DataFrame:
        """Write the table, Optuna's study and, when all trials ended well, `done`."""
        self.write_trials()
        table = self.table(max_trials)
        write_text(self.folder / "table.csv", table.to_csv(sep=";", index=False))
        write_study(self.space, self._outcomes(max_trials), self.folder / "study.log")
        if self.is_complete():
            hashes = {"table.csv": sha256_file(self.folder / "table.csv")}
            write_json(self.folder / "done", {"finished_at": now(), "sha256": hashes})
        return table

    def _score(self, planned: Planned) -> float | None:
        trial = self.trial(planned)
        if reached_state(trial) == "failed":
            return None
        return result(trial).get(self.space.objective)

    def _standing(self, max_trials: int | None) -> list[tuple[Planned, int | None, str]]:
        """List the trials known so far with the epochs they were to reach, and their states."""
        standing: dict[int, tuple[Planned, int | None, str]] = {}
        for one in self.rounds(max_trials):
            for number, (planned, epochs, state) in standing.items():
                if state == "paused":  # unless this round trains it further, see below
                    standing[number] = (planned, epochs, "dropped")
            for planned in one.trials:
                state = reached_state(self.trial(planned), one.epochs)
                standing[planned.trial] = (planned, one.epochs, state)
            if any(standing[planned.trial][2] not in ENDED for planned in one.trials):
                break  # what comes next depends on them
        return [standing[number] for number in sorted(standing)]

    def _row(self, planned: Planned, state: str) -> dict[str, Any]:
        trial = self.trial(planned)
        choices = planned.config.resolved().to_mapping()
        row: dict[str, Any] = {"trial": planned.trial, "point": planned.point}
        row |= {"seed": planned.config.seed}
        row |= {"state": state, "run_id": ""}
        row |= {name: as_value(choices[name]) for name in self.space.parameters}
        row |= result(trial)
        return row | {"reason": trial.state.get("reason", "")}

    def _outcomes(self, max_trials: int | None) -> list[tuple[Outcome, dict[str, Any]]]:
        points: dict[int, list[tuple[Planned, int | None, str]]] = {}
        for row in self._standing(max_trials):
            points.setdefault(row[0].point, []).append(row)
        outcomes = []
        for rows in points.values():
            if all(state in ("done", "dropped", "failed") for _, _, state in rows):
                scores = [self._score(planned) for planned, _, _ in rows]
                outcome = Outcome(rows[0][0].values, mean_score(scores), rows[0][1])
                runs = [self.trial(planned).state.get("run_id", "") for planned, _, _ in rows]
                outcomes.append((outcome, {"runs": runs}))
        return outcomes


def sweep_runs(workspace: Workspace, sweep: str) -> list[Run]:
    """List the runs of a sweep's finished trials.

    Args:
        workspace: Holds the sweep's folder.
        sweep: The sweep's name, which is its space's.

    Raises:
        RunError: If there is no such sweep, none of its trials is finished, or a run is gone.
    """
    names = sorted(path.name for path in workspace.sweeps.glob("*") if path.is_dir())
    if sweep not in names:
        raise RunError(
            f"A sweep must be one of {', '.join(names) or 'none so far'}. Received: {sweep!r}."
            f"{did_you_mean(sweep, names)}"
        )
    states = _trial_states(workspace.sweeps / sweep)
    found = [state.get("run_id", "") for state in states if state.get("state") == "done"]
    if not found:
        raise RunError(
            f"A sweep must have a finished trial to be compared. Received: {sweep}, with"
            f" {len(states)} trials and none finished. Run it: photoclf sweep {sweep}."
        )
    gone = [run_id for run_id in found if not Run(workspace.models / str(run_id)).whole]
    if gone:
        raise RunError(
            f"The runs of a sweep must be there, and whole. Received: {sweep}, of whose runs"
            f" {', '.join(map(str, gone))} isn't. Run it again: photoclf sweep {sweep}."
        )
    return [load_run(workspace.models, run_id) for run_id in dict.fromkeys(found)]


def _trial_states(folder: Path) -> list[dict[str, Any]]:
    """Read the states of the trials that a sweep has now; its space may have had others before."""
    states = []
    try:
        names = read_json(folder / "trials.json")
        for name in names:
            path = folder / "trials" / name / "state.json"
            states.append(read_json(path) if path.is_file() else {})
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise RunError(
            f"A sweep's folder must be what a sweep wrote. Received: {folder} ({error!r})."
            f" Run it again: photoclf sweep {folder.name}."
        ) from error
    return [state if isinstance(state, dict) else {} for state in states]
