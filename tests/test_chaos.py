"""Killed, starved and disturbed: what is left must be right, or said to be wrong.

`PHOTOCLF_KILLS=20 pytest tests/test_chaos.py` kills twenty times instead of four.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photoclf import cache as cache_module
from photoclf import placing, steps
from photoclf.cache import CacheError, build_cache
from photoclf.errors import TableError
from photoclf.files import sha256_file
from photoclf.listing import walk_files
from photoclf.paths import Workspace
from photoclf.schema import AUDIT
from photoclf.tables import write_table
from tests.audits import audited

KILLS = int(os.environ.get("PHOTOCLF_KILLS", "4"))
SIZE = 64
IMAGES = 90

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL and no limits")


def draw(path, seed, width=480, height=320):
    """A smooth picture, its own for each seed, as a JPEG that takes a moment to decode."""
    rng = np.random.default_rng(seed)
    colours = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    colours.resize((width, height), Image.Resampling.BICUBIC).save(path, "JPEG", quality=90)


def draw_archive(root, images):
    for i in range(images):
        draw(root / ("Photo", "Paintings", "Text")[i % 3] / f"{i:03d}.jpg", seed=i)
    (root / "Text/broken.jpg").write_bytes((root / "Photo/000.jpg").read_bytes()[:300])
    (root / "Text/notes.txt").write_text("not an image")
    shutil.copy(root / "Photo/000.jpg", root / "Photo/copy.jpg")


def photographs_of(root):
    names = sorted(path.relative_to(root).as_posix() for path in (root / "Photo").iterdir())
    return pd.DataFrame({"pathname": names, "sha256": [sha256_file(root / n) for n in names]})


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = tmp_path_factory.mktemp("chaos") / "archive"
    draw_archive(root, IMAGES)
    return root


@pytest.fixture(scope="module")
def undisturbed(archive, tmp_path_factory):
    """A workspace whose audit, split and cache nothing disturbed."""
    workspace = Workspace(tmp_path_factory.mktemp("undisturbed"))
    steps.scan(workspace, archive)
    steps.audit(workspace)
    steps.split(workspace)
    steps.cache(workspace, image_size=SIZE)
    return workspace


def start(verb, workspace, *options):
    command = [sys.executable, "-m", "photoclf", verb, "--workspace", workspace.root, *options]
    return subprocess.Popen(
        [*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def begin(kind, workspace, undisturbed, archive):
    """Start an audit or a cache in a fresh workspace.

    Returns its process, and a function that tells how many files it has done.
    """
    steps.scan(workspace, archive)
    if kind == "audit":
        journal = workspace.data / "audit.journal"
        return start("audit", workspace), lambda: journal.read_bytes().count(b"\n")
    for name in ("audit.csv", "split.csv"):
        shutil.copy(undisturbed.data / name, workspace.data / name)
    process = start("cache", workspace, "--image-size", SIZE)
    return process, lambda: next(workspace.cache.glob("*/rows.bin")).stat().st_size // 16


def kill_at(process, done, moment):
    """Kill a process when so many of its files are done, or a little after the last of them."""
    deadline = time.monotonic() + 60
    while process.poll() is None:
        assert time.monotonic() < deadline
        with contextlib.suppress(OSError, StopIteration):  # nothing there yet
            if done() >= min(moment, 1.0) * IMAGES:
                break
        time.sleep(0.001)
    time.sleep(max(moment - 1.0, 0.0))
    process.send_signal(signal.SIGKILL)
    return process.wait()


@posix
@pytest.mark.parametrize("number", range(KILLS))
def test_what_goes_on_after_a_kill_is_what_undisturbed_work_would_have_given(
    number, undisturbed, archive, tmp_path
):
    kind = ("audit", "cache")[number % 2]
    workspace = Workspace(tmp_path)
    process, done = begin(kind, workspace, undisturbed, archive)
    # From the first file to the writing of the tables after the last.
    moment = random.Random(number).uniform(0.0, 1.1)
    code = kill_at(process, done, moment)
    assert code == -signal.SIGKILL or moment > 0.95, "it was killed in its midst"
    if kind == "audit":
        steps.audit(workspace)
        assert workspace.audit.read_bytes() == undisturbed.audit.read_bytes()
        assert not list(workspace.data.glob("*.journal"))
    else:
        expected = steps.cache(undisturbed, image_size=SIZE)
        cache = steps.cache(workspace, image_size=SIZE)
        assert cache.pathnames == expected.pathnames
        np.testing.assert_array_equal(cache.pixels, expected.pixels)


# A full disk


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 200 kB, and a function that enlarges it."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs rights")

    def enlarge():
        subprocess.run(["mount", "-o", "remount,size=20m", str(place)], check=True)

    yield place, enlarge
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("storage", ["exact", "compact"])
def test_a_disk_that_fills_up_is_told_and_the_build_goes_on_once_there_is_space(
    archive, small_disk, tmp_path, monkeypatch, storage
):
    place, enlarge = small_disk
    images, options = (
        photographs_of(archive),
        {"image_size": 128, "fit": "squash", "storage": storage},
    )
    roomy = shutil.disk_usage(place)._replace(free=2**40)  # somebody else fills it meanwhile
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda _: roomy)
    (place / "ballast").write_bytes(bytes(150_000 if storage == "compact" else 1))
    with pytest.raises(CacheError, match="No space left.*is kept"):
        build_cache(archive, images, place / "cache", **options)
    (folder,) = (place / "cache").iterdir()
    assert (folder / "pixels.bin").stat().st_size > 0
    assert not (folder / "done.json").exists()
    enlarge()
    cache = build_cache(archive, images, place / "cache", **options)
    expected = build_cache(archive, images, tmp_path / "fresh", **options)
    np.testing.assert_array_equal(cache.pixels[:], expected.pixels[:])


def test_an_audit_on_a_full_disk_leaves_the_earlier_one_whole(archive, small_disk):
    place, enlarge = small_disk
    enlarge()
    workspace = Workspace(place / "work")
    steps.scan(workspace, archive)
    steps.audit(workspace)
    earlier = workspace.audit.read_bytes()
    with open(place / "ballast", "wb") as ballast, pytest.raises(OSError, match="No space left"):
        while True:
            ballast.write(bytes(2**16))
            ballast.flush()
    with pytest.raises(TableError, match=r"No space left .*data\. What was measured is kept"):
        steps.audit(workspace)
    assert workspace.audit.read_bytes() == earlier
    (place / "ballast").unlink()
    steps.audit(workspace)
    assert workspace.audit.read_bytes() == earlier


LIMITED = """
import resource, sys
from pathlib import Path
import pandas as pd
from photoclf.cache import CacheError, build_cache
archive, table, folder, limit = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
options = {"image_size": 64, "fit": "squash", "workers": 0}
try:
    build_cache(Path(archive), pd.read_pickle(table), Path(folder), **options)
