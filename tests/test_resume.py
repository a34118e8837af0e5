"""Predictions that are killed, resumed or refused: the file is whole, and never overwritten."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from photoclf import predict as predict_module
from photoclf import prediction_file, prediction_note
from photoclf.errors import ArchiveError, ConfigError, RunError
from photoclf.file_list import Source
from photoclf.files import read_json
from photoclf.predict import predict_files
from photoclf.prediction_file import CHECKPOINT_ROWS
from photoclf.prediction_places import InTheWayError, Places, PredictionError, claimed
from photoclf.prediction_table import read_predictions
from photoclf.run import Run
from tests.bright_model import choose, png, put

COMMAND = """
import sys
from pathlib import Path
from photoclf.file_list import Source
from photoclf.predict import predict_files
from photoclf.run import Run
predict_files(Source(Path(sys.argv[1])), Run(Path(sys.argv[2])), Path(sys.argv[3]), workers=1)
"""


def start(folder, run, out) -> subprocess.Popen:
    words = [sys.executable, "-c", COMMAND, str(folder), str(run.folder), str(out)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def run(bright_run) -> Run:
    return bright_run


@pytest.fixture
def archive(tmp_path) -> Path:
    """More files than a checkpoint, broken ones among them, and names that need quotes."""
    root = tmp_path / "archive"
    for i in range(2 * CHECKPOINT_ROWS + 40):
        name = f"{i % 7}/{i:04d} ;é\n.png" if sys.platform != "win32" else f"{i % 7}/{i:04d}.png"
        put(root, name, png(i % 256) if i % 5 else b"no image")
    return root


@pytest.fixture(autouse=True)
def frequent_checkpoints(monkeypatch):
    monkeypatch.setattr(prediction_file, "CHECKPOINT_ROWS", 16)


def predict(folder, run, out, **options):
    return predict_files(Source(folder), run, out, workers=0, **options)


def stop_after(monkeypatch, rows, error=KeyboardInterrupt):
    """Let writing go wrong after some rows, as if by Ctrl-C."""
    write = prediction_file.PredictionWriter.write
    done = []

    def some(writer, listed, row):
        if len(done) == rows:
            raise error
        done.append(row)
        write(writer, listed, row)

    monkeypatch.setattr(prediction_file.PredictionWriter, "write", some)


def begin(monkeypatch, rows, archive, run, out, **options):
    """Leave a prediction as Ctrl-C does after some rows."""
    with monkeypatch.context() as patch:
        stop_after(patch, rows)
        with pytest.raises(KeyboardInterrupt):
            predict(archive, run, out, **options)


def test_killed_at_random_and_resumed_the_bytes_are_those_of_an_undisturbed_prediction(
    archive,
    run,
    tmp_path,
):
    predict(archive, run, tmp_path / "whole.csv")
    out, draw, killed = tmp_path / "killed.csv", random.Random(1), 0
    progress = Places(out).progress
    while not out.exists():
        seen = progress.stat().st_size if progress.exists() else 0
        process = start(archive, run, out)
        deadline = time.monotonic() + 60
        # Not before it has gone on by a checkpoint, so that it comes to its end at last.
        while process.poll() is None and time.monotonic() < deadline:
            if progress.exists() and progress.stat().st_size > seen + draw.randrange(300):
                break
            time.sleep(0.01)
        time.sleep(draw.random() * 0.05)
        process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        _, told = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), told
        killed += process.returncode != 0
    assert killed >= 1
    predict(archive, run, out)  # a kill at the very end leaves an empty lock
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert read_json(Places(out).note) == read_json(Places(tmp_path / "whole.csv").note)
    assert sorted(p.name for p in tmp_path.glob("killed.csv*")) == ["killed.csv", "killed.csv.json"]


@pytest.mark.parametrize("rows", [0, 1, 15, 16, 17, 200])
def test_rows_that_were_written_are_not_predicted_again(archive, run, tmp_path, monkeypatch, rows):
    begin(monkeypatch, rows, archive, run, tmp_path / "out.csv")
    again = predict(archive, run, tmp_path / "out.csv")
    assert again.kept == rows // 16 * 16
    predict(archive, run, tmp_path / "whole.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert again.summary()["files"] == len(read_predictions(tmp_path / "out.csv"))


@pytest.mark.parametrize(
    "spoil", ["half a row", "half a checkpoint", "other rows", "other line ends", "no rows"]
)
def test_what_a_crash_left_half_written_is_written_anew(archive, run, tmp_path, monkeypatch, spoil):
    out = tmp_path / "out.csv"
    begin(monkeypatch, 100, archive, run, out)
    places = Places(out)
    if spoil == "half a row":
        places.partial.write_bytes(places.partial.read_bytes() + b'"1/0101 ;')
    elif spoil == "half a checkpoint":
        places.progress.write_bytes(places.progress.read_bytes()[:-30])
    elif spoil == "other rows":
        places.partial.write_bytes(places.partial.read_bytes().replace(b"photo", b"other", 1))
    elif spoil == "other line ends":
        saved = "\ufeff".encode() + places.partial.read_bytes().replace(b"\n", b"\r\n")
        places.partial.write_bytes(saved)
    else:
        places.partial.write_bytes(places.partial.read_bytes()[:50])
    predict(archive, run, out)
    predict(archive, run, tmp_path / "whole.csv")
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_of_an_archive_that_changed_meanwhile_only_what_follows_the_change_is_done_again(
    archive,
    run,
    tmp_path,
    monkeypatch,
):
    out = tmp_path / "out.csv"
    begin(monkeypatch, 150, archive, run, out)
    names = sorted(path.relative_to(archive).as_posix() for path in archive.rglob("*.png"))
    (archive / names[40]).write_bytes(png(99))
    (archive / names[60]).unlink()
    put(archive, "9/late.png", png(5))
    assert predict(archive, run, out).kept == 32
    predict(archive, run, tmp_path / "whole.csv")
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert len(read_predictions(out)) == len(names)


def test_a_file_that_vanishes_after_it_was_listed_has_a_row_that_says_so(archive, run, tmp_path):
    gone = max(path for path in archive.rglob("*.png"))
    source = Source(archive)

    class Listed(Source):
        def files(self):
            yield from source.files()
            gone.unlink()

    predict_files(Listed(archive), run, tmp_path / "out.csv", workers=0)
    rows = read_predictions(tmp_path / "out.csv").set_index("pathname")
    assert rows.loc[gone.relative_to(archive).as_posix(), ["status", "reason"]].tolist() == [
        "unreadable",
        "vanished",
    ]


def test_whole_predictions_are_left_as_they_are(archive, run, tmp_path):
    out = tmp_path / "out.csv"
    first = predict(archive, run, out)
    before = out.stat().st_mtime_ns
    again = predict(archive, run, out)
    assert again.counts == first.counts
    assert again.kept == sum(first.counts.values())
    assert out.stat().st_mtime_ns == before


@pytest.mark.parametrize("anew", [False, True])
def test_predictions_of_another_model_or_folder_make_way_only_when_asked(
    archive,
    run,
    tmp_path,
    anew,
):
    out = tmp_path / "out.csv"
    predict(archive, run, out)
    before = out.read_bytes()
    choose(run, 0.7)
    if not anew:
        with pytest.raises(InTheWayError, match=r"threshold 0\.5 and not 0\.7"):
            predict(archive, run, out)
        choose(run, 0.5)
        put(archive, "more.png", png(3))
        with pytest.raises(InTheWayError, match="some were added or changed since"):
            predict(archive, run, out)
        assert out.read_bytes() == before
        return
    predict(archive, run, out, anew=True)
    assert out.read_bytes() != before


@pytest.mark.parametrize("ending", ["partial", "progress", "json", "lock", "converted", "shards"])
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
@pytest.mark.parametrize("anew", [False, True])
def test_what_lies_beside_and_is_somebody_elses_is_left_alone(
    archive, run, tmp_path, ending, kind, anew
):
    photo = next(archive.rglob("*.png"))
    before, beside = photo.read_bytes(), tmp_path / f"out.csv.{ending}"
    if kind == "link":
        beside.symlink_to(photo)
    elif kind == "folder":
        put(beside, "mine.txt", b"mine")
    else:
        beside.write_bytes(b"mine")
    if (kind, ending) == ("file", "converted"):
        return  # a name that nobody gives a file; it is overwritten
    with pytest.raises(InTheWayError, match="isn't theirs"):
        predict(archive, run, tmp_path / "out.csv", anew=anew)
    assert photo.read_bytes() == before
    if kind != "folder":
        assert beside.read_bytes() == (before if kind == "link" else b"mine")
    else:
        assert (beside / "mine.txt").read_bytes() == b"mine"


def test_outdated_predictions_are_there_until_new_ones_are(archive, run, tmp_path, monkeypatch):
    out = tmp_path / "out.csv"
    predict(archive, run, out)
    before = out.read_bytes()
    choose(run, 0.7)
    begin(monkeypatch, 100, archive, run, out, anew=True)
    assert out.read_bytes() == before
    assert predict(archive, run, out, anew=True).kept == 96
    assert out.read_bytes() != before


@pytest.mark.parametrize("step", ["unlink", "write_json", "replace", "tidy"])
def test_a_kill_while_predictions_are_put_in_place_costs_nothing(
    archive, run, tmp_path, monkeypatch, step
):
    out, whole = tmp_path / "out.csv", tmp_path / "whole.csv"
    predict(archive, run, out)
    choose(run, 0.7)
    predict(archive, run, whole)

    def killed(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step == "unlink":
            unlink = Path.unlink
            patch.setattr(
                Path, "unlink", lambda path, **to: killed() if path == out else unlink(path, **to)
            )
        elif step == "write_json":
            patch.setattr(prediction_note, "write_json", killed)
        elif step == "replace":
            patch.setattr(prediction_note.os, "replace", killed)
        else:
            patch.setattr(Places, "tidy", killed)
        with pytest.raises(KeyboardInterrupt):
            predict(archive, run, out, anew=True)
    predict(archive, run, out, anew=True)
    assert out.read_bytes() == whole.read_bytes()
    assert read_json(Places(out).note) == read_json(Places(whole).note)
    assert sorted(p.name for p in tmp_path.glob("out.csv*")) == ["out.csv", "out.csv.json"]


@pytest.mark.parametrize("anew", [False, True])
def test_what_somebody_has_changed_or_made_is_never_overwritten(archive, run, tmp_path, anew):
    out = tmp_path / "out.csv"
    predict(archive, run, out)
    out.write_bytes(out.read_bytes().replace(b";photo;", b";other;", 1))
    edited = out.read_bytes()
    with pytest.raises(InTheWayError, match="somebody has changed"):
        predict(archive, run, out, anew=anew)
    assert out.read_bytes() == edited
    other = tmp_path / "notes.csv"
    other.write_text("mine")
    with pytest.raises(InTheWayError, match="isn't known to be predictions"):
        predict(archive, run, other, anew=anew)
    assert other.read_text() == "mine"


def test_what_was_begun_with_another_model_is_not_finished_by_this_one(
    archive,
    run,
    tmp_path,
    monkeypatch,
):
    out = tmp_path / "out.csv"
    begin(monkeypatch, 100, archive, run, out)
    choose(run, 0.9)
    with pytest.raises(InTheWayError, match="must be finished with what they were begun with"):
        predict(archive, run, out)
    assert predict(archive, run, out, anew=True).kept == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_two_predictions_into_one_file_are_kept_apart(archive, run, tmp_path):
    out = tmp_path / "out.csv"
    with (
        claimed(out),
        pytest.raises(PredictionError, match="which another process"),
    ):
        predict(archive, run, out)
    predict(archive, run, out)


@pytest.mark.parametrize("after", [0, 900])
def test_a_full_disk_is_told_and_the_rest_comes_once_there_is_room(
    archive,
    run,
    tmp_path,
    monkeypatch,
    after,
):
    out, written = tmp_path / "out.csv", []
    write_all = prediction_file._write_all

    def limited(file, data):
        written.append(len(data))
        if sum(written) > after:
            file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write_all(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(prediction_file, "_write_all", limited)
        with pytest.raises(PredictionError, match="need room on the disk"):
            predict(archive, run, out)
    assert not out.exists()
    predict(archive, run, out)
    predict(archive, run, tmp_path / "whole.csv")
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_that_may_not_be_written_to_is_refused(archive, run, tmp_path):
    place = tmp_path / "read_only"
    place.mkdir(mode=0o555)
    with pytest.raises(PermissionError):
        predict(archive, run, place / "out.csv")


def test_a_score_that_is_none_is_refused(archive, run, tmp_path, monkeypatch):
    monkeypatch.setattr(predict_module, "score_file", lambda path, model: float("nan"))
    with pytest.raises(RunError, match="must give a score"):
        predict(archive, run, tmp_path / "out.csv")


def test_a_model_that_changes_meanwhile_is_refused(archive, run, tmp_path, monkeypatch):
    from photoclf.exported import ExportedModel

    model = ExportedModel.of(run)
    run.exported_model.write_bytes(b"another")
    monkeypatch.setattr(ExportedModel, "of", lambda run: model)
    with pytest.raises(RunError, match="changed"):
        predict(archive, run, tmp_path / "out.csv")


@pytest.mark.parametrize("name", ["out", "out.xlsx", "out.csv.gz"])
def test_a_name_that_promises_another_format_is_refused(archive, run, tmp_path, name):
    with pytest.raises(ConfigError, match=r"must end in \.csv or \.parquet"):
        predict(archive, run, tmp_path / name)


# A table instead of a folder


def table(path: Path, *names: str, header="label;pathname") -> Path:
    path.write_text("\n".join([header, *(f"1;{name}" for name in names)]) + "\n", encoding="utf-8")
    return path


def test_the_files_of_a_table_are_predicted_in_its_order(archive, run, tmp_path):
    put(archive, "a.png", png(10))
    put(archive, "b.png", png(250))
    listed = table(tmp_path / "t.csv", "b.png", "gone.png", "a.png", "desktop.ini", "1", "b.png")
    predict_files(Source(archive, listed), run, tmp_path / "out.csv", workers=0)
    rows = read_predictions(tmp_path / "out.csv")
    assert rows.pathname.tolist() == ["b.png", "gone.png", "a.png", "desktop.ini", "1", "b.png"]
    assert rows.decision.tolist() == ["photo", "", "other", "", "", "photo"]
    assert rows.reason.tolist() == ["", "vanished", "", "vanished", "folder", ""]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pathnam;label\na.png;1\n", "must have the column `pathname`"),
        ("", "must have the column `pathname`"),
        ("pathname\n../a.png\n", "inside it"),
        ("pathname\n/etc/passwd\n", "inside it"),
        ("pathname\n\n;\n", "inside it"),
        ("pathname\n\udcff.png\n", "UTF-8"),
        ("pathname\n./a.png\n", "shortest form"),
        ("pathname\na//b.png\n", "inside it"),
        ('pathname\n"a.png\nb.png\nc.png\n', "UTF-8 text"),
        ("pathname\na\0.png\n", "inside it|UTF-8 text"),
    ],
)
def test_a_table_that_is_none_or_leads_out_of_the_archive_is_refused(
    archive,
    run,
    tmp_path,
    text,
    told,
):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises((ArchiveError, ConfigError, ValueError), match=told):
        predict_files(Source(archive, path), run, tmp_path / "out.csv", workers=0)
    assert not (tmp_path / "out.csv").exists()


# Parquet


def test_parquet_holds_the_same_rows(archive, run, tmp_path):
    pytest.importorskip("pyarrow")
    import pandas as pd

    if sys.platform == "linux":
        put(archive, os.fsdecode(b"\xff.png"), png(3))
    predict(archive, run, tmp_path / "out.csv")
    predict(archive, run, tmp_path / "out.parquet")
    rows = read_predictions(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(rows, read_predictions(tmp_path / "out.csv"))
    assert predict(archive, run, tmp_path / "out.parquet").kept == len(rows)
    assert {p.name for p in tmp_path.glob("out.parquet*")} == {"out.parquet", "out.parquet.json"}


def test_parquet_without_pyarrow_is_refused_before_anything_is_read(
    archive, run, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="needs pyarrow"):
        predict(archive, run, tmp_path / "out.parquet")
