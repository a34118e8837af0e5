import io
import os
import pickle
import subprocess
import sys
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFilter
from PIL.Image import Transpose

from photoclf import jpeg, opening
from photoclf.decode import (
    FITS,
    REASONS,
    DecodeError,
    decode_image,
    decode_images,
    decode_with_facts,
    read_bytes,
)
from tests.made_files import png

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

# How a picture must be turned to be stored with each EXIF orientation.
STORED = {
    1: None,
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def quadrants(width: int = 60, height: int = 40) -> Image.Image:
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (230, 20, 20)
    pixels[: height // 2, width // 2 :] = (20, 200, 20)
    pixels[height // 2 :, : width // 2] = (20, 20, 220)
    pixels[height // 2 :, width // 2 :] = (240, 240, 40)
    return Image.fromarray(pixels)


def scene(width: int, height: int) -> Image.Image:
    """Something as smooth as a photograph, with some grain."""
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float64)
    return Image.fromarray(np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype("uint8"))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else np.inf


def reason(data) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_image(data)
    assert caught.value.reason in REASONS
    return caught.value.reason


def lab_of(lightness: float, a: float, b: float) -> bytes:
    values = (round(lightness * 255 / 100), round(a) + 128, round(b) + 128)
    return encode(Image.new("LAB", (4, 4), values), "TIFF")


# Modes


def test_grey_is_the_same_in_all_three_channels():
    pixels = decode_image(encode(Image.new("L", (3, 2), 7)))
    assert pixels.shape == (2, 3, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == 7).all()


def test_one_bit_is_black_and_white():
    image = Image.fromarray(np.array([[True, False]]))
    assert image.mode == "1"
    assert decode_image(encode(image, "TIFF", compression="group4"))[0].tolist() == [
        [255] * 3,
        [0] * 3,
    ]


@pytest.mark.parametrize(
    ("mode", "colour"), [("RGBA", (200, 0, 0, 0)), ("LA", (0, 0)), ("RGBA", (0, 0, 0, 0))]
)
def test_what_is_transparent_is_white(mode, colour):
    assert (decode_image(encode(Image.new(mode, (2, 2), colour))) == 255).all()


@pytest.mark.parametrize(
    ("mode", "colour"), [("RGBA", (200, 10, 30, 255)), ("RGB", (200, 10, 30)), ("LA", (9, 255))]
)
def test_what_is_opaque_keeps_its_colour(mode, colour):
    expected = [colour[0]] * 3 if mode == "LA" else list(colour[:3])
    assert decode_image(encode(Image.new(mode, (2, 2), colour)))[0, 0].tolist() == expected


def test_half_transparent_black_is_grey():
    assert (
        abs(int(decode_image(encode(Image.new("RGBA", (1, 1), (0, 0, 0, 128))))[0, 0, 0]) - 127) < 2
    )


def test_a_palette_with_a_transparent_colour_is_laid_over_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    assert decode_image(encode(image, transparency=0))[0].tolist() == [[255] * 3, [200, 100, 50]]
    assert decode_image(encode(image, "GIF", transparency=0))[0].tolist() == [
        [255] * 3,
        [200, 100, 50],
    ]
    assert decode_image(encode(image))[0].tolist() == [[10, 20, 30], [200, 100, 50]]


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (1, 2, 3)), ("L", 5), ("1", 0)])
def test_a_transparent_colour_without_an_alpha_channel_is_white(mode, colour):
    data = encode(Image.new(mode, (2, 2), colour), transparency=colour)
    assert (decode_image(data) == 255).all()


def test_sixteen_bits_are_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    for kind in ("PNG", "TIFF"):
        grey = decode_image(encode(Image.fromarray(ramp), kind))[..., 0].ravel().astype(int)
        assert np.abs(grey - np.arange(256)).max() <= 1


def test_floats_between_0_and_1_fill_the_range():
    ramp = np.array([[0.0, 0.5, 1.0]], np.float32)
    assert decode_image(encode(Image.fromarray(ramp), "TIFF"))[0, :, 0].tolist() == [0, 128, 255]


