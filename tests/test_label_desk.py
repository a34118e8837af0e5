"""What a browser that labels is told, and what it may not do."""

import errno
import hashlib
import io
import threading
import time
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photoclf import label_cards, label_widget, steps
from photoclf.decode import decode_image
from photoclf.errors import RunError, TableError
from photoclf.label_desk import LabelDesk
from photoclf.label_images import SIZES, Rendition, pixels_within, render_image
from photoclf.label_journal import LabelJournal
from photoclf.label_session import LabelSession
from photoclf.label_trouble import tell_trouble
from photoclf.label_widget import LabelWidget, start_labelling
from photoclf.label_workshop import Workshop
from photoclf.locks import BusyError
from photoclf.messages import Messages
from photoclf.paths import Workspace
from photoclf.schema import MANIFEST
from photoclf.tables import write_table
from photoclf.workers import Lost
from tests.images import write_image

HOSTILE = "<img src=x onerror=alert(1)>.png"


def open_desk(folder, names, **options):
    """Return a desk whose pictures are made at once, the journal, and what it tells."""
    told = []
    queue = pd.DataFrame({"pathname": names, "score": 0.8, "source": "uncertainty"})
    journal = LabelJournal(folder / "labels.csv")
    session = LabelSession(queue, journal, "anna", classes=["Painting"])
    desk = LabelDesk(session, folder, lambda *message: told.append(message), **options)
    desk._shop = AtOnce(render_image, desk._deliver)
    desk.handle({"kind": "ready"})
    return desk, journal, told


class AtOnce(Workshop):
    def want(self, items):
        for key, item in items.items():
            self._deliver(key, self._function(item))


def look_at(desk, *places, size="screen"):
    desk.handle({"kind": "want", "images": [[n, size] for n in places]})


def seen(desk, n):
    """Return the hash of the picture that was sent last of a place."""
    return next((sha256 for place, sha256 in reversed(desk._shown) if place == n), "")


def decide(desk, n, label):
    desk.handle({"kind": "decide", "n": n, "label": label, "sha256": seen(desk, n)})


def confirm(desk, labels):
    hashes = {n: seen(desk, int(n)) for n in labels}
    desk.handle({"kind": "page", "labels": labels, "sha256": hashes})


def undo(desk, told):
    """Take back what is seen as the last step."""
    history = last_state(told)["history"]
    desk.handle({"kind": "undo", "n": history[-1]["n"] if history else None})


def decide_all(desk, told):
    """Call whatever comes a photograph."""
    while (n := last_state(told)["n"]) is not None:
        look_at(desk, n)
        decide(desk, n, "photo")


def last_state(told):
    return next(message for message, _ in reversed(told) if message["kind"] == "state")


@pytest.fixture
def names(tmp_path):
    return [write_image(tmp_path / f"{n}.png", seed=n).name for n in range(5)]


def test_the_hash_kept_is_that_of_the_bytes_that_were_shown(tmp_path, names):
    desk, journal, _ = open_desk(tmp_path, names)
    shown = (tmp_path / names[0]).read_bytes()
    look_at(desk, 0)
    write_image(tmp_path / names[0], seed=99)  # another image takes its place meanwhile
    decide(desk, 0, "photo")
    assert list(journal.read().sha256) == [hashlib.sha256(shown).hexdigest()]


def test_a_later_picture_does_not_change_what_the_person_has_seen(tmp_path, names):
    desk, journal, told = open_desk(tmp_path, names)
    look_at(desk, 0)
    shown = seen(desk, 0)
    write_image(tmp_path / names[0], seed=99)
    look_at(desk, 0, size="small")
    assert seen(desk, 0) != shown
    desk.handle({"kind": "decide", "n": 0, "label": "photo", "sha256": shown})
    assert list(journal.read().sha256) == [shown]
    # The other image, which nobody has decided on, comes back.
    look_at(desk, 0, size="small")
    assert last_state(told)["n"] == 1
    decide_all(desk, told)
    rows = journal.current()
    assert list(rows.sha256[rows.pathname == names[0]]) == [shown, seen(desk, 0)]


