"""A search space: what is varied, how it is searched, and the configs that it leads to."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from photoclf.config import RunConfig
from photoclf.distributions import Distribution

# More were hardly meant, and listing them would take longer than a user waits.
MOST_TRIALS = 10_000
SEARCHES = ("grid", "each", "random", "tpe")
_DRAWS = 2000  # in a row without a new point, after which there is none
_DEFAULTS = RunConfig().to_mapping()

Point = dict[str, Any]


@dataclass(frozen=True)
class Halving:
    """Successive halving: all points train a little, the best of them further.

    Args:
        first: Epochs that every point trains, 1 or more.
        factor: The share kept is 1 / factor, and those train `factor` times the epochs; 2 or more.
    """

    first: int
    factor: int

    def rungs(self, epochs: int) -> list[int]:
        """List the epochs at which points are compared, the last being all epochs."""
        budgets = itertools.takewhile(
            lambda budget: budget < epochs,
            (self.first * self.factor**k for k in itertools.count()),
        )
        return [*budgets, epochs]


@dataclass(frozen=True)
class Space:
    """A search space.

    Args:
        name: Names the sweep's folder.
        question: What the sweep is to answer, in one sentence.
        base: Parameters that all trials share.
        parameters: Parameter → the values it may take.
        search: `grid` (all combinations), `each` (the base, then one parameter changed at a time),
            `random`, or `tpe` (Optuna's tree-structured Parzen estimator).
        points: Combinations to try; all of them when `None`, which `random` and `tpe` can't.
        seeds: Each point is trained once with each.
        objective: What ranks points, see `points.OBJECTIVES`; the mean over the seeds.
        halving: Whether points are dropped along the way; `None` trains each to its end.
        search_seed: Seed of `random` and `tpe`.
        text: The file that it was read from, which the sweep's folder keeps.
    """

    name: str
    question: str
    base: Mapping[str, Any]
    parameters: Mapping[str, Distribution]
    search: str = "grid"
    points: int | None = None
    seeds: tuple[int, ...] = (42,)
    objective: str = "val_loss"
    halving: Halving | None = None
    search_seed: int = 0
    text: str = ""

    def config(self, point: Point, seed: int, threads: int | None = None) -> RunConfig:
        """Make the config of one trial: a point, with a seed, on so many processor threads.

        Raises:
            ConfigError: If a parameter is unknown or a value out of range.
        """
        values = {"threads": threads, **self.base, **point, "seed": seed}
        return RunConfig.from_mapping(values)

    def known_points(self) -> list[Point]:
        """List the points that don't depend on results: none of a `tpe` search."""
        makers = {"grid": self._grid, "each": self._each, "random": self._random}
        if self.search not in makers:
            return []
        return _distinct(self, makers[self.search]())[: self.points]

    def corner_points(self, n: int = 16) -> list[Point]:
        """List points that show whether the space is sound: its known ones, or some drawn."""
        return self.known_points() or [self.draw(np.random.default_rng([1, k])) for k in range(n)]

    def draw(self, rng: np.random.Generator) -> Point:
        """Draw one point: each parameter from its distribution, those without a use left out."""
        return self.choose(lambda name, distribution: distribution.draw(rng))

    def choose(self, pick: Callable[[str, Distribution], Any]) -> Point:
        """Make a point by picking the value of each parameter that has a use beside the others."""
        point: Point = {}
        for name, distribution in self.parameters.items():
            if distribution.applies({**_DEFAULTS, **self.base, **point}):
                point[name] = pick(name, distribution)
        return point

    def _grid(self) -> Iterator[Point]:
        names = list(self.parameters)
        for values in itertools.product(*(d.values(n) for n, d in self.parameters.items())):
            combination = dict(zip(names, values, strict=True))
            yield self.choose(partial(_of, combination))

    def _each(self) -> Iterator[Point]:
        yield {}
        for name, distribution in self.parameters.items():
            if distribution.applies({**_DEFAULTS, **self.base}):
                yield from ({name: value} for value in distribution.values(name))

    def _random(self) -> Iterator[Point]:
        for number in itertools.count():
            yield self.draw(np.random.default_rng([self.search_seed, number]))


def _of(combination: Point, name: str, _: Distribution) -> Any:
    return combination[name]


def _distinct(space: Space, points: Iterator[Point]) -> list[Point]:
    kept: dict[str, Point] = {}
    in_vain = 0
    for point in points:
        before = len(kept)
        kept.setdefault(space.config(point, space.seeds[0]).hash8, point)
        in_vain = in_vain + 1 if len(kept) == before else 0
        if len(kept) == space.points or in_vain > _DRAWS:
            break
    return list(kept.values())
