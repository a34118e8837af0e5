"""The figures of a comparison's page, drawn and described in words."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from photoclf.comparison import Comparison
from photoclf.lessons import show, worse_by
from photoclf.look import style
from photoclf.markup import Html, drawing
from photoclf.messages import Messages
from photoclf.plots_runs import draw_curves
from photoclf.plots_sweep import (
    MOST_POINTS,
    draw_differences,
    draw_importance,
    draw_pareto,
    draw_points,
    draw_slice,
)
from photoclf.points import COSTS, pareto_front

_WIDTH = 6.8
# Slices on the page, those of the most important parameters.
MOST_SLICES = 6


def ranks_figure(comparison: Comparison, text: Messages) -> Html:
    """Draw the ranking with seeds and error bars."""
    points, best = comparison.points, comparison.best
    with style():
        figure = Figure(figsize=(_WIDTH, 0.9 + 0.27 * min(len(points), MOST_POINTS)))
        draw_points(
            figure.add_subplot(),
            points,
            comparison.runs,
            comparison.objective,
            noise=comparison.noise.sd,
            chosen=comparison.chosen_rank,
            words=text,
        )
        alt = text(
            "comparison.ranks_alt",
            points=len(points),
            objective=text(f"figure.{comparison.objective}"),
            best=best["mean"],
            worst=points["mean"].iloc[-1],
        )
        return drawing(figure, alt, text("comparison.ranks_figure"))


def differences_figure(comparison: Comparison, text: Messages) -> Html | None:
    """Draw the finalists' differences; `None` without finalists."""
    finalists = comparison.finalists
    if finalists.empty:
        return None
    said = []
    for _, row in finalists.iterrows():
        value, low, high = worse_by(comparison, row)
        rank = int(row["rank"])
        said.append(text("comparison.differences_item", rank=rank, value=value, low=low, high=high))
    with style():
        figure = Figure(figsize=(_WIDTH, 1.0 + 0.32 * len(finalists)))
        draw_differences(figure.add_subplot(), finalists, comparison.objective, words=text)
        alt = text("comparison.differences_alt", items=" ; ".join(said))
        return drawing(figure, alt, text("comparison.differences_figure"))


def curves_figure(comparison: Comparison, events: pd.DataFrame, text: Messages) -> Html:
    """Draw validation loss and accuracy over the epochs, the chosen run raw and smoothed.

    Args:
        comparison: What is told.
        events: From `runs.read_events`, of the same runs.
        text: The language.
    """
    run = comparison.chosen_run
    with style():
        figure = Figure(figsize=(_WIDTH, 3.0))
        for ax, tag in zip(figure.subplots(1, 2), ("val_loss", "val_accuracy"), strict=True):
            draw_curves(ax, events, tag, smoothed=0.6, highlight=run.run_id, words=text)
            for said in ax.texts:  # both panels would bear the same long name
                said.set_visible(False)
        best = run.best_epoch
        alt = text(
            "comparison.curves_alt",
            runs=len(comparison.runs),
            epochs=len(run.history),
            epoch=int(best["epoch"]),
            loss=best["val_loss"],
        )
        caption = text("comparison.curves_figure", rank=comparison.chosen_rank)
        return drawing(figure, alt, caption)


def parameter_figures(comparison: Comparison, text: Messages) -> list[Html]:
    """Draw what parameters did: importance where it can be told, and a slice a parameter."""
    effects = comparison.effects
    drawn = []
    if effects["importance"].notna().any():
        drawn.append(_importance(effects, text))
    if len(effects):
        drawn.append(_slices(comparison, text))
    return drawn


def pareto_figure(comparison: Comparison, text: Messages) -> Html:
    """Draw quality over each kind of cost, with the fronts."""
    points, objective = comparison.points, comparison.objective
    with style():
        figure = Figure(figsize=(_WIDTH, 2.9))
        for ax, cost in zip(figure.subplots(1, 3, sharey=True), COSTS, strict=True):
            front = pareto_front(points, cost, objective)
            rank = comparison.chosen_rank
            draw_pareto(ax, points, cost, objective, front, chosen=rank, words=text)
            ax.set_ylabel(text(f"figure.{objective}") if cost == COSTS[0] else "")
        unbeaten = points["rank"][pareto_front(points, "flops", objective)]
        ranks = ", ".join(str(rank) for rank in unbeaten)
        alt = text("comparison.pareto_alt", points=len(points), ranks=ranks)
        return drawing(figure, alt, text("comparison.pareto_figure"))


def _importance(effects: pd.DataFrame, text: Messages) -> Html:
    said = [
        text("comparison.importance_item", parameter=row["parameter"], share=row["importance"])
        for _, row in effects.iterrows()
    ]
    with style():
        figure = Figure(figsize=(_WIDTH, 0.5 + 0.3 * len(effects)))
        draw_importance(figure.add_subplot(), effects, words=text)
        alt = text("comparison.importance_alt", items=", ".join(said))
        return drawing(figure, alt, text("comparison.importance_figure"))


def _slices(comparison: Comparison, text: Messages) -> Html:
    effects = comparison.effects.head(MOST_SLICES)
    columns = min(3, len(effects))
    rows = math.ceil(len(effects) / columns)
    said = [
        text(
            "comparison.slice_item",
            parameter=row["parameter"],
            best=show(row["best"], text),
            best_mean=row["best_mean"],
        )
        for _, row in effects.iterrows()
    ]
    with style():
        figure = Figure(figsize=(_WIDTH, 2.5 * rows))
        axes = np.ravel(figure.subplots(rows, columns, sharey=True, squeeze=False))
        for i, (ax, parameter) in enumerate(zip(axes, effects["parameter"], strict=False)):
            draw_slice(
                ax,
                comparison.points,
                parameter,
                comparison.objective,
                chosen=comparison.chosen_rank,
                words=text,
            )
            ax.set_ylabel(ax.get_ylabel() if i % columns == 0 else "")
        for ax in axes[len(effects) :]:
            ax.set_axis_off()
        alt = text("comparison.slices_alt", items=" ; ".join(said))
        return drawing(figure, alt, text("comparison.slices_figure"))
