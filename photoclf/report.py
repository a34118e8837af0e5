"""Executed notebook → one HTML file that a client can read, print and keep."""

import tempfile
from pathlib import Path

from tqdm import tqdm

from photoclf.evaluate import read_evaluation
from photoclf.files import write_text
from photoclf.messages import Messages
from photoclf.notebook import execute_notebook
from photoclf.paths import Workspace
from photoclf.runs import Run

NOTEBOOK = "09_client_report"
FILE_NAMES = {"fr": "rapport.fr.html", "en": "report.en.html"}
TEMPLATES = Path(__file__).parent / "templates"


def render_report(
    run: Run,
    workspace: Workspace,
    *,
    lang: str = "fr",
    archive: str | Path = "",
    progress: bool = False,
) -> Path:
    """Render a run's report for the client.

    The notebook `09_client_report` runs in a kernel of its own; what its cells display becomes a
    page without script, remote resource, code, or path of the machine. The same evaluation gives
    the same bytes.

    Args:
        run: An evaluated run of the workspace.
        workspace: Holds the run, the audit and the reports.
        lang: `fr` or `en`.
        archive: The archive's folder, see `paths.resolve_archive`. Without one the page has no
            pictures and says so.
        progress: Whether to show a progress bar.

    Returns:
        The page: `reports/<run_id>/rapport.fr.html` or `report.en.html`.

    Raises:
        ConfigError: If the language is unknown.
        RunError: If the run isn't evaluated.
        NotebookError: If a cell fails.
    """
    text = Messages(lang)
    day = read_evaluation(run).figures["evaluated_at"]
    # The notebook runs elsewhere: a relative folder would be another one there.
    folder = Path(archive).expanduser().absolute() if archive else ""
    values = {
        "workspace": str(workspace.root),
        "run_id": run.run_id,
        "lang": lang,
        "archive": str(folder),
    }
    page = workspace.reports / run.run_id / FILE_NAMES[lang]
    with (
        tempfile.TemporaryDirectory(prefix="photoclf-") as place,
        tqdm(total=2, desc=page.name, unit="step", disable=not progress) as bar,
    ):
        executed = Path(place) / f"{NOTEBOOK}.ipynb"
        execute_notebook(NOTEBOOK, executed, values, folder=Path(place))
        bar.update()
        write_text(page, export_page(executed, text("page.window_title", day=day), lang))
        bar.update()
    return page


def export_page(notebook: Path, title: str, lang: str) -> str:
    """Export what an executed notebook displays as HTML, through the client's template.

    Args:
        notebook: The executed notebook. Its prose, code and printed text stay behind.
        title: The window's title.
        lang: The page's language.

    Returns:
        A whole HTML page.
    """
    # Here: nbconvert takes a second to load, and only who renders needs it.
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="client", extra_template_basedirs=[str(TEMPLATES)], config=None
    )
    resources = {"report": {"title": title, "lang": lang}}
    page, _ = exporter.from_filename(str(notebook), resources=resources)
    return page
