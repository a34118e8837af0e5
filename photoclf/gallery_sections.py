"""A client's report in pictures: errors, doubts, suspected labels, and what the model saw."""

from typing import Any

import numpy as np

from photoclf.findings import Findings
from photoclf.heat import overlaid
from photoclf.markup import Html, card, element, name, section, thumbnail
from photoclf.messages import Messages

MOST_PICTURES = 24
MOST_OF_A_KIND = 8
NEIGHBOURS_SHOWN = 6


def gallery(findings: Findings, text: Messages, most: int = MOST_PICTURES) -> Html:
    """Build the most confident errors with their pictures and scores, folder by folder."""
    errors, images = findings.errors, findings.figures["test"]["images"]
    # Each folder in its turn: one that fails often must not hide the others.
    turn = errors.groupby("class_folder").cumcount().sort_values(kind="stable").index[:most]
    chosen, folders = errors.loc[sorted(turn)], errors.class_folder.value_counts()
    parts, shown = [], len(chosen)
    for folder in sorted(set(chosen.class_folder), key=lambda f: (-folders[f], f)):
        rows = chosen[chosen.class_folder == folder]
        title = text("gallery.folder", errors=int(folders[folder]))
        parts.append(element("h3", name(folder), f" · {title}"))
        parts.append(_cards([_card(row, findings, text) for row in rows.itertuples()]))
    key = "none" if not len(errors) else "all" if shown == len(errors) else "some"
    lost = len(errors) and findings.archive is None
    return section(
        text("gallery.title"),
        element("p", text(f"gallery.{key}", images=images, shown=shown, errors=len(errors))),
        element("p", text("gallery.unreachable"), class_="notice") if lost else None,
        element(
            "p", text("gallery.blurred", folders=", ".join(findings.show_only)), class_="notice"
        )
        if findings.show_only and parts
        else None,
        *parts,
        id_="gallery",
    )


def least_certain(findings: Findings, text: Messages, most: int = MOST_OF_A_KIND) -> Html:
    """Build what a person would review; without a band, the images nearest to the threshold."""
    rows = findings.evaluation.least_certain()
    band = rows[rows.triage == "review"].sort_values(["score", "pathname"])
    if len(band):
        rows = band.iloc[np.unique(np.linspace(0, len(band) - 1, most).round().astype(int))]
        title = text("uncertain.band_title")
        told = text("uncertain.band_text", shown=len(rows), images=len(band))
    else:
        rows, title = rows.head(most), text("uncertain.title")
        told = text("uncertain.text", threshold=findings.figures["threshold"])
    cards = [_card(row, findings, text) for row in rows.itertuples()]
    return section(title, element("p", told), _cards(cards), id_="uncertain")


def suspects(findings: Findings, text: Messages, most: int = MOST_OF_A_KIND) -> Html:
    """Build the images whose folder the model contradicts, apart from the errors."""
    found = findings.suspects
    if not len(found):
        return element("div")
    cards = [_card(row, findings, text) for row in found.head(most).itertuples()]
    told = {"images": len(found), "shown": len(cards)}
    return section(
        text("suspects.title"),
        element("p", text("suspects.text", more=len(found) - len(cards), **told)),
        _cards(cards),
        id_="suspects",
    )


def neighbours(findings: Findings, text: Messages, most: int = NEIGHBOURS_SHOWN) -> Html:
    """Build what the model learnt from that looks most like its errors; nothing if unknown."""
    known, rows = findings.neighbours, list[Html]()
    for row in findings.errors.itertuples():
        near = known[known.pathname == row.pathname].sort_values("rank")
        if len(near) and len(rows) < most:
            cards = [_neighbour(found, findings, text) for found in near.itertuples()]
            rows.append(_cards([_card(row, findings, text), *cards], "gallery neighbours"))
    if not rows:
        return element("div")
    told = text("neighbours.text", images=int(known.of_images.iloc[0]))
    return section(text("neighbours.title"), element("p", told), *rows, id_="neighbours")


def looked_at(findings: Findings, text: Messages) -> Html:
    """Build where the model looked in its most confident errors; nothing before it was mapped."""
    maps = findings.heat
    cards = [
        _heat_card(row, *maps[str(row.pathname)], findings, text)
        for row in findings.errors.itertuples()
        if str(row.pathname) in maps
    ]
    if not cards:
        return element("div")
    return section(
        text("looked.title"),
        element("p", text("looked.text")),
        _cards(cards),
        id_="looked",
    )


def _heat_card(
    row: Any, pixels: np.ndarray, heat: np.ndarray, findings: Findings, text: Messages
) -> Html:
    told = _told(row, findings, text)
    alt = text(_where(heat), folder=row.class_folder, **told)
    return _captioned(row, thumbnail(overlaid(pixels, heat), alt), told)


def _where(heat: np.ndarray) -> str:
    """Tell in which ninth of the image a map is warmest, as a text's key."""
    if not heat.any():
        return "looked.nowhere"
    row, column = (int(3 * at / side) for at, side in zip(_centre(heat), heat.shape, strict=True))
    return f"looked.at_{row}{column}"


def _centre(heat: np.ndarray) -> tuple[float, float]:
    weights = np.where(heat >= heat.max() / 2, heat, 0)
    rows, columns = (weights.sum(axis=axis) for axis in (1, 0))
    return tuple(  # type: ignore[return-value]
        float((np.arange(len(line)) * line).sum() / line.sum()) for line in (rows, columns)
    )


def _card(row: Any, findings: Findings, text: Messages) -> Html:
    told = _told(row, findings, text)
    image = _image(row, findings, text("gallery.alt", folder=row.class_folder, **told), text)
    return _captioned(row, image, told)


def _neighbour(row: Any, findings: Findings, text: Messages) -> Html:
    alt = text("neighbours.alt", folder=row.class_folder, rank=row.rank)
    learnt = row._replace(pathname=row.neighbour)
    return _captioned(learnt, _image(learnt, findings, alt, text))


def _image(row: Any, findings: Findings, alt: str, text: Messages) -> Html:
    picture = findings.picture(row.pathname)
    if isinstance(picture, str):
        return element("p", text(f"gallery.{picture}"), class_="missing")
    return thumbnail(picture, alt)


def _told(row: Any, findings: Findings, text: Messages) -> dict[str, str]:
    called = row.score >= findings.evaluation.threshold
    wrong = "missed" if row.label == 1 else "taken"
    error = text("gallery.right" if called == (row.label == 1) else f"gallery.{wrong}")
    return {"error": error, "score_text": text("gallery.score", score=row.score)}


def _captioned(row: Any, image: Html, told: dict[str, str] | None = None) -> Html:
    return card(
        image,
        element("strong", told["error"]) if told else None,
        element("span", name(row.class_folder), f" · {told['score_text']}" if told else None),
        element("span", name(row.pathname.rsplit("/", 1)[-1]), class_="file"),
    )


def _cards(cards: list[Html], class_: str = "gallery") -> Html:
    return element("ul", *cards, class_=class_)
