"""HTML from Python, where only what is already HTML stays as it is and all else is escaped."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from photoclf.escaping import clean

JPEG_QUALITY = 80


class Html(str):
    """Text that is HTML already; a notebook shows it as such."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


def element(tag: str, *children: object, **attributes: object) -> Html:
    """Build an element.

    Args:
        tag: Such as `td`.
        children: `Html` stands as it is, anything else is escaped; `None` is left out.
        attributes: Escaped. A final `_` is dropped and others become `-`, so that `class_` and
            `aria_label` can be said; `None` is left out.

    Example:
        >>> element("td", "<b>", class_="number")
        '<td class="number">&lt;b&gt;</td>'
    """
    inside = "".join(_html(child) for child in children if child is not None)
    opening = tag + "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(clean(str(value)))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Html(f"<{opening}>" if tag in _VOID else f"<{opening}>{inside}</{tag}>")


def name(text: str) -> Html:
    """Build a file's or folder's name, kept from translation and from turning the line's order."""
    return element("bdi", text, class_="name", translate="no")


def section(title: str, *children: object, id_: str, class_: str | None = None) -> Html:
    """Build a section with its heading of level 2."""
    return element("section", element("h2", title), *children, id=id_, class_=class_)


def table(
    caption: str,
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    total: Sequence[object] | None = None,
    words: int = 1,
) -> Html:
    """Build a table with a caption, whose first column names the rows.

    Args:
        caption: What the table shows.
        header: The columns' names.
        rows: The cells of each row.
        total: The cells of a last row, set apart; its first stands in for all columns of words.
        words: How many first columns hold words; the others hold figures, set to the right.
    """
    heads = [
        element("th", cell, scope="col", class_=None if i < words else "figure")
        for i, cell in enumerate(header)
    ]
    body = [_row(cells, words) for cells in rows]
    foot = element("tfoot", _total(total, words)) if total else None
    content = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *heads)),
        element("tbody", *body),
        foot,
    )
    # A table too wide for a phone scrolls in its box; a keyboard can reach and scroll it too.
    kind = "table long" if len(body) > _LONG else "table"
    return element("div", content, class_=kind, role="region", aria_label=caption, tabindex="0")


def drawing(figure: Figure, alt: str, caption: str) -> Html:
    """Build a figure from a matplotlib one, drawn as lines and so sharp at any size."""
    stream = io.BytesIO()
    # A fixed salt and no date: the same figure gives the same bytes.
    with rc_context({"svg.hashsalt": "photoclf", "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    image = element("img", src=_data_uri("image/svg+xml", stream.getvalue()), alt=alt)
    width, height = figure.get_size_inches()
    kind = "drawing tall" if height > 0.6 * width else "drawing"
    return element("figure", image, element("figcaption", caption), class_=kind)


def thumbnail(pixels: np.ndarray, alt: str, size: int = 240) -> Html:
    """Build a small JPEG image.

    Args:
        pixels: uint8 RGB (height, width, 3).
        alt: What it shows.
        size: Longest side at most, in px.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((size, size))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=JPEG_QUALITY, optimize=True)
    source = _data_uri("image/jpeg", stream.getvalue())
    return element("img", src=source, alt=alt, width=image.width, height=image.height)


def tiles(*shown: tuple[str, str, str | None]) -> Html:
    """Build large figures side by side, each with what it means and a note, or `None`."""
    items = [
        element(
            "li",
            element("strong", value),
            element("span", meaning),
            element("span", note, class_="note") if note else None,
        )
        for value, meaning, note in shown
    ]
    return element("ul", *items, class_="tiles")


def card(image: Html, *lines: object) -> Html:
    """Build one image of a gallery with the lines of its caption."""
    shown = element("div", image, class_="picture")
    return element("li", element("figure", shown, element("figcaption", *lines)))


_LONG = 8  # rows from which on a table may be cut between two printed pages
_VOID = {"img", "br", "hr", "col", "meta"}


def _html(child: object) -> str:
    return str(child) if isinstance(child, Html) else escape(clean(str(child)))


def _row(cells: Sequence[object], words: int) -> Html:
    first = element("th", cells[0], scope="row")
    rest = [
        element("td", cell, class_=None if i < words else "figure")
        for i, cell in enumerate(cells[1:], start=1)
    ]
    return element("tr", first, *rest)


def _total(cells: Sequence[object], words: int) -> Html:
    first = element("th", cells[0], scope="row", colspan=words if words > 1 else None)
    return element("tr", first, *(element("td", cell, class_="figure") for cell in cells[1:]))


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
