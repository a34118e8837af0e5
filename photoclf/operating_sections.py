"""A client's report on how to work with the sorting: what is reviewed, promised, paid."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from photoclf.acceptance_sections import score_text
from photoclf.findings import Findings
from photoclf.look import style
from photoclf.markup import Html, drawing, element, section, table
from photoclf.messages import Messages
from photoclf.operating import Prices, operating_point
from photoclf.plots_review import draw_coverage_risk, draw_prior_shift
from photoclf.triage import CELLS

SIZES = (1_000, 10_000, 100_000, 1_000_000)
SHARES = (0.05, 0.2, 0.5)


def operating(findings: Findings, text: Messages) -> Html:
    """Build the review band, what each promise costs, and what nobody promised would cost."""
    review = findings.figures["review"]
    return section(
        text("operating.title"),
        element("p", text("operating.text")),
        element("p", _band(review, text)),
        _ladder(review, text),
        element("p", text("operating.prices", **review["prices"]), class_="note"),
        _coverage(review, text),
        element("p", _assumption(review, text), class_="note"),
        id_="operating",
    )


def other_archives(findings: Findings, text: Messages) -> Html:
    """Build what the same band leads to where photographs are rarer, or there are more images."""
    review = findings.figures["review"]
    return section(
        text("prior.title"),
        element("p", text(f"prior.text_{review['photo_share_of']}", share=review["photo_share"])),
        _prior_figure(review, text),
        _prior_table(review, text),
        _sizes(review, text),
        element("p", text("prior.assumption"), class_="note"),
        id_="prior",
    )


def _band(review: Mapping[str, Any], text: Messages) -> str:
    point = review["point"]
    if review["by"] == "nothing":
        return text("operating.no_band", threshold=point["low"])
    if point["low"] == point["high"]:
        return text("operating.one_threshold", threshold=point["low"])
    if point["low"] <= 0 and point["high"] > 1:
        return text("operating.all_reviewed")
    low, high = (score_text(point[end], text) for end in ("low", "high"))
    return text("operating.band", low=low, high=high)


def _assumption(review: Mapping[str, Any], text: Messages) -> str:
    least = review["least"]
    proved = {"least_photos": least["photos"], "least_others": least["others"]}
    told = [text("operating.assumption", **review["val_groups"], **proved)]
    if review["candidates"] > 1:
        told.append(text("operating.candidates", candidates=review["candidates"]))
    return " ".join(told)


def _ladder(review: Mapping[str, Any], text: Messages) -> Html:
    columns = ("promise", "automatic", "reviewed", "hours", "missed", "false", "cost")
    header = [text(f"operating.{column}") for column in columns]
    rows: list[tuple[object, ...]] = []
    for step in _worth_showing(review["ladder"]):
        label = text("operating.at_most", share=step["share"])
        if step["point"] is None:
            told = text("operating.unproved", needed=step["needed"])
            rows.append((element("span", label, " ", element("small", told)), *["–"] * 6))
        else:
            rows.append((_marked(label, step["point"], review, text), *_cells(step["point"], text)))
    for key in ("one_threshold", "cheapest"):
        rows.append((text(f"operating.row_{key}"), *_cells(review[key], text)))
    if review["by"] in ("promise", "hours"):
        label = text(f"operating.row_{review['by']}")
        point = review["point"]
        rows.insert(0, (_marked(label, point, review, text), *_cells(point, text)))
    caption = text("operating.caption", images=review["images"], share=review["photo_share"])
    return table(caption, header, rows)


def _worth_showing(ladder: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps up to the first that needs no review: looser ones are the same."""
    free = [i for i, step in enumerate(ladder) if step["point"] and step["point"]["reviewed"] < 0.5]
    return ladder[: free[0] + 1] if free else ladder


def _marked(
    label: str, point: Mapping[str, Any], review: Mapping[str, Any], text: Messages
) -> Html:
    chosen = (point["low"], point["high"]) == (review["point"]["low"], review["point"]["high"])
    mark = element("span", text("operating.chosen"), class_="mark chosen") if chosen else None
    return element("span", label, " " if chosen else None, mark)


