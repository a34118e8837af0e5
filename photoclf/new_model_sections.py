"""Whether a new model is better, as HTML in the reader's language: verdict, measures, origin."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from photoclf.findings import Findings
from photoclf.intervals import exact_interval
from photoclf.look import style
from photoclf.markup import Html, drawing, element, name, section, table, tiles
from photoclf.messages import Messages
from photoclf.new_model import BROKEN, MEASURES, MENDED, NewModel
from photoclf.paired_metrics import FEWEST_FLIPPED, SAME, Change
from photoclf.plots_paired import draw_changes

# Measures that aren't shares of 1: less is better, and percent would mean nothing.
_LOSSES = ("brier", "log_loss")
# Measures that the client's report names too, in the same words.
_OF_REPORT = ("recall", "precision", "f1", "accuracy")


def opening(compared: NewModel, findings: Findings, text: Messages) -> Html:
    """Build the page's head: which two models, when measured, and whether on the demo archive."""
    day = max(side.figures["evaluated_at"] for side in (compared.new, compared.old))
    demo = element(
        "aside",
        element("p", element("strong", text("demo.title"))),
        element("p", text("demo.text")),
        class_="notice",
    )
    models = [
        element("span", text(key, run=evaluation.run.run_id), translate="no")
        for key, evaluation in (("better.new_is", compared.new), ("better.old_is", compared.old))
    ]
    return element(
        "header",
        element("h1", text("better.title")),
        element("p", element("span", text("better.day", day=day)), *models, class_="date"),
        element("p", text("better.lead"), class_="lead"),
        demo if findings.is_demo else None,
    )


def summary(compared: NewModel, text: Messages) -> Html:
    """Build the verdict and the figures that it stands on."""
    f1, mended, broken = compared.changes["f1"], *map(compared.count, (MENDED, BROKEN))
    shown = [
        (_points(f1, text)["points"], text("better.tile_f1")),
        (text.number(mended), text("better.tile_mended", n=mended)),
        (text.number(broken), text("better.tile_broken", n=broken)),
        (text.number(len(compared.images)), text("better.tile_images", photos=compared.photos)),
    ]
    return section(
        text("better.verdict"),
        element("p", verdict_text(compared, text), class_="verdict"),
        tiles(*((value, said, None) for value, said in shown)),
        id_="summary",
    )


def verdict_text(compared: NewModel, text: Messages) -> str:
    """Say which model is better, in a sentence or two."""
    f1, kind = compared.changes["f1"], compared.verdict
    if kind == SAME and not compared.flipped_groups:
        kind = "identical"  # an interval from 0 to 0 would look surer than it is
    return text(
        f"better_verdict.{kind}",
        images=len(compared.images),
        most=exact_interval(0, compared.groups)[1],
        old=f1.old,
        new=f1.new,
        flipped=compared.flipped_groups,
        **_points(f1, text),
    )


def worth(compared: NewModel, learnt: int, text: Messages) -> Html:
    """Build what the verdict rests on and what it can't say.

    Args:
        compared: What is told.
        learnt: Of the images left out, those that a release was trained on.
        text: The language.
    """
    old, new, others = compared.openings()
    images, elsewhere = len(compared.images), len(compared.left_out) - learnt
    said = [
        text("better.criterion", fewest=FEWEST_FLIPPED),
        text("better.images", images=images, photos=compared.photos, groups=compared.groups),
        text("better.left_out_learnt", n=learnt) if learnt else None,
        text("better.left_out_other", n=elsewhere) if elsewhere else None,
        text("better.openings", new=new, old=old),
        text("better.others", n=others) if others else text("better.alone"),
        text("better.scope"),
    ]
    items = [element("li", sentence) for sentence in said if sentence]
    return section(text("better.worth"), element("ul", *items), id_="verdict-worth")


def measures(compared: NewModel, text: Messages) -> Html:
    """Build each measure of both models, the differences and their intervals."""
    header = [text("worth.measure")]
    header += [text(f"better.{column}") for column in ("old", "new", "difference", "interval")]
    rows = [_measure_row(measure, compared.changes[measure], text) for measure in MEASURES]
    return section(
        text("better.measures"),
        element("p", text("better.measures_text")),
        table(text("better.measures_caption"), header, rows),
        _changes_figure(compared, text),
        element(
            "p",
            text("better.measures_note", draws=compared.draws, seed=str(compared.seed)),
            class_="note",
        ),
        id_="measures",
    )


