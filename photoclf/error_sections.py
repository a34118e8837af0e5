"""A client's report on errors: the four cases, and rates by folder."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from photoclf.findings import Findings
from photoclf.look import style
from photoclf.markup import Html, drawing, element, name, section, table
from photoclf.messages import Messages
from photoclf.plots_scores import draw_rates, draw_score_histogram
from photoclf.subgroups import SMALL_GROUP


def cases(findings: Findings, text: Messages) -> Html:
    """Build the confusion matrix in words, and how the scores fall on both sides."""
    counts = findings.figures["test"]["confusion"]
    header = [text(f"cases.{column}") for column in ("truth", "said_photo", "said_other", "sum")]
    rows = [
        (text(f"cases.{kind}"), *(_case(text, case, counts[case]) for case in row),
         text.number(sum(counts[case] for case in row)))
        for kind, row in (("photo", ("tp", "fn")), ("other", ("fp", "tn")))
    ]  # fmt: skip
    return section(
        text("cases.title"),
        element("p", text("cases.text", threshold=findings.figures["threshold"])),
        table(text("cases.caption"), header, rows, words=4),
        _scores_figure(findings, text),
        id_="cases",
    )


def by_folder(findings: Findings, text: Messages) -> Html:
    """Build error rates a class folder, and the sub-folders with the most errors."""
    folders, sources = findings.evaluation.groups("class_folder"), findings.worst_sources()
    listed = [*folders, *sources]
    columns = ("folder", "images", "errors", "rate", "interval")
    header = [text(f"folders.{column}") for column in columns]
    worst = table(
        text("sources.caption"),
        [text("sources.folder"), *header[1:]],
        [_rate_row(row["name"], row, text) for row in sources],
    )
    small = any(row["small"] for row in listed)
    return section(
        text("folders.title"),
        element("p", text("folders.text")),
        table(
            text("folders.caption"),
            header,
            [_rate_row(row["name"], row, text) for row in folders],
        ),
        _rates_figure(folders, text),
        worst if sources else None,
        element("p", text("folders.small_note", least=SMALL_GROUP), class_="note")
        if small
        else None,
        id_="folders",
    )


def _case(text: Messages, case: str, count: int) -> Html:
    words = element("span", text(f"cases.{case}", n=count))
    return element("div", element("strong", text.number(count)), words, class_=f"case {case}")


def _rate_row(folder: str, row: Mapping[str, Any], text: Messages) -> tuple[object, ...]:
    label = name(folder)
    if row["small"]:
        mark = element("span", text("folders.small"), class_="mark")
        label = element("span", label, " ", mark)
    interval = text("value.interval", low=row["low"], high=row["high"])
    numbers = (text.number(row["images"]), text.number(row["errors"]))
    return label, *numbers, text.percent(row["rate"]), interval


def _scores_figure(findings: Findings, text: Messages) -> Html:
    test, counts = findings.evaluation.side("test"), findings.figures["test"]["confusion"]
    threshold = findings.figures["threshold"]
    names = [text("cases.others"), text("cases.photos")]
    with style():
        figure = Figure(figsize=(6.8, 2.9))
        ax = figure.add_subplot()
        draw_score_histogram(ax, test.score, threshold, test.label, names, words=text)
        ax.set(xlabel=text("cases.axis_score"), ylabel=text("cases.axis_images"))
        alt = text(
            "cases.alt",
            found=counts["tp"],
            photos=counts["tp"] + counts["fn"],
            left=counts["tn"],
            others=counts["tn"] + counts["fp"],
            threshold=threshold,
        )
        return drawing(figure, alt, text("cases.figure"))


def _rates_figure(rows: list[dict[str, Any]], text: Messages) -> Html:
    frame = pd.DataFrame(rows)
    items = [text("folders.alt_item", folder=row["name"], **row) for row in rows]
    with style():
        figure = Figure(figsize=(6.8, 0.75 + 0.34 * len(rows)))
        draw_rates(figure.add_subplot(), frame, words=text)
        alt = text("folders.alt", folders=" ; ".join(items))
        return drawing(figure, alt, text("folders.figure"))
