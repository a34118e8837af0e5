"""What the bench measures of sweeps: trials at once, their cost beyond training, reading."""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from photoclf import steps
from photoclf.config import RunConfig
from photoclf.demo_archive import draw_demo_archive
from photoclf.events import framed
from photoclf.files import replacing
from photoclf.paths import Workspace
from photoclf.run import Run, create_run
from photoclf.runs import read_events
from photoclf.space import Space
from photoclf.space_file import read_space
from photoclf.sweep import run_sweep
from photoclf.sweep_state import Sweep

TRIALS = 4  # of each sweep
MOST_ROUNDS = 2  # a round takes most of a minute
READ_RUNS, READ_EPOCHS = 100, 50

_SPACE = """
name: bench_{number}
base: {{image_size: 32, filters: [4, 8], batch_size: 16, epochs: 1, threads: 1, seed: {seed}}}
seeds: {trials}
parameters: {{dropout: [0.2]}}
"""


def sweep_rows(scratch: Path, rounds: int) -> pd.DataFrame:
    """Time sweeps of tiny trials with one job and with two, in turn, and the reading of many runs.

    Args:
        scratch: A folder to work in.
        rounds: Rounds that count, `MOST_ROUNDS` at most, after one that warms up.

    Returns:
        Rows of `bench.run_bench`: `images_per_s` counts trials, or runs read; `seconds` is the
        median of what a trial takes beyond its epochs (kernel, imports, notebook, export), or of
        reading `READ_RUNS` runs of `READ_EPOCHS` epochs from their event files.
    """
    workspace = _workspace(scratch)
    numbers = count()
    rates: dict[int, list[float]] = {1: [], 2: []}
    beyond: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(min(rounds, MOST_ROUNDS) + 1):
        for jobs in rates:
            space = _space(scratch, next(numbers))
            started = time.perf_counter()
            table = run_sweep(space, workspace, jobs=jobs)
            rates[jobs].append(len(table) / (time.perf_counter() - started))
            beyond[jobs].append(_beyond_training(Sweep(space, workspace)))
    alone = np.array(rates[1][1:])
    rows = [
        _row(f"trials, {jobs} at once", np.array(rates[jobs][1:]), alone, beyond[jobs][1:])
        for jobs in rates
    ]
    read = _seconds_of(_reader(scratch / "many"), rounds)
    rate = READ_RUNS / np.array(read)
    rows.append(_row(f"runs read, {READ_RUNS} of {READ_EPOCHS} epochs", rate, rate, read))
    return pd.DataFrame(rows)


def _row(
    contender: str, rates: np.ndarray, first: np.ndarray, seconds: list[float]
) -> dict[str, object]:
    return {
        "part": "sweep",
        "contender": contender,
        "images_per_s": float(np.median(rates)),
        "low": float(rates.min()),
        "high": float(rates.max()),
        "ratio": float(np.median(rates / first)),
        "seconds": float(np.median(seconds)),
    }


def _workspace(scratch: Path) -> Workspace:
    draw_demo_archive(scratch / "sweep_archive", images_per_class=10)
    workspace = Workspace(scratch / "sweep")
    steps.scan(workspace, scratch / "sweep_archive")
    steps.audit(workspace)
    steps.split(workspace)
    return workspace


def _space(scratch: Path, number: int) -> Space:
    path = scratch / "space.yaml"
    seed = 1000 * number  # so that no trial was trained before
    path.write_text(_SPACE.format(number=number, seed=seed, trials=TRIALS), encoding="utf-8")
    return read_space(path)


def _beyond_training(sweep: Sweep) -> float:
    trials = [sweep.trial(planned) for one in sweep.rounds() for planned in one.trials]
    runs = [(trial.state["wall_s"], trial.run) for trial in trials]
    return float(np.median([wall - run.cost["duration_s"] for wall, run in runs if run]))


def _reader(models: Path) -> Callable[[], pd.DataFrame]:
    # Here: only who writes or reads events loads its protobufs.
    from tensorboard.compat.proto.event_pb2 import Event

    runs: list[Run] = []
    for number in range(READ_RUNS):
        run = create_run(models, RunConfig(seed=number), {})
        runs.append(run)
        for folder in ("train", "validation"):
            events = [Event(step=epoch, wall_time=1.7e9 + epoch) for epoch in range(READ_EPOCHS)]
            for event in events:
                for tag in ("epoch_loss", "epoch_accuracy"):
                    event.summary.value.add(tag=tag, simple_value=1 / (1 + event.step))
            with replacing(run.logs / folder / "events.out.tfevents.0.bench") as file:
                file.writelines(framed(event.SerializeToString()) for event in events)
    return lambda: read_events(runs)


def _seconds_of(work: Callable[[], object], rounds: int) -> list[float]:
    seconds = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds[1:]
