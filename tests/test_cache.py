import io
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photoclf import cache as cache_module
from photoclf import pixel_files
from photoclf.cache import CacheError, build_cache
from photoclf.decode import decode_image
from photoclf.errors import PhotoclfError
from photoclf.files import sha256_file

SIZE = 16
N = 12
RECORD_BYTES = 16  # of rows.bin


def picture(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def archive(tmp_path):
    root = tmp_path / "archive"
    for i in range(N):
        path = root / "Photo" / (f"{i:02d}.png" if i else "line\nbreak ;é.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(i))
    return root


@pytest.fixture
def images(archive):
    names = [p.relative_to(archive).as_posix() for p in archive.rglob("*.png")]
    return pd.DataFrame({"pathname": names, "sha256": [sha256_file(archive / n) for n in names]})


@pytest.fixture
def decoded(monkeypatch):
    """Count what is decoded."""
    counts = Counter()
    real = cache_module.decode_image

    def counted(data, *args):
        counts["images"] += 1
        return real(data, *args)

    monkeypatch.setattr(cache_module, "decode_image", counted)
    return counts


def build(archive, images, tmp_path, **options):
    options = {"image_size": SIZE, "fit": "squash", "workers": 0} | options
    return build_cache(archive, images, tmp_path / "cache", **options)


def place_of(tmp_path) -> Path:
    (place,) = (tmp_path / "cache").iterdir()
    return place


@pytest.mark.parametrize("fit", ["squash", "letterbox", "crop"])
def test_the_cache_holds_what_decoding_gives(archive, images, tmp_path, fit):
    cache = build(archive, images, tmp_path, fit=fit)
    assert cache.pixels.shape == (N, SIZE, SIZE, 3)
    assert cache.pixels.dtype == np.uint8
    assert list(cache.pathnames) == sorted(images.pathname)
    assert (cache.image_size, cache.fit) == (SIZE, fit)
    for row, name in enumerate(cache.pathnames):
        assert (cache.pixels[row] == decode_image(archive / name, SIZE, fit)).all()


def test_the_pixels_can_not_be_changed(archive, images, tmp_path):
    cache = build(archive, images, tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        cache.pixels[0] = 0


def test_opening_again_decodes_nothing_and_needs_no_archive(archive, images, tmp_path, decoded):
    first = build(archive, images, tmp_path)
    assert decoded["images"] == N
    second = build(tmp_path / "gone", images.sample(frac=1, random_state=1), tmp_path)
    assert decoded["images"] == N
    assert second.pathnames == first.pathnames
    assert (second.pixels == first.pixels).all()


def test_rows_follow_the_names_asked_for(archive, images, tmp_path):
    cache = build(archive, images, tmp_path)
    rows = cache.rows(pd.Series(["Photo/05.png", "Photo/01.png", "Photo/05.png"]))
    assert rows.dtype == np.int64
    assert [cache.pathnames[r] for r in rows] == ["Photo/05.png", "Photo/01.png", "Photo/05.png"]
    assert cache.rows([]).shape == (0,)


def test_a_name_that_is_not_cached_is_told(archive, images, tmp_path):
    cache = build(archive, images, tmp_path)
    with pytest.raises(CacheError, match=r"'Photo/99.png', which isn't"):
        cache.rows(["Photo/01.png", "Photo/99.png"])


def test_another_size_fit_content_or_decoder_is_another_cache(
    archive, images, tmp_path, monkeypatch
):
    build(archive, images, tmp_path)
    build(archive, images, tmp_path, image_size=8)
    build(archive, images, tmp_path, fit="crop")
    build(archive, images.iloc[1:], tmp_path)
    monkeypatch.setattr(cache_module, "DECODER_VERSION", 999)
    build(archive, images, tmp_path)
    assert len(list((tmp_path / "cache").iterdir())) == 5


def test_no_images_make_no_cache(archive, images, tmp_path):
    with pytest.raises(CacheError, match="must have images"):
        build(archive, images.iloc[:0], tmp_path)


# What changed since the audit


def test_an_image_that_changed_since_the_audit_is_refused_by_name(archive, images, tmp_path):
    (archive / "Photo/03.png").write_bytes(picture(77))
    with pytest.raises(CacheError, match=r"'Photo/03.png', other bytes.*photoclf audit"):
        build(archive, images, tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "vanished"), (b"", "empty_file"), (b"<html>", "other bytes")]
)
def test_an_image_that_no_longer_decodes_is_refused_by_name(
    archive, images, tmp_path, content, reason
):
    path = archive / "Photo/03.png"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(PhotoclfError, match=rf"'Photo/03.png', {reason}"):
        build(archive, images, tmp_path)


def test_after_the_image_is_put_back_only_the_rest_is_decoded(archive, images, tmp_path, decoded):
    (archive / "Photo/11.png").write_bytes(picture(77))
    with pytest.raises(CacheError):
        build(archive, images, tmp_path)
    before = decoded["images"]
    (archive / "Photo/11.png").write_bytes(picture(11))
    cache = build(archive, images, tmp_path)
    assert decoded["images"] < before + N
    assert (cache.pixels[cache.rows(["Photo/11.png"])[0]] == decode_image(picture(11), SIZE)).all()


# Killed, shortened, spoilt


BUILD = """
import sys, time
from pathlib import Path
import pandas as pd
from photoclf import cache
archive, table, folder, slow = sys.argv[1:]
real = cache.decode_image
def decode(*args):
    time.sleep(float(slow))
    return real(*args)
cache.decode_image = decode
images = pd.read_pickle(table)
options = {"image_size": 16, "fit": "squash", "workers": 0}
built = cache.build_cache(Path(archive), images, Path(folder), **options)
print(built.pixels.sum(dtype="int64"))
"""


def start_build(archive, images, tmp_path, slow):
    images.to_pickle(tmp_path / "images.pickle")
    paths = [archive, tmp_path / "images.pickle", tmp_path / "cache", slow]
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, *map(str, paths)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_build_goes_on_where_it_was(archive, images, tmp_path, decoded):
    process = start_build(archive, images, tmp_path, slow=0.1)
    deadline = time.monotonic() + 30
    written = 0
    while written < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        for path in (tmp_path / "cache").glob("*/rows.bin"):
            written = len(path.read_bytes()) // RECORD_BYTES
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (place_of(tmp_path) / "done.json").exists()
    cache = build(archive, images, tmp_path)
    assert decoded["images"] <= N - 3
    expected = build(archive, images, tmp_path / "fresh")
    assert (cache.pixels == expected.pixels).all()


def test_two_builds_at_once_make_one_good_cache(archive, images, tmp_path):
    processes = [start_build(archive, images, tmp_path, slow=s) for s in (0.03, 0.02)]
    sums = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    expected = build(archive, images, tmp_path / "fresh").pixels
    assert sums == {str(expected.sum(dtype="int64"))}
    assert (build(archive, images, tmp_path).pixels == expected).all()


def test_a_build_that_starts_while_another_runs_takes_nothing_from_it(
    archive, images, tmp_path, monkeypatch
):
    # The second build runs from its start to its end inside the first one's middle.
    real = cache_module.decode_image
    inner = []

    def decode(data, *args):
        if not inner:
            inner.append(None)
            inner[0] = build(archive, images, tmp_path)
        return real(data, *args)

    monkeypatch.setattr(cache_module, "decode_image", decode)
    outer = build(archive, images, tmp_path)
    expected = build(archive, images, tmp_path / "fresh").pixels
    assert (outer.pixels == expected).all()
    assert (inner[0].pixels == expected).all()


def flip_a_byte(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


SPOILT = [  # how, and the rows that are lost
    (lambda place: flip_a_byte(place / "pixels.bin", 100), 1),
    (lambda place: flip_a_byte(place / "rows.bin", 0), 1),  # the offset
    (lambda place: flip_a_byte(place / "rows.bin", RECORD_BYTES + 7), 1),
    (lambda place: flip_a_byte(place / "rows.bin", RECORD_BYTES + 11), 1),  # the length
    (lambda place: flip_a_byte(place / "rows.bin", RECORD_BYTES + 15), 1),  # the checksum
    (lambda place: os.truncate(place / "rows.bin", RECORD_BYTES * 7 + 3), N - 7),
    (lambda place: os.truncate(place / "pixels.bin", 0), N),
    (lambda place: (place / "pixels.bin").unlink(), N),
    (lambda place: (place / "rows.bin").unlink(), N),
]


@pytest.mark.parametrize("storage", ["exact", "compact"])
@pytest.mark.parametrize(("spoil", "lost"), SPOILT)
def test_spoilt_rows_are_told_and_decoded_again_and_no_others(
    archive, images, tmp_path, spoil, lost, storage, decoded
):
    expected = build(archive, images, tmp_path, storage=storage).pixels[:]
    spoil(place_of(tmp_path))
    decoded.clear()
    with pytest.warns(RuntimeWarning, match=rf"^{lost} images of the pixel cache"):
        cache = build(archive, images, tmp_path, storage=storage)
    assert (cache.pixels[:] == expected).all()
    assert decoded["images"] == lost
    assert (build(archive, images, tmp_path, storage=storage).pixels[:] == expected).all()
    assert decoded["images"] == lost, "mended for good"


def test_a_row_recorded_before_its_pixels_reached_the_disk_is_decoded_again(
    archive, images, tmp_path, decoded
):
    # What a lost power supply may leave: the record was flushed, the pixels are a hole.
    expected = np.array(build(archive, images, tmp_path).pixels)
    (place_of(tmp_path) / "done.json").unlink()
    with open(place_of(tmp_path) / "pixels.bin", "r+b") as file:
        file.write(bytes(2 * SIZE * SIZE * 3))
    decoded.clear()
    assert (build(archive, images, tmp_path).pixels == expected).all()
    assert decoded["images"] == 2


def test_a_disk_that_does_not_keep_what_is_written_is_told(archive, images, tmp_path, monkeypatch):
    real = pixel_files._write_all

    def forgetful(file, data):
        real(file, bytes(len(data)) if "pixels.bin" in str(file.name) else data)

    monkeypatch.setattr(pixel_files, "_write_all", forgetful)
    with pytest.raises(CacheError, match="12 of 12 images that were read back otherwise"):
        build(archive, images, tmp_path)


def test_a_disk_that_forgets_twice_and_then_keeps_is_good_enough(
    archive, images, tmp_path, monkeypatch
):
    real, left = pixel_files._write_all, [4 * N]  # the pixels and records of two fillings

    def forgetful(file, data):
        left[0] -= 1
        forgets = left[0] >= 0 and "pixels.bin" in str(file.name)
        real(file, bytes(len(data)) if forgets else data)

    expected = build(archive, images, tmp_path / "fresh").pixels
    monkeypatch.setattr(pixel_files, "_write_all", forgetful)
    assert (build(archive, images, tmp_path).pixels == expected).all()


# Compact


def test_compact_pixels_are_close_the_same_every_time_and_read_like_an_array(tmp_path):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    for i, colours in enumerate(coarse):
        smooth = Image.fromarray(colours).resize((64, 64), Image.Resampling.BICUBIC)
        smooth.save(tmp_path / f"{i}.png")
    names = [f"{i}.png" for i in range(5)]
    images = pd.DataFrame(
        {"pathname": names, "sha256": [sha256_file(tmp_path / name) for name in names]}
    )
    exact = build(tmp_path, images, tmp_path / "a", image_size=64).pixels
    cache = build(tmp_path, images, tmp_path / "a", image_size=64, storage="compact")
    again = build(tmp_path, images, tmp_path / "b", image_size=64, storage="compact")
    assert cache.storage == "compact"
    assert cache.pixels.shape == exact.shape
    assert len(cache.pixels) == 5
    assert cache.pixels.dtype == np.uint8
    difference = np.abs(cache.pixels[:].astype(int) - exact)
    assert 0 < difference.mean() < 2
    np.testing.assert_array_equal(cache.pixels[:], again.pixels[:])
    np.testing.assert_array_equal(cache.pixels[np.array([3, 0])], cache.pixels[:][[3, 0]])
    np.testing.assert_array_equal(cache.pixels[2], cache.pixels[:][2])
    assert cache.pixels[np.array([], int)].shape == (0, 64, 64, 3)
    sizes = sorted(path.stat().st_size for path in (tmp_path / "a").rglob("pixels.bin"))
    assert sizes[0] < sizes[1] / 4


def test_an_unknown_storage_is_told(archive, images, tmp_path):
    with pytest.raises(CacheError, match="Did you mean 'compact'"):
        build(archive, images, tmp_path, storage="compakt")


# A disk that is tight


@pytest.fixture
def free(monkeypatch):
    """Say how many bytes the disk has."""
    usage = cache_module.shutil.disk_usage(".")

    def say(bytes_free):
        monkeypatch.setattr(
            cache_module.shutil, "disk_usage", lambda _: usage._replace(free=bytes_free)
        )

    return say


def test_a_disk_too_small_for_both_kinds_is_told_with_both_sizes(archive, images, tmp_path, free):
    free(1000)
    for storage in ("exact", "compact"):
        with pytest.raises(CacheError, match=r"0 MiB free for 12 images, or about 0 MiB with") as e:
            build(archive, images, tmp_path, storage=storage)
        assert "differ" not in str(e.value)
    assert not list((tmp_path / "cache").glob("*/pixels.bin"))


def test_the_compact_kind_is_offered_where_it_fits_and_never_taken_unasked(tmp_path, free):
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "grey.png")
    images = pd.DataFrame(
        {"pathname": ["grey.png"], "sha256": [sha256_file(tmp_path / "grey.png")]}
    )
    free(64 * 64)
    with pytest.raises(CacheError, match="--storage compact, whose pixels differ a little"):
        build(tmp_path, images, tmp_path, image_size=64)
    assert len(build(tmp_path, images, tmp_path, image_size=64, storage="compact").pixels) == 1


def test_what_may_be_removed_is_told_and_left_alone(archive, images, tmp_path, free):
    build(archive, images, tmp_path, image_size=8)
    other = place_of(tmp_path).name
    free(1000)
    with pytest.raises(CacheError, match=rf"may be removed.*{other} \(0 MiB\)"):
        build(archive, images, tmp_path)
    assert (tmp_path / "cache" / other / "pixels.bin").is_file()


def test_the_space_that_a_resumed_build_needs_is_that_of_what_is_left(
    archive, images, tmp_path, free
):
    build(archive, images, tmp_path)
    (place_of(tmp_path) / "done.json").unlink()
    os.truncate(place_of(tmp_path) / "rows.bin", RECORD_BYTES * (N - 1))
    free(SIZE * SIZE * 3)
    assert len(build(archive, images, tmp_path).pixels) == N


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any byte in a name")
def test_a_name_that_is_not_utf8_is_cached(tmp_path):
    name = os.fsdecode(b"\xff.png")
    (tmp_path / name).write_bytes(picture(1))
    images = pd.DataFrame({"pathname": [name], "sha256": [sha256_file(tmp_path / name)]})
    cache = build(tmp_path, images, tmp_path / "work")
    assert (cache.pixels[cache.rows([name])[0]] == decode_image(picture(1), SIZE)).all()
