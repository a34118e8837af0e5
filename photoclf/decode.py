"""Any image file → RGB uint8 of one size: the only place where pixels enter."""

import functools
import io
import os
import stat
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from photoclf import jpeg
from photoclf.colour import in_srgb, to_8_bits
from photoclf.errors import PhotoclfError, did_you_mean
from photoclf.workers import LOST

# Part of every cache key: raise it when any pixel of any image would come out differently.
DECODER_VERSION = 2

# Beyond these an image is refused, so that no file can take the run along. An A3 page scanned at
# 600 dpi has 70 million pixels. Time and memory are watched where files are decoded in workers.
MAX_BYTES = 512 * 2**20
MAX_PIXELS = 200_000_000
MAX_SECONDS = 60.0
MAX_MEMORY = 4 * 2**30

# JPEGs are decoded at the smallest eighth that is still this many times the wanted size: below 2
# the resize has nothing left to average and edges look rougher.
DRAFT_FACTOR = 2

REASONS = (
    "empty_file",
    "not_an_image",
    "truncated",
    "corrupt",
    "too_many_bytes",
    "too_many_pixels",
    "needs_heif",
    *LOST,
    "no_permission",
    "vanished",
    "unreadable_file",
)

FITS = ("squash", "letterbox", "crop")

# Pillow warns of odd metadata in files that decode well; the audit has columns for what matters.
warnings.filterwarnings("ignore", module=r"PIL\.")
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow raises at twice this number


class DecodeError(PhotoclfError):
    """An image can't be decoded.

    Args:
        reason: One of `REASONS`.
        message: What the decoder said.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"An image must decode. Received: {reason} ({message}).")
        self.reason = reason
        self.message = message

    def __reduce__(self) -> tuple[type["DecodeError"], tuple[str, str]]:
        return DecodeError, (self.reason, self.message)  # so that it crosses processes


@dataclass(frozen=True)
class ImageFacts:
    """What a file says of its image, before any change (a TIFF's turn is Pillow's own doing).

    Args:
        format: Pillow's name of the format that the bytes have, such as `JPEG`.
        mode: Pillow's mode, such as `RGB`, `L`, `CMYK`.
        width: Width in px as stored, before EXIF orientation.
        height: Height in px as stored.
        exif_orientation: 1 to 8; 1 when the file says nothing.
    """

    format: str
    mode: str
    width: int
    height: int
    exif_orientation: int


def decode_image(
    source: str | Path | bytes, image_size: int | None = None, fit: str = "squash"
) -> np.ndarray:
    """Decode an image to RGB.

    The first frame or page counts, EXIF orientation is applied, transparency is laid over white,
    16-bit values are scaled. The bytes decide the format, not the name.

    Args:
        source: A file's path, or its bytes.
        image_size: Side of the square to return, in px; the image's own size by default.
        fit: How the image fills the square: `squash` changes its proportions, `letterbox` adds
            white borders, `crop` cuts the longer side.

    Returns:
        uint8 array (height, width, 3), values 0 to 255.

    Raises:
        DecodeError: If the file can't be read or decoded; its `reason` is one of `REASONS`.

    Example:
        >>> import io
        >>> file = io.BytesIO(); Image.new("L", (8, 4), 7).save(file, "PNG")
        >>> decode_image(file.getvalue(), 2)[0, 0].tolist()
        [7, 7, 7]
    """
    data = source if isinstance(source, bytes) else read_bytes(source)
    return decode_with_facts(data, image_size, fit)[0]


def read_bytes(path: str | Path) -> bytes:
    """Read a file's bytes.

    Raises:
        DecodeError: If it can't be read, is empty, or has more than `MAX_BYTES`.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading a pipe could wait for ever
            raise DecodeError("unreadable_file", "not a regular file")
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise DecodeError("too_many_bytes", f"{size} bytes, at most {MAX_BYTES}")
            data = file.read()  # as many as there are: asking for more would reserve them
    except PermissionError as error:
        raise DecodeError("no_permission", str(error.strerror)) from error
    except FileNotFoundError as error:
        raise DecodeError("vanished", str(error.strerror)) from error
    except OSError as error:
        raise DecodeError("unreadable_file", str(error.strerror)) from error
    if not data:
        raise DecodeError("empty_file", "0 bytes")
    return data


def decode_with_facts(
    data: bytes, image_size: int | None = None, fit: str = "squash"
) -> tuple[np.ndarray, ImageFacts]:
    """Decode an image's bytes as `decode_image` does, and tell what the file says of it.

    Returns:
        The pixels, uint8 (height, width, 3), and the facts.

    Raises:
        DecodeError: If the bytes can't be decoded.
    """
    if fit not in FITS:
        hint = did_you_mean(fit, FITS)
        raise ValueError(f"`fit` must be one of {FITS}. Received: {fit!r}.{hint}")
    if not data:
        raise DecodeError("empty_file", "0 bytes")
    try:
        image, facts, profile = _opened(data, image_size)
        if image_size is not None:
            image = _resized(image, image_size, fit)
        rgb = in_srgb(image, profile)  # after the resize, where it costs little
        if image_size is not None and fit == "letterbox":
            rgb = _on_white(rgb, image_size)
        # Where turning costs little too: the result is square, so the two commute.
        turn = _TURNS.get(facts.exif_orientation)
        return np.asarray(rgb if turn is None else rgb.transpose(turn)), facts
    except Exception as error:
        # Decoders of hostile files raise nearly anything: struct.error, SyntaxError, IndexError…
        raise DecodeError(_reason(error, data), f"{type(error).__name__}: {error}") from error


