"""How figures look: colours, style, names, and the parts that several of them share."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from photoclf.errors import TableError
from photoclf.messages import Messages

ENGLISH = Messages("en")  # what figures say unless they are told otherwise

# Dark for what a figure is about, light for its contrast, so that they also differ in grey; from
# Okabe & Ito's palette, which the colour-blind tell apart.
INK, MUTED, PALE = "#1f2933", "#6b7785", "#d5dae0"
MAIN, OTHER, ALERT = "#0072b2", "#e69f00", "#d55e00"
SERIES: tuple[str, ...] = (
    "#0b3c5d",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#6b7785",
    "#000000",
)
MARKERS = "osD^vP*X"

STYLE: Mapping[Any, Any] = MappingProxyType(
    {
        "figure.dpi": 110,
        "savefig.dpi": 150,
        "figure.constrained_layout.use": True,
        "font.size": 9.5,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "ytick.labelcolor": INK,
        "xtick.labelcolor": INK,
    }
)


@contextmanager
def style() -> Iterator[None]:
    """Give figures made inside the block the project's fonts, sizes and layout.

    Example:
        >>> with style():
        ...     mpl.rcParams["axes.titlelocation"]
        'left'
    """
    with mpl.rc_context({**STYLE}):
        yield


def shorten(name: object, length: int = 24) -> str:
    """Shorten a name in its middle, and make every character one that can be drawn.

    Example:
        >>> shorten("Photo/a_very_long_source_name", 13)
        'Photo/…e_name'
    """
    text = str(name).encode("utf-8", "replace").decode("utf-8")
    text = "".join(c if c.isprintable() else " " for c in text)
    if len(text) <= length:
        return text
    head = length // 2
    return f"{text[:head]}…{text[len(text) - (length - head - 1) :]}"


def draw_nothing(ax: Axes, words: Messages) -> Axes:
    """Say that there is no data, instead of drawing empty axes."""
    place: dict[str, Any] = {"ha": "center", "va": "center", "transform": ax.transAxes}
    ax.text(0.5, 0.5, words("figure.no_data"), color=MUTED, **place)
    ax.set_axis_off()
    return ax


def tidy(ax: Axes, *, grid: Literal["x", "y", "both"] | None) -> Axes:
    """Take away what isn't data, and put a pale grid behind what is."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(PALE)
    ax.tick_params(which="both", length=0)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color="#eceff2", lw=0.8)
    return ax


def ticks(words: Messages, digits: int | None = None) -> FuncFormatter:
    """Write numbers at ticks with the language's signs; four significant digits by default."""
    return FuncFormatter(lambda value, _: words.number(value, digits))


def percent_ticks(words: Messages) -> FuncFormatter:
    """Write shares at ticks in percent, with a decimal only where it takes one."""
    return FuncFormatter(lambda x, _: words.percent(x, 0 if round(x, 2) == round(x, 6) else 1))


def note_row(ax: Axes, place: float, note: str) -> None:
    """Write a note at the right end of a row."""
    ax.annotate(
        note,
        (1, place),
        (7, 0),
        xycoords=ax.get_yaxis_transform(),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
    )


def finish_rates(
    ax: Axes,
    places: np.ndarray,
    names: Sequence[object],
    notes: Sequence[str],
    most: float,
    words: Messages,
) -> Axes:
    """Give rates, drawn a row each, their names, a note at the right, and an axis in percent.

    Args:
        ax: Where they are drawn.
        places: Height of each row.
        names: What each row is called.
        notes: What stands at its right end.
        most: The highest rate shown, 0 to 1.
        words: The language's texts and number signs.
    """
    for place, note in zip(places, notes, strict=True):
        note_row(ax, place, note)
    ax.set_yticks(places, [shorten(name) for name in names], parse_math=False)
    ax.tick_params(axis="y", pad=8)
    ax.set_ylim(-0.7, len(places) - 0.3)
    ax.set_xlim(0, min(1.02, 1.06 * max(most, 0.01)))
    ax.set_xlabel(words("figure.error_rate"))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(percent_ticks(words))
    return tidy(ax, grid="x")


def need_columns(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Check that a table has the columns that a figure draws.

    Raises:
        TableError: If one is missing.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise TableError(
            f"The table to draw must have the columns {', '.join(columns)}. Missing: {missing}."
        )


def draw_bars(
    ax: Axes,
    names: Sequence[str],
    values: np.ndarray,
    colours: Sequence[str],
    labels: Sequence[str],
    words: Messages,
) -> Axes:
    """Draw a horizontal bar a name, the first one at the bottom, with a label at its end."""
    if not len(names):
        return draw_nothing(ax, words)
    bars = ax.barh(range(len(names)), values, color=colours, height=0.7)
    ax.bar_label(bars, labels, padding=5, fontsize=9)
    ax.set_yticks(range(len(names)), [shorten(name) for name in names], parse_math=False)
    ax.set_xlim(0, max(values.max(), 1) * 1.28)  # room for the labels
    ax.xaxis.set_visible(False)
    tidy(ax, grid=None)
    ax.spines[["left", "bottom"]].set_visible(False)
    return ax


def draw_intervals(
    ax: Axes,
    values: Collection[float],
    lows: Iterable[float],
    highs: Iterable[float],
    apart: Iterable[bool],
) -> Axes:
    """Draw a difference a row from the top, with its interval; full discs are told apart from 0."""
    ax.axvline(0, color=INK, lw=1)
    for y, (value, low, high, full) in enumerate(zip(values, lows, highs, apart, strict=True)):
        colour = MAIN if full else MUTED
        ax.plot([low, high], [y, y], color=colour, lw=2)
        ax.plot(value, y, "o", color=colour, mfc=MAIN if full else "white", ms=7)
    ax.set_ylim(len(values) - 0.4, -0.6)
    return tidy(ax, grid="x")


def make_grid(figure: Figure | SubFigure, count: int, columns: int) -> list[Axes]:
    """Make `count` Axes in rows of `columns`; what is left of the last row stays empty."""
    rows = max(1, -(-count // columns))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[count:]:
        ax.set_axis_off()
    return list(axes[:count])


def grid_size(images: int, columns: int = 6, side: float = 1.45) -> tuple[float, float]:
    """Return a figure's width and height in inches for a grid of thumbnails."""
    if not images:
        return columns * side, 0.5  # a line that says so
    return columns * side, -(-images // columns) * (side + 0.35)
