"""Figures of networks and their training: curves, parameters, feature maps. Axes in, Axes out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from photoclf.events import smooth
from photoclf.look import (
    ENGLISH,
    MAIN,
    MUTED,
    PALE,
    SERIES,
    draw_bars,
    draw_nothing,
    make_grid,
    need_columns,
    shorten,
    ticks,
    tidy,
)
from photoclf.messages import Messages, wording


def draw_curves(
    ax: Axes,
    events: pd.DataFrame,
    tag: str,
    smoothed: float | None = None,
    highlight: str | None = None,
    *,
    words: Messages = ENGLISH,
) -> Axes:
    """Draw one tag over the epochs, a line a run.

    Args:
        ax: Where to draw.
        events: From `runs.read_events`.
        tag: Such as `val_loss`.
        smoothed: TensorBoard's smoothing weight; the highlighted line (every line when none is
            highlighted) is then drawn smoothed over its raw values.
        highlight: The `run_id` drawn in the main colour, the others staying in the background.
            Without it up to eight runs get a colour and a name each.
        words: The language's texts and number signs.
    """
    series = events[events["tag"] == tag]
    if series.empty:
        return draw_nothing(ax, words)
    lines = {str(run): part.sort_values("step") for run, part in series.groupby("run", sort=False)}
    named = {highlight: MAIN} if highlight in lines else dict(zip(lines, SERIES, strict=False))
    for run, part in lines.items():
        if run not in named:
            ax.plot(part["step"], part["value"], color="#b4bcc6", lw=0.8, alpha=0.7)
    ends = {run: _draw_line(ax, lines[run], colour, smoothed) for run, colour in named.items()}
    unnamed = len(lines) - len(named)
    others = words("figure.other_runs", runs=unnamed) if unnamed else ""
    _name_lines(ax, named, ends, others)
    ax.set(xlabel=words("figure.epoch"), title=_title(tag, words))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    ax.yaxis.set_major_formatter(ticks(words))
    return tidy(ax, grid="y")


def draw_parameters(ax: Axes, table: pd.DataFrame, *, words: Messages = ENGLISH) -> Axes:
    """Draw how many of a network's parameters lie in each layer, the first layer on top.

    Args:
        ax: Where to draw.
        table: Columns `layer` and `parameters`, in the network's order.
        words: The language's texts and number signs.
    """
    need_columns(table, ("layer", "parameters"))
    table = table[table["parameters"] > 0].iloc[::-1]
    numbers = table["parameters"].to_numpy()
    total = max(int(numbers.sum()), 1)
    labels = [f"{words.number(n)}  ({words.percent(n / total, 1)})" for n in numbers]
    colours = [MAIN if n == numbers.max() else PALE for n in numbers]
    draw_bars(ax, list(table["layer"]), numbers, colours, labels, words)
    if len(table):
        ax.set_title(words("figure.parameters", parameters=total))
    return ax


def draw_feature_maps(
    figure: Figure | SubFigure, maps: np.ndarray, columns: int = 8, most: int = 32
) -> list[Axes]:
    """Draw what each filter of a layer answers to one image, each scaled to its own range.

    Args:
        figure: Where to draw; `look.grid_size` tells a good size.
        maps: (h, w, filters).
        columns: Maps in a row.
        most: Filters drawn at most.

    Returns:
        One Axes a drawn filter.
    """
    axes = make_grid(figure, min(maps.shape[-1], most), columns)
    for i, ax in enumerate(axes):
        ax.set_axis_off()
        ax.imshow(maps[..., i], cmap="gray", interpolation="nearest")
        ax.set_title(str(i), fontsize=7.5, fontweight="normal", loc="center", color=MUTED, pad=2)
    return axes


def _draw_line(ax: Axes, part: pd.DataFrame, colour: str, smoothed: float | None) -> float:
    steps, values = part["step"].to_numpy(), part["value"].to_numpy()
    if smoothed is not None:
        ax.plot(steps, values, color=colour, lw=1, alpha=0.35, zorder=3)
        values = smooth(values, smoothed)
    mark = "o" if len(steps) == 1 else None
    ax.plot(steps, values, color=colour, lw=2, zorder=4, marker=mark, ms=4)
    return float(values[-1])


def _name_lines(ax: Axes, named: Mapping[str, str], ends: Mapping[str, float], others: str) -> None:
    small: dict[str, Any] = {"fontsize": 8, "parse_math": False, "annotation_clip": False}
    if len(named) == 1:
        # Beside the title there is room for the one name, and the lines keep the whole width.
        run, colour = next(iter(named.items()))
        place: dict[str, Any] = {"xycoords": "axes fraction", "ha": "right", "va": "bottom"}
        ax.annotate(
            others, (1, 1), (0, 2), textcoords="offset points", color=MUTED, **place, **small
        )
        ax.annotate(
            shorten(run, 42),
            (1, 1),
            (0, 13),
            textcoords="offset points",
            color=colour,
            **place,
            **small,
        )
        return
    low, high = ax.get_ylim()
    gap, last = 0.06 * (high - low), -np.inf
    for run in sorted(named, key=lambda run: ends[run]):
        last = max(ends[run], last + gap)  # names of neighbouring lines move apart
        place = {"xycoords": ax.get_yaxis_transform(), "va": "center", "color": named[run]}
        ax.annotate(f" {_short_run(run)}", (1, last), **place, **small)
    ax.annotate(f" {others}", (1, 0), xycoords="axes fraction", color=MUTED, **small)


def _short_run(run: str) -> str:
    """Leave the day out: the hour, the model and the hash tell runs of one figure apart."""
    day, _, rest = run.partition("-")
    return shorten(rest if day.isdigit() else run, 30)


def _title(tag: str, words: Messages) -> str:
    key = f"figure.{tag}"
    return words(key) if key in wording() else tag
