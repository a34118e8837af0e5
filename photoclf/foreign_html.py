"""HTML of unknown origin → what a page without scripts, requests or gaps may hold."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from photoclf.foreign_css import admit_declarations, admit_rules
from photoclf.markup import Html, element
from photoclf.placeless import forget_paths

_TAGS = {
    "abbr", "b", "bdi", "blockquote", "br", "caption", "cite", "code", "col", "colgroup",
    "dd", "del", "details", "div", "dl", "dt", "em", "figcaption", "figure", "hr", "i", "ins",
    "kbd", "li", "mark", "ol", "p", "q", "s", "samp", "section", "small", "span", "strong",
    "sub", "summary", "sup", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
}  # fmt: skip
# Goes with all that is in it; of other unknown elements the content stays.
_WITH_CONTENT = {
    "applet", "audio", "button", "canvas", "datalist", "frameset", "iframe", "math",
    "noembed", "noframes", "noscript", "object", "script", "select", "style", "svg",
    "template", "textarea", "title", "video", "xmp",
}  # fmt: skip
_VOID = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
    "source", "track", "wbr",
}  # fmt: skip
_ATTRIBUTES = {
    "class": re.compile(r"[\w\s-]*"),
    "id": re.compile(r"T_\w+"),  # what a `Styler`'s rules name; others might meet the page's own
    "lang": re.compile(r"[\w-]+"),
    "dir": re.compile(r"ltr|rtl|auto"),
    "translate": re.compile(r"yes|no"),
    "colspan": re.compile(r"[1-9]\d{0,2}"),
    "rowspan": re.compile(r"[1-9]\d{0,3}"),
    "scope": re.compile(r"row|col|rowgroup|colgroup"),
    "start": re.compile(r"\d{1,6}"),
    "open": re.compile(r""),
    "width": re.compile(r"\d{1,4}"),
    "height": re.compile(r"\d{1,4}"),
}
_LINK = re.compile(r"(?:https?://|mailto:)[^\s\"'<>]+")
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]+")
_NUMBER = re.compile(r"[-+−]?[\d.,_\u202f]*\d(?:e[-+]?\d+)?\s?%?|NaN|nan|[-−]?inf|[-–—]")
_DEEPEST = 100


@dataclass
class Place:
    """Where on a page a reader is: gives headings their level and parts their names."""

    title: str = ""
    heading: str = ""
    level: int = 0
    counts: Counter = field(default_factory=Counter)

    def enter(self, level: int, heading: str) -> int:
        """Come to a heading; return the level that leaves no gap: 1 for the first alone."""
        self.heading = forget_paths(heading)
        self.title = self.title or self.heading
        self.level = min(max(level, 2), self.level + 1)
        return self.level

    def name(self, kind: str, what: str = "") -> str:
        """Name a figure or a table for who can't see it: its number, and what it stands under."""
        self.counts[kind] += 1
        what = forget_paths(what) or self.heading
        return f"{kind} {self.counts[kind]}" + (f": {what}" if what else "")


def admit(html: str, place: Place) -> Html:
    """Build HTML anew from what may stand on a page.

    Only known elements and attributes are written, by `markup.element`; so nothing that a parser
    may take for something else comes through. Scripts, forms and frames go with their content;
    of pictures those inside the page stay, of links those to the web, of absolute paths the last
    name. Headings leave no gap, pictures have a text, wide tables and texts scroll in a region.

    Args:
        html: Whatever a notebook holds.
        place: Where it goes; it moves on.

    Returns:
        A `div`; nothing at all when there would be nothing to see.
    """
    reader = _Reader()
    reader.feed(html.replace("<![", "&lt;!["))  # sections of XML, at which the parser may give up
    reader.close()
    written = element("div", *_inside(reader.root, place))
    seen = "<img " in written or re.sub("<style>[^<]*</style>|<[^>]*>", "", written).strip()
    return written if seen else Html("")


