"""Figures: Axes in, Axes out; nothing is shown, saved or set for the whole process."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from photoclf.errors import TableError
from photoclf.events import smooth
from photoclf.look import (
    ENGLISH,
    FRENCH,
    INK,
    MAIN,
    MARKERS,
    MUTED,
    OTHER,
    PALE,
    SERIES,
    draw_nothing,
    format_number,
    format_percent,
    shorten,
    style,
    ticks,
    tidy,
)
from photoclf.metrics import calibration_table, exact_interval

__all__ = [
    "ENGLISH",
    "FRENCH",
    "draw_class_counts",
    "draw_confusion",
    "draw_curves",
    "draw_feature_maps",
    "draw_heat",
    "draw_parameters",
    "draw_rates",
    "draw_reliability",
    "draw_samples",
    "draw_score_histogram",
    "draw_sizes",
    "grid_size",
    "style",
]


def draw_class_counts(
    ax: Axes,
    counts: pd.Series,
    *,
    positive: str | None = "Photo",
    words: Mapping[str, str] = ENGLISH,
) -> Axes:
    """Draw how many images each class holds, the largest on top.

    Args:
        ax: Where to draw.
        counts: Class name → images.
        positive: The class drawn in the main colour.
        words: Wording and number signs, as `ENGLISH`.
    """
    counts = counts.sort_values(kind="stable")
    colours = [MAIN if name == positive else PALE for name in counts.index]
    total = max(counts.sum(), 1)
    labels = [
        f"{format_number(n, 0, words)}  ({format_percent(n / total, 0, words)})" for n in counts
    ]
    return _draw_bars(ax, [str(n) for n in counts.index], counts.to_numpy(), colours, labels, words)


def draw_sizes(
    ax: Axes, audit: pd.DataFrame, *, by: str = "class_folder", words: Mapping[str, str] = ENGLISH
) -> Axes:
    """Draw widths and heights, both logarithmic; larger marks stand for more images of one size.

    Args:
        ax: Where to draw.
        audit: With the columns `width`, `height` (px) and `by`; rows without a size are left out.
        by: The column that colours.
        words: Wording, as `ENGLISH`.
    """
    _need(audit, ("width", "height", by))
    known = audit[["width", "height", by]].dropna()
    if known.empty:
        return draw_nothing(ax, words)
    for i, (name, part) in enumerate(known.groupby(by, sort=True)):
        # A class of one size would be one small mark: marks grow with the images they stand for.
        sizes = part.groupby(["width", "height"]).size().rename("images").reset_index()
        ax.scatter(
            sizes["width"].astype(float),
            sizes["height"].astype(float),
            s=12 * np.sqrt(sizes["images"].to_numpy()),
            alpha=0.45,
            linewidths=0,
            color=SERIES[i % len(SERIES)],
            marker=MARKERS[i % len(MARKERS)],
            label=f"{shorten(name)} ({format_number(len(part), 0, words)})",
            rasterized=True,  # thousands of marks would make a heavy SVG
        )
    ax.set(xscale="log", yscale="log", xlabel=words["width"], ylabel=words["height"])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        axis.set_major_formatter(ticks(words, 0))
        axis.set_minor_formatter(NullFormatter())
    legend = ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    for handle in legend.findobj(PathCollection):
        handle.set(alpha=1, sizes=[32])
    for text in legend.get_texts():
        text.set_parse_math(False)
    return tidy(ax, grid="both")


def draw_samples(
    figure: Figure | SubFigure,
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    columns: int = 6,
    *,
    length: int = 20,
) -> list[Axes]:
    """Draw a grid of thumbnails, each under its title.

    Args:
        figure: Where to draw; `grid_size` tells a good size.
        images: uint8 arrays (H, W, 3) or (H, W), of any sizes.
        titles: One an image; a line break makes two lines, and each line is shortened.
        columns: Thumbnails in a row.
        length: Characters of a title's line at most.

    Returns:
        One Axes an image.
    """
    if len(images) != len(titles):
        raise ValueError(
            f"There must be one title an image. Received: {len(titles)} titles for"
            f" {len(images)} images."
        )
    rows = max(1, -(-len(images) // columns))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, image, title in zip(axes, images, titles, strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        text = "\n".join(shorten(line, length) for line in str(title).split("\n"))
        ax.set_title(text, fontsize=8, fontweight="normal", loc="center", pad=4, parse_math=False)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_color(PALE)  # drawings on white would have no edge
    for ax in axes[len(images) :]:
        ax.set_axis_off()
    return list(axes[: len(images)])


def grid_size(images: int, columns: int = 6, side: float = 1.45) -> tuple[float, float]:
    """Return a figure's width and height in inches for a grid of thumbnails."""
    return columns * side, max(1, -(-images // columns)) * (side + 0.35)


def draw_curves(
    ax: Axes,
    events: pd.DataFrame,
    tag: str,
    smoothed: float | None = None,
    highlight: str | None = None,
    *,
    words: Mapping[str, str] = ENGLISH,
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
        words: Wording, as `ENGLISH`.
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
    others = f"+ {len(lines) - len(named)} {words['runs']}" if len(lines) > len(named) else ""
    _name_lines(ax, named, ends, others)
    ax.set(xlabel=words["epoch"], title=words.get(tag, tag))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    ax.yaxis.set_major_formatter(ticks(words))
    return tidy(ax, grid="y")


def draw_confusion(
    ax: Axes,
    confusion: Mapping[str, int],
    names: Sequence[str] | None = None,
    *,
    words: Mapping[str, str] = ENGLISH,
) -> Axes:
    """Draw the four counts of `metrics.confusion`, shaded by their share of the true class.

    Args:
        ax: Where to draw.
        confusion: `tp`, `fp`, `fn`, `tn`.
        names: Of the classes 0 and 1; from `words` by default.
        words: Wording and number signs, as `ENGLISH`.
    """
    names = [words["other"], words["photo"]] if names is None else list(names)
    # The photo comes first: it is what is looked for.
    table = np.array(
        [[confusion["tp"], confusion["fn"]], [confusion["fp"], confusion["tn"]]], float
    )
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
    for row, column in np.ndindex(2, 2):
        share, number = float(shares[row, column]), float(table[row, column])
        colour = "white" if share > 0.6 else INK
        count = format_number(number, 0, words)
        ax.text(column, row - 0.06, count, ha="center", va="center", fontsize=17, color=colour)
        percent = format_percent(share, 1, words)
        ax.text(column, row + 0.22, percent, ha="center", va="center", fontsize=9, color=colour)
    labels = [shorten(name, 18) for name in reversed(names)]
    ax.set_xticks([0, 1], labels, parse_math=False)
    ax.set_yticks([0, 1], labels, parse_math=False, rotation=90, va="center")
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set(xlabel=words["decision"], ylabel=words["truth"])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.hlines(0.5, -0.5, 1.5, color="white", lw=3)
    ax.vlines(0.5, -0.5, 1.5, color="white", lw=3)
    return ax


def draw_score_histogram(
    ax: Axes,
    scores: ArrayLike,
    threshold: float,
    labels: ArrayLike | None = None,
    *,
    words: Mapping[str, str] = ENGLISH,
) -> Axes:
    """Draw how many images have which score; counts are logarithmic, since most are near 0 or 1.

    Args:
        ax: Where to draw.
        scores: P(photo), shape (n,); NaN (an image without a score) is left out.
        threshold: Drawn as a line.
        labels: 1 for a photo, 0 for anything else; `None` when they aren't known.
        words: Wording and number signs, as `ENGLISH`.
    """
    scores = np.asarray(scores, float)
    known = np.isfinite(scores)
    groups: list[tuple[np.ndarray, str, str | None]] = [(scores[known], MAIN, None)]
    if labels is not None:
        photo = np.asarray(labels)[known] == 1
        groups = [(scores[known][~photo], OTHER, words["other"])]
        groups += [(scores[known][photo], MAIN, words["photo"])]
    bins = np.linspace(0, 1, 41).tolist()
    for values, colour, name in groups:
        ax.hist(values, bins, color=colour, alpha=0.35, histtype="stepfilled")
        ax.hist(values, bins, color=colour, lw=1.6, histtype="step", label=name)
    ax.set(yscale="symlog", xlim=(0, 1), xlabel=words["score"], ylabel=words["images"])
    ax.set_ylim(0, max(2.0, ax.get_ylim()[1] * 2.2))
    ax.axvline(threshold, color=INK, lw=1.2, ls=(0, (4, 2)))
    side = {"ha": "right", "xytext": (-4, -3)} if threshold > 0.7 else {"xytext": (4, -3)}
    ax.annotate(
        f"{words['threshold']} {format_number(threshold, 2, words)}",
        (threshold, 1),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        fontsize=9,
        **side,
    )
    ax.tick_params(axis="x", pad=6)
    ax.xaxis.set_major_formatter(ticks(words, 1))
    ax.yaxis.set_major_formatter(ticks(words, 0))
    if labels is not None:
        ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    return tidy(ax, grid="y")


def draw_reliability(
    ax: Axes, labels: ArrayLike, scores: ArrayLike, *, words: Mapping[str, str] = ENGLISH
) -> Axes:
    """Draw whether scores are probabilities: share of photos against mean score, bin by bin.

    Args:
        ax: Where to draw.
        labels: 1 for a photo, 0 for anything else, shape (n,).
        scores: P(photo), shape (n,).
        words: Wording and number signs, as `ENGLISH`.

    Bars are exact 95 % intervals, and the number beside a point says how many images it stands
    for.
    """
    table = calibration_table(labels, scores)
    table = table[table["images"] > 0]
    ax.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=(0, (4, 2)), label=words["well_calibrated"])
    means, shares = table["mean_score"].to_numpy(), table["photo_share"].to_numpy()
    images = table["images"].to_numpy()
    intervals = [
        exact_interval(round(share * n), int(n)) for share, n in zip(shares, images, strict=True)
    ]
    bars = np.abs(np.array(intervals).reshape(-1, 2).T - shares)
    ax.errorbar(means, shares, bars, fmt="o", ms=6, color=MAIN, elinewidth=1.2, capsize=2.5)
    for mean, share, n in zip(means, shares, images, strict=True):
        left = mean > 0.85
        ax.annotate(
            format_number(n, 0, words),
            (mean, share),
            xytext=(-6 if left else 6, 5 if left else -10),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=7.5,
            color=MUTED,
        )
    ax.legend(frameon=False, loc="upper left")
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    ax.set(xlabel=words["mean_score"], ylabel=words["photo_share"])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(ticks(words, 1))
    return tidy(ax, grid="both")


def draw_rates(ax: Axes, table: pd.DataFrame, *, words: Mapping[str, str] = ENGLISH) -> Axes:
    """Draw an error rate a row with its interval, in the table's order from the top.

    Args:
        ax: Where to draw; a height of 0.3 inches a row reads well.
        table: Columns `name`, `rate`, `low`, `high` (0 to 1) and `images`.
        words: Wording and number signs, as `ENGLISH`.
    """
    _need(table, ("name", "rate", "low", "high", "images"))
    if table.empty:
        return draw_nothing(ax, words)
    places = np.arange(len(table))[::-1]
    ax.hlines(places, table["low"], table["high"], color="#9db4c8", lw=5, capstyle="round")
    ax.plot(table["rate"], places, "o", color=MAIN, ms=6, clip_on=False, zorder=4)
    for place, rate, images in zip(places, table["rate"], table["images"], strict=True):
        count = f"({format_number(images, 0, words)} {words['images']})"
        ax.annotate(
            f"{format_percent(rate, 1, words)}  {count}",
            (1, place),
            (6, 0),
            xycoords=ax.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    ax.set_yticks(places, [shorten(name) for name in table["name"]], parse_math=False)
    ax.tick_params(axis="y", pad=8)
    ax.set_ylim(-0.7, len(table) - 0.3)
    ax.set_xlim(0, min(1.02, 1.05 * max(table["high"].max(), 0.01)))
    ax.set_xlabel(words["error_rate"])
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: format_percent(x, 0, words)))
    return tidy(ax, grid="x")


def draw_heat(ax: Axes, image: np.ndarray, heat: np.ndarray) -> Axes:
    """Draw where a network looked, over the greyed image.

    Args:
        ax: Where to draw.
        image: uint8 (H, W, 3).
        heat: (h, w) of any size, from 0 (not looked at) to 1; it is stretched over the image.
    """
    height, width = image.shape[:2]
    ax.imshow(image @ np.array([0.299, 0.587, 0.114]), cmap="gray", vmin=0, vmax=255)
    heat = np.clip(np.nan_to_num(np.asarray(heat, float)), 0, 1)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    # Cold places stay see-through, or the colour would hide what wasn't looked at.
    ax.imshow(
        heat,
        cmap="inferno",
        vmin=0,
        vmax=1,
        alpha=0.65 * heat,
        extent=extent,
        interpolation="bilinear",
    )
    ax.set(xlim=extent[:2], ylim=extent[2:])
    ax.set_axis_off()
    return ax


def draw_feature_maps(
    figure: Figure | SubFigure, maps: np.ndarray, columns: int = 8, most: int = 32
) -> list[Axes]:
    """Draw what each filter of a layer answers to one image, each scaled to its own range.

    Args:
        figure: Where to draw; `grid_size` tells a good size.
        maps: (h, w, filters).
        columns: Maps in a row.
        most: Filters drawn at most.

    Returns:
        One Axes a drawn filter.
    """
    count = min(maps.shape[-1], most)
    rows = max(1, -(-count // columns))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for i, ax in enumerate(axes[:count]):
        ax.imshow(maps[..., i], cmap="gray", interpolation="nearest")
        ax.set_title(str(i), fontsize=7.5, fontweight="normal", loc="center", color=MUTED, pad=2)
    return list(axes[:count])


def draw_parameters(ax: Axes, table: pd.DataFrame, *, words: Mapping[str, str] = ENGLISH) -> Axes:
    """Draw how many of a network's parameters lie in each layer, the first layer on top.

    Args:
        ax: Where to draw.
        table: Columns `layer` and `parameters`, in the network's order.
        words: Wording and number signs, as `ENGLISH`.
    """
    _need(table, ("layer", "parameters"))
    table = table[table["parameters"] > 0].iloc[::-1]
    numbers = table["parameters"].to_numpy()
    total = max(int(numbers.sum()), 1)
    labels = [
        f"{format_number(n, 0, words)}  ({format_percent(n / total, 1, words)})" for n in numbers
    ]
    colours = [MAIN if n == numbers.max() else PALE for n in numbers]
    _draw_bars(ax, list(table["layer"]), numbers, colours, labels, words)
    if len(table):
        ax.set_title(f"{words['total']} {format_number(total, 0, words)} {words['parameters']}")
    return ax


def _draw_bars(
    ax: Axes,
    names: Sequence[str],
    values: np.ndarray,
    colours: Sequence[str],
    labels: Sequence[str],
    words: Mapping[str, str],
) -> Axes:
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


def _need(table: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise TableError(
            f"The table to draw must have the columns {', '.join(columns)}. Missing: {missing}."
        )
