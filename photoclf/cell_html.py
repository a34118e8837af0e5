"""A notebook's cells → HTML: prose, code folded, and of each output the richest safe form."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from photoclf.foreign_html import Place, admit, scrolling
from photoclf.markup import Html, element
from photoclf.placeless import forget_paths

_PARAMETERS = {
    "parameters": "Parameters and their defaults",
    "injected-parameters": "Parameters of this execution",
}
_OF_PAPERMILL = "papermill-error-cell-tag"  # its own note that a cell failed; the page has another
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def cell_parts(cell: Any, place: Place) -> Iterator[Html]:
    """Build what a page shows of a cell: its prose, or its code, folded, and what came of it.

    Args:
        cell: Of a notebook as `nbformat` reads it.
        place: Where on the page it goes; it moves on.
    """
    tags = cell.metadata.get("tags", [])
    if _OF_PAPERMILL in tags:
        return
    if cell.cell_type == "markdown":
        yield admit(_from_markdown(cell.source, cell.get("attachments")), place)
    if cell.cell_type != "code":
        return
    if cell.source.strip():
        yield _code(cell, tags, place)
    for kind, outputs in groupby(cell.outputs, lambda o: (o.output_type, o.get("name"))):
        if kind[0] == "stream":
            yield _printed("".join(output.text for output in outputs), str(kind[1]))
        else:
            for output in outputs:
                yield _error(output, place) if kind[0] == "error" else _result(output, place)


def _code(cell: Any, tags: list[str], place: Place) -> Html:
    of_parameters = next((tag for tag in _PARAMETERS if tag in tags), None)
    lines = cell.source.strip("\n").count("\n") + 1
    number = f" {cell.execution_count}" if cell.execution_count else ""
    summary = f"Code{number}, {lines} line{'s' if lines > 1 else ''}"
    return element(
        "details",
        element("summary", _PARAMETERS.get(of_parameters or "", summary)),
        _text_box(cell.source.strip("\n"), place.name("Code")),
        open="" if of_parameters else None,
    )


def _printed(text: str, stream: str) -> Html:
    # Sentences, mostly: they are wrapped, where a table or a traceback keeps its lines.
    return element("pre", forget_paths(_as_terminal(text)), class_=f"output printed {stream}")


def _error(output: Any, place: Place) -> Html:
    traceback = _as_terminal("\n".join(output.traceback))
    told = element("p", element("strong", error_told(output)))
    first = not place.counts["Error"]
    box = _text_box(traceback, place.name("Error"))
    return element("div", told, box, class_="notice", id="error" if first else None)


def _result(output: Any, place: Place) -> Html:
    for kind in _SHOWN:
        if kind in output.data:
            shown = _SHOWN[kind](output, kind, place)
            if shown:
                return element("div", shown, class_="output")
    kinds = ", ".join(output.data) or "nothing"
    return element("p", f"An output that can’t be shown without scripts: {kinds}.", class_="note")


def _html(output: Any, kind: str, place: Place) -> Html:
    return admit(output.data[kind], place)


def _markdown(output: Any, kind: str, place: Place) -> Html:
    return admit(_from_markdown(output.data[kind], None), place)


def _picture(output: Any, kind: str, place: Place) -> Html:
    data = output.data[kind]
    if kind == "image/svg+xml":  # as a picture: there its scripts don't run, and nothing is loaded
        data = b64encode(data.encode("utf-8")).decode("ascii")
    told = output.metadata.get(kind, {})
    alt = forget_paths(str(told.get("alt") or "")) or place.name("Figure")
    size = {side: told[side] for side in ("width", "height") if isinstance(told.get(side), int)}
    return element("img", src=f"data:{kind};base64,{''.join(data.split())}", alt=alt, **size)


def _plain(output: Any, kind: str, place: Place) -> Html:
    data = output.data[kind]
    text = data if isinstance(data, str) else json.dumps(data, indent=2, ensure_ascii=False)
    return _text_box(_as_terminal(text), place.name("Text"))


# The richest first, as JupyterLab has it, without what needs a script.
_SHOWN = {
    "text/html": _html,
    "text/markdown": _markdown,
    "image/svg+xml": _picture,
    "image/png": _picture,
    "image/jpeg": _picture,
    "image/gif": _picture,
    "image/webp": _picture,
    "text/latex": _plain,
    "application/json": _plain,
    "text/plain": _plain,
}


def _text_box(text: str, name: str) -> Html:
    return scrolling(element("pre", forget_paths(text)), name)


def error_told(error: Any) -> str:
    """Tell an output that is an error in a sentence."""
    return forget_paths(_as_terminal(f"{error.ename}: {error.evalue}"))


def _as_terminal(text: str) -> str:
    """Leave what a terminal would show at the end: no colours, of a progress bar its last state."""
    lines = _ANSI.sub("", text).rstrip("\n").split("\n")
    return "\n".join(next(filter(None, reversed(line.split("\r"))), "") for line in lines)


def _from_markdown(source: str, attachments: Any) -> str:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True, attachments=attachments)
    return str(MarkdownWithMath(renderer=renderer).render(source))
