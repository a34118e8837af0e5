"""The sections of a client's report, as HTML in the reader's language."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from photoclf.findings import Findings
from photoclf.markup import Html, element, name, section, table
from photoclf.messages import Messages, wording


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


def received(findings: Findings, text: Messages) -> Html:
    """Build the ledger: what became of each file, adding up to those received."""
    rows = [
        (text(f"status.{row.status}"), _reason(text, row.reason), text.number(row.files))
        for row in _rows(findings.ledger)
    ]
    header = [text(f"received.{column}") for column in ("status", "reason", "files")]
    total = (text("received.sum"), text.number(len(findings.audit)))
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
    total = (text("found.sum"), text.number(images), text.percent(1))
    folders = findings.used.class_folder.nunique()
    share = photos / max(images, 1)
    told = text("found.text", images=images, folders=folders, photos=photos, share=share)
    conflicts = element("p", text("found.conflicts", images=findings.conflicts))
    return section(
        text("found.title"),
        element("p", told),
        table(text("found.caption"), header, rows, total=total, words=2),
        conflicts if findings.conflicts else None,
        _suspects(findings, text),
        id_="found",
    )


def worth(findings: Findings, text: Messages) -> Html:
    """Build the figures with their intervals, beside two ways to answer without looking."""
    test, baseline = findings.figures["test"], findings.figures["baseline_other"]["metrics"]
    blind = (findings.figures.get("baseline_metadata") or {}).get("metrics", {})
    release = findings.figures["baseline_release"]
    rows = [
        (
            text(f"worth.{metric}"),
            _percent(text, test["metrics"][metric]),
            _interval(findings, metric, text) or text("worth.no_value"),
            *([_percent(text, release["metrics"][metric])] if release else []),
            _percent(text, blind.get(metric)),
            _percent(text, baseline[metric]),
        )
        for metric in ("recall", "precision", "f1", "accuracy")
    ]
    before = ("release",) if release else ()
    columns = ("measure", "model", "interval", *before, "metadata", "baseline")
    header = [text(f"worth.{column}") for column in columns]
    return section(
        text("worth.title"),
        element("p", text("worth.text", images=test["images"], photos=test["photos"])),
        table(text("worth.caption"), header, rows),
        _release_note(release, text),
        element("p", text("worth.baseline_text", accuracy=baseline["accuracy"])),
        id_="worth",
    )


def method(findings: Findings, text: Messages) -> Html:
    """Build what was done, in plain words."""
    figures, used = findings.figures, len(findings.used)
    learnt = used - figures["val"]["images"] - figures["test"]["images"]
    told = {
        "sides": {
            "learnt": max(learnt, 0),
            "val": figures["val"]["images"],
            "test": figures["test"]["images"],
        },
        "size": {"size": findings.run.config.resolved().image_size or 0},
        "measure": {"test": figures["test"]["images"], "groups": figures["test"]["groups"]},
    }
    # A release brings its own threshold.
    decide = "decide" if figures["threshold_rule"].endswith("_on_val") else "decide_release"
    told[decide] = {"threshold": figures["threshold"]}
    steps = ("read", "sides", "size", decide, "measure", "check")
    items = [element("li", text(f"method.{step}", **told.get(step, {}))) for step in steps]
    return section(text("method.title"), element("ol", *items), id_="method")


def limits(findings: Findings, text: Messages) -> Html:
    """Build what the model can't do and what wasn't measured."""
    times, runs = findings.openings()
    items = ["sources", "promise", "paintings", "mixed", "labels"]
    if findings.stress is None:
        items.append("robustness")
    items = [text(f"limits.{item}") for item in items]
    if findings.run.is_release:
        items.append(text("limits.licence"))
    if findings.is_demo:
        items.insert(0, text("limits.demo"))
    if times > 1:
        items.append(text("limits.openings", times=times, runs=runs))
    return section(
        text("limits.title"), element("ul", *(element("li", item) for item in items)), id_="limits"
    )


def glossary(text: Messages) -> Html:
    """Build what the report's words mean."""
    words = (
        "photo", "test", "recall", "precision", "f1", "score", "threshold", "interval",
        "review", "promise", "calibration",
    )  # fmt: skip
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
    commit = _hash(origin.get("commit"))
    if commit and origin.get("dirty"):
        commit = element("span", commit, ", ", text("provenance.dirty"))
    others = figures["test_opened_by_other_runs"]
    versions = ", ".join(f"{k} {v}" for k, v in (origin.get("versions") or {}).items())
    return {
        "run": name(findings.run.run_id),
        "trained": text.date(started) if started else None,
        "evaluated": text.date(figures["evaluated_at"]),
        "commit": commit,
        "manifest_hash": _hash(origin.get("manifest_hash")),
        "split_hash": _hash(figures["split_hash"]),
        "model_hash": _hash(findings.run.read("done")["sha256"].get("model.tflite")),
        "weights": _weights(origin, text),
        "lock_hash": _hash(origin.get("lock_hash")),
        "threshold": text.number(figures["threshold"], 4),
        "seed": str(figures["seed"]),
        "threads": str(origin.get("threads") or text("provenance.all_threads")),
        "cpu": cpu.get("model"),
        "versions": versions,
        "draws": text.number(figures["bootstrap_draws"]),
        "openings": text.number(figures["test_openings"]),
        "other_runs": ", ".join(others) or text("provenance.none"),
    }


def _weights(origin: dict[str, Any], text: Messages) -> Html | str | None:
    if "weights" not in origin:  # runs from before there was a choice
        return None
    weights = origin["weights"]
    if weights is None:
        return text("provenance.random")
    source = f"{weights['source']} ({weights['trained_on']}, {weights['licence']}), "
    return element("span", source, _hash(weights["sha256"]))


def _suspects(findings: Findings, text: Messages) -> Html | None:
    images = findings.figures.get("suspected_labels", 0)
    return element("p", text("found.suspects", images=images)) if images else None


def _hash(value: str | None) -> Html | None:
    return element("span", value, class_="hash") if value else None


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


def _interval(findings: Findings, metric: str, text: Messages) -> str | None:
    bounds = findings.interval(metric)
    return text("value.interval", low=bounds[0], high=bounds[1]) if bounds else None


def _release_note(release: dict[str, Any] | None, text: Messages) -> Html | None:
    if release is None:
        return None
    told = text("worth.release_text", images=release["images"], left_out=release["left_out"])
    return element("p", told, class_="note")