def decode_or_error(
    path: str | Path, image_size: int, fit: str = "squash"
) -> np.ndarray | DecodeError:
    """Decode as `decode_image` does, and return what it would raise: for worker processes."""
    try:
        return decode_image(path, image_size, fit)
    except DecodeError as error:
        return error


def _opened(data: bytes, image_size: int | None) -> tuple[Image.Image, ImageFacts, bytes]:
    """Return an `L` or `RGB` image, at least of the wanted size if a smaller one is cheaper."""
    header = jpeg.read_header(data) if data.startswith(_SIGNATURES[0]) else None
    if header is not None and header.width * header.height <= MAX_PIXELS:
        pixels = jpeg.decode(data, header, _reduction(header.width, header.height, image_size))
        if pixels is not None:
            mode = "L" if header.channels == 1 else "RGB"
            exif = Image.Exif()
            orientation = _orientation(lambda: _loaded(exif, header.exif)) if header.exif else 1
            facts = ImageFacts("JPEG", mode, header.width, header.height, orientation)
            return Image.fromarray(pixels), facts, header.icc_profile
    return _opened_by_pillow(data, image_size)


def _opened_by_pillow(data: bytes, image_size: int | None) -> tuple[Image.Image, ImageFacts, bytes]:
    if _is_heif(data):
        _learn_heif()
    with Image.open(io.BytesIO(data)) as image:
        if image.format in _PROGRAMS:
            raise UnidentifiedImageError(f"{image.format}, a program that draws")
        stored = (image.format or "", image.mode, image.width, image.height)
        if image.width * image.height > MAX_PIXELS:  # of formats that Pillow doesn't check
            raise Image.DecompressionBombError(f"{image.width} × {image.height} px")
        if image.format == "JPEG" and image_size is not None:
            image.draft(image.mode, (DRAFT_FACTOR * image_size, DRAFT_FACTOR * image_size))
        image.load()
        # Only now: asking a PNG for its EXIF loads it, and would hide that its pixels break.
        facts = ImageFacts(*stored, exif_orientation=_orientation(image.getexif))
        # That of inks is used up on the way to light, that of LAB says nothing.
        profile = image.info.get("icc_profile") if image.mode not in ("CMYK", "LAB") else b""
        return to_8_bits(image), facts, profile or b""


def _reduction(width: int, height: int, image_size: int | None) -> int:
    if image_size is None:
        return 1
    enough = min(width, height) / (DRAFT_FACTOR * image_size)
    return max((r for r in (2, 4, 8) if r <= enough), default=1)


def _loaded(exif: Image.Exif, data: bytes) -> Image.Exif:
    exif.load(b"Exif\0\0" + data)
    return exif


def _orientation(read_exif: Callable[[], Image.Exif]) -> int:
    try:
        orientation = int(read_exif().get(0x0112, 1))
    except Exception:  # any nonsense may stand in EXIF; the pixels are good all the same
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _resized(image: Image.Image, size: int, fit: str) -> Image.Image:
    width, height = image.size
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return _scaled(image, size, size, (left, top, left + side, top + side))
    if fit == "letterbox":
        scale = size / max(width, height)
        # Equal borders on both sides, so that turning afterwards changes nothing.
        width, height = (size - 2 * _border(side * scale, size) for side in image.size)
        return _scaled(image, width, height, (0, 0, *image.size))
    return _scaled(image, size, size, (0, 0, width, height))


def _scaled(
    image: Image.Image, width: int, height: int, box: tuple[float, float, float, float]
) -> Image.Image:
    across, down = (box[2] - box[0]) / width, (box[3] - box[1]) / height
    if min(across, down) < 1:  # areas can't enlarge: they would make blocks
        return image.resize((width, height), Image.Resampling.BILINEAR, box)
    if max(across, down) < 2:
        # Four samples of each area. The box filter takes whole pixels: on real photographs at
        # scales below 1.1 it is 6 dB further from true areas, and twice as slow.
        doubled = image.resize((2 * width, 2 * height), Image.Resampling.NEAREST, box)
        return doubled.reduce(2)
    return image.resize((width, height), Image.Resampling.BOX, box)


def _border(side: float, size: int) -> int:
    return min(round((size - side) / 2), (size - 1) // 2)


def _on_white(image: Image.Image, size: int) -> Image.Image:
    canvas = Image.new("RGB", (size, size), "white")
    canvas.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    return canvas


def _reason(error: Exception, data: bytes) -> str:
    text = str(error).lower()
    if isinstance(error, Image.DecompressionBombError):
        return "too_many_pixels"
    if isinstance(error, UnidentifiedImageError):
        return "corrupt" if data.startswith(_SIGNATURES) else "not_an_image"
    if isinstance(error, MemoryError):
        return "too_much_memory"
    if isinstance(error, _NeedsHeifError):
        return "needs_heif"
    return "truncated" if "truncated" in text or isinstance(error, EOFError) else "corrupt"


class _NeedsHeifError(Exception):
    pass


def _is_heif(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS


@functools.cache
def _learn_heif() -> None:
    try:
        import pillow_heif
    except ImportError:
        raise _NeedsHeifError("install the extra heif: pip install 'photoclf[heif]'") from None
    pillow_heif.register_heif_opener()


# ISO/IEC 23008-12, table of brands; AVIF, which Pillow reads, has others.
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

# Pillow hands these to Ghostscript or to Windows: other machines, other pixels.
_PROGRAMS = ("EPS", "WMF")

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"RIFF", b"BM")

_TURNS: dict[int, Any] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
