"""What a sweep tries next: rounds of trials, each decided by the results of those before it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from photoclf.config import RunConfig
from photoclf.points import OBJECTIVES
from photoclf.space import Point, Space
from photoclf.study import Outcome, suggest_points

# Points that TPE suggests at once. Their number is fixed, whatever the number of jobs, so that a
# sweep tries the same points however it is run.
GENERATION = 4


@dataclass(frozen=True)
class Planned:
    """One trial of a sweep as it was decided.

    Args:
        trial: Its number, from 0.
        point: The number of its point, from 0.
        values: The point's values.
        config: The run's choices.
    """

    trial: int
    point: int
    values: Point
    config: RunConfig


@dataclass(frozen=True)
class Round:
    """Trials that may run in any order, or at once.

    Args:
        trials: The trials.
        epochs: Epochs that each is to have trained at its end; all of them when `None`.
    """

    trials: tuple[Planned, ...]
    epochs: int | None


# A trial → the value of the objective that it has reached; None when it failed.
Score = Callable[[Planned], float | None]


def rounds(
    space: Space, score: Score, *, threads: int | None = None, max_trials: int | None = None
) -> Iterator[Round]:
    """Go through a sweep: each round is yielded before its results are asked for.

    What is tried depends on the space and on results alone, never on how many trials ran at once
    or how often the sweep was stopped. So a sweep goes on by going through its rounds again.

    Args:
        space: What is searched.
        score: Called for the trials of a round once the next one is asked for.
        threads: Processor threads of each trial, unless the space's base says.
        max_trials: Trials at most, the first ones of the space.

    Yields:
        All trials at once, unless halving drops points from round to round, or TPE suggests a few
        points at a time from the results so far.
    """
    less = OBJECTIVES[space.objective]
    outcomes: list[Outcome] = []
    for points in _generations(space, outcomes):
        first = len(outcomes)
        planned = {
            first + i: _trials(space, first + i, point, threads, max_trials)
            for i, point in enumerate(points)
        }
        alive = [number for number in planned if planned[number]]
        results: dict[int, Outcome] = {}
        epochs = space.config({}, space.seeds[0]).epochs
        for rung in space.halving.rungs(epochs) if space.halving else [None]:
            if not alive:
                return
            last = rung is None or rung == epochs
            yield Round(tuple(t for n in alive for t in planned[n]), None if last else rung)
            for n in alive:
                value = mean_score([score(trial) for trial in planned[n]])
                results[n] = Outcome(points[n - first], value, None if last else rung)
            alive = _best(alive, results, space, less)
        outcomes.extend(results.get(n, Outcome(points[n - first], None, None)) for n in planned)


def count_trials(space: Space, max_trials: int | None = None) -> int:
    """Count the trials that a sweep will have at most."""
    points = space.points if space.search == "tpe" else len(space.known_points())
    assert points is not None
    return min(points * len(space.seeds), max_trials or points * len(space.seeds))


def mean_score(values: Sequence[float | None]) -> float | None:
    """Return a point's mean over its seeds, `None` when a trial of it failed.

    A point that one seed broke isn't better than another for it.
    """
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if len(known) == len(values) and known else None


def _generations(space: Space, outcomes: Sequence[Outcome]) -> Iterator[list[Point]]:
    if space.search != "tpe":
        yield space.known_points()
        return
    assert space.points is not None
    while len(outcomes) < space.points:
        points = suggest_points(space, outcomes, min(GENERATION, space.points - len(outcomes)))
        if not points:  # the space has no more
            return
        yield points


def _trials(
    space: Space, number: int, point: Point, threads: int | None, max_trials: int | None
) -> list[Planned]:
    first = number * len(space.seeds)
    planned = [
        Planned(first + i, number, point, space.config(point, seed, threads))
        for i, seed in enumerate(space.seeds)
    ]
    return [trial for trial in planned if max_trials is None or trial.trial < max_trials]


def _best(alive: list[int], results: dict[int, Outcome], space: Space, less: bool) -> list[int]:
    if space.halving is None:
        return []
    kept = math.ceil(len(alive) / space.halving.factor)
    known = [n for n in alive if results[n].value is not None]
    ranked = sorted(known, key=lambda n: (results[n].value or 0.0) * (1 if less else -1))
    return sorted(ranked[:kept])
