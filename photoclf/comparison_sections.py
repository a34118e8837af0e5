"""The sections of a comparison's page, as HTML in the reader's language."""

import re
from typing import Any

import pandas as pd

from photoclf.comparison import FINALISTS, Comparison
from photoclf.lessons import lessons, p_value, show, verdict, worse_by
from photoclf.markup import Html, element, name, section, table, tiles
from photoclf.messages import Messages

# Rows of the ranking on the page; all of them are in points.csv.
MOST_ROWS = 15
# Values of a parameter that are listed one by one.
MOST_VALUES = 8


def opening(comparison: Comparison, title: str, day: str, demo: bool, text: Messages) -> Html:
    """Build the page's head: what is compared, when, and the question asked.

    Args:
        comparison: What is told.
        title: The sweep's name, or what else was compared.
        day: ISO 8601 text of the newest run.
        demo: Whether the runs are of the demonstration archive.
        text: The language.
    """
    warned = element(
        "aside",
        element("p", element("strong", text("demo.title"))),
        element("p", text("demo.text")),
        class_="notice",
    )
    questions = comparison.questions
    # Better in another language than not at all.
    question = questions.get(text.lang) or next(iter(questions.values()), "")
    asked = text("comparison.question", question=question)
    return element(
        "header",
        element("h1", text("comparison.title")),
        element(
            "p",
            element("span", title),
            element("span", text("comparison.day", day=day)),
            class_="date",
        ),
        element("p", asked if question else text("comparison.lead"), class_="lead"),
        warned if demo else None,
    )


def summary(comparison: Comparison, text: Messages) -> Html:
    """Build the verdict, and the figures that it stands on."""
    noise, chosen = comparison.noise, comparison.chosen
    sd = text.number(noise.sd, 3) if noise.known else text("comparison.unknown")
    which = {"rank": int(chosen["rank"]), "what": text(f"figure.{comparison.objective}")}
    points = len(comparison.points)
    shown = [
        (
            text.number(chosen["mean"], 3),
            text("comparison.tile_chosen", **which),
        ),
        (sd, text("comparison.tile_noise")),
        (text.number(len(comparison.runs)), text("comparison.tile_runs", points=points)),
        (text.number(comparison.images), text("comparison.tile_images", groups=comparison.groups)),
    ]
    return section(
        text("comparison.summary"),
        element("p", verdict(comparison, text), class_="verdict"),
        tiles(*((value, said, None) for value, said in shown)),
        id_="summary",
    )


def teaching(comparison: Comparison, text: Messages) -> Html:
    """Build what the runs teach, in five sentences."""
    items = [element("li", said) for said in lessons(comparison, text)]
    return section(text("comparison.teaches"), element("ol", *items), id_="lessons")


def variation(comparison: Comparison, text: Messages) -> Html:
    """Build which parameters varied, and over which values."""
    title = text("comparison.varied")
    if not comparison.varied:
        return section(title, element("p", text("lessons.nothing_varied")), id_="varied")
    rows = [
        (name(parameter), _tried(comparison.points[parameter], text))
        for parameter in comparison.varied
    ]
    header = [text("comparison.parameter"), text("comparison.values")]
    return section(
        title,
        element("p", text("comparison.varied_text")),
        table(text("comparison.varied_caption"), header, rows, words=2),
        id_="varied",
    )


def ranking(comparison: Comparison, drawn: Html, text: Messages) -> Html:
    """Build the ranked table, with what seeds alone change.

    Args:
        comparison: What is told.
        drawn: Its figure, see `comparison_figures`.
        text: The language.
    """
    columns = ("rank", "choices", "seeds", "accuracy", "flops", "parameters", "duration")
    header = [text(f"comparison.{column}") for column in columns]
    header.insert(3, text(f"figure.{comparison.objective}").capitalize())
    points, rows = len(comparison.points), comparison.points.head(MOST_ROWS)
    cut = text("comparison.cut", shown=len(rows), points=points) if points > len(rows) else None
    key = "comparison.noise_known" if comparison.noise.known else "comparison.noise_unknown"
    return section(
        text("comparison.ranking"),
        element("p", text("comparison.ranking_text")),
        element("p", text(key, sd=comparison.noise.sd, df=comparison.noise.df)),
        table(
            text("comparison.ranking_caption"),
            header,
            [_ranked(row, comparison, text) for _, row in rows.iterrows()],
            words=2,
        ),
        element("p", cut, class_="note") if cut else None,
        drawn,
        id_="ranking",
    )