def provenance(compared: NewModel, text: Messages) -> Html:
    """Build where the figures of both come from."""
    sides = [_origin(compared.old, text), _origin(compared.new, text)]
    rows = [
        (text(key), *(text("provenance.unknown") if side[key] is None else side[key]
         for side in sides))
        for key in sides[0]
    ]  # fmt: skip
    header = [text("provenance.item"), text("better.old"), text("better.new")]
    return section(
        text("provenance.title"),
        element("p", text("provenance.text")),
        table(text("provenance.caption"), header, rows, words=3),
        id_="provenance",
    )


def _measure_row(measure: str, change: Change, text: Messages) -> tuple[object, ...]:
    loss = measure in _LOSSES
    said = _signed(change, 1, 4, text) if loss else _points(change, text)
    decimals = 4 if loss else _decimals(change)
    values = [
        text("worth.no_value")
        if np.isnan(value)
        else (text.number if loss else text.percent)(value, decimals)
        for value in (change.old, change.new)
    ]
    known = not np.isnan(change.difference.low)
    span = text("better.span", low=said["low"], high=said["high"])
    key = f"worth.{measure}" if measure in _OF_REPORT else f"better.{measure}"
    return text(key), *values, said["points"], span if known else text("worth.no_value")


def _changes_figure(compared: NewModel, text: Messages) -> Html:
    shares = {name: c for name, c in compared.changes.items() if name not in _LOSSES}
    frame = pd.DataFrame(
        {
            "name": [text(f"better_name.{name}") for name in shares],
            "difference": [c.difference.value for c in shares.values()],
            "low": [c.difference.low for c in shares.values()],
            "high": [c.difference.high for c in shares.values()],
            "told_apart": [c.told_apart for c in shares.values()],
        }
    )
    items = [
        text("better.measures_item", name=text(f"better_name.{name}"), **_points(c, text))
        for name, c in shares.items()
    ]
    with style():
        figure = Figure(figsize=(6.8, 1.1 + 0.32 * len(frame)))
        draw_changes(figure.add_subplot(), frame, words=text)
        alt = text("better.measures_alt", items=" ; ".join(items))
        return drawing(figure, alt, text("better.measures_figure"))


def _origin(side: Any, text: Messages) -> dict[str, object]:
    run, figures = side.run, side.figures
    origin = run.provenance
    started, commit = origin.get("started_at"), origin.get("commit")
    model = run.read("done")["sha256"].get("model.tflite")
    return {
        "provenance.run": name(run.run_id),
        "provenance.trained": text.date(started) if started else None,
        "provenance.evaluated": text.date(figures["evaluated_at"]),
        "provenance.commit": _hash(commit),
        "provenance.split_hash": _hash(figures["split_hash"]),
        "provenance.model_hash": _hash(model),
        "provenance.threshold": text.number(figures["threshold"], 4),
        "better.temperature": text.number(figures["temperature"], 4),
        "better.tested": text.number(figures["test"]["images"]),
        "better.opened": text.number(figures["test_openings"]),
    }


def _hash(value: str | None) -> Html | None:
    return element("span", value, class_="hash") if value else None


def _points(change: Change, text: Messages) -> dict[str, str]:
    """Write a difference of shares and its interval in points of percent."""
    return _signed(change, 100, _decimals(change), text)


def _decimals(change: Change) -> int:
    """Return how many decimals of a percent it takes: no bound but 0 may be written as 0."""
    found = change.difference
    ends = [abs(100 * v) for v in (found.value, found.low, found.high) if v and not np.isnan(v)]
    return next(n for n in (1, 2, 3) if n == 3 or min(ends, default=1) >= 0.5 * 10.0**-n)


def _signed(change: Change, times: int, decimals: int, text: Messages) -> dict[str, str]:
    found = change.difference
    said = {}
    for key, value in (("points", found.value), ("low", found.low), ("high", found.high)):
        rounded = round(times * value, decimals) + 0.0  # no −0
        number = ("+" if rounded > 0 else "") + text.number(rounded, decimals)
        said[key] = text("worth.no_value") if np.isnan(value) else number
    return said
