"""The client report's first page, its next steps and where it is signed."""

from collections.abc import Mapping
from typing import Any

from photoclf.acceptance import judge
from photoclf.findings import Findings
from photoclf.markup import Html, element, name, section, table, tiles
from photoclf.messages import Messages


def acceptance(findings: Findings, text: Messages) -> Html:
    """Build page one: what is recommended, at which conditions, and why not without reserve."""
    figures, verdict = findings.figures, judge(findings.figures)
    reasons = [element("li", _reason(why, told, text)) for why, told in verdict.reasons]
    key = "demo" if findings.is_demo else verdict.verdict
    return section(
        text("acceptance.title"),
        element(
            "div",
            element("p", element("strong", text(f"acceptance.{key}"))),
            element("p", _conditions(figures["review"], text)),
            class_=f"decision {verdict.verdict}",
        ),
        _tiles(findings, text),
        element("p", text(f"acceptance.reasons_{len(reasons) > 1}")) if reasons else None,
        element("ul", *reasons, class_="reasons") if reasons else None,
        element("p", _without_review(figures["test"]["confusion"], text)),
        _worst_kinds(findings, text),
        id_="summary",
    )


def next_steps(findings: Findings, text: Messages) -> Html:
    """Build what should be done now, from what was found."""
    steps = [element("li", step) for step in _steps(findings, text)]
    return section(text("next.title"), element("ol", *steps), id_="next")


def signature(findings: Findings, text: Messages) -> Html:
    """Build the block in which both sides decide and sign."""
    choices = [element("li", text(f"signature.{choice}")) for choice in _CHOICES]
    blanks = [
        element(
            "div",
            element("h3", text(f"signature.for_{side}")),
            element("dl", *(_blank(text(f"signature.{item}")) for item in _BLANKS)),
        )
        for side in ("client", "us")
    ]
    return section(
        text("signature.title"),
        element("p", text("signature.text", run=findings.run.run_id)),
        element("ul", *choices, class_="boxes"),
        element("div", *blanks, class_="signatures"),
        id_="signature",
    )


_CHOICES = ("accepted", "with_reserve", "refused")
_BLANKS = ("name", "role", "date", "sign")


def _blank(label: str) -> Html:
    return element("div", element("dt", label), element("dd", class_="blank"))


def _reason(why: str, told: Mapping[str, Any], text: Messages) -> str:
    if why == "promise_broken":
        return text(f"alarm.promise_broken_{told['kind']}", **_numbers(told))
    if why == "subgroup":
        told = dict(told) | {"group": group_name(told["by"], told["name"], text)}
    return text(f"alarm.{why}", **_numbers(told))


def _numbers(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in ("alarm", "kind")}


def group_name(by: str, value: str, text: Messages) -> str:
    """Name a group of images, as `subgroups` has it, in the reader's language."""
    if by in ("size", "colour", "flag"):
        return text(f"group.{value}")
    return text(f"group.of_{by}", name=value)


def _conditions(review: Mapping[str, Any], text: Messages) -> str:
    point, promise = review["point"], review["promise"] or {}
    told = {"automatic": point["automatic"], "reviewed": point["reviewed"]}
    told |= {"images": review["images"], "review_s": review["prices"]["review_s"]}
    told |= {"time": text.duration(point["hours"]), "allowed": review["hours_allowed"]}
    if not promise:
        return text(f"acceptance.by_{review['by']}", **told)
    kept = [kind for kind in ("missed", "false") if promise[kind] is not None]
    shares = {kind: promise[kind] for kind in kept}
    key = "both" if len(kept) == 2 else kept[0]
    sorted_by = "alone" if point["reviewed"] < 0.5 else "review"
    return " ".join(
        [
            text(f"acceptance.{sorted_by}", **told),
            text(f"acceptance.promise_{key}", confidence=promise["confidence"], **shares),
        ]
    )


