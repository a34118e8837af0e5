"""The values that a varied parameter may take: choices, whole numbers, uniform, log-uniform."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from photoclf.config import RunConfig
from photoclf.errors import ConfigError, did_you_mean

KINDS = ("choice", "int", "uniform", "loguniform")
# A grid finer than this was hardly meant.
_MOST_VALUES = 1000
_MOST_STEPS = 10**6
_LARGEST = 10**15  # of any number in a space; beyond it floats no longer tell whole ones apart


@dataclass(frozen=True)
class Distribution:
    """The values that one parameter may take.

    Args:
        kind: One of `KINDS`.
        choices: The values of a `choice`.
        low: Least value of the others.
        high: Greatest value; itself included where the steps reach it.
        step: Distance between values; 1 for `int` unless told, `None` for none.
        log: Whether an `int` is drawn evenly on a logarithmic scale.
        when: Parameter → the values of it beside which this one has a use.
    """

    kind: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def applies(self, others: Mapping[str, Any]) -> bool:
        """Tell whether the parameter has a use beside the others' values."""
        return all(name in others and others[name] in use for name, use in self.when.items())

    def values(self, name: str) -> list[Any]:
        """List all values, for a grid.

        Raises:
            ConfigError: If there is no end to them.
        """
        if self.kind == "choice":
            return list(self.choices)
        if self.step is None:
            raise ConfigError(
                f"A grid must have a `step` in a range. Received: {name!r}, {self.kind} from"
                f" {self.low} to {self.high}. Give a step or a list, or search at random."
            )
        if self._steps() > _MOST_VALUES:
            raise ConfigError(
                f"A grid must have {_MOST_VALUES} values of a parameter at most. Received: {name!r}"
                f" with {self._steps()}. Enlarge its step."
            )
        return [self.rounded(self.low + i * self.step) for i in range(self._steps())]

    def count(self) -> float:
        """Count the values; infinite for a range without steps."""
        if self.kind == "choice":
            return len(self.choices)
        return math.inf if self.step is None else self._steps()

    def ends(self) -> list[Any]:
        """List the values to check for all: every choice, or the least and the greatest."""
        if self.kind == "choice":
            return list(self.choices)
        return [self.rounded(self.low), self.rounded(self.high)]

    def draw(self, rng: np.random.Generator) -> Any:
        """Draw a value."""
        if self.kind == "choice":
            return self.choices[int(rng.integers(len(self.choices)))]
        share = rng.random()
        if self.log or self.kind == "loguniform":
            return self.rounded(self.low * (self.high / self.low) ** share)
        if self.step is None:
            return self.rounded(self.low + share * (self.high - self.low))
        return self.rounded(self.low + int(share * self._steps()) * self.step)

    def _steps(self) -> int:
        assert self.step is not None
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def rounded(self, value: float) -> int | float:
        """Round a value of a range: four digits are enough to choose by, and can be typed."""
        if self.kind == "int":
            return round(value)
        return float(min(max(float(f"{value:.4g}"), self.low), self.high))


def parse_distribution(name: str, given: Any, before: Sequence[str]) -> Distribution:
    """Read the values of one parameter as a space's file gives them.

    Args:
        name: The parameter.
        given: A list of choices, or a mapping such as `{uniform: [0, 0.5], step: 0.1}`,
            `{int: [16, 64], log: true}`, `{choice: […], when: {model: reference_cnn}}`.
        before: Parameters that `when` may name.

    Raises:
        ConfigError: If there are no values, or they make no sense.
    """
    if isinstance(given, list):
        given = {"choice": given}
    kinds = [kind for kind in KINDS if isinstance(given, dict) and kind in given]
    if len(kinds) != 1:
        raise ConfigError(
            f"`{name}` must be a list of values, so that there are trials, or one of {KINDS}"
            f" with its range. Received: {given!r}.{_hint(given)}"
        )
    kind = kinds[0]
    known = {"choice": ("when",), "int": ("when", "step", "log"), "uniform": ("when", "step")}
    for key in set(given) - {kind, *known.get(kind, ("when",))}:
        raise ConfigError(
            f"`{name}` ({kind}) must have {known.get(kind, ('when',))} beside it at most."
            f" Received: {key!r}.{did_you_mean(key, known.get(kind, ('when',)))}"
        )
    when = _conditions(name, given.get("when"), before)
    if kind == "choice":
        return Distribution(kind, choices=_choices(name, given[kind]), when=when)
    low, high = _ends(name, kind, given[kind])
    log = given.get("log", False)
    step = given.get("step", 1 if kind == "int" and not log else None)
    if not isinstance(log, bool) or (log and "step" in given) or (log and low <= 0):
        raise ConfigError(
            f"`log` of {name} must be true or false, without a step, and its range above 0."
            f" Received: {given!r}."
        )
    if step is not None and (
        not _is_number(step, kind == "int") or step * _MOST_STEPS < high - low
    ):
        raise ConfigError(
            f"The step of {name} must be a number above 0, and no tinier than a millionth of its"
            f" range. Received: {step!r}."
        )
    return Distribution(kind, low=low, high=high, step=step, log=log, when=when)


def _choices(name: str, values: Any) -> tuple[Any, ...]:
    if not isinstance(values, list) or not values:
        raise ConfigError(
            f"`{name}` must be a list of values, so that there are trials. Received: {values!r}."
        )
    twice = next((value for i, value in enumerate(values) if value in values[:i]), None)
    if twice is not None:
        raise ConfigError(
            f"The values of `{name}` must differ, so that trials do. Received: {twice!r} twice."
        )
    return tuple(values)


def _ends(name: str, kind: str, values: Any) -> tuple[float, float]:
    whole = kind == "int"
    right = isinstance(values, list) and len(values) == 2
    if not right or not all(_is_number(v, whole) for v in values) or values[0] >= values[1]:
        raise ConfigError(
            f"`{name}`: {kind} must have its least and greatest"
            f" {'whole number' if whole else 'number'}. Received: {values!r}."
        )
    if kind == "loguniform" and values[0] <= 0:
        raise ConfigError(
            f"`{name}`: loguniform must begin above 0. Received: {values!r}. Use uniform for 0."
        )
    return values[0], values[1]


def _conditions(name: str, given: Any, before: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not given or [] in given.values():
        raise ConfigError(
            f"`when` of {name} must give other parameters their values. Received: {given!r}."
        )
    conditions = {}
    for other, use in given.items():
        if other not in before:
            raise ConfigError(
                f"`when` of {name} must name parameters that aren't varied, or are given before it:"
                f" {', '.join(before)}. Received: {other!r}.{did_you_mean(other, before)}"
            )
        conditions[other] = tuple(use) if isinstance(use, list) else (use,)
        for value in conditions[other]:
            RunConfig.from_mapping({other: value})  # a value that can't be would never hold
    return conditions


def _is_number(value: Any, whole: bool) -> bool:
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _hint(given: Any) -> str:
    keys = list(given) if isinstance(given, dict) else []
    return did_you_mean(keys[0], KINDS) if keys else ""
