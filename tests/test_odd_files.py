"""Kinds of files that are rare, and files that claim or repeat more than they hold."""

import os
import struct
import sys
import time
import zlib
from functools import partial

import numpy as np
import pytest
from PIL import Image, features

from photoclf import opening
from photoclf.decode import DecodeError, decode_image, decode_or_error
from photoclf.workers import Lost, isolated_map
from tests import made_files
from tests.test_decode import encode, psnr, quadrants, reason, scene

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

HUGE = 100_000


def with_scans(kind: str, more: int) -> bytes:
    """A JPEG of several scans whose last one is there again and again."""
    image = scene(200, 100).convert("CMYK" if kind == "inks" else "RGB")
    data = encode(image, "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * more + data[-2:]


# Rare kinds


def test_a_tiled_tiff_shows_the_picture():
    pixels = np.asarray(scene(70, 50))
    assert (decode_image(made_files.tiled_tiff(pixels)) == pixels).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_go_through_their_profile(kind):
    # What these inks call cyan is red, and the rest is white: (L, a, b) as bytes.
    profile = made_files.profile_of_inks(
        lambda c, m, y, k: (137, 208, 195) if c else (255, 128, 128)
    )
    for inks, expected in [((255, 0, 0, 0), (255, 0, 0)), ((0, 0, 0, 0), (255, 255, 255))]:
        image = Image.new("CMYK", (16, 16), inks)
        pixel = decode_image(encode(image, kind, icc_profile=profile))[8, 8].astype(int)
        assert np.abs(pixel - expected).max() <= 12, pixel
    plain = decode_image(encode(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), kind))
    assert plain[8, 8, 0] < 60


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[30000], [65535]], [[117] * 3, [255] * 3]),
        ([[30000, 0], [30000, 65535]], [[255] * 3, [117] * 3]),
        ([[0, 30000, 65535], [65535, 0, 257]], [[0, 117, 255], [255, 0, 1]]),
        ([[0, 30000, 65535, 0], [65535, 0, 257, 65535]], [[255] * 3, [255, 0, 1]]),
    ],
)
def test_a_png_of_sixteen_bits_a_channel_is_scaled(values, expected):
    data = made_files.png_of_16_bits(np.array([values]))
    assert np.abs(decode_image(data)[0].astype(int) - expected).max() <= 1


