"""Optuna: points suggested from results, and a sweep's trials as its dashboard reads them."""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photoclf.distributions import Distribution
from photoclf.points import OBJECTIVES
from photoclf.space import Point, Space

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Outcome:
    """What became of a point.

    Args:
        point: Its values.
        value: The objective's mean over its seeds; `None` when a trial of it failed.
        rung: Epochs after which halving dropped it; `None` when it was trained to its end.
    """

    point: Point
    value: float | None
    rung: int | None


def suggest_points(space: Space, outcomes: Sequence[Outcome], n: int) -> list[Point]:
    """Suggest points by TPE (Bergstra et al., "Algorithms for hyper-parameter optimization", 2011).

    Args:
        space: What is searched, its `search_seed` included.
        outcomes: Results of all points so far, in their order.
        n: How many points to suggest. Points suggested together are kept apart by Optuna's
            "constant liar", which takes those that are still open for bad ones.

    Returns:
        The points, none equal to one before. The same outcomes lead to the same points.
    """
    optuna = _optuna()
    # One seed a generation: a sampler's state isn't kept between them, so that a sweep that was
    # stopped draws what it would have drawn.
    sampler = optuna.samplers.TPESampler(
        seed=space.search_seed + len(outcomes), constant_liar=True, n_startup_trials=_STARTUP
    )
    study = optuna.create_study(sampler=sampler, direction=_direction(space))
    for outcome in outcomes:
        study.add_trial(_frozen(space, outcome))
    seen = {_key(space, outcome.point) for outcome in outcomes}
    points: list[Point] = []
    for _ in range(_TRIES * n):
        trial = study.ask()
        point = space.choose(partial(_suggest, trial))
        if _key(space, point) in seen:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        seen.add(_key(space, point))
        points.append(point)
        if len(points) == n:
            break
    return points


def write_study(
    space: Space, outcomes: Sequence[tuple[Outcome, dict[str, Any]]], path: Path
) -> None:
    """Write a sweep's points as an Optuna journal, which `optuna-dashboard` opens.

    Args:
        space: What was searched.
        outcomes: Points with what else to show of each (`run_ids`, costs), as JSON takes it.
        path: The file, replaced as a whole.
    """
    optuna = _optuna()
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".study-") as scratch:
        made = Path(scratch) / path.name
        storage = JournalStorage(JournalFileBackend(str(made)))
        study = optuna.create_study(
            storage=storage, study_name=space.name, direction=_direction(space)
        )
        study.set_user_attr("question", space.question)
        for outcome, attributes in outcomes:
            study.add_trial(_frozen(space, outcome, attributes))
        os.replace(made, path)


_STARTUP = 5  # points drawn at random before anything can be learnt from
_TRIES = 50


def _frozen(
    space: Space, outcome: Outcome, attributes: dict[str, Any] | None = None
) -> "optuna.trial.FrozenTrial":
    optuna = _optuna()
    states = optuna.trial.TrialState
    state = states.FAIL if outcome.value is None else states.COMPLETE
    reached: dict[int, float] = {}
    if outcome.value is not None and outcome.rung is not None:
        state, reached = states.PRUNED, {outcome.rung: outcome.value}
    return optuna.trial.create_trial(
        state=state,
        value=outcome.value if state == states.COMPLETE else None,
        params={n: _told(space.parameters[n], value) for n, value in outcome.point.items()},
        distributions={n: _distribution(space.parameters[n]) for n in outcome.point},
        intermediate_values=reached,
        user_attrs=attributes or {},
    )


def _suggest(trial: "optuna.Trial", name: str, values: Distribution) -> Any:
    if values.kind == "choice":
        return json.loads(trial.suggest_categorical(name, _distribution(values).choices))
    if values.kind == "int":
        low, high = int(values.low), int(values.high)
        return trial.suggest_int(name, low, high, step=_whole_step(values), log=values.log)
    log = values.kind == "loguniform"
    drawn = trial.suggest_float(name, values.low, values.high, step=values.step, log=log)
    return values.rounded(drawn)


def _distribution(values: Distribution) -> Any:
    kinds = _optuna().distributions
    if values.kind == "choice":
        # As text: Optuna takes no lists, and compares 1 and True as one.
        return kinds.CategoricalDistribution([json.dumps(value) for value in values.choices])
    if values.kind == "int":
        return kinds.IntDistribution(
            int(values.low), int(values.high), values.log, _whole_step(values)
        )
    log = values.kind == "loguniform"
    return kinds.FloatDistribution(values.low, values.high, log, values.step)


def _whole_step(values: Distribution) -> int:
    return 1 if values.log else int(values.step or 1)


def _told(values: Distribution, value: Any) -> Any:
    return json.dumps(value) if values.kind == "choice" else value


def _direction(space: Space) -> str:
    return "minimize" if OBJECTIVES[space.objective] else "maximize"


def _key(space: Space, point: Point) -> str:
    return space.config(point, space.seeds[0]).hash8


def _optuna() -> Any:
    # Here: it takes a second to load, and only sweeps need it.
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
