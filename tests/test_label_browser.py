"""A person labels in a real JupyterLab, with a real browser and real keys."""

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from photoclf import steps
from photoclf.files import sha256_file
from photoclf.label_journal import LabelJournal
from photoclf.label_queue import make_queue
from photoclf.paths import Workspace, find_notebook
from photoclf.pdf import BrowserError, find_browser
from photoclf.schema import PREDICTIONS
from photoclf.tables import write_table
from tests.chromium import open_tab
from tests.images import write_image
from tests.jupyter import open_lab

NOTEBOOK = "nb/08_label.ipynb"
HOSTILE = "<img src=x onerror=alert(1)>.png"
ROOT = "document.querySelector('.photoclf-label')"


def no_browser():
    try:
        find_browser()
    except BrowserError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(no_browser()), reason=no_browser() or "there is a browser")


def lay_notebook(root, **parameters):
    """Copy the notebook beside a workspace, with parameters of its own."""
    content = json.loads(find_notebook("08_label").read_text(encoding="utf-8"))
    cell = next(c for c in content["cells"] if "parameters" in c["metadata"].get("tags", []))
    text = "".join(cell["source"])
    for name, value in parameters.items():
        text, found = re.subn(
            rf"(?m)^{name} = .*$", lambda _, n=name, v=value: f"{n} = {v!r}", text
        )
        assert found == 1, name
    cell["source"] = text
    place = root / NOTEBOOK
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(content), encoding="utf-8")


def lay_predictions(path, scores):
    """Write what a model said of files, whatever columns predictions have besides."""
    rows = {
        "pathname": list(scores),
        "score": list(scores.values()),
        "decision": ["photo" if score >= 0.5 else "other" for score in scores.values()],
        "status": "used",
    }
    frame = pd.DataFrame({name: rows.get(name, "") for name in PREDICTIONS.columns})
    write_table(frame, path, PREDICTIONS)


