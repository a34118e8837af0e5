"""Executed notebook → one HTML page for colleagues: prose, results, and the code folded."""

import json
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from photoclf.cell_html import cell_parts, error_told
from photoclf.errors import ConfigError
from photoclf.files import read_json, write_text
from photoclf.foreign_html import Place
from photoclf.markup import Html, element
from photoclf.messages import Messages
from photoclf.notebook import NotebookError
from photoclf.page import sections_page
from photoclf.placeless import forget_folders

# What a file of another content, or of another mind, makes of reading it.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def render_notebook(notebook: Path, out: Path | None = None) -> Path:
    """Render an executed notebook, whoever ran it, as one HTML file.

    It has the client's page's style and policy: no script, no remote resource, nothing of the
    machine's folders. Code is folded, its parameters aren't; what failed is told at the top. Of
    outputs the richest form that needs no script is shown. The same notebook gives the same bytes.

    Args:
        notebook: An `.ipynb` file, of format 3 or 4.
        out: The page, ending in `.html`; beside the notebook when `None`.

    Returns:
        The page.

    Raises:
        ConfigError: If `out` doesn't end in `.html`.
        NotebookError: If the file is no notebook.
    """
    page = out or notebook.with_suffix(".html")
    if page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"A page's file must end in .html. Received: {str(page)!r}.")
    write_text(page, technical_html(read_notebook(notebook), notebook.stem))
    return page


def read_notebook(path: Path) -> Any:
    """Read a notebook of any format as one of format 4, without this machine's folders.

    Raises:
        NotebookError: If it is none.
    """
    # Here: it takes half a second to load.
    import nbformat

    try:
        content = forget_folders(read_json(path), path.absolute().parent)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a cell without an id is one all the same
            notebook = nbformat.reads(json.dumps(content), as_version=4)
            nbformat.validate(notebook)
    except (*_UNREADABLE, nbformat.ValidationError) as error:
        told = str(error).split("\n")[0][:200]
        raise NotebookError(
            f"A page is rendered from a Jupyter notebook (.ipynb). Received: {str(path)!r},"
            f" which is none: {told}. Name an executed notebook, such as"
            " models/<run_id>/notebook.ipynb."
        ) from error
    return notebook


def technical_html(notebook: Any, name: str) -> str:
    """Build the page of a notebook.

    Args:
        notebook: As `nbformat` reads it.
        name: What it is called; the title when it has no heading.

    Returns:
        A whole HTML page in English.
    """
    place = Place()
    shown = [part for cell in notebook.cells for part in cell_parts(cell, place)]
    heading = [] if place.title else [element("h1", name)]
    # What stands under the title can only be said once all is read.
    start = next((i + 1 for i, part in enumerate(shown) if "<h1" in part), 0)
    top = [*shown[:start], *heading, *_opening(notebook, name)]
    parts = [*top, *shown[start:]]
    return sections_page(parts, place.title or name, "en", look="technical")


def _opening(notebook: Any, name: str) -> Iterator[Html]:
    said = [f"{name}.ipynb"]
    with suppress(*_UNREADABLE):  # anybody may have written these notes
        notes = notebook.metadata["papermill"]
        said.append(f"executed on {Messages('en').date(notes['end_time'])}")
        said.append(f"in {Messages('en').number(notes['duration'])} s")
    yield element("p", *(element("span", part) for part in said), class_="date")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    errors = [output for output in outputs if output.output_type == "error"]
    if errors:
        text = "It stopped at an error; what follows it wasn’t executed: "
        link = element("a", error_told(errors[0]).split("\n")[0], href="#error")
        yield element("div", element("p", text, link), class_="notice")
    if not outputs:
        text = "This notebook holds no outputs: it wasn’t executed, or they were removed."
        yield element("div", element("p", text), class_="notice")