def test_a_transparent_colour_of_sixteen_bits_a_channel_is_white():
    values = np.array([[[0, 30000, 65535], [65535, 0, 257]]])
    clear = made_files.png_chunk(b"tRNS", struct.pack(">3H", *values[0, 0]))
    data = made_files.png_of_16_bits(values, clear)
    assert decode_image(data)[0].tolist() == [[255] * 3, [255, 0, 1]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_a_palette_shows_its_colours(kind):
    image = quadrants().convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    assert psnr(decode_image(encode(image, kind)), np.asarray(quadrants())) > 35


def test_a_lossless_jpeg_decodes():
    assert (decode_image(made_files.lossless_jpeg(20, 10)) == 128).all()
    assert decode_image(made_files.lossless_jpeg(20, 10), 16).shape == (16, 16, 3)


@pytest.mark.parametrize("marker", [0xC1, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xF7])
def test_a_jpeg_that_says_it_is_coded_otherwise_never_crashes(marker):
    data = bytearray(encode(quadrants(), "JPEG"))
    data[data.index(b"\xff\xc0") + 1] = marker
    try:
        assert decode_image(bytes(data), 32).shape == (32, 32, 3)
    except DecodeError as error:
        assert error.reason in ("corrupt", "truncated")


def test_a_jpeg_of_twelve_bits_is_told_as_such():
    data = bytearray(encode(quadrants(), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    assert reason(bytes(data)) == "corrupt"


@pytest.mark.parametrize("name", ["scan.png", "scan.tif", "scan.txt", "scan"])
def test_a_jpeg_under_another_name_has_its_pixels(tmp_path, name):
    data = encode(scene(300, 200), "JPEG")
    (tmp_path / name).write_bytes(data)
    assert (decode_image(tmp_path / name, 64) == decode_image(data, 64)).all()


# Claims


def jpeg2000_of_claimed_size() -> bytes:
    data = bytearray(encode(quadrants(), "JPEG2000"))
    size = struct.pack(">II", HUGE, HUGE)
    for at in (data.index(b"ihdr") + 4, data.index(b"\xff\x51") + 6):
        data[at : at + 8] = size
    return bytes(data)


def jpeg_of_claimed_size() -> bytes:
    data = bytearray(encode(quadrants(), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65000, 65000)
    return bytes(data)


HUGE_PNG = made_files.png(HUGE, HUGE)
CLAIMS = {
    "tif": made_files.tiff(HUGE, HUGE, [(273, 4, (8,)), (278, 4, (HUGE,)), (279, 4, (64,))]),
    "tiled tif": made_files.tiff(
        HUGE, HUGE, [(322, 4, (256,)), (323, 4, (256,)), (324, 4, (8,)), (325, 4, (64,))]
    ),
    "gif": b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\2\2D\1\0;",
    "webp": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6,
    "raw ppm": b"P6 100000 100000 255\n" + bytes(99),
    "text ppm": b"P3 100000 100000 255\n" + b"0 " * 99,
    "text pbm": b"P1 100000 100000\n01",
    "pfm": b"Pf\n100000 100000\n-1.0\n" + bytes(99),
    "pcx": b"\x0a\5\1\x08\0\0\0\0" + b"\xfe\xff" * 2 + bytes(53) + b"\3\xff\xff" + bytes(60),
    "tga": b"\0\0\x0a" + bytes(9) + b"\xff" * 4 + b"\x18\x20" + b"\xff\0\0\0" * 30,
    "bmp": b"BM" + struct.pack("<IHHIIiiHH", 54, 0, 0, 54, 40, HUGE, HUGE, 1, 24) + bytes(24),
    "ico": struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(HUGE_PNG), 22) + HUGE_PNG,
    "png": HUGE_PNG,
    "jpeg": jpeg_of_claimed_size(),
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_claimed_huge_size_is_refused_at_once(kind):
    start = time.process_time()
    assert reason(CLAIMS[kind]) == "too_many_pixels"
    assert time.process_time() - start < 5


@pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow without JPEG 2000")
def test_a_jpeg_2000_of_claimed_huge_size_is_refused():
    assert reason(jpeg2000_of_claimed_size()) == "too_many_pixels"


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_an_avif_of_claimed_huge_size_is_refused():
    data = bytearray(encode(quadrants(), "AVIF"))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", HUGE, HUGE)
    assert reason(bytes(data)) in ("too_many_pixels", "corrupt")


def test_a_long_number_in_a_text_ppm_is_refused():
    assert reason(b"P2 2 1 255\n" + b"1" * 100_000) == "corrupt"


# Bombs


@pytest.mark.parametrize("kind", ["colours", "inks"])
def test_countless_scans_are_refused_undecoded(kind):
    data = with_scans(kind, 5000)
    start = time.process_time()
    assert reason(data) == "too_many_scans"
    assert time.process_time() - start < 1


@pytest.mark.parametrize("kind", ["colours", "inks"])
def test_the_scans_of_an_encoder_are_few_enough(kind):
    assert 5 < with_scans(kind, 3).count(b"\xff\xda") < opening.MAX_SCANS / 10
    assert decode_image(with_scans(kind, 3), 32).shape == (32, 32, 3)


def decode_whatever_the_scans(path):
    opening.MAX_SCANS = 10**9
    return decode_or_error(path, 32)


def test_a_jpeg_that_takes_too_long_costs_itself_alone(tmp_path):
    image = encode(Image.new("RGB", (4000, 3000), (90, 60, 30)), "JPEG", progressive=True)
    slow = image[:-2] + image[image.rindex(b"\xff\xda") : -2] * 3000 + image[-2:]
    (tmp_path / "slow.jpg").write_bytes(slow)
    (tmp_path / "good.jpg").write_bytes(image)
    paths = [tmp_path / name for name in ("good.jpg", "slow.jpg", "good.jpg")]
    first, lost, last = isolated_map(decode_whatever_the_scans, paths, workers=1, seconds=2)
    assert lost == Lost("timed_out")
    assert (first == last).all()


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"iTXt"])
def test_a_chunk_beside_the_picture_may_be_large_but_not_huge(kind):
    head = {b"zTXt": b"k\0\0", b"iCCP": b"k\0\0", b"iTXt": b"k\0\1\0\0\0"}[kind]
    plain = encode(quadrants())

    def holding(size):
        chunk = made_files.png_chunk(kind, head + zlib.compress(bytes(size), 9))
        return plain[:33] + chunk + plain[33:]

    assert (decode_image(holding(5 * 2**20)) == np.asarray(quadrants())).all()
    assert reason(holding(100 * 2**20)) == "corrupt"


def test_pixels_beyond_the_picture_are_not_unpacked():
    data = made_files.png(10, 10, rows=bytes(100 * 2**20))
    assert decode_image(data).shape == (10, 10, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
def test_a_picture_too_large_for_a_worker_costs_itself_alone(tmp_path):
    large = Image.new("1", (14000, 14000)).convert("P")
    large.save(tmp_path / "large.png")
    quadrants().save(tmp_path / "good.png")
    assert os.path.getsize(tmp_path / "large.png") < 2**20
    results = isolated_map(
        partial(decode_or_error, image_size=32),
        [tmp_path / "large.png", tmp_path / "good.png"],
        workers=1,
        memory=400 * 2**20,
    )
    large_one, good = results
    assert large_one.reason == "too_much_memory"
    assert good.shape == (32, 32, 3)