class Person:
    """Somebody at the keyboard."""

    def __init__(self, tab):
        self.tab = tab

    def look(self):
        """Wait until an image is shown, and return its place in the queue."""
        shown = f"{ROOT}?.dataset.shown"
        return int(self.tab.wait_for(f"{shown} === {ROOT}?.dataset.current && {shown}"))

    def name(self):
        return self.tab.evaluate(f"{ROOT}.querySelector('.name').textContent")

    def press(self, key):
        """Press a key on an image, and wait for the next one."""
        shown = self.look()
        self.tab.press(key)
        self.tab.wait_for(f"{ROOT}.dataset.current && {ROOT}.dataset.current !== '{shown}'")

    def done(self):
        return int(self.tab.evaluate(f"{ROOT}.dataset.done"))

    def open_page(self):
        self.tab.press("f")
        self.wait_for_page()

    def wait_for_page(self):
        self.tab.wait_for(
            f"{ROOT}.dataset.page && !document.querySelector('.cell:not([data-there])')"
        )
        return [int(n) for n in self.tab.evaluate(f"{ROOT}.dataset.page").split()]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Draw an archive of three class folders, predicted and audited."""
    root = tmp_path_factory.mktemp("labelling")
    archive = root / "archive"
    for folder, count in {"Photo": 18, "Painting": 10, "Text": 8}.items():
        for n in range(count):
            size = [(320, 200), (200, 320), (48, 48)][n % 3]
            write_image(archive / folder / f"{n:02}.png", seed=len(folder) * 100 + n, size=size)
    write_image(archive / "Text" / HOSTILE, seed=999)
    write_image(archive / "Photo" / "large.jpg", seed=998, size=(2400, 1800))
    workspace = Workspace(root / "ws")
    steps.scan(workspace, archive)
    steps.audit(workspace, archive)
    names = sorted(
        path.relative_to(archive).as_posix() for path in archive.rglob("*.*") if path.is_file()
    )
    scores = dict(zip(names, np.linspace(0.05, 0.95, len(names)).tolist(), strict=True))
    predictions = workspace.reports / "release" / "predictions.csv"
    lay_predictions(predictions, scores)
    return SimpleNamespace(root=root, archive=archive, workspace=workspace, scores=scores)


def test_a_person_labels_by_keyboard_undoes_restarts_the_kernel_and_goes_on(place):
    lay_notebook(place.root, workspace=str(place.workspace.root), who="anna")
    queue = list(make_queue(place.workspace, by="uncertainty").pathname)
    gone, broken = queue[9], queue[12]
    kept = {name: sha256_file(place.archive / name) for name in queue}
    expected = []

    def expect(n, label):
        expected.append(("anna", queue[n], kept[queue[n]], label, "uncertainty"))

    with open_lab(place.root) as lab, open_tab(place.root / "profile", lab.page(NOTEBOOK)) as tab:
        tab.resize(1300, 950)
        lab.run_all(tab, NOTEBOOK)
        person = Person(tab)
        assert person.look() == 0
        (place.archive / gone).unlink()
        (place.archive / broken).write_bytes(b"\xff\xd8\xff broken")
        tab.click(".photoclf-label .stage")

        begun = time.monotonic()
        keys = {"p": "photo", "o": "other", "u": "unsure", "1": "Painting", "2": "Text"}
        for n in range(8):
            key = "pou12po1"[n]
            assert person.look() == n
            assert person.name() == queue[n].rpartition("/")[2]
            person.press(key)
            expect(n, keys[key])
        tab.press("z")  # takes back the eighth
        tab.wait_for(f"{ROOT}.dataset.current === '7'")
        expect(7, "withdrawn")
        person.press("o")
        expect(7, "other")
        person.press("s")  # the ninth is for later

        # A file that is gone says so; it can't be labelled, only put off.
        tab.wait_for(
            f"{ROOT}.innerText.includes(\"This image can't be shown\".replace(\"'\", '’'))"
        )
        tab.press("p")
        tab.press("ArrowRight")
        tab.wait_for(f"{ROOT}.dataset.shown === '10'")
        for n in (10, 11):
            person.press("p")
            expect(n, "photo")
        tab.wait_for(f"{ROOT}.innerText.includes('damaged file')")
        tab.press("s")
        for n in range(13, 23):
            assert person.look() == n
            person.press("o")
            expect(n, "other")
        took = time.monotonic() - begun
        assert person.done() == 20

        # No key reached Jupyter, where `1` makes a heading and `z` undoes a deleted cell.
        cells = "jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.type).join()"
        types = [c["cell_type"] for c in json.loads((place.root / NOTEBOOK).read_text())["cells"]]
        assert tab.evaluate(cells) == ",".join(types)

        # A restarted kernel knows nothing; the cells that are run again go on.
        lab.restart_kernel(tab, NOTEBOOK)
        tab.evaluate(f"{ROOT}.dataset.old = 'yes'")
        lab.run_all(tab, NOTEBOOK)
        tab.wait_for(f"{ROOT} && !{ROOT}.dataset.old", 60)
        assert person.look() == 8  # what was put off comes first again
        assert person.done() == 20
        tab.click(".photoclf-label .stage")
        tab.press("z")  # undo reaches back over the restart
        tab.wait_for(f"{ROOT}.dataset.current === '22'")
        expect(22, "withdrawn")
        tab.wait_for(f"{ROOT}.dataset.done === '19'")

        # A page of what the model finds alike, one of it set right.
        person.open_page()
        page = person.wait_for_page()
        assert 22 in page
        tab.press("ArrowRight")
        tab.press("u")
        labels = tab.evaluate("[...document.querySelectorAll('.cell')].map(c => c.dataset.label)")
        assert labels[1] == "unsure"
        failed = tab.evaluate(
            "[...document.querySelectorAll('.cell[data-there=failed]')].map(c => +c.dataset.n)"
        )
        assert set(failed) <= {9, 12}
        tab.press("Enter")
        rows = [(n, label) for n, label in zip(page, labels, strict=True) if label]
        tab.wait_for(f"{ROOT}.dataset.done === '{19 + len(rows)}'")
        for n, label in rows:
            expect(n, label)

        # The next page has the keys, and `f` leaves it.
        tab.wait_for(f"{ROOT}.contains(document.activeElement)")
        tab.press("f")
        person.look()
        for _ in range(2):  # what is hidden loses the focus with the next frame only
            tab.evaluate("new Promise(requestAnimationFrame)")
        assert tab.evaluate(f"{ROOT}.matches(':focus-within')")
        assert tab.dialogs == []
    journal = LabelJournal(place.workspace.labels).read()
    columns = ["who", "pathname", "sha256", "label", "source"]
    assert list(journal[columns].itertuples(index=False, name=None)) == expected
    assert journal.when.is_monotonic_increasing
    print(f"20 images in {took:.1f} s")


def test_a_hostile_name_stays_text_zoom_fetches_more_and_an_unkept_decision_is_seen(place):
    others = Workspace(place.root / "ws2")
    for name in ("audit.csv", "path.txt"):
        target = others.data / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((place.workspace.data / name).read_bytes())
    scores = {f"Text/{HOSTILE}": 0.5, "Photo/large.jpg": 0.51, "Photo/01.png": 0.7}
    lay_predictions(others.reports / "release" / "predictions.csv", scores)
    lay_notebook(place.root, workspace=str(others.root), who="ben", lang="fr")
    with open_lab(place.root) as lab, open_tab(place.root / "profile2", lab.page(NOTEBOOK)) as tab:
        lab.run_all(tab, NOTEBOOK)
        person = Person(tab)
        person.look()
        tab.click(".photoclf-label .stage")
        if person.name() != HOSTILE:
            person.press("s")
            person.look()
        assert person.name() == HOSTILE
        assert tab.evaluate(f"{ROOT}.querySelectorAll('img[src=x]').length") == 0
        person.press("s")
        if person.name() != "large.jpg":
            tab.press("z")
            tab.wait_for(f"{ROOT}.querySelector('.name').textContent === 'large.jpg'")
        person.look()
        assert tab.evaluate(f"{ROOT}.querySelector('.stage img').naturalWidth") == 1600
        tab.press("a")
        tab.wait_for(f"{ROOT}.querySelector('.stage img').naturalWidth === 2400")
        tab.press("0")
        tab.wait_for(f"{ROOT}.querySelector('.stage').dataset.zoom === '1.00'")
        shown = person.look()
        others.labels.mkdir()
        tab.press("p")
        tab.wait_for(f"{ROOT}.querySelector('.alert').textContent.startsWith('NON ENREGISTRÉ')")
        assert person.look() == shown
        others.labels.rmdir()
        person.press("p")
        tab.wait_for(f"{ROOT}.querySelector('.alert').hidden")
        assert tab.dialogs == []
    assert list(LabelJournal(others.labels).read().pathname) == ["Photo/large.jpg"]


def test_ten_thousand_images_start_quickly_and_take_no_more_memory_the_further_one_goes(
    tmp_path_factory,
):
    root = tmp_path_factory.mktemp("many")
    archive, workspace = root / "archive", Workspace(root / "ws")
    image = Image.new("RGB", (900, 700), (90, 120, 60))
    (archive / "box").mkdir(parents=True)
    image.save(archive / "box" / "first.jpg")
    names = [f"box/{n:05}.jpg" for n in range(10_000)]
    for name in names:  # one file under many names takes no room
        Path(archive / name).hardlink_to(archive / "box" / "first.jpg")
    predictions = root / "predictions.csv"
    lay_predictions(predictions, dict.fromkeys(names, 0.5))
    lay_notebook(
        root, workspace=str(workspace.root), who="anna", predictions=str(predictions),
        folder=str(archive), by="random",
    )  # fmt: skip
    with open_lab(root) as lab, open_tab(root / "profile", lab.page(NOTEBOOK)) as tab:
        lab.run_all(tab, NOTEBOOK)
        tab.wait_for(ROOT, 60)
        begun = time.monotonic()
        person = Person(tab)
        person.look()
        assert time.monotonic() - begun < 10
        tab.click(".photoclf-label .stage")
        kernel = kernel_of(lab)
        person.press("p")

        def go_on(images):
            for _ in range(images):
                person.press("s")
            person.look()
            return tab.used_memory(), kernel.memory_info().rss

        page, process = go_on(40)
        later_page, later_process = go_on(120)
        assert later_page < page + 3e6
        assert later_process < process + 30e6
        blobs = tab.evaluate(f"{ROOT}.querySelectorAll('img').length")
        assert blobs < 20


def kernel_of(lab):
    """Find the process of the only kernel that a server has started."""
    server = psutil.Process(lab.process)
    children = [p for p in server.children() if "ipykernel" in " ".join(p.cmdline())]
    assert len(children) == 1
    return children[0]
