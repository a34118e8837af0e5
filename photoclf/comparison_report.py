"""Comparing as a verb: choose which runs, compare, write tables, choice and both pages."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from photoclf import comparison_figures as drawn
from photoclf import comparison_sections as sections
from photoclf.comparison import Comparison, compare_runs
from photoclf.demo_archive import DEMO_MARKER
from photoclf.effects import FEW_POINTS
from photoclf.errors import ConfigError
from photoclf.files import replacing, write_text
from photoclf.lessons import reason
from photoclf.look import style
from photoclf.messages import LANGUAGES, Messages
from photoclf.page import sections_page
from photoclf.paths import Workspace, remembered_archive
from photoclf.plots_runs import draw_curves
from photoclf.runs import (
    Run,
    comparable_runs,
    comparison_table,
    load_run,
    read_events,
    write_choice,
)
from photoclf.sweep_state import sweep_runs
from photoclf.yaml_file import read_mapping

FILE_NAMES = {"fr": "comparaison.fr.html", "en": "comparison.en.html"}
METRICS = ("val_loss", "val_accuracy")
# Where a space's file has its question.
QUESTIONS = {"fr": "question_fr", "en": "question"}
# The folder below reports/comparison/ when no sweep gives its name.
ALL, SELECTED = "all", "selected"


def compare(
    workspace: Workspace, *, space: str = "", runs: Collection[str] = (), pages: bool = True
) -> Comparison:
    """Compare runs, propose one, and write what was found.

    Args:
        workspace: Where the runs are.
        space: A sweep's name: its finished trials are compared, by its own objective.
        runs: Names of runs, instead. Without either, all finished runs on the workspace's split.
        pages: Whether to render the pages, which takes a few seconds.

    Returns:
        The comparison. Written are `models/choice.json` and, to `reports/comparison/<name>/`, the
        tables `points.csv`, `finalists.csv`, `effects.csv`, `val_loss.csv` and `val_accuracy.csv`
        (the last two as `runs.comparison_table` returns them), `curves.png`, `comparaison.fr.html`
        and `comparison.en.html`.

    Raises:
        ConfigError: If both a sweep and runs are named, or the sweep's objective isn't one.
        RunError: If there is no such sweep or run, none is finished, or splits differ.
    """
    if space and runs:
        raise ConfigError(
            "What is compared must be a sweep or runs, not both."
            f" Received: the sweep {space!r} and {len(runs)} runs. Leave one of them out."
        )
    chosen, about = _selected(workspace, space, runs)
    comparison = compare_runs(
        chosen,
        objective=str(about.get("objective") or "val_loss"),
        questions={k: str(v) for k in LANGUAGES if (v := about.get(QUESTIONS[k]))},
    )
    folder = comparison_folder(workspace, space, runs)
    events = read_events(comparison.members)
    _write_tables(comparison, events, folder)
    _write_curves(comparison, events, folder / "curves.png")
    if pages:
        for lang in LANGUAGES:
            page = render(comparison, events, folder.name, lang, demo=_is_demo(workspace))
            write_text(folder / FILE_NAMES[lang], page)
    write_choice(workspace.choice, comparison.chosen_run, comparison.members, reason(comparison))
    return comparison


def comparison_folder(workspace: Workspace, space: str = "", runs: Collection[str] = ()) -> Path:
    """Return where a comparison is written, see `compare`."""
    return workspace.comparison / (space or (SELECTED if runs else ALL))


def render(
    comparison: Comparison, events: pd.DataFrame, name: str, lang: str, *, demo: bool = False
) -> str:
    """Render a comparison as one HTML page, the same for the same runs.

    Args:
        comparison: From `comparison.compare_runs`.
        events: From `runs.read_events`, of the same runs.
        name: The sweep's name, or `all` or `selected`.
        lang: `fr` or `en`.
        demo: Whether the page must say that its figures are those of drawings.

    Returns:
        The page, without script or remote resource.
    """
    text = Messages(lang)
    said = {ALL: text("comparison.all_runs"), SELECTED: text("comparison.selected")}
    title = said.get(name) or text("comparison.of_sweep", name=name)
    day = max(str(run.provenance.get("started_at")) for run in comparison.members)
    points = len(comparison.points)
    few = [text("comparison.few", points=points)] if points < FEW_POINTS else []
    parts = [
        sections.opening(comparison, title, day, demo, text),
        sections.summary(comparison, text),
        sections.teaching(comparison, text),
        sections.variation(comparison, text),
        sections.ranking(comparison, drawn.ranks_figure(comparison, text), text),
        sections.finals(comparison, drawn.differences_figure(comparison, text), text),
        sections.figures("by_cost", [drawn.pareto_figure(comparison, text)], text),
        sections.figures("by_parameter", drawn.parameter_figures(comparison, text), text, *few),
        sections.figures("curves", [drawn.curves_figure(comparison, events, text)], text),
        sections.provenance(comparison, text),
    ]
    return sections_page(parts, f"{text('comparison.title')} – {title}", lang)


def _selected(
    workspace: Workspace, space: str, runs: Collection[str]
) -> tuple[list[Run], dict[str, Any]]:
    if runs:
        return [load_run(workspace.models, run_id) for run_id in dict.fromkeys(runs)], {}
    if not space:
        return comparable_runs(workspace), {}
    found = sweep_runs(workspace, space)
    about = workspace.sweeps / space / "space.yaml"
    return found, read_mapping(about, "A sweep's space") if about.is_file() else {}


def _is_demo(workspace: Workspace) -> bool:
    archive = remembered_archive(workspace)
    return archive is not None and (archive / DEMO_MARKER).is_file()


def _write_tables(comparison: Comparison, events: pd.DataFrame, folder: Path) -> None:
    tables = {
        "points": comparison.points.assign(run_ids=comparison.points["run_ids"].map(" ".join)),
        "finalists": comparison.finalists,
        "effects": comparison.effects,
    }
    runs = comparison.members
    tables |= {metric: comparison_table(runs, metric, events) for metric in METRICS}
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.to_csv(sep=";", index=False))


def _write_curves(comparison: Comparison, events: pd.DataFrame, path: Path) -> None:
    run = comparison.chosen_run.run_id
    with style():
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        for axes, tag in zip(figure.subplots(1, 2), METRICS, strict=True):
            draw_curves(axes, events, tag, smoothed=0.6, highlight=run)
        with replacing(path) as file:
            figure.savefig(file, format="png", dpi=150)
