"""The sections of a client's report, as HTML in the reader's language."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from photoclf import plots
from photoclf.findings import SMALL_GROUP, Findings
from photoclf.markup import Html, drawing, element, name, section, table, thumbnail
from photoclf.messages import Messages, wording

MOST_PICTURES = 24


def opening(findings: Findings, text: Messages) -> Html:
    """Build the page's head: title, date, model, and whether the archive is the demonstration's."""
    day = findings.figures["evaluated_at"]
    demo = element(
        "aside",
        element("p", element("strong", text("demo.title"))),
        element("p", text("demo.text")),
        class_="notice",
    )
    return element(
        "header",
        element("h1", text("page.title")),
        element(
            "p",
            element("span", text("page.subtitle", day=day)),
            element("span", text("page.model", run=findings.run.run_id), translate="no"),
            class_="date",
        ),
        element("p", text("page.lead"), class_="lead"),
        demo if findings.is_demo else None,
    )


def summary(findings: Findings, text: Messages) -> Html:
    """Build the figures that a reader in a hurry needs."""
    test, photos = findings.figures["test"], _photos(findings)
    counts = test["confusion"]
    files = len(findings.audit)
    share = photos / max(len(findings.used), 1)
    verdict = text(
        "summary.verdict" if counts["fp"] else "summary.verdict_clean",
        photos=test["photos"],
        found=counts["tp"],
        missed=counts["fn"],
        wrong=counts["fp"],
        others=counts["fp"] + counts["tn"],
    )
    tiles = [
        _tile(_percent(text, test["metrics"][metric]), text(f"summary.{metric}"),
              _interval(text, test, metric, "summary.interval"))
        for metric in ("recall", "precision")
    ]  # fmt: skip
    tiles += [
        _tile(text.number(files), text("summary.files", files=files)),
        _tile(text.percent(share), text("summary.photos")),
    ]
    return section(
        text("summary.title"),
        element("p", verdict),
        element("ul", *tiles, class_="tiles"),
        id_="summary",
    )


def received(findings: Findings, text: Messages) -> Html:
    """Build the ledger: what became of each file, adding up to those received."""
    rows = [
        (text(f"status.{row.status}"), _reason(text, row.reason), text.number(row.files))
        for row in _rows(findings.ledger)
    ]
    header = [text(f"received.{column}") for column in ("status", "reason", "files")]
    total = (text("received.sum"), "", text.number(len(findings.audit)))
    return section(
        text("received.title"),
        element("p", text("received.text")),
        table(text("received.caption"), header, rows, total=total, words=2),
        id_="received",
    )


def found(findings: Findings, text: Messages) -> Html:
    """Build what the archive holds, folder by folder."""
    images, photos = len(findings.used), _photos(findings)
    rows = [
        (
            name(row.class_folder),
            text(_kind(row.label)),
            text.number(row.images),
            text.percent(row.images / images),
        )
        for row in _rows(findings.folders)
    ]
    header = [text(f"found.{column}") for column in ("folder", "kind", "images", "share")]
    total = (text("found.sum"), "", text.number(images), text.percent(1))
    folders = findings.used.class_folder.nunique()
    share = photos / max(images, 1)
    told = text("found.text", images=images, folders=folders, photos=photos, share=share)
    conflicts = element("p", text("found.conflicts", images=findings.conflicts))
    return section(
        text("found.title"),
        element("p", told),
        table(text("found.caption"), header, rows, total=total, words=2),
        conflicts if findings.conflicts else None,
        id_="found",
    )


def worth(findings: Findings, text: Messages) -> Html:
    """Build recall and precision with their intervals, beside always answering "other"."""
    test, baseline = findings.figures["test"], findings.figures["baseline_other"]["metrics"]
    rows = [
        (
            text(f"worth.{metric}"),
            _percent(text, test["metrics"][metric]),
            _interval(text, test, metric, "value.interval") or text("worth.no_value"),
            _percent(text, baseline[metric]),
        )
        for metric in ("recall", "precision", "accuracy")
    ]
    header = [text(f"worth.{column}") for column in ("measure", "model", "interval", "baseline")]
    return section(
        text("worth.title"),
        element("p", text("worth.text", images=test["images"], photos=test["photos"])),
        table(text("worth.caption"), header, rows),
        element("p", text("worth.baseline_text", accuracy=baseline["accuracy"])),
        id_="worth",
    )


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
        table(text("cases.caption"), header, rows),
        _scores_figure(findings, text),
        id_="cases",
    )


def by_folder(findings: Findings, text: Messages) -> Html:
    """Build error rates a class folder, and the sub-folders with the most errors."""
    folders, sources = findings.figures["by_class_folder"], findings.worst_sources()
    listed = [*folders, *sources]
    columns = ("folder", "images", "errors", "rate", "interval")
    header = [text(f"folders.{column}") for column in columns]
    worst = table(
        text("sources.caption"),
        [text("sources.folder"), *header[1:]],
        [_rate_row(f"{row['class_folder']}/{row['source']}", row, text) for row in sources],
    )
    small = any(row["images"] < SMALL_GROUP for row in listed)
    return section(
        text("folders.title"),
        element("p", text("folders.text")),
        table(
            text("folders.caption"),
            header,
            [_rate_row(row["class_folder"], row, text) for row in folders],
        ),
        _rates_figure(folders, text),
        worst if sources else None,
        element("p", text("folders.small_note", least=SMALL_GROUP), class_="note")
        if small
        else None,
        id_="folders",
    )


def gallery(findings: Findings, text: Messages, most: int = MOST_PICTURES) -> Html:
    """Build the most confident errors with their pictures, scores and folders."""
    errors, shown = len(findings.errors), min(len(findings.errors), most)
    images = findings.figures["test"]["images"]
    key = "none" if not errors else "all" if shown == errors else "some"
    cards = [_card(row, findings, text) for row in _rows(findings.errors.head(most))]
    lost = errors and findings.archive is None
    return section(
        text("gallery.title"),
        element("p", text(f"gallery.{key}", images=images, shown=shown, errors=errors)),
        element("p", text("gallery.unreachable"), class_="notice") if lost else None,
        element("ul", *cards, class_="gallery") if cards else None,
        id_="gallery",
    )


def limits(findings: Findings, text: Messages) -> Html:
    """Build what the model can't do and what wasn't measured."""
    times, runs = findings.openings()
    items = ["sources", "paintings", "mixed", "labels", "robustness"]
    items = [text(f"limits.{item}") for item in items]
    if findings.is_demo:
        items.insert(0, text("limits.demo"))
    if times > 1:
        items.append(text("limits.openings", times=times, runs=runs))
    return section(
        text("limits.title"), element("ul", *(element("li", item) for item in items)), id_="limits"
    )


def glossary(text: Messages) -> Html:
    """Build what the report's words mean."""
    words = ("photo", "recall", "precision", "score", "threshold", "interval")
    pairs = [
        element(
            "div",
            element("dt", text(f"glossary.{word}")),
            element("dd", text(f"glossary.{word}_text")),
        )
        for word in words
    ]
    return section(text("glossary.title"), element("dl", *pairs), id_="glossary")