def finals(comparison: Comparison, drawn: Html | None, text: Messages) -> Html:
    """Build the finalists' differences from the best point, on the same images."""
    title = text("comparison.finals")
    if comparison.finalists.empty or drawn is None:
        return section(title, element("p", text("verdict.alone")), id_="finals")
    columns = ("rank", "verdict", "worse_by", "interval", "p", "f1", "decisions", "mcnemar")
    header = [text(f"comparison.{column}") for column in columns]
    rows = [_finalist(row, comparison, text) for _, row in comparison.finalists.iterrows()]
    return section(
        title,
        element("p", text("comparison.finals_text", finalists=FINALISTS, images=comparison.images)),
        table(text("comparison.finals_caption"), header, rows, words=2),
        drawn,
        element("p", text("comparison.finals_note"), class_="note"),
        id_="finals",
    )


def figures(key: str, drawn: list[Html], text: Messages, *notes: str) -> Html:
    """Build a section of one paragraph and its figures.

    Args:
        key: The section: `curves`, `by_parameter` or `by_cost`.
        drawn: Its figures; without any, the paragraph stands alone.
        text: The language.
        notes: Paragraphs that follow.
    """
    said = [element("p", note, class_="note") for note in notes]
    told = element("p", text(f"comparison.{key}_text"))
    return section(text(f"comparison.{key}"), told, *drawn, *said, id_=key)


def provenance(comparison: Comparison, text: Messages) -> Html:
    """Build where the figures come from."""
    origins = [run.provenance for run in comparison.members]
    versions = {", ".join(f"{k} {v}" for k, v in o.get("versions", {}).items()) for o in origins}
    rows = [
        (text("comparison.runs"), _names([run.run_id for run in comparison.members])),
        (text("provenance.split_hash"), _hash(str(origins[0].get("split_hash")))),
        (text("provenance.commit"), _all({o.get("commit") for o in origins}, text)),
        (text("provenance.cpu"), _all({(o.get("cpu") or {}).get("model") for o in origins}, text)),
        (text("provenance.threads"), _all({o.get("threads") for o in origins}, text)),
        (text("provenance.versions"), _all(versions, text)),
    ]
    header = [text("provenance.item"), text("provenance.value")]
    return section(
        text("provenance.title"),
        element("p", text("comparison.provenance_text")),
        table(text("provenance.caption"), header, rows, words=2),
        id_="provenance",
    )


def _tried(values: pd.Series, text: Messages) -> str:
    tried = sorted(set(values), key=_order)
    if len(tried) <= MOST_VALUES or not pd.api.types.is_numeric_dtype(values):
        return " · ".join(show(value, text) for value in tried)
    ends = {"low": show(tried[0], text), "high": show(tried[-1], text)}
    return text("comparison.range", values=len(tried), **ends)


def _order(value: Any) -> Any:
    """Sort lists of numbers by their numbers, what isn't one before them."""
    digits = [int(part) for part in re.findall(r"\d+", value)] if isinstance(value, str) else None
    return value if digits is None else (digits, value)


def _ranked(row: pd.Series, comparison: Comparison, text: Messages) -> tuple[object, ...]:
    chosen = int(row["rank"]) == comparison.chosen_rank
    rank = element("span", str(row["rank"]), class_="rank")
    if chosen:
        mark = element("span", text("comparison.chosen"), class_="mark chosen")
        rank = element("span", rank, " ", mark)
    made = [
        element("span", f"{parameter} ", element("b", show(row[parameter], text)))
        for parameter in comparison.varied
    ]
    noise = comparison.noise
    mean = text.number(row["mean"], 3)
    if noise.known:
        mean = text("comparison.plus_minus", mean=row["mean"], sd=noise.sd / row["runs"] ** 0.5)
    return (
        rank,
        element("span", *made, class_="choices", translate="no"),
        text.number(row["runs"]),
        mean,
        text.percent(row["val_accuracy"]),
        text.number(row["flops"] / 1e6, 1),
        text.number(row["parameters"] / 1e6, 2),
        text.number(row["duration_s"], 0),
    )


def _finalist(row: pd.Series, comparison: Comparison, text: Messages) -> tuple[object, ...]:
    value, low, high = worse_by(comparison, row)
    said = text("comparison.apart" if row["told_apart"] else "comparison.not_apart")
    return (
        str(int(row["rank"])),
        said,
        text.number(value, 3),
        _span(low, high, text),
        p_value(row["p_holm"], text),
        _span(row["f1_low"], row["f1_high"], text),
        text("comparison.counts", best=row["only_best"], other=row["only_other"]),
        p_value(row["mcnemar_p"], text),
    )


def _span(low: float, high: float, text: Messages) -> str:
    if pd.isna(low):
        return text("worth.no_value")
    return text("comparison.span", low=low, high=high)


def _names(names: Any) -> Html:
    return element("span", *(element("span", name(n), " ") for n in sorted(names)))


def _hash(value: str) -> Html:
    return element("span", value, class_="hash")


def _all(values: set[Any], text: Messages) -> Html:
    return _names([str(value or text("provenance.unknown")) for value in values])