def _tiles(findings: Findings, text: Messages) -> Html:
    review = findings.figures["review"]
    point, promise = review["point"], review["promise"] or {}
    shown: list[tuple[str, str, str | None]] = [
        (text.percent(point["automatic"]), text("acceptance.automatic"), None),
        (
            text.number(point["reviewed"]),
            text("acceptance.reviewed", reviewed=point["reviewed"]),
            text("acceptance.hours", time=text.duration(point["hours"]), images=review["images"]),
        ),
    ]
    for kind in ("missed", "false"):
        rates = review["rates"][kind]
        measured = text("acceptance.measured", **rates) if rates["images"] else None
        if promise.get(kind) is not None:
            share = text("acceptance.at_most", share=promise[kind])
            shown.append((share, text(f"acceptance.{kind}_promised"), measured))
        else:
            value = text("worth.no_value") if rates["rate"] is None else text.percent(rates["rate"])
            shown.append((value, text(f"acceptance.{kind}_measured"), measured))
    return tiles(*shown)


def score_text(score: float, text: Messages) -> str:
    """Write a score with two decimals, with four where two would say 0 or 1 of neither."""
    score = min(score, 1.0)
    return text.number(score, 2 if 0.01 <= score <= 0.99 or score in (0, 1) else 4)


def _without_review(counts: Mapping[str, int], text: Messages) -> str:
    return text(
        "summary.verdict" if counts["fp"] else "summary.verdict_clean",
        photos=counts["tp"] + counts["fn"],
        found=counts["tp"],
        missed=counts["fn"],
        wrong=counts["fp"],
        others=counts["fp"] + counts["tn"],
    )


def _worst_kinds(findings: Findings, text: Messages) -> Html:
    """Build the two kinds of error that cost most: each folder taken for photographs, and back."""
    folders = findings.evaluation.groups("class_folder")
    rows = sorted(folders, key=lambda row: (-row["false"] / max(row["others"], 1), row["name"]))
    cells = [
        (_turned(row["name"], text("kind.photo")), row["false"], row["others"])
        for row in rows
        if row["others"] and row["false"]
    ]
    cells += [
        (_turned(row["name"], text("kind.other")), row["missed"], row["photos"])
        for row in rows
        if row["photos"]
    ]
    header = [text(f"kinds.{column}") for column in ("kind", "errors", "images", "rate")]
    shown = [
        (label, text.number(errors), text.number(images), text.percent(errors / images))
        for label, errors, images in cells
    ]
    return table(text("kinds.caption"), header, shown)


def _images_to_label(review: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the next stricter step that val is too small for, and what it takes, if any."""
    promise = review["promise"]
    now = max((promise[kind] or 0) for kind in ("missed", "false")) if promise else 1.0
    steps = [s for s in review["ladder"] if s["share"] < now and s["point"] is None]
    if not steps:
        return None
    step = max(steps, key=lambda s: s["share"])
    return {"share": step["share"], "needed": step["needed"]}


def _turned(folder: str, into: str) -> Html:
    return element("span", name(folder), " → ", into)


def _steps(findings: Findings, text: Messages) -> list[str]:
    figures, audit = findings.figures, findings.audit
    review, told = figures["review"], []
    point = review["point"]
    if point["reviewed"] >= 0.5:
        low, high = (score_text(point[end], text) for end in ("low", "high"))
        work = {"reviewed": point["reviewed"], "time": text.duration(point["hours"])}
        told.append(text("next.review", low=low, high=high, **work))
    lost = int(audit.status.isin(["unreadable", "not_an_image"]).sum())
    if lost:
        told.append(text("next.lost", files=lost))
    if findings.conflicts or figures["suspected_labels"]:
        images = findings.conflicts + figures["suspected_labels"]
        told.append(text("next.labels", images=images))
    more = _images_to_label(review)
    if more:
        told.append(text("next.label", **more, **review["val_groups"]))
    if any(alarm["alarm"] == "shortcuts" for alarm in figures["alarms"]):
        told.append(text("next.sources"))
    told.append(text("next.sample"))
    return told