def test_values_that_are_no_numbers_do_no_harm():
    odd = np.array([[0, 1, np.inf], [-np.inf, np.nan, 0.5]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grey = decode_image(encode(Image.fromarray(odd), "TIFF"))[..., 0]
    assert grey.tolist() == [[0, 255, 0], [0, 0, 128]]


def test_a_constant_sixteen_bit_image_decodes():
    for value in (0, 65535):
        data = encode(Image.fromarray(np.full((4, 4), value, np.uint16)))
        assert set(decode_image(data).ravel().tolist()) == {value // 257}


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_become_light(kind):
    inks = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    assert decode_image(encode(inks, kind)).min() > 250
    assert decode_image(encode(Image.new("CMYK", (16, 16), (0, 0, 0, 255)), kind)).max() < 40


@pytest.mark.parametrize(
    ("lab", "rgb"),
    [
        ((100, 0, 0), (255, 255, 255)),
        ((0, 0, 0), (0, 0, 0)),
        ((53.2, 80.1, 67.2), (255, 0, 0)),
        ((87.7, -86.2, 83.2), (0, 255, 0)),
    ],
)
def test_lab_becomes_srgb(lab, rgb):
    pixel = decode_image(lab_of(*lab))[0, 0].astype(int)
    assert np.abs(pixel - rgb).max() <= 12, pixel


# Frames, names, orientation


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_the_first_frame_or_page_counts(kind):
    frames = [Image.new("RGB", (8, 8), c) for c in ((250, 0, 0), (0, 0, 250))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decode_image(data)[0, 0].tolist() == [250, 0, 0]


@pytest.mark.parametrize("name", ["photo.tif", "photo.txt", "photo", ".jpg", "photo.jpg.exe"])
def test_the_bytes_decide_and_not_the_name(tmp_path, name):
    (tmp_path / name).write_bytes(encode(quadrants()))
    assert (decode_image(tmp_path / name) == np.asarray(quadrants())).all()


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_every_orientation_gives_the_same_upright_picture(kind, options, orientation):
    turn = STORED[orientation]
    stored = quadrants() if turn is None else quadrants().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(stored, kind, exif=exif, **options)
    full = decode_image(data)
    assert full.shape == (40, 60, 3)
    assert psnr(full, np.asarray(quadrants())) > 30
    upright = encode(quadrants(), kind, **options)
    for fit in FITS:
        assert psnr(decode_image(data, 32, fit), decode_image(upright, 32, fit)) > 30, fit


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_a_nonsense_orientation_is_no_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels, facts = decode_with_facts(encode(quadrants(), exif=exif))
    assert (pixels == np.asarray(quadrants())).all()
    assert facts.exif_orientation == 1


def test_broken_exif_does_not_lose_the_picture():
    data = encode(quadrants(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 50)
    assert decode_image(data).shape == (40, 60, 3)


def test_the_facts_are_those_of_the_file():
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = quadrants().transpose(Transpose.ROTATE_90).convert("L")
    pixels, facts = decode_with_facts(encode(stored, "JPEG", exif=exif), 32)
    assert pixels.shape == (32, 32, 3)
    assert vars(facts) == {
        "format": "JPEG",
        "mode": "L",
        "width": 40,
        "height": 60,
        "exif_orientation": 6,
    }


# Sizes


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (64, 64), (63, 65), (999, 3)])
def test_every_proportion_fills_the_square(fit, size):
    pixels = decode_image(encode(Image.new("RGB", size, (50, 60, 70))), 64, fit)
    assert pixels.shape == (64, 64, 3)
    if fit != "letterbox":
        assert (pixels == (50, 60, 70)).all()


def test_letterbox_keeps_proportions_and_adds_white():
    pixels = decode_image(encode(Image.new("RGB", (200, 100))), 64, "letterbox")
    black = (pixels == 0).all(axis=-1)
    assert black.sum() == 64 * 32
    assert black[16:48].all()
    assert (pixels[~black] == 255).all()


def test_crop_keeps_the_middle():
    image = Image.new("RGB", (300, 100), (255, 0, 0))
    image.paste((0, 0, 255), (100, 0, 200, 100))
    assert (decode_image(encode(image), 50, "crop") == (0, 0, 255)).all()


def test_an_unknown_fit_is_refused_with_the_near_one():
    with pytest.raises(ValueError, match="Did you mean 'letterbox'"):
        decode_image(encode(quadrants()), 32, "letterboxed")


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("width", "height"), [(1600, 1200), (1203, 517)])
def test_a_jpeg_decoded_small_is_close_to_one_decoded_whole(mode, width, height):
    data = encode(scene(width, height).convert(mode), "JPEG", quality=90)
    whole = Image.open(io.BytesIO(data)).convert("RGB")
    for size in (64, 128):
        expected = np.asarray(whole.resize((size, size), Image.Resampling.BOX))
        assert psnr(decode_image(data, size), expected) > 33


def test_a_jpeg_smaller_than_the_square_is_enlarged_smoothly():
    data = encode(scene(40, 40).filter(ImageFilter.GaussianBlur(2)), "JPEG", quality=95)
    pixels = decode_image(data, 128).astype(int)
    assert np.abs(np.diff(pixels, axis=0)).max() < 60


# What is no image


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><html><body>404</body></html>",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'><rect width='9' height='9'/></svg>",
        b"PK\x03\x04" + bytes(60),
        b"a",
        bytes(4096),
        b"pathname;label\n",
    ],
)
def test_what_is_no_image_is_told_as_such(data):
    assert reason(data) == "not_an_image"


