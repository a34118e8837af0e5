"""A client's report on errors by what images are like, and on how far scores can be believed."""

from matplotlib.figure import Figure

from photoclf.acceptance_sections import group_name
from photoclf.findings import Findings
from photoclf.look import style
from photoclf.markup import Html, drawing, element, section, table
from photoclf.messages import Messages
from photoclf.plots_scores import draw_reliability
from photoclf.subgroups import SMALL_GROUP

_KINDS = ("format", "size", "colour", "flag")
_MEASURES = (
    "balanced_accuracy", "specificity", "roc_auc", "average_precision", "brier", "log_loss", "ece"
)  # fmt: skip


def by_kind(findings: Findings, text: Messages) -> Html:
    """Build errors by format, size, colour and quality of the images."""
    rows = [row for kind in _KINDS for row in findings.evaluation.groups(kind)]
    columns = ("group", "images", "missed", "false", "rate", "interval")
    header = [text(f"subgroups.{column}") for column in columns]
    shown = []
    for row in rows:
        label = group_name(row["by"], row["name"], text)
        mark = element("span", text("folders.small"), class_="mark") if row["small"] else None
        missed, false = (
            text("subgroups.of", errors=row[wrong], images=row[kind]) if row[kind] else "–"
            for wrong, kind in (("missed", "photos"), ("false", "others"))
        )
        interval = text("value.interval", low=row["low"], high=row["high"])
        cells = (text.number(row["images"]), missed, false, text.percent(row["rate"]), interval)
        shown.append((element("span", label, " " if mark else None, mark), *cells))
    return section(
        text("subgroups.title"),
        element("p", text("subgroups.text" if rows else "subgroups.unknown")),
        table(text("subgroups.caption"), header, shown) if rows else None,
        element("p", text("folders.small_note", least=SMALL_GROUP), class_="note")
        if any(row["small"] for row in rows)
        else None,
        id_="subgroups",
    )


def scores(findings: Findings, text: Messages) -> Html:
    """Build the measures that hang on scores, and whether scores are probabilities."""
    test = findings.figures["test"]
    header = [text(f"worth.{column}") for column in ("measure", "model", "interval")]
    rows = []
    for measure in _MEASURES:
        value, interval = test["metrics"][measure], findings.interval(measure)
        rows.append(
            (
                text(f"scores.{measure}"),
                text("worth.no_value") if value is None else text.number(value, 3),
                text("worth.no_value")
                if interval is None
                else text("comparison.span", low=interval[0], high=interval[1]),
            )
        )
    return section(
        text("scores.title"),
        element("p", text("scores.text", ece=test["metrics"]["ece"] or 0.0)),
        _reliability(findings, text),
        table(text("scores.caption"), header, rows),
        id_="scores",
    )


def _reliability(findings: Findings, text: Messages) -> Html:
    test = findings.evaluation.side("test")
    with style():
        figure = Figure(figsize=(6.8, 3.4))
        draw_reliability(figure.add_subplot(), test.label, test.score, words=text)
        ece = findings.figures["test"]["metrics"]["ece"] or 0.0
        return drawing(figure, text("scores.alt", ece=ece), text("scores.figure"))
