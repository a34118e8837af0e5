"""A client's report on what sorts the archive without looking at a picture."""

from collections.abc import Mapping
from typing import Any

from photoclf.findings import Findings
from photoclf.markup import Html, element, name, section, table
from photoclf.messages import Messages

MOST_SOURCES = 8


def shortcuts(findings: Findings, text: Messages) -> Html:
    """Build what a classifier of file properties scores, a warning when it is high, and why."""
    title = text("shortcuts.title")
    blind = findings.figures.get("baseline_metadata")
    if blind is None:  # evaluated before this was measured
        return section(title, element("p", text("shortcuts.unknown")), id_="shortcuts")
    return section(
        title,
        element("p", text("shortcuts.text", images=blind["images"])),
        element("p", _comparison(findings, blind, text)),
        _warning(text) if blind["high"] else element("p", text("shortcuts.low")),
        _properties(blind, text),
        _sources(blind, text) if blind["high"] else None,
        element("p", text("shortcuts.note"), class_="note"),
        id_="shortcuts",
    )


def _comparison(findings: Findings, blind: Mapping[str, Any], text: Messages) -> str:
    model = findings.figures["test"]["metrics"]["f1"]
    low = findings.figures["test"]["intervals"]["f1"][0]
    ahead = low is not None and low > blind["metrics"]["f1"]
    key = "shortcuts.ahead" if ahead else "shortcuts.not_ahead"
    f1, always = blind["metrics"]["f1"], blind["always_photo_f1"]
    return text(key, blind=f1, model=model or 0.0, always=always)


def _warning(text: Messages) -> Html:
    return element(
        "aside",
        element("p", element("strong", text("shortcuts.warning"))),
        element("p", text("shortcuts.advice")),
        class_="notice",
    )


def _properties(blind: Mapping[str, Any], text: Messages) -> Html:
    header = [text("shortcuts.property"), text("shortcuts.pairs"), text("shortcuts.lost")]
    rows = [
        (
            text(f"shortcuts.{row['feature']}"),
            text.percent(row["roc_auc"], 0),
            text.number(max(100 * row["auc_lost_without"], 0), 0),
        )
        for row in blind["features"]
    ]
    together = text.percent(blind["metrics"]["roc_auc"], 0)
    rows.append((text("shortcuts.together"), together, text("worth.no_value")))
    return table(text("shortcuts.properties"), header, rows)


def _sources(blind: Mapping[str, Any], text: Messages) -> Html:
    columns = ("source", "trait", "images", "sure", "same_label")
    header = [text(f"shortcuts.{column}") for column in columns]
    rows = [
        (
            name("/".join(part for part in (row["class_folder"], row["source"]) if part)),
            name(row["trait"]),
            text.number(row["images"]),
            text.percent(row["sure"] / row["images"], 0),
            text.percent(row["of_this_label"], 0),
        )
        for row in blind["sources"][:MOST_SOURCES]
    ]
    return table(text("shortcuts.sources"), header, rows, words=2)
