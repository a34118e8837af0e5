"""Figures of two models on the same images: Axes in, Axes out."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from photoclf.look import (
    ALERT,
    ENGLISH,
    MAIN,
    MUTED,
    draw_intervals,
    draw_nothing,
    finish_rates,
    need_columns,
    shorten,
    ticks,
)
from photoclf.messages import Messages


def draw_changes(ax: Axes, table: pd.DataFrame, *, words: Messages = ENGLISH) -> Axes:
    """Draw how far each metric changed, with its 95 % interval, in the table's order from the top.

    Args:
        ax: Where to draw; a height of 0.32 inches a row reads well.
        table: Columns `name`, `difference`, `low`, `high` (of shares of 1, more is better) and
            `told_apart`. A row without an interval is left out.
        words: The language's texts and number signs.
    """
    need_columns(table, ("name", "difference", "low", "high", "told_apart"))
    table = table.dropna(subset=["low", "high"])
    if table.empty:
        return draw_nothing(ax, words)
    points, lows, highs = (100 * table[name].to_numpy() for name in ("difference", "low", "high"))
    draw_intervals(ax, points, lows, highs, table["told_apart"])
    ax.set_yticks(range(len(table)), [shorten(name, 40) for name in table["name"]])
    reach = 1.08 * max(
        np.abs([points, lows, highs]).max(), 0.5
    )  # both sides alike, 0 in the middle
    ax.set_xlim(-reach, reach)
    for side, key in ((0.0, "figure.old_better"), (1.0, "figure.new_better")):
        ax.text(
            side,
            1.02,
            words(key),
            transform=ax.transAxes,
            ha="right" if side else "left",
            va="bottom",
            fontsize=8.5,
            color=MUTED,
        )
    ax.set_xlabel(words("figure.points_of_change"))
    ax.xaxis.set_major_locator(MaxNLocator(7))
    ax.xaxis.set_major_formatter(ticks(words))
    return ax


def draw_before_after(ax: Axes, table: pd.DataFrame, *, words: Messages = ENGLISH) -> Axes:
    """Draw the error rate a row before and after, in the table's order from the top.

    Args:
        ax: Where to draw; a height of 0.34 inches a row reads well.
        table: Columns `name`, `images`, `old_errors` and `new_errors`.
        words: The language's texts and number signs.
    """
    need_columns(table, ("name", "images", "old_errors", "new_errors"))
    if table.empty:
        return draw_nothing(ax, words)
    places = np.arange(len(table))[::-1]
    old, new = (table[f"{side}_errors"] / table["images"] for side in ("old", "new"))
    colours = [MAIN if a <= b else ALERT for b, a in zip(old, new, strict=True)]
    ax.hlines(places, old, new, color=colours, lw=2.2)
    dots: dict[str, Any] = {"s": 46, "clip_on": False}
    ax.scatter(old, places, facecolor="white", edgecolor=MUTED, lw=1.6, zorder=3, **dots)
    ax.scatter(new, places, color=colours, zorder=4, **dots)
    notes = [
        words("figure.errors_of", old=row.old_errors, new=row.new_errors, images=row.images)
        for row in table.itertuples()
    ]
    most = float(max(old.max(), new.max()))
    return finish_rates(ax, places, list(table["name"]), notes, most, words)
