"""Executed notebook → one HTML file that a client can read, print and keep."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from photoclf.evaluation import read_evaluation
from photoclf.files import write_text
from photoclf.messages import Messages
from photoclf.notebook import execute_notebook
from photoclf.page import notebook_page
from photoclf.paths import Workspace
from photoclf.runs import Run

NOTEBOOK = "09_client_report"
FILE_NAMES = {"fr": "rapport.fr.html", "en": "report.en.html"}


def render_report(
    run: Run,
    workspace: Workspace,
    *,
    lang: str = "fr",
    archive: str | Path = "",
    show_only: Sequence[str] = (),
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
        show_only: Folders whose pictures may be shown, see `findings.Findings`; all by default.
        progress: Whether to show a progress bar.

    Returns:
        The page: `reports/<run_id>/rapport.fr.html` or `report.en.html`.

    Raises:
        ConfigError: If the language is unknown, or a folder to show.
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
        "show_only": list(show_only),
    }
    page = workspace.reports / run.run_id / FILE_NAMES[lang]
    with (
        tempfile.TemporaryDirectory(prefix="photoclf-") as place,
        tqdm(total=2, desc=page.name, unit="step", disable=not progress) as bar,
    ):
        executed = Path(place) / f"{NOTEBOOK}.ipynb"
        execute_notebook(NOTEBOOK, executed, values, folder=Path(place))
        bar.update()
        write_text(page, notebook_page(executed, text("page.window_title", day=day), lang))
        bar.update()
    return page
