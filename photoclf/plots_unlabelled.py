"""Figures of a folder that nobody has sorted: Axes in, Axes out; nothing is shown or saved."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from photoclf.look import (
    ENGLISH,
    INK,
    MAIN,
    MUTED,
    PALE,
    draw_nothing,
    need_columns,
    note_row,
    ticks,
    tidy,
)
from photoclf.messages import Messages


def draw_shares(ax: Axes, table: pd.DataFrame, *, words: Messages = ENGLISH) -> Axes:
    """Draw each way to know a folder's share of photographs, with its 95 % interval.

    Args:
        ax: Where to draw; a height of 0.5 inches a row reads well.
        table: `name` (a key under `share.`), `share`, `low` and `high`, see
            `unlabelled_tables.share_table`; what isn't known isn't drawn.
        words: The language's texts and number signs.
    """
    need_columns(table, ("name", "share", "low", "high"))
    known = table[table.share.notna()].reset_index(drop=True)
    if known.empty:
        return draw_nothing(ax, words)
    for y, (_, row) in enumerate(known.iterrows()):
        exact = row["low"] == row["high"]  # a count, not an estimate
        if not exact:
            ax.plot(
                [row["low"], row["high"]], [y, y], color="#9db4c8", lw=5, solid_capstyle="round"
            )
        face = "white" if exact else MAIN
        ax.plot(row["share"], y, "o", color=MUTED if exact else MAIN, mfc=face, ms=7, zorder=4)
        ends = "" if exact else f"  ({words.percent(row['low'])} – {words.percent(row['high'])})"
        note_row(ax, y, f"{words.percent(row['share'])}{ends}")
    ax.set_yticks(range(len(known)), [words(f"share.{name}") for name in known.name])
    ax.set_ylim(len(known) - 0.4, -0.6)
    room = max(0.02, 0.15 * (known.high.max() - known.low.min()))
    ax.set_xlim(max(known.low.min() - room, -0.01), min(known.high.max() + room, 1.01))
    ax.set_xlabel(words("figure.share_of_photos"))
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.percent(x, 0)))
    return tidy(ax, grid="x")


def draw_shifts(ax: Axes, shifts: pd.DataFrame, *, words: Messages = ENGLISH) -> Axes:
    """Draw how far each property of a folder's images lies from the training images.

    Args:
        ax: Where to draw; a height of 0.25 inches a row reads well.
        shifts: See `drift.Drift`; dark bars differ by more than chance.
        words: The language's texts and number signs.
    """
    need_columns(shifts, ("feature", "distance", "differs", "training", "folder"))
    if shifts.empty:
        return draw_nothing(ax, words)
    places = np.arange(len(shifts))
    colours = np.where(shifts.differs.astype(bool), MAIN, PALE)
    ax.barh(places, shifts.distance.astype(float), color=colours, height=0.7)
    for place, row in zip(places, shifts.itertuples(), strict=True):
        ax.annotate(
            f"{_value(row.training, words)} → {_value(row.folder, words)}",
            (row.distance, place),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=INK if row.differs else MUTED,
        )
    ax.set_yticks(places, [words(f"shift.{name}") for name in shifts.feature])
    ax.set(ylim=(len(shifts) - 0.4, -0.6), xlim=(0, 1.3), xticks=np.linspace(0, 1, 5))
    ax.set_xlabel(words("figure.distance"))
    ax.xaxis.set_major_formatter(ticks(words, 2))
    return tidy(ax, grid="x")


def _value(value: object, words: Messages) -> str:
    if not isinstance(value, float):
        return str(value)
    return words.number(value, 0 if value == round(value) else 2 if value < 10 else 1)