except CacheError as error:
    print(error)
"""


@posix
def test_a_file_that_may_not_grow_is_told_and_the_build_goes_on_later(archive, tmp_path):
    images = photographs_of(archive)
    images.to_pickle(tmp_path / "table")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, archive, tmp_path / "table", tmp_path / "cache", "50000"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "File too large" in done.stdout
    assert "run the same command again" in done.stdout
    options = {"image_size": 64, "fit": "squash", "workers": 0}
    cache = build_cache(archive, images, tmp_path / "cache", **options)
    expected = build_cache(archive, images, tmp_path / "fresh", **options)
    np.testing.assert_array_equal(cache.pixels, expected.pixels)


# An archive that can't be written, or changes under our hands


def state_of(root):
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_read_only_archive_is_enough_and_stays_as_it_was(tmp_path):
    root = tmp_path / "archive"
    draw_archive(root, 30)
    for path in [*root.rglob("*"), root]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = state_of(root)
    workspace = Workspace(tmp_path / "work")
    try:
        steps.scan(workspace, root)
        assert steps.audit(workspace).set_index("status").files["used"] == 30
        steps.split(workspace)
        steps.cache(workspace, image_size=16)
        assert state_of(root) == before
    finally:
        for path in [root, *root.rglob("*")]:
            path.chmod(0o755)


@posix
def test_files_that_change_after_they_were_listed_get_a_reason_and_are_read_again(
    tmp_path, monkeypatch
):
    root = tmp_path / "archive"
    draw_archive(root, 12)

    def disturb(place):
        yield from walk_files(place)
        if (root / "Photo/000.jpg").is_file():
            (root / "Photo/000.jpg").unlink()
            (root / "Photo/003.jpg").unlink()
            (root / "Photo/003.jpg").mkdir()
            (root / "Photo/006.jpg").unlink()
            os.mkfifo(root / "Photo/006.jpg")
            (root / "Photo/009.jpg").write_bytes(b"")
            draw(root / "Text/002.jpg", seed=99)

    monkeypatch.setattr(placing, "walk_files", disturb)
    audit = audited(root)
    write_table(audit, tmp_path / "audit.csv", AUDIT)
    audit = audit.set_index("pathname")
    assert audit.loc["Photo/000.jpg", "reason"] == "vanished"
    assert audit.loc["Photo/003.jpg", "reason"] == "unreadable_file"
    assert audit.loc["Photo/006.jpg", "reason"] == "unreadable_file"
    assert audit.loc["Photo/009.jpg", "reason"] == "empty_file"
    assert audit.loc["Text/002.jpg", "sha256"] == sha256_file(root / "Text/002.jpg")
    again = audited(root, previous=tmp_path / "audit.csv")
    pd.testing.assert_frame_equal(again, audited(root))


def test_files_rewritten_all_the_while_cost_rows_and_never_the_audit(tmp_path):
    root = tmp_path / "archive"
    draw_archive(root, 30)
    whole = (root / "Photo/000.jpg").read_bytes()
    stop = threading.Event()

    def rewrite():
        chance = random.Random(0)
        while not stop.is_set():
            path = root / "Photo" / f"{3 * chance.randrange(10):03d}.jpg"
            if chance.random() < 0.3:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(whole[: chance.randrange(len(whole))])

    disturber = threading.Thread(target=rewrite)
    disturber.start()
    try:
        audits = [audited(root) for _ in range(2)]
    finally:
        stop.set()
        disturber.join()
    for audit in audits:
        assert audit.status.isin(["used", "unreadable", "duplicate", "not_an_image"]).all()
        failed = audit[audit.status.isin(["unreadable", "not_an_image"])]
        assert (failed.reason != "").all()
        calm = audit[audit.pathname.str.startswith("Paintings")]
        assert (calm.status == "used").all()
    # What was measured of a half-written file isn't taken for the file that came of it.
    write_table(audits[-1], tmp_path / "audit.csv", AUDIT)
    settled = audited(root, previous=tmp_path / "audit.csv")
    assert list(settled.sha256[settled.sha256 != ""]) == [
        sha256_file(root / name) for name in settled.pathname[settled.sha256 != ""]
    ]


def test_an_image_that_changes_while_a_cache_is_built_is_refused_by_name(tmp_path):
    root = tmp_path / "archive"
    draw_archive(root, 30)
    images = photographs_of(root)
    draw(root / "Photo/027.jpg", seed=500)
    with pytest.raises(CacheError, match=r"'Photo/027.jpg', other bytes"):
        build_cache(root, images, tmp_path / "cache", image_size=16, fit="squash")