def provenance(findings: Findings, text: Messages) -> Html:
    """Build where the figures come from, exactly enough to make them again."""
    header = [text("provenance.item"), text("provenance.value")]
    rows = [
        (text(f"provenance.{item}"), text("provenance.unknown") if value in (None, "") else value)
        for item, value in _origins(findings, text).items()
    ]
    return section(
        text("provenance.title"),
        element("p", text("provenance.text")),
        table(text("provenance.caption"), header, rows, words=2),
        id_="provenance",
    )


def _origins(findings: Findings, text: Messages) -> dict[str, Any]:
    origin, figures = findings.run.provenance, findings.figures
    started, cpu = origin.get("started_at"), origin.get("cpu") or {}
    commit = origin.get("commit")
    others = figures["test_opened_by_other_runs"]
    versions = ", ".join(f"{k} {v}" for k, v in (origin.get("versions") or {}).items())
    return {
        "run": name(findings.run.run_id),
        "trained": text.date(started) if started else None,
        "evaluated": text.date(figures["evaluated_at"]),
        "commit": _code(commit, text, dirty=origin.get("dirty")),
        "manifest_hash": _code(origin.get("manifest_hash"), text),
        "split_hash": _code(figures["split_hash"], text),
        "model_hash": _code(findings.run.read("done")["sha256"].get("model.tflite"), text),
        "lock_hash": _code(origin.get("lock_hash"), text),
        "threshold": text.number(figures["threshold"], 4),
        "seed": str(figures["seed"]),
        "threads": str(origin.get("threads") or text("provenance.all_threads")),
        "cpu": cpu.get("model"),
        "versions": versions,
        "draws": text.number(figures["bootstrap_draws"]),
        "openings": text.number(figures["test_openings"]),
        "other_runs": ", ".join(others) or text("provenance.none"),
    }


