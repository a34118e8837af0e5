"""One HTML page that travels: the project's template around an executed notebook or sections."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from photoclf.markup import Html

TEMPLATES = Path(__file__).parent / "templates"


def notebook_page(notebook: Path, title: str, lang: str) -> str:
    """Export what an executed notebook displays as HTML.

    Args:
        notebook: The executed notebook. Its prose, code and printed text stay behind.
        title: The window's title.
        lang: The page's language.

    Returns:
        A whole HTML page.
    """
    # Here: nbconvert takes seconds to load, and only who exports a notebook needs it.
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="client", extra_template_basedirs=[str(TEMPLATES)], config=None
    )
    page, _ = exporter.from_filename(str(notebook), resources=_resources(title, lang))
    return page


def sections_page(sections: Sequence[Html], title: str, lang: str, look: str = "client") -> str:
    """Put sections on a page, as if a notebook had displayed them.

    Args:
        sections: From top to bottom; they stand as they are.
        title: The window's title, escaped here.
        lang: The page's language.
        look: A folder of templates, of which `client` is the base: what it lacks is taken there.

    Returns:
        A whole HTML page.
    """
    from jinja2 import Environment, FileSystemLoader

    # What is shown is escaped by `markup.element`, and the title by the template.
    places = [TEMPLATES / look, TEMPLATES / "client", TEMPLATES]
    environment = Environment(loader=FileSystemLoader(places), autoescape=False)
    template = environment.get_template("sections.html.j2")
    return template.render(sections=sections, resources=_resources(title, lang))


def _resources(title: str, lang: str) -> dict[str, Any]:
    return {"report": {"title": title, "lang": lang}}
