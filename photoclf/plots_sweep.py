"""Figures of many runs: ranks with seed noise, differences, parameters, cost. Axes in, Axes out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from photoclf.look import (
    ENGLISH,
    INK,
    MAIN,
    MUTED,
    OTHER,
    PALE,
    draw_intervals,
    draw_nothing,
    need_columns,
    shorten,
    ticks,
    tidy,
)
from photoclf.messages import Messages

# Points drawn by name; those that follow would only push them together.
MOST_POINTS = 25
# Points of a cost figure that all bear their ranks; of more, only those on the front do.
_MOST_NAMED = 12
# A cost → what its axis says, in which unit.
_COSTS = {
    "flops": ("figure.million_operations", 1e-6),
    "parameters": ("figure.thousand_parameters", 1e-3),
    "duration_s": ("figure.training_time", 1.0),
}


def draw_points(
    ax: Axes,
    points: pd.DataFrame,
    runs: pd.DataFrame,
    objective: str,
    *,
    noise: float = np.nan,
    chosen: int = 1,
    words: Messages = ENGLISH,
) -> Axes:
    """Draw each point's mean objective, its seeds, and how far seeds alone move it.

    Args:
        ax: Where to draw.
        points: From `points.point_table`; the first `MOST_POINTS` are drawn, the best on top.
        runs: From `points.run_table`.
        objective: The figure that ranks.
        noise: Standard deviation between seeds; the bar is that of each point's mean.
        chosen: Rank of the point that stands out.
        words: The language's texts and number signs.
    """
    need_columns(points, ("rank", "mean", "runs", "run_ids"))
    points, values = points.head(MOST_POINTS), runs.set_index("run_id")[objective]
    if points.empty:
        return draw_nothing(ax, words)
    for _, point in points.iterrows():
        colour = MAIN if point["rank"] == chosen else MUTED
        if not np.isnan(noise):
            reach = noise / np.sqrt(point["runs"])
            ax.plot(point["mean"] + np.array([-reach, reach]), [point["rank"]] * 2, color=colour)
        seeds = values[point["run_ids"]]
        ax.plot(seeds, [point["rank"]] * len(seeds), "|", color=colour, ms=7, alpha=0.7)
        ax.plot(point["mean"], point["rank"], "o", color=colour, ms=7, zorder=3)
    ax.set_yticks(points["rank"])
    ax.set(ylabel=words("figure.rank"), xlabel=words(f"figure.{objective}"))
    ax.set_ylim(len(points) + 0.6, 0.4)
    ax.xaxis.set_major_formatter(ticks(words))
    return tidy(ax, grid="x")


def draw_differences(
    ax: Axes, finalists: pd.DataFrame, objective: str, *, words: Messages = ENGLISH
) -> Axes:
    """Draw how far each finalist is from the best point, with its 95 % interval.

    Args:
        ax: Where to draw.
        finalists: `rank`, `difference`, `low`, `high`, `told_apart`, see `Comparison.finalists`.
        objective: The figure that differs.
        words: The language's texts and number signs.
    """
    need_columns(finalists, ("rank", "difference", "low", "high", "told_apart"))
    if finalists.empty:
        return draw_nothing(ax, words)
    columns = ("difference", "low", "high", "told_apart")
    draw_intervals(ax, *(finalists[name] for name in columns))
    ax.set_yticks(range(len(finalists)), [str(rank) for rank in finalists["rank"]])
    name = words(f"figure.{objective}")
    ax.set(ylabel=words("figure.rank"), xlabel=words("figure.difference", objective=name))
    ax.xaxis.set_major_formatter(ticks(words))
    return ax


def draw_importance(ax: Axes, effects: pd.DataFrame, *, words: Messages = ENGLISH) -> Axes:
    """Draw which share of the objective's variance each parameter explains, the largest on top.

    Args:
        ax: Where to draw.
        effects: `parameter`, `importance`, `p_holm`, see `effects.parameter_effects`. Parameters
            whose effect chance may explain are pale.
        words: The language's texts and number signs.
    """
    need_columns(effects, ("parameter", "importance", "p_holm"))
    known = effects[effects["importance"].notna()].iloc[::-1]
    if known.empty:
        return draw_nothing(ax, words)
    colours = [MAIN if p < 0.05 else PALE for p in known["p_holm"]]
    bars = ax.barh(range(len(known)), known["importance"], color=colours, height=0.65)
    ax.bar_label(bars, [words.percent(v, 0) for v in known["importance"]], padding=5, fontsize=9)
    names = [shorten(name) for name in known["parameter"]]
    ax.set_yticks(range(len(known)), names, parse_math=False)
    ax.set_xlim(0, 1.15)
    ax.xaxis.set_visible(False)
    tidy(ax, grid=None)
    ax.spines[["left", "bottom"]].set_visible(False)
    return ax


def draw_slice(
    ax: Axes,
    points: pd.DataFrame,
    parameter: str,
    objective: str,
    *,
    chosen: int = 1,
    words: Messages = ENGLISH,
) -> Axes:
    """Draw the objective of each point over one parameter's values.

    Args:
        ax: Where to draw.
        points: From `points.point_table`.
        parameter: The column; numbers get an axis (logarithmic from a range of 10 on), texts a
            place each, in the order of their averages.
        objective: The figure that ranks.
        chosen: Rank of the point that stands out.
        words: The language's texts and number signs.
    """
    need_columns(points, ("rank", "mean", parameter))
    values = points[parameter]
    if pd.api.types.is_numeric_dtype(values):
        x = values.astype(float)
        if x.min() > 0 and x.max() / x.min() >= 10:
            ax.set_xscale("log")
        averages = points["mean"].groupby(x).mean()
        few = len(averages) <= 6
        if few:
            ax.set_xticks(averages.index, [words.number(v, None) for v in averages.index])
            ax.xaxis.set_minor_formatter(NullFormatter())
        else:
            ax.xaxis.set_major_formatter(ticks(words))
    else:
        averages = points["mean"].groupby(values.astype(str)).mean().sort_values()
        x = values.astype(str).map({name: place for place, name in enumerate(averages.index)})
        names = [shorten(name.replace(",", "-"), 14) for name in averages.index]
        ax.set_xticks(range(len(names)), names, parse_math=False)
        ax.set_xlim(-0.5, len(names) - 0.5)
        averages.index = pd.RangeIndex(len(averages))
        few = True
    if few:
        ax.plot(averages.index, averages, "_", color=OTHER, ms=18, mew=2.5, zorder=2)
    colours = [MAIN if rank == chosen else MUTED for rank in points["rank"]]
    ax.scatter(x, points["mean"], c=colours, s=26, alpha=0.85, zorder=3, linewidths=0)
    if pd.api.types.is_numeric_dtype(values):
        ax.margins(x=0.18)
    ax.set_title(shorten(parameter), parse_math=False)
    ax.set_ylabel(words(f"figure.{objective}"))
    ax.yaxis.set_major_formatter(ticks(words))
    return tidy(ax, grid="y")


def draw_pareto(
    ax: Axes,
    points: pd.DataFrame,
    cost: str,
    objective: str,
    front: Sequence[bool] | np.ndarray,
    *,
    chosen: int = 1,
    words: Messages = ENGLISH,
) -> Axes:
    """Draw quality over cost, and the front of points that none beats in both.

    Args:
        ax: Where to draw.
        points: From `points.point_table`; each bears its rank, of many those that matter.
        cost: `flops`, `parameters` or `duration_s`.
        objective: The figure that ranks.
        front: Whether each point is on the front, see `points.pareto_front`.
        chosen: Rank of the point that stands out.
        words: The language's texts and number signs.
    """
    need_columns(points, ("rank", "mean", cost))
    label, scale = _COSTS[cost]
    x, on_front = points[cost].astype(float) * scale, np.asarray(front, bool)
    edge = points[on_front].assign(x=x[on_front]).sort_values("x")
    ax.plot(edge["x"], edge["mean"], color=OTHER, lw=1.5, drawstyle="steps-post", zorder=1)
    colours = [
        MAIN if rank == chosen else INK if there else "#b4bcc6"
        for rank, there in zip(points["rank"], on_front, strict=True)
    ]
    ax.scatter(x, points["mean"], c=colours, s=34, zorder=3, linewidths=0)
    named = points["rank"].isin([1, chosen]) | on_front | (len(points) <= _MOST_NAMED)
    for place, rank, mean in zip(
        x[named], points["rank"][named], points["mean"][named], strict=True
    ):
        mark: dict[str, Any] = {"xytext": (5, 4), "textcoords": "offset points", "fontsize": 8}
        ax.annotate(str(rank), (place, mean), color=INK, **mark)
    if x.min() > 0 and x.max() / x.min() >= 10:
        ax.set_xscale("log")
    ax.set(xlabel=words(label), ylabel=words(f"figure.{objective}"))
    ax.xaxis.set_major_formatter(ticks(words))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(ticks(words))
    ax.margins(x=0.12)
    return tidy(ax, grid="both")