def test_a_picture_that_was_not_sent_cannot_be_decided_on(tmp_path, names):
    desk, journal, _ = open_desk(tmp_path, names)
    look_at(desk, 0)
    desk.handle({"kind": "decide", "n": 0, "label": "photo", "sha256": "0" * 64})
    desk.handle({"kind": "decide", "n": 0, "label": "photo"})
    assert journal.read().empty


def test_an_impatient_second_undo_takes_nothing_back(tmp_path, names):
    desk, journal, told = open_desk(tmp_path, names)
    for n in range(3):
        look_at(desk, n)
        decide(desk, n, "photo")
    message = {"kind": "undo", "n": last_state(told)["history"][-1]["n"]}
    desk.handle(message)
    desk.handle(message)
    assert len(journal.current()) == 2
    assert last_state(told)["n"] == 2
    undo(desk, told)
    assert len(journal.current()) == 1


def test_a_contradiction_between_copies_is_told(tmp_path, names):
    desk, journal, told = open_desk(tmp_path, [names[0], "copy.png", names[2]])
    look_at(desk, 0)
    decide(desk, 0, "photo")
    (tmp_path / "copy.png").write_bytes((tmp_path / names[0]).read_bytes())
    desk.handle({"kind": "want", "images": [[1, "screen"]]})
    decide(desk, 1, "other")
    assert (
        "another label already (Photograph instead of Something else)" in last_state(told)["error"]
    )
    undo(desk, told)
    assert last_state(told)["error"] == ""
    assert list(journal.current().label) == ["photo"]


def test_another_folder_with_the_same_names_is_open_once_its_files_are_hashed(tmp_path, names):
    desk, journal, _ = open_desk(tmp_path, names)
    for n in range(5):
        look_at(desk, n)
        decide(desk, n, "photo")
    other = tmp_path / "other"
    other.mkdir()
    for n, name in enumerate(names):
        write_image(other / name, seed=50 + n)
    (other / names[1]).write_bytes((tmp_path / names[1]).read_bytes())
    queue = pd.DataFrame({"pathname": names, "score": 0.8, "source": "uncertainty"})
    told = []
    session = LabelSession(queue, journal, "anna", trust_names=False)
    desk = LabelDesk(session, other, lambda *message: told.append(message))
    try:
        desk.handle({"kind": "ready"})
        assert last_state(told)["n"] is None
        # Undo looks itself: what was decided in the other folder isn't taken back.
        undo(desk, told)
        assert len(journal.current()) == 5
        until = time.monotonic() + 60
        while session.unchecked() and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        desk.close()
    assert [session.is_open(n) for n in range(5)] == [True, False, True, True, True]
    assert last_state(told)["n"] == 4  # where undo looked first
    assert [step.labels for step in session.last_steps(9)] == [{1: "photo"}]


def test_in_a_notebook_a_name_counts_only_until_its_file_is_hashed(tmp_path, names):
    queue = pd.DataFrame({"pathname": names, "score": np.nan, "source": "random"})
    workspace = Workspace(tmp_path / "ws")
    LabelSession(queue, LabelJournal(workspace.labels), "anna").decide(0, "photo", "0" * 64)
    widget = start_labelling(workspace, queue, tmp_path, who="anna")
    widget.close()
    assert widget.session.unchecked() == [0]
    widget.session.learn(0, "1" * 64)
    assert widget.session.is_open(0)


@pytest.mark.parametrize("folder", ["other", "photo", "unsure", "withdrawn", " apart"])
def test_class_folders_that_cannot_be_labels_have_no_key(folder, tmp_path):
    archive, workspace = tmp_path / "archive", Workspace(tmp_path / "ws")
    for n, name in enumerate(["Photo", "Text", folder]):
        for m in range(2):
            write_image(archive / name / f"{m}.png", seed=9 * n + m)
    steps.scan(workspace, archive)
    steps.audit(workspace, archive)
    queue = pd.DataFrame({"pathname": ["Text/0.png"], "score": np.nan, "source": ["random"]})
    widget = start_labelling(workspace, queue, archive, who="anna")
    widget.close()
    assert widget.session.classes == ("Text",)