def scrolling(content: Html, name: str) -> Html:
    """Put what may be too wide into a box that scrolls, also by keyboard."""
    return element("div", content, class_="table", role="region", aria_label=name, tabindex="0")


@dataclass
class _Node:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["_Node | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        parts = (c if isinstance(c, str) else c.text for c in self.children)
        return "" if self.tag in _WITH_CONTENT else " ".join("".join(parts).split())

    def below(self, *tags: str) -> Iterator["_Node"]:
        """Find elements, not those of a table within."""
        for child in self.children:
            if isinstance(child, _Node) and child.tag in tags:
                yield child
            elif isinstance(child, _Node) and child.tag != "table":
                yield from child.below(*tags)


class _Reader(HTMLParser):
    """Reads any text as a tree; what is never closed ends with the text."""

    def __init__(self) -> None:
        super().__init__()
        self.root = _Node("")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = _Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        if tag not in _VOID and len(self._open) < _DEEPEST:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        tags = [node.tag for node in self._open]
        if tag and tag in tags:
            del self._open[len(tags) - 1 - tags[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def _inside(node: _Node, place: Place) -> list[Html | str]:
    written: list[Html | str] = []
    for child in node.children:
        written += [forget_paths(child)] if isinstance(child, str) else _written(child, place)
    return written


def _written(node: _Node, place: Place) -> list[Html | str]:
    tag = node.tag
    if tag == "style":
        rules = admit_rules("".join(child for child in node.children if isinstance(child, str)))
        return [element("style", Html(rules))] if rules else []
    if tag in _WITH_CONTENT:
        return []
    if tag == "img":
        return [_picture(node, place)]
    if tag == "table":
        _set_numbers_right(node)
        name = place.name("Table", next((found.text for found in node.below("caption")), ""))
        return [scrolling(element(tag, *_inside(node, place), **_kept(node)), name)]
    if re.fullmatch(r"h[1-6]", tag) and node.text:
        level = place.enter(int(tag[1]), node.text)
        return [element(f"h{level}", *_inside(node, place))]
    inside = _inside(node, place)
    if tag == "pre":
        return [scrolling(element(tag, *inside), place.name("Text"))]
    if tag == "a" and _LINK.fullmatch(node.attributes.get("href", "")):
        return [element(tag, *inside, href=node.attributes["href"], rel="noreferrer")]
    if tag == "th" and not node.text:
        tag = "td"  # the corner of a table of pandas: nothing's heading
    if tag not in _TAGS:
        return inside
    return [element(tag, *inside, **_kept(node))]


def _kept(node: _Node) -> dict[str, str]:
    kept = {
        name: value
        for name, value in node.attributes.items()
        if name in _ATTRIBUTES and _ATTRIBUTES[name].fullmatch(value)
    }
    style = admit_declarations(node.attributes.get("style", ""))
    return kept | {"style": style} if style and node.tag != "tr" else kept


def _picture(node: _Node, place: Place) -> Html:
    alt = forget_paths(" ".join(node.attributes.get("alt", "").split()))
    source = node.attributes.get("src", "")
    if not _PICTURE.fullmatch(source):
        return element("span", f"[a picture that isn’t in the notebook: {alt or 'without a name'}]")
    size = {k: v for k, v in _kept(node).items() if k in ("width", "height")}
    return element("img", src="".join(source.split()), alt=alt or place.name("Figure"), **size)


def _set_numbers_right(table: _Node) -> None:
    """Have columns of numbers end on one line, with their heads."""
    rows = [[*row.below("td", "th")] for row in table.below("tr")]
    if any({"colspan", "rowspan"} & set(cell.attributes) for row in rows for cell in row):
        return
    with_values = [any(cell.tag == "td" for cell in row) for row in rows]
    for column in itertools.zip_longest(*rows):
        below = [cell.text for cell, told in zip(column, with_values, strict=True) if cell and told]
        if any(below) and all(_NUMBER.fullmatch(text) for text in below if text):
            for cell in filter(None, column):
                cell.attributes["class"] = f"{cell.attributes.get('class', '')} figure".strip()
