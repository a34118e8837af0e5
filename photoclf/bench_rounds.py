"""Contenders timed in turn, told as medians and ratios: functions in, a table out."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Contender:
    """One way to do a piece of work.

    Args:
        name: What the table calls it.
        work: Does it, and returns how many images that was.
        shares: Columns, and the contender whose rate this one's is told as a share of.
        counted: Whether its processor time can be told: processes that it starts end with it.
        after: In the place of `work`: contenders whose times an image this one's is the sum of.
    """

    name: str
    work: Callable[[], float] | None = None
    shares: Mapping[str, str] = field(default_factory=dict)
    counted: bool = True
    after: Sequence[str] = ()


def time_in_turn(
    part: str, contenders: Sequence[Contender], rounds: int, cpu_limit: str = ""
) -> pd.DataFrame:
    """Time contenders one after the other in each round, after a round that warms up.

    A slower moment of the machine hits all of them, so ratios are taken within rounds.

    Args:
        part: What the table calls what they do.
        contenders: The first is what the others are told as ratios to.
        rounds: Rounds that count, 1 or more.
        cpu_limit: The contender that takes the least processor time there can be, if any.

    Returns:
        One row a contender: `part`, `contender`, `images_per_s` (median), `low`, `high` (over the
        rounds), `seconds` (median, of a round), `ratio` of its rate to the first contender's
        (median of the rounds' ratios), `cpu_ms`, processor time an image, which other work on the
        machine changes little, `cpu_ratio`, how many times less than the
        first contender, `cpu_of_limit`, how many times that of `cpu_limit`, and the columns that
        contenders have shares in. Missing where there is nothing to tell.

    Example:
        >>> table = time_in_turn("sums", [Contender("ten", lambda: sum(range(5)))], rounds=1)
        >>> float(table.ratio[0])
        1.0
    """
    measured: dict[str, list[tuple[float, float, float]]] = {c.name: [] for c in contenders}
    for _ in range(rounds + 1):
        for one in contenders:
            measured[one.name].append(_measure(one))
    # Rounds x (images, seconds, processor seconds); the first round warmed up.
    figures = {name: np.array(rows[1:]) for name, rows in measured.items()}
    times = {c.name: figures[c.name][:, 1] / figures[c.name][:, 0] for c in contenders}
    for one in contenders:
        if one.after:
            times[one.name] = np.sum([times[name] for name in one.after], axis=0)
    cpu = {name: rows[:, 2] / rows[:, 0] * 1000 for name, rows in figures.items()}
    nothing = np.full(rounds, np.nan)
    first, least = contenders[0].name, cpu.get(cpu_limit, nothing)
    rows = []
    for one in contenders:
        name = one.name
        row = {
            "part": part,
            "contender": name,
            "images_per_s": np.median(1 / times[name]),
            "low": 1 / times[name].max(),
            "high": 1 / times[name].min(),
            "seconds": np.median(figures[name][:, 1]),
            "ratio": np.median(times[first] / times[name]),
            "cpu_ms": np.median(cpu[name]),
            "cpu_ratio": np.median(cpu[first] / cpu[name]),
            "cpu_of_limit": np.median(cpu[name] / least),
        }
        shares = {col: np.median(times[of] / times[name]) for col, of in one.shares.items()}
        rows.append({k: v if isinstance(v, str) else float(v) for k, v in (row | shares).items()})
    return pd.DataFrame(rows)


def _measure(contender: Contender) -> tuple[float, float, float]:
    if contender.work is None:
        return np.nan, np.nan, np.nan
    start, used = time.perf_counter(), _processor_seconds()
    images = contender.work()
    seconds, spent = time.perf_counter() - start, _processor_seconds() - used
    return images, seconds, spent if contender.counted else np.nan


def _processor_seconds() -> float:
    """Return what this process has taken, and those it started that have ended (not on Windows)."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system