def test_what_nobody_has_seen_cannot_be_decided(tmp_path, names):
    desk, journal, told = open_desk(tmp_path, names)
    decide(desk, 0, "photo")
    look_at(desk, 0, 1)
    decide(desk, 1, "photo")  # a browser that is ahead
    assert journal.read().empty
    assert last_state(told)["n"] == 0
    decide(desk, 0, "photo")
    decide(desk, 0, "photo")  # an impatient second key
    assert len(journal.read()) == 1


def test_a_decision_that_cannot_be_kept_is_told_and_the_image_stays(tmp_path, names):
    desk, journal, told = open_desk(tmp_path, names)
    look_at(desk, 0)
    journal.path.mkdir()
    decide(desk, 0, "photo")
    state = last_state(told)
    assert state["n"] == 0
    assert state["error"].startswith("NOT KEPT.")
    journal.path.rmdir()
    decide(desk, 0, "photo")
    assert last_state(told)["error"] == ""
    assert last_state(told)["n"] == 1


def test_an_unknown_label_is_told_and_not_kept(tmp_path, names):
    desk, journal, told = open_desk(tmp_path, names)
    look_at(desk, 0)
    decide(desk, 0, "foto")
    assert "Did you mean" in last_state(told)["error"]
    assert journal.read().empty


def test_a_page_that_could_not_be_kept_stays_as_it_was_set_right(tmp_path, names):
    desk, journal, told = open_desk(tmp_path, names)
    desk.handle({"kind": "grid", "on": True})
    page = [cell["n"] for cell in last_state(told)["page"]]
    look_at(desk, *page, size="small")
    labels = dict.fromkeys(map(str, page), "photo") | {"2": "Painting", "3": ""}
    journal.path.mkdir()
    confirm(desk, labels)
    assert {str(c["n"]): c["label"] for c in last_state(told)["page"]} == labels
    journal.path.rmdir()
    confirm(desk, labels)
    kept = dict(zip(journal.read().pathname, journal.read().label, strict=True))
    assert kept == {"0.png": "photo", "1.png": "photo", "2.png": "Painting", "4.png": "photo"}
    assert last_state(told)["skipped"] == 1


def test_undo_brings_a_page_back_as_it_was_confirmed(tmp_path, names):
    desk, journal, told = open_desk(tmp_path, names)
    desk.handle({"kind": "grid", "on": True})
    look_at(desk, *range(5), size="small")
    labels = {"0": "photo", "1": "other", "2": "photo", "3": "other", "4": "unsure"}
    confirm(desk, labels)
    undo(desk, told)
    assert {str(c["n"]): c["label"] for c in last_state(told)["page"]} == labels
    assert journal.current().empty


def test_a_page_of_a_browser_that_is_behind_is_not_taken(tmp_path, names):
    desk, journal, _ = open_desk(tmp_path, names)
    desk.handle({"kind": "grid", "on": True})
    look_at(desk, *range(5), size="small")
    confirm(desk, {"0": "photo"})
    assert journal.read().empty


