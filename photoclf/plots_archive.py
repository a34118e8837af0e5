"""Figures of an archive: classes, sizes, samples. Axes in, Axes out; nothing is shown or saved."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from photoclf.look import (
    ALERT,
    ENGLISH,
    INK,
    MAIN,
    MARKERS,
    MUTED,
    OTHER,
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
from photoclf.messages import Messages


def draw_class_counts(
    ax: Axes,
    counts: pd.Series,
    *,
    positive: str | None = "Photo",
    words: Messages = ENGLISH,
) -> Axes:
    """Draw how many images each class holds, the largest on top.

    Args:
        ax: Where to draw.
        counts: Class name → images.
        positive: The class drawn in the main colour.
        words: The language's texts and number signs.
    """
    counts = counts.sort_values(kind="stable")
    colours = [MAIN if name == positive else PALE for name in counts.index]
    total = max(counts.sum(), 1)
    labels = [f"{words.number(n)}  ({words.percent(n / total, 0)})" for n in counts]
    return draw_bars(ax, [str(n) for n in counts.index], counts.to_numpy(), colours, labels, words)


def draw_statuses(ax: Axes, table: pd.DataFrame, *, words: Messages = ENGLISH) -> Axes:
    """Draw what became of each folder's files: one bar a folder, one part a status.

    Args:
        ax: Where to draw.
        table: As `overview.status_table` gives it.
        words: The language's texts and number signs.
    """
    folders = table.drop(index="total", columns="total").iloc[::-1]
    if folders.empty:
        return draw_nothing(ax, words)
    shades = dict(zip(map(str, folders.columns), (MAIN, ALERT, OTHER, INK, PALE), strict=True))
    start = np.zeros(len(folders))
    for status, files in folders.items():
        if files.any():
            name = f"{words(f'status.{status}')} ({words.number(files.sum())})"
            ax.barh(range(len(folders)), files, left=start, color=shades[str(status)], label=name)
        start += files.to_numpy()
    ax.set_yticks(range(len(folders)), [shorten(f) for f in folders.index], parse_math=False)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))  # no half a file
    ax.xaxis.set_major_formatter(ticks(words, 0))
    ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3)
    return tidy(ax, grid="x")


def draw_issues(ax: Axes, issues: pd.Series, *, words: Messages = ENGLISH) -> Axes:
    """Draw how many images have each quality issue, the most frequent on top."""
    issues = issues.sort_values(kind="stable")
    names = [str(name).replace("_", " ") for name in issues.index]
    labels = [words.number(n) for n in issues]
    return draw_bars(ax, names, issues.to_numpy(), [MAIN] * len(issues), labels, words)


def draw_quality(
    ax: Axes,
    audit: pd.DataFrame,
    measure: str,
    threshold: float,
    *,
    by: str = "class_folder",
    words: Messages = ENGLISH,
) -> Axes:
    """Draw how a score of quality spreads in each class, and the threshold of an issue.

    Args:
        ax: Where to draw.
        audit: With the columns `measure` (0 to 1) and `by`.
        measure: The score, such as `blurry`; it names the figure.
        threshold: Scores below it are an issue.
        by: The column that tells classes apart, the first on top.
        words: The language's texts and number signs.
    """
    need_columns(audit, (measure, by))
    classes = {str(name): part for name, part in audit[measure].dropna().groupby(audit[by])}
    names = sorted(classes, reverse=True)
    if not names:
        return draw_nothing(ax, words)
    ax.boxplot(
        [classes[name] for name in names],
        orientation="horizontal",
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": PALE, "edgecolor": MUTED},
        medianprops={"color": INK, "lw": 1.5},
        whiskerprops={"color": MUTED},
        capprops={"color": MUTED},
        flierprops={"marker": ".", "ms": 1.5, "mec": MUTED, "rasterized": True},
    )
    ax.axvline(threshold, color=ALERT, lw=1.2)
    ax.set_yticks(range(1, len(names) + 1), [shorten(n) for n in names], parse_math=False)
    ax.set(xlim=(-0.03, 1.03), xticks=(0, 0.5, 1))
    ax.set_title(measure.replace("_", "\n"), loc="left", fontsize=9)
    ax.xaxis.set_major_formatter(ticks(words, 1))
    return tidy(ax, grid="x")


def draw_properties(
    ax: Axes,
    features: pd.DataFrame,
    together: float,
    *,
    warning: float | None = None,
    words: Messages = ENGLISH,
) -> Axes:
    """Draw how well each kind of file property ranks photographs first, and all of them together.

    Args:
        ax: Where to draw.
        features: With `feature` and `roc_auc`, as `results.shortcut_tables` gives them.
        together: ROC AUC of all properties.
        warning: The ROC AUC from which to worry, drawn as a line.
        words: The language's texts and number signs.
    """
    need_columns(features, ("feature", "roc_auc"))
    names = [*features.feature[::-1], "all together"]
    values = np.array([*features.roc_auc[::-1], together])
    ax.barh(range(len(names)), values, color=[PALE] * len(features) + [MAIN], height=0.7)
    for y, value in enumerate(values):
        ax.text(value + 0.005, y, words.number(value, 2), va="center", fontsize=9)
    ax.axvline(0.5, color=MUTED, lw=1)
    if warning is not None:
        ax.axvline(warning, color=ALERT, lw=1.2, ls="--")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlim=(min(0.45, values.min() - 0.05), 1.05), xlabel="ROC AUC")
    ax.xaxis.set_major_formatter(ticks(words, 1))
    return tidy(ax, grid="x")


def draw_sizes(
    ax: Axes, audit: pd.DataFrame, *, by: str = "class_folder", words: Messages = ENGLISH
) -> Axes:
    """Draw widths and heights, both logarithmic; larger marks stand for more images of one size.

    Args:
        ax: Where to draw.
        audit: With the columns `width`, `height` (px) and `by`; rows without a size are left out.
        by: The column that colours.
        words: The language's texts and number signs.
    """
    need_columns(audit, ("width", "height", by))
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
            label=f"{shorten(name)} ({words.number(len(part))})",
            rasterized=True,  # thousands of marks would make a heavy SVG
        )
    ax.set(xscale="log", yscale="log", xlabel=words("figure.width"), ylabel=words("figure.height"))
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
        figure: Where to draw; `look.grid_size` tells a good size.
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
    if not len(images):
        draw_nothing(figure.add_subplot(), ENGLISH)
    axes = make_grid(figure, len(images), columns) if len(images) else []
    for ax, image, title in zip(axes, images, titles, strict=True):
        ax.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        text = "\n".join(shorten(line, length) for line in str(title).split("\n"))
        ax.set_title(text, fontsize=8, fontweight="normal", loc="center", pad=4, parse_math=False)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_color(PALE)  # drawings on white would have no edge
    return axes


def draw_pairs(
    figure: Figure | SubFigure,
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    headings: Sequence[str],
    columns: int = 3,
) -> None:
    """Draw pairs of thumbnails, each pair side by side in a frame of its own.

    Args:
        figure: Where to draw; `look.grid_size` of the images tells a good size.
        images: uint8 arrays, two a pair.
        titles: One an image, see `draw_samples`.
        headings: One a pair.
        columns: Pairs in a row.
    """
    if not headings:
        draw_samples(figure, [], [])
        return
    rows = -(-len(headings) // columns)
    frames = figure.subfigures(rows, columns, squeeze=False, wspace=0.03, hspace=0.03).ravel()
    for i, (frame, heading) in enumerate(zip(frames, headings, strict=False)):
        frame.set_facecolor("#f6f7f9")
        frame.suptitle(shorten(heading, 46), fontsize=9, fontweight="bold", color=INK)
        draw_samples(frame, images[2 * i : 2 * i + 2], titles[2 * i : 2 * i + 2], columns=2)