def test_a_drawing_program_is_not_run():
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    assert reason(program) == "not_an_image"


def test_an_empty_file_is_told_as_such(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert reason(tmp_path / "a.jpg") == "empty_file"
    assert reason(b"") == "empty_file"


@pytest.mark.parametrize(
    ("kind", "share"), [("JPEG", 0.5), ("JPEG", 0.95), ("PNG", 0.5), ("TIFF", 0.5), ("BMP", 0.5)]
)
def test_half_a_file_is_truncated(kind, share):
    data = encode(scene(90, 70), kind)
    assert reason(data[: int(len(data) * share)]) == "truncated"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP"])
def test_a_file_cut_anywhere_is_refused_or_decodes_but_never_crashes(kind):
    data = encode(scene(40, 30), kind)
    for end in range(1, len(data), max(1, len(data) // 40)):
        try:
            assert decode_image(data[:end], 32).shape == (32, 32, 3)
        except DecodeError as error:
            assert error.reason in ("truncated", "corrupt", "not_an_image")


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["JPEG", "PNG", "TIFF", "GIF", "WEBP"]), st.data())
def test_a_file_with_changed_bytes_is_refused_or_decodes_but_never_crashes(kind, data):
    content = bytearray(encode(scene(24, 18), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode_image(bytes(content), 16).shape == (16, 16, 3)
    except DecodeError as error:
        assert error.reason in REASONS


def test_a_png_whose_checksum_is_wrong_is_corrupt():
    data = bytearray(encode(scene(60, 60)))
    data[data.index(b"IDAT") + 40] ^= 0xFF
    assert reason(bytes(data)) in ("corrupt", "truncated")


def test_a_start_of_a_jpeg_and_nothing_more_is_corrupt():
    assert reason(b"\xff\xd8\xff") == "corrupt"
    assert reason(b"\xff\xd8\xff\xe0\x00\x10JFIF") in ("corrupt", "truncated")


@pytest.mark.parametrize("side", [20_000, 60_000, 2**31 - 1])
def test_a_claimed_huge_size_is_refused_before_it_takes_memory(side):
    assert reason(png(side, side)) == "too_many_pixels"


def test_a_file_of_too_many_bytes_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("photoclf.decode.MAX_BYTES", 10)
    (tmp_path / "a.png").write_bytes(encode(quadrants()))
    assert reason(tmp_path / "a.png") == "too_many_bytes"


def test_a_file_that_went_is_told_as_such(tmp_path):
    assert reason(tmp_path / "gone.jpg") == "vanished"


def test_a_folder_is_no_file(tmp_path):
    assert reason(tmp_path) == "unreadable_file"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes or links")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    reasons = []
    thread = threading.Thread(
        target=lambda: reasons.append(reason(tmp_path / "a.jpg")), daemon=True
    )
    thread.start()
    thread.join(5)
    assert reasons == ["unreadable_file"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs rights to make links")
def test_a_link_to_itself_is_unreadable(tmp_path):
    (tmp_path / "a.jpg").symlink_to(tmp_path / "a.jpg")
    assert reason(tmp_path / "a.jpg") == "unreadable_file"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_without_rights_is_told_as_such(tmp_path):
    (tmp_path / "a.png").write_bytes(encode(quadrants()))
    (tmp_path / "a.png").chmod(0)
    assert reason(tmp_path / "a.png") == "no_permission"


# Same bytes, same pixels


def test_a_path_a_text_and_the_bytes_give_the_same_pixels(tmp_path):
    path = tmp_path / "line\nbreak ;é.jpg"
    path.write_bytes(encode(scene(300, 200), "JPEG"))
    from_path = decode_image(path, 64)
    assert (decode_image(str(path), 64) == from_path).all()
    assert (decode_image(read_bytes(path), 64) == from_path).all()


def test_the_pixels_are_the_same_in_another_process(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encode(scene(500, 400), "JPEG"))
    code = (
        "import sys, zlib; from photoclf.decode import decode_image;"
        "print(zlib.crc32(decode_image(sys.argv[1], 96).tobytes()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.jpg")],
        capture_output=True,
        text=True,
        check=True,
    )
    here = decode_image(tmp_path / "a.jpg", 96)
    assert int(done.stdout) == zlib.crc32(here.tobytes())


@pytest.mark.parametrize("workers", [0, 2])
def test_many_files_at_once_give_what_each_gives_alone(tmp_path, workers):
    paths = [tmp_path / f"{i}.jpg" for i in range(30)]
    for i, path in enumerate(paths):
        path.write_bytes(encode(scene(60 + i, 50), "JPEG"))
    paths[7].write_bytes(b"no image")
    for i, got in enumerate(decode_images(paths, 32, "crop", workers=workers)):
        if i == 7:
            assert got.reason == "not_an_image"
        else:
            assert (got == decode_image(paths[i], 32, "crop")).all(), i


@pytest.mark.skipif(sys.platform != "linux", reason="pages are counted, glibc keeps them")
def test_memory_is_used_again_for_the_next_image(tmp_path):
    scene(2400, 1800).save(tmp_path / "a.jpg", quality=90)
    code = (
        "import resource, sys; from photoclf.decode import decode_image\n"
        "def taken(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for i in range(40):\n"
        "    if i == 20: before = taken()\n"
        "    decode_image(sys.argv[1], 224)\n"
        "print((taken() - before) / 20)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 50, "pages that an image took anew"


def test_the_file_is_left_as_it_was(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(scene(50, 40), "JPEG"))
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    decode_image(path, 32)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


# Colour


def profile(kind: str) -> bytes:
    """An ICC profile: sRGB as the library makes it, or one whose red and blue are exchanged."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if kind == "sRGB":
        return srgb
    tags = {}
    for i in range(int.from_bytes(srgb[128:132], "big")):
        entry = 132 + 12 * i
        tags[srgb[entry : entry + 4]] = entry
    swapped = bytearray(srgb)
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    swapped[red + 4 : red + 12] = srgb[blue + 4 : blue + 12]
    swapped[blue + 4 : blue + 12] = srgb[red + 4 : red + 12]
    return bytes(swapped)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("size", [None, 16])
def test_an_embedded_profile_is_turned_into_srgb(kind, size):
    red = Image.new("RGB", (32, 32), (250, 10, 10))
    options = {"lossless": True} if kind == "WEBP" else {}
    pixel = decode_image(encode(red, kind, icc_profile=profile("swapped"), **options), size)[8, 8]
    assert np.abs(pixel.astype(int) - (10, 10, 250)).max() < 8


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("content", ["sRGB", b"no profile", b"\xff" * 400, "cut", "of inks"])
def test_a_profile_that_is_srgb_broken_or_of_another_space_changes_nothing(kind, content):
    if content == "cut":
        content = profile("swapped")[:200]
    elif content == "of inks":
        content = profile("swapped").replace(b"RGB XYZ ", b"CMYKXYZ ")
    elif content == "sRGB":
        content = profile("sRGB")
    image = scene(40, 30)
    expected = decode_image(encode(image, kind))
    assert (decode_image(encode(image, kind, icc_profile=content)) == expected).all()


def test_letterbox_borders_stay_white_under_a_profile():
    data = encode(Image.new("RGB", (40, 20), (250, 10, 10)), icc_profile=profile("swapped"))
    pixels = decode_image(data, 16, "letterbox")
    assert (pixels[0] == 255).all()
    assert np.abs(pixels[8, 8].astype(int) - (10, 10, 250)).max() < 8


# Depth


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_few_bits_stored_in_sixteen_do_not_come_out_black(bits):
    ramp = np.linspace(0, 2**bits - 1, 256).round().astype(np.uint16).reshape(16, 16)
    grey = decode_image(encode(Image.fromarray(ramp), "TIFF"))[..., 0].ravel().astype(int)
    assert np.abs(grey - np.arange(256)).max() <= 1


def test_a_tiff_that_names_its_largest_value_keeps_its_darkness():
    ramp = np.array([[0, 1000, 4000]], np.uint16)
    data = encode(Image.fromarray(ramp), "TIFF", tiffinfo={281: 65535})
    assert decode_image(data)[0, :, 0].tolist() == [0, 4, 16]


def test_a_dark_sixteen_bit_png_stays_dark():
    assert decode_image(encode(Image.fromarray(np.full((2, 2), 2570, np.uint16)))).max() == 10


def test_sixteen_bits_with_a_transparent_value_are_laid_over_white():
    values = np.array([[0, 30000, 65535]], np.uint16)
    data = encode(Image.fromarray(values), transparency=30000)
    assert decode_image(data)[0, :, 0].tolist() == [0, 255, 255]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_of_few_bits(bits):
    steps = np.arange(2**bits, dtype=np.uint8)
    image = Image.fromarray(steps[None], "P")
    image.putpalette([v * 255 // (2**bits - 1) for v in range(2**bits) for _ in range(3)])
    data = encode(image, bits=bits)
    expected = steps.astype(int) * 255 // (2**bits - 1)
    assert decode_image(data)[0, :, 0].tolist() == expected.tolist()


# JPEGs of every kind


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 2}, {"optimize": True}]
)
def test_the_fast_way_gives_pillows_pixels(mode, options):
    data = encode(scene(90, 70).convert(mode), "JPEG", quality=90, **options)
    assert jpeg.read_header(data) is not None
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.abs(decode_image(data).astype(int) - expected).max() <= 1


def test_a_jpeg_with_tables_of_sixteen_bits_decodes():
    flat = Image.new("RGB", (40, 40), (90, 120, 150))
    data = encode(flat, "JPEG", qtables=[[1] + [300] * 63] * 2)
    assert data[data.index(b"\xff\xdb") + 4] >> 4 == 1  # the table's precision: 16 bits
    assert psnr(decode_image(data), np.asarray(flat)) > 40


def test_inks_with_adobes_marker_are_not_inverted():
    data = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in data
    assert jpeg.read_header(data) is None
    red, green, blue = decode_image(data)[8, 8].astype(int)
    assert red > 240
    assert max(green, blue) < 15


def test_rgb_stored_as_it_is_keeps_its_colours():
    data = encode(Image.new("RGB", (16, 16), (200, 100, 50)), "JPEG", quality=95, keep_rgb=True)
    assert np.abs(decode_image(data)[8, 8].astype(int) - (200, 100, 50)).max() <= 2


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=60))
def test_any_header_is_read_or_left_to_pillow(tail):
    jpeg.read_header(b"\xff\xd8" + tail)


# Other formats


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("AVIF", {"quality": 95}),
        ("JPEG2000", {"quality_mode": "dB", "quality_layers": [60]}),
        ("PPM", {}),
        ("TGA", {}),
        ("PCX", {}),
        ("BMP", {}),
        ("ICO", {"sizes": [(60, 40)]}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {"compression": "jpeg"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ],
)
def test_every_format_shows_the_picture(kind, options):
    assert psnr(decode_image(encode(quadrants(), kind, **options)), np.asarray(quadrants())) > 25


def test_heif_is_read_with_its_extra_and_named_without(monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(quadrants()).save(file, quality=95)
    data = file.getvalue()
    assert psnr(decode_image(data), np.asarray(quadrants())) > 25
    opening._learn_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert reason(data) == "needs_heif"


def test_an_error_crosses_processes_whole():
    error = pickle.loads(pickle.dumps(DecodeError("corrupt", "why")))
    assert (error.reason, str(error)) == ("corrupt", str(DecodeError("corrupt", "why")))