def _code(value: str | None, text: Messages, *, dirty: bool | None = False) -> Html | None:
    if not value:
        return None
    shown = text("provenance.dirty", commit=value) if dirty else value
    return element("span", shown, class_="hash")


def _rows(frame: pd.DataFrame) -> Iterator[Any]:
    return frame.itertuples()


def _photos(findings: Findings) -> int:
    return int((findings.used.label == 1).sum())


def _kind(label: Any) -> str:
    return "kind.unknown" if pd.isna(label) else "kind.photo" if label == 1 else "kind.other"


def _reason(text: Messages, code: str) -> str:
    key = f"reason.{code or 'none'}"
    return text(key) if key in wording() else text("reason.other", code=code)


def _percent(text: Messages, share: float | None) -> str:
    return text("worth.no_value") if share is None else text.percent(share)


def _interval(text: Messages, side: Mapping[str, Any], metric: str, key: str) -> str | None:
    low, high = side["intervals"].get(metric, (None, None))
    return None if low is None or high is None else text(key, low=low, high=high)


def _tile(value: str, meaning: str, note: str | None = None) -> Html:
    small = element("span", note, class_="note") if note else None
    return element("li", element("strong", value), element("span", meaning), small)


def _case(text: Messages, case: str, count: int) -> Html:
    words = element("span", text(f"cases.{case}", n=count))
    return element("div", element("strong", text.number(count)), words, class_=f"case {case}")


def _rate_row(folder: str, row: Mapping[str, Any], text: Messages) -> tuple[object, ...]:
    label = name(folder)
    if row["images"] < SMALL_GROUP:
        mark = element("span", text("folders.small"), class_="mark")
        label = element("span", label, " ", mark)
    interval = text("value.interval", low=row["low"], high=row["high"])
    numbers = (text.number(row["images"]), text.number(row["errors"]))
    return label, *numbers, text.percent(row["rate"]), interval


def _card(row: Any, findings: Findings, text: Messages) -> Html:
    error = text("gallery.missed" if row.label == 1 else "gallery.taken")
    score = text("gallery.score", score=row.score)
    alt = text("gallery.alt", folder=row.class_folder, error=error, score_text=score)
    picture = findings.picture(row.pathname)
    if isinstance(picture, str):
        image = element("p", text(f"gallery.{picture}"), class_="missing")
    else:
        image = thumbnail(picture, alt)
    caption = element(
        "figcaption",
        element("strong", error),
        element("span", name(row.class_folder), f" · {score}"),
        element("span", name(row.pathname.rsplit("/", 1)[-1]), class_="file"),
    )
    return element("li", element("figure", element("div", image, class_="picture"), caption))


def _words(text: Messages, **changes: str) -> dict[str, str]:
    return {**(plots.FRENCH if text.lang == "fr" else plots.ENGLISH), **changes}


def _scores_figure(findings: Findings, text: Messages) -> Html:
    test, counts = findings.evaluation.side("test"), findings.figures["test"]["confusion"]
    threshold = findings.figures["threshold"]
    words = _words(
        text,
        photo=text("cases.photos"),
        other=text("cases.others"),
        score=text("cases.axis_score"),
        images=text("cases.axis_images"),
    )
    with plots.style():
        figure = Figure(figsize=(6.8, 2.9))
        plots.draw_score_histogram(
            figure.add_subplot(), test.score, threshold, test.label, words=words
        )
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
    frame = pd.DataFrame(rows).rename(columns={"class_folder": "name"})
    items = [text("folders.alt_item", folder=row["class_folder"], **row) for row in rows]
    with plots.style():
        figure = Figure(figsize=(6.8, 0.75 + 0.34 * len(rows)))
        plots.draw_rates(figure.add_subplot(), frame, words=_words(text))
        alt = text("folders.alt", folders=" ; ".join(items))
        return drawing(figure, alt, text("folders.figure"))
