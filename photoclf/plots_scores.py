"""Figures of scores and errors: Axes in, Axes out; nothing is shown or saved."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from photoclf.intervals import exact_interval
from photoclf.look import (
    ENGLISH,
    INK,
    MAIN,
    MUTED,
    OTHER,
    draw_nothing,
    finish_rates,
    need_columns,
    shorten,
    ticks,
    tidy,
)
from photoclf.messages import Messages
from photoclf.metrics import calibration_table


def draw_confusion(
    ax: Axes,
    confusion: Mapping[str, int],
    names: Sequence[str] | None = None,
    *,
    words: Messages = ENGLISH,
) -> Axes:
    """Draw the four counts of `metrics.confusion`, shaded by their share of the true class.

    Args:
        ax: Where to draw.
        confusion: `tp`, `fp`, `fn`, `tn`.
        names: Of the classes 0 and 1; from `words` by default.
        words: The language's texts and number signs.
    """
    names = _class_names(words) if names is None else names
    # The photo comes first: it is what is looked for.
    table = np.array(
        [[confusion["tp"], confusion["fn"]], [confusion["fp"], confusion["tn"]]], float
    )
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
    for row, column in np.ndindex(2, 2):
        share, number = float(shares[row, column]), float(table[row, column])
        colour = "white" if share > 0.6 else INK
        count = words.number(number)
        ax.text(column, row - 0.06, count, ha="center", va="center", fontsize=17, color=colour)
        percent = words.percent(share, 1)
        ax.text(column, row + 0.22, percent, ha="center", va="center", fontsize=9, color=colour)
    labels = [shorten(name, 18) for name in reversed(names)]
    ax.set_xticks([0, 1], labels, parse_math=False)
    ax.set_yticks([0, 1], labels, parse_math=False, rotation=90, va="center")
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set(xlabel=words("figure.decision"), ylabel=words("figure.truth"))
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
    names: Sequence[str] | None = None,
    *,
    words: Messages = ENGLISH,
) -> Axes:
    """Draw how many images have which score; counts are logarithmic, since most are near 0 or 1.

    Args:
        ax: Where to draw.
        scores: P(photo), shape (n,); NaN (an image without a score) is left out.
        threshold: Drawn as a line.
        labels: 1 for a photo, 0 for anything else; `None` when they aren't known.
        names: Of the classes 0 and 1; from `words` by default.
        words: The language's texts and number signs.
    """
    scores = np.asarray(scores, float)
    known = np.isfinite(scores)
    groups: list[tuple[np.ndarray, str, str | None]] = [(scores[known], MAIN, None)]
    if labels is not None:
        photo = np.asarray(labels)[known] == 1
        names = _class_names(words) if names is None else names
        groups = [(scores[known][~photo], OTHER, names[0]), (scores[known][photo], MAIN, names[1])]
    bins = np.linspace(0, 1, 41).tolist()
    for values, colour, name in groups:
        ax.hist(values, bins, color=colour, alpha=0.35, histtype="stepfilled")
        ax.hist(values, bins, color=colour, lw=1.6, histtype="step", label=name)
    ax.set(xlabel=words("figure.score"), ylabel=words("figure.images"))
    ax.set(yscale="symlog", xlim=(0, 1))
    ax.set_ylim(0, max(2.0, ax.get_ylim()[1] * 2.2))
    ax.axvline(threshold, color=INK, lw=1.2, ls=(0, (4, 2)))
    side = {"ha": "right", "xytext": (-4, -3)} if threshold > 0.7 else {"xytext": (4, -3)}
    ax.annotate(
        words("figure.threshold", threshold=threshold),
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
    ax: Axes, labels: ArrayLike, scores: ArrayLike, *, words: Messages = ENGLISH
) -> Axes:
    """Draw whether scores are probabilities: share of photos against mean score, bin by bin.

    Args:
        ax: Where to draw.
        labels: 1 for a photo, 0 for anything else, shape (n,).
        scores: P(photo), shape (n,).
        words: The language's texts and number signs.

    Bars are exact 95 % intervals, and the number beside a point says how many images it stands
    for.
    """
    table = calibration_table(labels, scores)
    table = table[table["images"] > 0]
    ideal = words("figure.well_calibrated")
    ax.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=(0, (4, 2)), label=ideal)
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
            words.number(n),
            (mean, share),
            xytext=(-6 if left else 6, 5 if left else -10),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=7.5,
            color=MUTED,
        )
    ax.legend(frameon=False, loc="lower right")
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    ax.set(xlabel=words("figure.mean_score"), ylabel=words("figure.photo_share"))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(ticks(words, 1))
    return tidy(ax, grid="both")


def draw_rates(ax: Axes, table: pd.DataFrame, *, words: Messages = ENGLISH) -> Axes:
    """Draw an error rate a row with its interval, in the table's order from the top.

    Args:
        ax: Where to draw; a height of 0.3 inches a row reads well.
        table: Columns `name`, `rate`, `low`, `high` (0 to 1) and `images`.
        words: The language's texts and number signs.
    """
    need_columns(table, ("name", "rate", "low", "high", "images"))
    if table.empty:
        return draw_nothing(ax, words)
    places = np.arange(len(table))[::-1]
    ax.hlines(places, table["low"], table["high"], color="#9db4c8", lw=5, capstyle="round")
    ax.plot(table["rate"], places, "o", color=MAIN, ms=6, clip_on=False, zorder=4)
    notes = [
        words("figure.of_images", rate=rate, images=images)
        for rate, images in zip(table["rate"], table["images"], strict=True)
    ]
    return finish_rates(ax, places, list(table["name"]), notes, float(table["high"].max()), words)


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


def _class_names(words: Messages) -> Sequence[str]:
    return words("figure.other"), words("figure.photo")
