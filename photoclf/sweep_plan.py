"""With what a sweep is run: jobs, threads and memory, after checking it whole."""

from dataclasses import dataclass
from typing import Any

from photoclf.errors import ConfigError, PhotoclfError, check_whole
from photoclf.feasible import check_networks, usable_memory
from photoclf.files import sha256_text
from photoclf.paths import Workspace
from photoclf.search import count_trials
from photoclf.space import MOST_TRIALS, Space
from photoclf.split import read_split, split_hash
from photoclf.sweep_state import Sweep
from photoclf.workers import available_threads


class SweepError(PhotoclfError):
    """A sweep can't be run as asked."""


@dataclass(frozen=True)
class Means:
    """With what a sweep is run.

    Args:
        jobs: Trials at once.
        threads: Processor threads of each trial.
        memory: Bytes that a trial takes at most, estimated.
        trials: Trials at most.
        scheduler: Address of the cluster that runs them; empty for this machine.
    """

    jobs: int
    threads: int
    memory: int
    trials: int
    scheduler: str


def plan_means(
    space: Space,
    workspace: Workspace,
    *,
    max_trials: int | None = None,
    jobs: int | None = None,
    scheduler: str = "",
) -> Means:
    """Check a sweep whole before a trial starts, and say with what it would be run.

    Args:
        space: From `read_space`.
        workspace: Must hold a split, on which the sweep was begun if it was.
        max_trials: As for `run_sweep`.
        jobs: As for `run_sweep`.
        scheduler: As for `run_sweep`.

    Returns:
        What it takes. Nothing is written.

    Raises:
        ConfigError: As for `run_sweep`.
        SweepError: If it was begun on another split.
    """
    for name, value in (("max_trials", max_trials), ("jobs", jobs)):
        if value is not None:
            check_whole(name, value, 1, MOST_TRIALS)
    about = Sweep(space, workspace).about
    _check_split(space, about, split_hash(read_split(workspace.split)))
    if about.get("space_sha256") == sha256_text(space.text):
        memory = int(about["memory"])
    else:
        seed = space.seeds[0]
        have = None if scheduler else usable_memory()
        configs = [space.config(point, seed) for point in space.corner_points()]
        memory = max(check_networks(configs, have))
    trials = count_trials(space, max_trials)
    told = space.base.get("threads") or about.get("threads")
    if scheduler:
        return Means(1, told or 1, memory, trials, scheduler)
    cores, fit = available_threads(), max(usable_memory() // memory, 1)
    if jobs is not None and jobs > fit:
        raise ConfigError(
            f"`jobs` must be what fits into memory, {fit} trials of about {memory / 2**30:.1f} GiB."
            f" Received: {jobs}. Lower it."
        )
    jobs = min(jobs or min(cores, fit), trials)
    return Means(jobs, told or max(cores // jobs, 1), memory, trials, scheduler)


def describe_means(space: Space, means: Means) -> str:
    """Say in a sentence, below the space's question, how its sweep is run."""
    where = f"on the cluster at {means.scheduler}" if means.scheduler else f"{means.jobs} at once"
    return (
        f"{space.question or space.name}\n{space.search} search, trials: {means.trials}, {where};"
        f" a trial takes {means.threads} of the processor's threads and up to about"
        f" {means.memory / 2**30:.1f} GiB of memory"
    )


def _check_split(space: Space, about: dict[str, Any], wanted: str) -> None:
    begun = about.get("split_hash", wanted)
    if begun != wanted:
        raise SweepError(
            f"A sweep must stay on the split that it was begun on.\n- {begun}\n+ {wanted}\n"
            f"Give the space {space.name} another name, or delete the sweep's folder."
        )
