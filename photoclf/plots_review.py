"""Figures of review bands, their cost and other archives: Axes in, Axes out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from photoclf.look import ALERT, ENGLISH, INK, MAIN, MUTED, OTHER, draw_nothing, tidy
from photoclf.messages import Messages


def draw_coverage_risk(
    ax: Axes,
    coverage: Sequence[float],
    risk: Sequence[float],
    chosen: tuple[float, float] | None = None,
    *,
    words: Messages = ENGLISH,
) -> Axes:
    """Draw how errors grow with the share of images that are sorted by themselves.

    Args:
        ax: Where to draw.
        coverage: Shares sorted by themselves, see `triage.coverage_risk`.
        risk: Shares of these that are wrong.
        chosen: Coverage and risk of the band that was chosen.
        words: The language's texts and number signs.
    """
    if not len(coverage):
        return draw_nothing(ax, words)
    ax.plot(coverage, risk, color=MAIN, lw=1.8)
    top = max([*risk, *(chosen or (0, 0))[1:], 0.002])
    if chosen:
        ax.plot(*chosen, "o", color=ALERT, ms=8, clip_on=False, zorder=4)
        ax.annotate(
            words("figure.chosen_band"),
            chosen,
            xytext=(-9, 7),
            textcoords="offset points",
            ha="right",
            fontsize=9,
        )
    # Where nothing is wrong yet there is nothing to see.
    first = next((c for c, r in zip(coverage, risk, strict=True) if r > 0), 0.0)
    left = max(0.0, np.floor(10 * min(first, *(chosen or (1.0,))[:1], 0.9) - 1) / 10)
    ax.set(xlim=(left, 1 + 0.01 * (1 - left)), ylim=(0, 1.25 * top))
    ax.set(xlabel=words("figure.sorted_alone"), ylabel=words("figure.wrong_among_them"))
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.tick_params(axis="x", pad=7)
    _in_percent(ax, words, decimals=1 if top < 0.05 else 0)
    return tidy(ax, grid="both")


def draw_prior_shift(
    ax: Axes, prior: Sequence[Mapping[str, Any]], own: float, *, words: Messages = ENGLISH
) -> Axes:
    """Draw precision and review load against an archive's share of photographs.

    Args:
        ax: Where to draw.
        prior: Rows of `operating.prior_table`, rising in `photo_share`, `reviewed` per image.
        own: The share that the archive has, drawn as a line.
        words: The language's texts and number signs.
    """
    known = [row for row in prior if row["precision"] is not None]
    if not known:
        return draw_nothing(ax, words)
    shares = np.array([row["photo_share"] for row in known])
    bounds = [[row[k] for row in known] for k in ("precision_low", "precision_high")]
    low, high = (np.array(values, float) for values in bounds)
    ax.fill_between(shares, low, high, color=MAIN, alpha=0.18, lw=0)
    precision = [row["precision"] for row in known]
    ax.plot(shares, precision, "o-", color=MAIN, ms=4, label=words("figure.precision"))
    reviewed = [row["reviewed_share"] for row in known]
    ax.plot(shares, reviewed, "s--", color=OTHER, ms=4, label=words("figure.reviewed"))
    ax.axvline(own, color=INK, lw=1.1, ls=(0, (4, 2)))
    ax.annotate(
        words("figure.this_archive", share=own),
        (own, 1.04),
        xycoords=("data", "axes fraction"),
        ha="center",
        fontsize=8.5,
        color=INK,
    )
    ax.set(xscale="log", ylim=(-0.02, 1.04))
    ax.xaxis.set_major_locator(FixedLocator([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9]))
    ax.xaxis.set_minor_locator(NullLocator())
    _in_percent(ax, words, decimals=0)
    ax.set(xlabel=words("figure.share_of_photographs"))
    ax.legend(frameon=False, loc="center right", fontsize=8.5, labelcolor=INK)
    ax.tick_params(axis="both", labelcolor=MUTED)
    return tidy(ax, grid="both")


def _in_percent(ax: Axes, words: Messages, decimals: int) -> None:
    ax.xaxis.set_major_formatter(lambda value, _: words.percent(value, 0))
    ax.yaxis.set_major_formatter(lambda value, _: words.percent(max(value, 0.0), decimals))