def test_gone_and_broken_files_get_a_reason_and_can_be_put_off(tmp_path, names):
    desk, journal, told = open_desk(tmp_path, names)
    (tmp_path / names[0]).unlink()
    (tmp_path / names[1]).write_bytes(b"\xff\xd8\xff no picture")
    look_at(desk, 0, 1)
    reasons = [message["failed"] for message, _ in told if message["kind"] == "image"]
    assert "gone" in reasons[0]
    assert "damaged" in reasons[1]
    decide(desk, 0, "photo")
    desk.handle({"kind": "skip", "n": 0})
    assert last_state(told)["n"] == 1
    assert journal.read().empty


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"kind": "nonsense"},
        {"kind": "want", "images": [[99, "screen"], [-1, "small"], [0, "huge"], ["0", "small"]]},
        {"kind": "heat", "n": 99},
        {"kind": "decide", "n": None, "label": "photo"},
        {"kind": "skip"},
        {"kind": "page", "labels": {}},
        {"kind": ["decide"]},
        {"kind": "decide", "n": [1], "label": "photo", "sha256": {}},
        {"kind": "decide", "n": 0.0, "label": "photo", "sha256": "0" * 64},
        {"kind": "decide", "n": False, "label": "photo", "sha256": "0" * 64},
        {"kind": "skip", "n": 0.0},
        {"kind": "skip", "n": False},
        {"kind": "undo", "n": 0.0},
        {"kind": "page", "labels": {"x": "photo"}},
        {"kind": "page", "labels": [1, 2], "sha256": 3},
        {"kind": "want", "images": [1, [0], [0, []], [10**30, "small"], {}]},
        {"kind": "want", "images": 7},
        {"kind": "heat", "n": True},
    ],
)
def test_messages_that_make_no_sense_change_nothing(message, tmp_path, names):
    desk, journal, told = open_desk(tmp_path, names)
    desk.handle(message)
    assert journal.read().empty
    assert last_state(told)["n"] == 0
    assert not [1 for message, _ in told if message["kind"] in ("image", "heat")]


def test_every_character_of_a_hostile_name_is_seen(tmp_path):
    names = [HOSTILE, "a\u202egnp.exe", "b\udcff.png"]
    desk, _, told = open_desk(tmp_path, names)
    seen = [last_state(told)["image"]["name"]]
    for n in (0, 1):
        desk.handle({"kind": "skip", "n": n})
        seen.append(last_state(told)["image"]["name"])
    assert seen == [HOSTILE, "a\\u202egnp.exe", "b\\udcff.png"]


def test_without_a_model_a_map_is_refused_in_words(tmp_path, names):
    desk, _, told = open_desk(tmp_path, names)
    desk.handle({"kind": "heat", "n": 0})
    assert "run_id" in told[-1][0]["failed"]


def test_a_map_that_fails_says_why(tmp_path, names, monkeypatch):
    desk, _, told = open_desk(tmp_path, names)
    desk._deliver_heat(0, Lost("timed_out"))
    assert told[-1][0]["failed"].startswith("The model couldn’t be asked:")


def test_a_class_is_a_folder_of_what_is_no_photograph_and_a_box_is_none(tmp_path):
    workspace = Workspace(tmp_path / "ws")
    folders = {"Text": [0] * 5, "Foto": [1] * 4 + [0], "box": [0, 1], "Photo": [0], "": [0]}
    rows = [
        (f"{f}/{i}.png".strip("/"), n) for f, said in folders.items() for i, n in enumerate(said)
    ]
    for seed, (name, _) in enumerate(rows):
        write_image(tmp_path / "archive" / name, seed=seed)
    write_table(pd.DataFrame(rows, columns=list(MANIFEST.columns)), workspace.manifest, MANIFEST)
    steps.audit(workspace, tmp_path / "archive")
    assert label_widget._known_classes(workspace) == ["Text"]


def test_every_text_that_is_shown_is_there_in_both_languages():
    for lang in ("fr", "en"):
        for name in label_cards._TEXTS:
            assert Messages(lang)(f"labelling.{name}")


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "disque est plein"), (errno.EACCES, "accès est refusé")]
)
def test_a_usual_trouble_is_told_in_the_person_s_language(tmp_path, names, number, said):
    desk, journal, told = open_desk(tmp_path, names, lang="fr")
    look_at(desk, 0)
    journal.path.mkdir()
    with mock.patch("photoclf.label_journal.locked", side_effect=OSError(number, "in English")):
        decide(desk, 0, "photo")
    error = last_state(told)["error"]
    assert error.startswith("NON ENREGISTRÉ. L")
    assert said in error.replace("’", "'")
    assert error.index("in English") > error.index("Détail")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BusyError("x"), "busy"),
        (RunError("x"), "model"),
        (PermissionError(errno.EPERM, "x"), "no_right"),
        (OSError("x"), "unforeseen"),
        (TableError("x"), "unforeseen"),
    ],
)
def test_each_trouble_has_its_words(error, kind):
    words = Messages("fr")
    assert words(f"labelling.trouble_{kind}") in tell_trouble(words, error)
    assert "x" in tell_trouble(words, error)


