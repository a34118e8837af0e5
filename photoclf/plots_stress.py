"""Figures of how a model holds when images get worse: Axes in, Axes out."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from photoclf.look import ENGLISH, MAIN, OTHER, need_columns, ticks, tidy
from photoclf.messages import Messages, decimals_of

_MEASURES = {"recall": (MAIN, "-", "o"), "precision": (OTHER, "--", "s")}


def draw_stress(ax: Axes, table: pd.DataFrame, change: str, *, words: Messages = ENGLISH) -> Axes:
    """Draw recall and precision against one change's levels, with their 95 % intervals.

    Args:
        ax: Where to draw.
        table: A `schema.STRESS` frame; its `none` stands at the left, before the gentlest level.
        change: Which of its changes.
        words: The language's texts and number signs.
    """
    need_columns(table, ["change", "level", *_MEASURES])
    rows = table[table.change.isin(["none", change])]
    places = np.arange(len(rows))
    for name, (colour, line, marker) in _MEASURES.items():
        low, high = rows[f"{name}_low"], rows[f"{name}_high"]
        ax.fill_between(places, low.to_numpy(), high.to_numpy(), color=colour, alpha=0.15, lw=0)
        label = words(f"stress.{name}")
        ax.plot(places, rows[name], line, color=colour, marker=marker, markersize=3.5, label=label)
    levels = [words("stress.none"), *(level_text(level, words) for level in rows.level[1:])]
    ax.set_xticks(places, levels, fontsize=7)
    ax.set_ylim(-0.02, 1.04)
    ax.set_yticks([0, 0.5, 1])
    ax.yaxis.set_major_formatter(ticks(words, 1))
    ax.set_title(words(f"stress.{change}"), fontsize=9)
    return tidy(ax, grid="y")


def level_text(level: float, words: Messages) -> str:
    """Write a level with the decimals that it has, two at most."""
    return words.number(level, decimals_of(level, most=2))
