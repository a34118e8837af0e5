"""The labelling widget for JupyterLab: a session on one side, a browser on the other."""

from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd

from photoclf.classifier import Classifier
from photoclf.label_desk import LabelDesk
from photoclf.label_journal import LabelJournal
from photoclf.label_names import MOST_CLASSES, RESERVED, login_name
from photoclf.label_session import LabelSession
from photoclf.manifest import POSITIVE_FOLDER
from photoclf.messages import Messages
from photoclf.paths import Workspace
from photoclf.run import Run
from photoclf.schema import AUDIT
from photoclf.tables import read_chunks

# Share of photographs in a class folder of something else; corrected labels leave a few there.
_MOST_PHOTOS = 0.1
_FACE = resources.files("photoclf") / "templates"


class LabelWidget(anywidget.AnyWidget):
    """Shows a queue's images in a notebook, one at a time or by pages, and keeps each decision.

    Nothing of the images or their names is kept in the notebook's file: a browser asks for what it
    shows. Run the cell again to go on after the kernel was restarted.

    Args:
        session: What is labelled, and by whom.
        folder: What the session's pathnames are relative to.
        run: The run whose model shows where it looks (Grad-CAM); nothing is shown without one.
        lang: `fr` or `en`.

    Raises:
        ConfigError: If the language is unknown.
    """

    _esm = (_FACE / "label_widget.js").read_text(encoding="utf-8")
    _css = (_FACE / "label_widget.css").read_text(encoding="utf-8")
    _latest: "LabelWidget | None" = None

    def __init__(
        self, session: LabelSession, folder: Path, *, run: Run | None = None, lang: str = "en"
    ) -> None:
        super().__init__()
        self._session = session
        self._words = Messages(lang)
        run_folder = None if run is None else run.folder
        self._desk = LabelDesk(session, folder, self.send, lang=lang, run_folder=run_folder)
        self.on_msg(self._hear)
        # A cell that is run again leaves its former widget without a face, and its processes.
        former, LabelWidget._latest = LabelWidget._latest, self
        if former is not None:
            former.close()

    def close(self) -> None:
        """End the processes that make pictures, and take the widget off the page."""
        self._desk.close()
        super().close()

    def __repr__(self) -> str:
        """Say what stands where a notebook is read and not run."""
        progress = self._session.progress()
        return self._words(
            "labelling.batch", done=progress.done, total=progress.total, who=self._session.who
        )

    @property
    def session(self) -> LabelSession:
        """What is labelled, and how far it is."""
        return self._session

    def _hear(self, _: Any, message: Any, __: Any) -> None:
        if isinstance(message, dict):
            self._desk.handle(message)


def start_labelling(
    workspace: Workspace,
    queue: pd.DataFrame,
    folder: Path,
    *,
    who: str = "",
    run: Run | None = None,
    class_folders: str = "",
    skip_labelled_by_others: bool = False,
    lang: str = "en",
) -> LabelWidget:
    """Lay a queue before a person, where they left it.

    Args:
        workspace: Its journal takes the decisions: `data/labels.csv`.
        queue: A `schema.QUEUE` frame.
        folder: What the queue's pathnames are relative to. Nothing in it is changed.
        who: The person's name; by default that of whoever is logged in.
        run: The run whose threshold proposes, and whose model shows where it looks.
        class_folders: Names of class folders that may be labels, separated by commas; by default
            those that the audit knows, the largest first.
        skip_labelled_by_others: Whether what somebody else has decided needn't be decided again.
        lang: `fr` or `en`.

    Returns:
        The widget, to be shown as a cell's result.

    Raises:
        ConfigError: If `who`, a class folder or the language isn't one.
        TableError: If the queue, the journal or the audit can't be used.
        RunError: If the run's model can't be used.
    """
    session = LabelSession(
        queue,
        LabelJournal(workspace.labels),
        who or login_name(),
        threshold=0.5 if run is None else Classifier.load(run).threshold,
        classes=class_folders.split(",") if class_folders else _known_classes(workspace),
        skip_labelled_by_others=skip_labelled_by_others,
        trust_names=False,
    )
    return LabelWidget(session, folder, run=run, lang=lang)


def _known_classes(workspace: Workspace) -> list[str]:
    """Return the folders of what is no photograph; a box that holds both is no class."""
    counts: Counter[str] = Counter()
    photos: Counter[str] = Counter()
    if workspace.audit.is_file():
        for rows in read_chunks(workspace.audit, AUDIT, ("class_folder", "label")):
            counts.update(rows.class_folder[rows.label.notna()])
            photos.update(rows.class_folder[rows.label == 1])
    others = [name for name in counts if photos[name] <= _MOST_PHOTOS * counts[name]]
    named = sorted(others, key=lambda name: (-counts[name], name))
    taken = (*RESERVED, POSITIVE_FOLDER)
    may_be = (name for name in named if name == name.strip() and name and name.isprintable())
    return [name for name in may_be if name not in taken][:MOST_CLASSES]
