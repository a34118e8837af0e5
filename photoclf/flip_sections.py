"""What changes with a new model, as HTML: answers that flipped, errors by folder, pictures."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from photoclf.findings import Findings
from photoclf.look import style
from photoclf.markup import Html, card, drawing, element, name, section, table, thumbnail
from photoclf.messages import Messages
from photoclf.new_model import BOTH_RIGHT, BOTH_WRONG, BROKEN, MENDED, NewModel
from photoclf.plots_paired import draw_before_after
from photoclf.subgroups import SMALL_GROUP

# Pictures of each kind.
MOST_PICTURES = 12


def flips(compared: NewModel, text: Messages) -> Html:
    """Build how often both, one or none is right, and whether chance explains it."""
    rows = [
        (text("better.old_right"), *_counts(compared, (BOTH_RIGHT, BROKEN), text)),
        (text("better.old_wrong"), *_counts(compared, (MENDED, BOTH_WRONG), text)),
    ]
    header = [text(f"better.{column}") for column in ("flips_row", "new_right", "new_wrong")]
    mended, broken, p = compared.count(MENDED), compared.count(BROKEN), compared.mcnemar_p
    said = text("better.none_flipped")
    if mended + broken:
        chance = text("comparison.p_least") if p < 0.001 else text("better.p_is", p=p)
        counts = {"n": mended + broken, "mended": mended, "broken": broken}
        said = text("better.flips_text", p=chance, **counts)
    return section(
        text("better.flips"),
        element("p", said),
        table(text("better.flips_caption"), header, rows),
        id_="flips",
    )


def by_folder(compared: NewModel, text: Messages) -> Html:
    """Build errors before and after, by class folder and in the sub-folders that changed most."""
    folders, sources = compared.folders, compared.worst_sources()
    columns = ("errors_old", "errors_new", "mended", "broken")
    header = [text("folders.folder"), text("folders.images")]
    header += [text(f"better.{column}") for column in columns]
    small = (pd.concat([folders.images, sources.images]) < SMALL_GROUP).any()
    worst = table(
        text("better.sources_caption"),
        [text("sources.folder"), *header[1:]],
        [_folder_row(row, text) for row in sources.itertuples(index=False)],
    )
    note = element("p", text("folders.small_note", least=SMALL_GROUP), class_="note")
    return section(
        text("better.folders"),
        element("p", text("better.folders_text")),
        table(
            text("better.folders_caption"),
            header,
            [_folder_row(row, text) for row in folders.itertuples(index=False)],
        ),
        _folders_figure(folders, text),
        worst if len(sources) else None,
        note if small else None,
        id_="folders",
    )


def gallery(compared: NewModel, outcome: str, findings: Findings, text: Messages) -> Html:
    """Build the pictures of mended or broken images, with both scores and their folder.

    Args:
        compared: What is told.
        outcome: `mended` or `broken`.
        findings: Of the new run, which give the pictures.
        text: The language.
    """
    rows = compared.flipped(outcome)
    shown = rows.head(MOST_PICTURES)
    said = text("better.gallery_none", images=len(compared.images))
    if len(rows):
        thresholds = {"old": compared.old.threshold, "new": compared.new.threshold}
        said = text("better.gallery_text", shown=len(shown), n=len(rows), **thresholds)
    lost = len(rows) and findings.archive is None
    cards = [_card(row, outcome, findings, text) for row in shown.itertuples(index=False)]
    return section(
        text(f"better_gallery.{outcome}"),
        element("p", said),
        element("p", text("gallery.unreachable"), class_="notice") if lost else None,
        element("ul", *cards, class_="gallery") if cards else None,
        id_=f"gallery-{outcome}",
    )


def _counts(compared: NewModel, outcomes: tuple[str, str], text: Messages) -> list[str]:
    return [text.number(compared.count(outcome)) for outcome in outcomes]


def _folder_row(row: Any, text: Messages) -> tuple[object, ...]:
    label = name(row.name)
    if row.images < SMALL_GROUP:
        mark = element("span", text("folders.small"), class_="mark")
        label = element("span", label, " ", mark)
    counts = (row.images, row.old_errors, row.new_errors, row.mended, row.broken)
    return label, *(text.number(count) for count in counts)


def _folders_figure(folders: pd.DataFrame, text: Messages) -> Html:
    items = [
        text(
            "better.folders_item",
            folder=row.name,
            old=row.old_errors,
            new=row.new_errors,
            images=row.images,
        )
        for row in folders.itertuples(index=False)
    ]
    with style():
        figure = Figure(figsize=(6.8, 0.85 + 0.36 * len(folders)))
        draw_before_after(figure.add_subplot(), folders, words=text)
        alt = text("better.folders_alt", items=" ; ".join(items))
        return drawing(figure, alt, text("better.folders_figure"))


def _card(row: Any, outcome: str, findings: Findings, text: Messages) -> Html:
    kinds = {MENDED: ("sent_away", "found"), BROKEN: ("taken_in", "lost")}
    what = text(f"better.{kinds[outcome][row.label]}")
    scores = {"old": row.old_score, "new": row.new_score}
    picture = findings.picture(row.pathname)
    if isinstance(picture, str):
        image = element("p", text(f"gallery.{picture}"), class_="missing")
    else:
        alt = text("better.picture_alt", folder=row.class_folder, what=what, **scores)
        image = thumbnail(picture, alt)
    return card(
        image,
        element("strong", what),
        element("span", name(row.class_folder), f" · {text('better.scores', **scores)}"),
        element("span", name(row.pathname.rsplit("/", 1)[-1]), class_="file"),
    )