def _cells(point: Mapping[str, Any], text: Messages) -> list[str]:
    return [
        text.percent(point["automatic"]),
        text.number(point["reviewed"]),
        text.duration(point["hours"]),
        text.number(point["missed"]),
        text.number(point["false"]),
        text("operating.euros", cost=point["cost"]),
    ]


def _coverage(review: Mapping[str, Any], text: Messages) -> Html:
    coverage, risk = review["coverage"]["coverage"], review["coverage"]["risk"]
    cells = np.array([review["cells"][name] for name in CELLS], float)
    alone, wrong = cells[[0, 2, 3, 5]].sum(), cells[[2, 3]].sum()
    chosen = (float(alone / cells.sum()), float(wrong / alone)) if alone else None
    with style():
        figure = Figure(figsize=(6.8, 2.6))
        draw_coverage_risk(figure.add_subplot(), coverage, risk, chosen, words=text)
        alt = text(
            "operating.coverage_alt",
            all_risk=risk[-1],
            coverage=chosen[0] if chosen else 0.0,
            risk=chosen[1] if chosen else 0.0,
        )
        return drawing(figure, alt, text("operating.coverage_figure"))


def _prior_figure(review: Mapping[str, Any], text: Messages) -> Html:
    prior = [
        row | {"reviewed_share": row["reviewed"] / review["images"]}
        for row in review["prior"]
        if row["reviewed"] is not None
    ]
    told = [
        text("prior.alt_item", share=row["photo_share"], precision=row["precision"],
             reviewed=row["reviewed_share"])
        for row in prior
        if row["precision"] is not None
    ]  # fmt: skip
    with style():
        figure = Figure(figsize=(6.8, 2.9))
        draw_prior_shift(figure.add_subplot(), prior, review["photo_share"], words=text)
        return drawing(figure, text("prior.alt", items=" ; ".join(told)), text("prior.figure"))


def _prior_table(review: Mapping[str, Any], text: Messages) -> Html:
    columns = ("share", "precision", "interval", "reviewed", "hours", "cost")
    header = [text(f"prior.{column}") for column in columns]
    rows = []
    for row in review["prior"]:
        share = text.percent(row["photo_share"], 0 if row["photo_share"] * 100 % 1 < 1e-6 else 1)
        own = abs(row["photo_share"] - review["photo_share"]) < 1e-5
        mark = element("span", text("prior.own"), class_="mark chosen") if own else None
        label = element("span", share, " " if own else None, mark)
        rows.append((label, *_prior_cells(row, text)))
    return table(text("prior.caption", images=review["images"]), header, rows)


def _prior_cells(row: Mapping[str, Any], text: Messages) -> list[str]:
    if row["reviewed"] is None:
        return [text("worth.no_value")] * 5
    precision, low = row["precision"], row["precision_low"]
    return [
        text("worth.no_value") if precision is None else text.percent(precision),
        text("worth.no_value") if low is None
        else text("value.interval", low=low, high=row["precision_high"]),
        text.number(row["reviewed"]),
        text.duration(row["hours"]),
        text("operating.euros", cost=row["cost"]),
    ]  # fmt: skip


def _sizes(review: Mapping[str, Any], text: Messages) -> Html | None:
    cells = np.array([review["cells"][name] for name in CELLS], float)
    if not cells[:3].sum() or not cells[3:].sum():
        return None
    prices, shares = Prices(**review["prices"]), sorted({*SHARES, review["photo_share"]})
    header = [text("prior.size"), *(text("prior.at_share", share=share) for share in shares)]
    rows = []
    for size in SIZES:
        points = [operating_point(cells, size, share, prices) for share in shares]
        told = [
            text("prior.hours_and_cost", time=text.duration(p["hours"]), cost=p["cost"])
            for p in points
        ]
        rows.append((text.number(size), *told))
    return table(text("prior.sizes_caption"), header, rows)