def test_a_map_without_a_model_is_told_in_the_person_s_language(tmp_path, names):
    desk, _, told = open_desk(tmp_path, names, lang="fr")
    desk._deliver_heat(0, RunError("The model must be there."))
    assert told[-1][0]["failed"].startswith("Le modèle n’a pas pu être interrogé. Il manque")


@pytest.mark.parametrize("size", [(40, 30), (500, 100), (90, 700), (361, 360)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_keeps_the_proportions_of_its_image(size, kind):
    file = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(file, kind)
    pixels, own = pixels_within(file.getvalue(), 360)
    assert own == size
    height, width = pixels.shape[:2]
    assert max(width, height) == min(360, max(size))
    assert width / height == pytest.approx(size[0] / size[1], rel=0.03)
    assert np.abs(pixels.astype(int) - [10, 200, 30]).max() < 6  # no border is left


def test_a_large_turned_photograph_is_shown_upright(tmp_path):
    image = Image.new("RGB", (900, 600))
    image.paste((255, 0, 0), (0, 0, 450, 600))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    picture = render_image((tmp_path / "turned.jpg", "small"))
    assert (picture.own_width, picture.own_height) == (600, 900)
    assert (picture.width, picture.height) == (240, 360)
    pixels = decode_image(picture.jpeg)
    assert pixels[20, 120, 0] > 200
    assert pixels[340, 120, 0] < 50


def test_a_picture_is_never_larger_than_asked_nor_the_files_own_bytes(tmp_path):
    path = write_image(tmp_path / "a.jpg", seed=1, size=(3000, 2000))
    pictures = {size: render_image((path, size)) for size in SIZES}
    assert [p.width for p in pictures.values()] == [360, 1600, 3000]
    assert all(isinstance(p, Rendition) and p.jpeg != path.read_bytes() for p in pictures.values())


def test_a_workshop_begins_with_the_latest_wish_and_forgets_the_others():
    done, all_there = [], threading.Event()

    def deliver(key, result):
        done.append(key)
        if key == "z":
            all_there.set()

    shop = Workshop(time.sleep, deliver, workers=1)
    shop.want(dict.fromkeys(range(50), 0.2))
    while not done:
        time.sleep(0.01)
    shop.want({"y": 0, "z": 0})
    assert all_there.wait(30)
    shop.close()
    assert len(done) < 6
    assert done[-2:] == ["y", "z"]


def test_a_workshop_outlives_what_kills_its_worker():
    results, there = {}, threading.Event()

    def deliver(key, result):
        results[key] = result
        if len(results) == 2:
            there.set()

    shop = Workshop(time.sleep, deliver, workers=1, seconds=0.3)
    shop.want({"slow": 60, "quick": 0})
    assert there.wait(60)
    shop.close()
    assert results == {"slow": Lost("timed_out"), "quick": None}


def test_a_widget_says_what_it_is_where_it_cannot_be_shown(tmp_path, names):
    queue = pd.DataFrame({"pathname": names, "score": np.nan, "source": "random"})
    session = LabelSession(queue, LabelJournal(tmp_path / "labels.csv"), "anna")
    widget = LabelWidget(session, tmp_path)
    text = repr(widget)
    widget.close()
    assert text.startswith("0 of 5 images labelled by anna.")
    assert "JupyterLab" in text
    widget = LabelWidget(session, tmp_path, lang="fr")
    assert repr(widget).startswith("0 image étiquetée sur 5, par anna.")
    widget.close()
