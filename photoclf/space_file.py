"""A search space's YAML file, read strictly: whatever is wrong is told before a trial starts."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from photoclf.config import CHOICES, RunConfig
from photoclf.distributions import Distribution, parse_distribution
from photoclf.errors import ConfigError, check_one_of, check_whole, did_you_mean
from photoclf.paths import find_space, list_spaces
from photoclf.points import check_objective
from photoclf.space import MOST_TRIALS, SEARCHES, Halving, Space
from photoclf.yaml_file import parse_mapping

_KEYS = (
    *("name", "question", "question_fr", "base", "parameters", "search", "points", "search_seed"),
    *("seeds", "objective", "halving"),
)
# What makes no other network, or has a key of its own.
_NOT_VARIED = {
    "seed": "Write `seeds: 3`, or a list, beside `parameters`",
    "threads": "Set it in `base`",
    "gpu_memory_limit_mib": "Set it in `base`",
}


def read_space(name: str | Path) -> Space:
    """Read a search space and check all of it before any trial starts.

    Args:
        name: A space that comes with the project, such as `depth`, or a YAML file's path.

    Returns:
        The space. That its networks can be built and fit into memory, `feasible` checks.

    Raises:
        ConfigError: If there is no such space, a key or parameter is unknown or given twice, a
            value is out of range, choices can't be combined, or there is no trial.
    """
    path = Path(name) if Path(name).suffix in (".yaml", ".yml") else find_space(str(name))
    text = _text(path, name)
    content = parse_mapping(text, "A space", path)
    _check_keys(content, _KEYS, "A space's keys", path)
    base = _mapping(_given(content, "base", {}), "`base`")
    RunConfig.from_mapping(base)
    space = Space(
        name=_name(_given(content, "name", path.stem), path),
        question=_text_of(content, "question"),
        base=base,
        parameters=_parameters(content.get("parameters"), base, path),
        search=check_one_of("search", content.get("search", "grid"), SEARCHES),
        points=check_whole("points", content["points"], 1, MOST_TRIALS)
        if "points" in content
        else None,
        seeds=_seeds(content.get("seeds", 1), int(base.get("seed", RunConfig().seed))),
        objective=check_objective(str(content.get("objective", "val_loss"))),
        halving=_halving(content.get("halving")),
        search_seed=check_whole("search_seed", content.get("search_seed", 0), 0, 2**31),
        text=text,
    )
    _text_of(content, "question_fr")
    _check_size(space)
    _check_sense(space)
    return space


def _text(path: Path, name: str | Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            f"A space must be a YAML file or one of {', '.join(list_spaces())}."
            f" Received: {str(name)!r}, which does not exist."
        ) from error
    except ValueError as error:
        raise ConfigError(f"A space must be UTF-8 text. Received: {path} ({error}).") from error


def _given(content: Mapping[str, Any], key: str, default: Any) -> Any:
    value = content.get(key)
    return default if value is None else value


def _text_of(content: Mapping[str, Any], key: str) -> str:
    value = _given(content, key, "")
    if not isinstance(value, str):
        raise ConfigError(f"`{key}` must be a text. Received: {value!r}. Put it in quotes.")
    return " ".join(value.split())


def _parameters(given: Any, base: Mapping[str, Any], path: Path) -> dict[str, Distribution]:
    if not isinstance(given, dict) or not given:
        raise ConfigError(
            "`parameters` must give each varied parameter its values, so that there are trials."
            f" Received: {given!r} in {path}."
        )
    _check_keys(given, CHOICES, "A space's parameters", path)
    parameters: dict[str, Distribution] = {}
    for name, values in given.items():
        if name in _NOT_VARIED:
            raise ConfigError(
                f"`parameters` must change the network. Received: {name!r} in {path}."
                f" {_NOT_VARIED[name]}."
            )
        before = [choice for choice in CHOICES if choice not in given or choice in parameters]
        parameters[name] = parse_distribution(name, values, before)
    return parameters


def _check_size(space: Space) -> None:
    """Refuse what can't be meant, before its points are listed."""
    counts = [distribution.count() for distribution in space.parameters.values()]
    points = math.prod(counts) if space.search == "grid" else space.points or sum(counts)
    trials = points * len(space.seeds)
    if trials > MOST_TRIALS and math.isfinite(trials):
        raise ConfigError(
            f"A space must have {MOST_TRIALS} trials at most. Received: {space.name} with about"
            f" {trials:.0f}. Give fewer values, points or seeds, or search at random."
        )
    if space.search == "tpe" and math.prod(counts) < (space.points or 0):
        raise ConfigError(
            f"A space must have as many different points as it tries. Received: {space.name}, with"
            f" {math.prod(counts):.0f} of {space.points}. Lower `points` or widen the parameters."
        )


def _check_sense(space: Space) -> None:
    if space.search in ("random", "tpe") and space.points is None:
        raise ConfigError(
            f"A {space.search} search must be told how many `points` to try. Received: none, in"
            f" {space.name}. Write `points: 20`."
        )
    if space.halving and "epochs" in space.parameters:
        raise ConfigError(
            "`halving` must be what sets the epochs. Received: `epochs` among the parameters of"
            f" {space.name} as well. Leave one of the two out."
        )
    for seed in space.seeds:
        epochs = space.config({}, seed).epochs
    if space.halving and space.halving.first >= epochs:
        raise ConfigError(
            f"`halving` must begin below the {epochs} epochs of `base`. Received: first:"
            f" {space.halving.first} in {space.name}. Lower it or raise `epochs`."
        )
    points = space.corner_points()
    for name, distribution in space.parameters.items():
        for value in distribution.ends():  # drawn points may never come near them
            RunConfig.from_mapping({name: value})
    for point in points:
        space.config(point, space.seeds[0])
    if space.search == "random" and len(points) < (space.points or 0):
        raise ConfigError(
            f"A space must have as many different points as it tries. Received: {space.name}, with"
            f" {len(points)} of {space.points}. Lower `points` or widen the parameters."
        )


def _check_keys(given: Mapping[Any, Any], known: tuple[str, ...], what: str, path: Path) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(
                f"{what} must be among {', '.join(known)}. Received: {key!r} in {path}."
                f"{did_you_mean(key, known)}"
            )


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{what} must give names their values. Received: {value!r}.")
    return value


def _name(name: Any, path: Path) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ConfigError(
            "`name` must be 1 to 100 letters, digits, `_`, `-` and `.`, since it names a folder."
            f" Received: {name!r} in {path}."
        )
    return name


def _points(value: Any) -> int | None:
    return None if value is None else check_whole("points", value, 1, MOST_TRIALS)


def _seeds(value: Any, first: int) -> tuple[int, ...]:
    if isinstance(value, list) and value and len(set(map(str, value))) == len(value):
        return tuple(check_whole("seeds", seed, 0, 2**31) for seed in value)
    if isinstance(value, list):
        raise ConfigError(f"`seeds` must be different numbers. Received: {value!r}.")
    return tuple(range(first, first + check_whole("seeds", value, 1, MOST_TRIALS)))


def _halving(value: Any) -> Halving | None:
    if value is None:
        return None
    given = _mapping(value, "`halving`")
    if set(given) != {"first", "factor"}:
        raise ConfigError(
            "`halving` must have `first` (epochs that every point trains) and `factor` (one in so"
            f" many goes on). Received: {given!r}."
        )
    return Halving(
        check_whole("first", given["first"], 1, 1000),
        check_whole("factor", given["factor"], 2, 1000),
    )
