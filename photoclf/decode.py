"""Any image file → RGB uint8 of one size: the only place where pixels enter."""

import functools
import io
import os
import stat
import warnings
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from photoclf import areas, jpeg
from photoclf.colour import in_srgb, to_8_bits
from photoclf.errors import PhotoclfError, did_you_mean
from photoclf.workers import LOST, Lost, isolated_map

# Part of every cache key: raise it when any pixel of any image would come out differently.
DECODER_VERSION = 3

# Beyond these an image is refused, so that no file can take the run along. An A3 page scanned at
# 600 dpi has 70 million pixels. Time and memory are watched where files are decoded in workers.
MAX_BYTES = 512 * 2**20
MAX_PIXELS = 200_000_000
MAX_SECONDS = 60.0
MAX_MEMORY = 4 * 2**30

# Scans that a JPEG is made of. Encoders write about ten; each costs a pass over the whole image.
MAX_SCANS = 500

# JPEGs are decoded at the smallest eighth that is still this many times the wanted size: below 2
# the resize has little left to average and edges look rougher. Without colours half of a scan costs
# hardly more than a quarter, so it is taken: typed pages need it (figures in ARCHITECTURE.md).
DRAFT_FACTOR = 2
GREY_DRAFT_FACTOR = 3

REASONS = (
    "empty_file",
    "not_an_image",
    "truncated",
    "corrupt",
    "too_many_bytes",
    "too_many_pixels",
    "too_many_scans",
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
PngImagePlugin.MAX_TEXT_CHUNK = 2**24  # 1 MiB would lose pictures with large profiles or XMP

# glibc gives large blocks back to the system, and the pages that the next image takes anew cost a
# tenth of a scan's time and more. Once it has freed a block it keeps smaller ones (mallopt(3),
# M_MMAP_THRESHOLD): this one, which no page is taken for.
np.empty(2**24, np.uint8)


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
        pixels, facts, profile = _opened(data, image_size)
        if image_size is not None:
            pixels = _resized(pixels, image_size, fit)
        if pixels.ndim == 2 or profile:
            # After the resize, where it costs little.
            pixels = np.asarray(in_srgb(Image.fromarray(pixels), profile))
        if image_size is not None and fit == "letterbox":
            pixels = _on_white(pixels, image_size)
        turn = _TURNS.get(facts.exif_orientation)
        if turn is not None:  # where it costs little too: a square's turn and resize commute
            pixels = np.asarray(Image.fromarray(pixels).transpose(turn))
        return pixels, facts
    except DecodeError:
        raise
    except Exception as error:
        # Decoders of hostile files raise nearly anything: struct.error, SyntaxError, IndexError…
        raise DecodeError(_reason(error, data), f"{type(error).__name__}: {error}") from error


def decode_images(
    paths: Iterable[str | Path],
    image_size: int,
    fit: str = "squash",
    *,
    workers: int | None = None,
) -> Generator[np.ndarray | DecodeError | Lost, None, None]:
    """Decode many files at once, in processes that hostile ones can't take along.

    Starting them takes about half a second. Memory stays flat in the number of files. Close the
    generator when leaving early.

    Args:
        paths: The files, taken a few batches ahead.
        image_size: Side of the squares, in px.
        fit: See `decode_image`.
        workers: Processes; one a processor core by default. 0 decodes here, unprotected.

    Yields:
        In the order of the files, the pixels as `decode_image` gives them, the error that it would
        raise, or what stands for a file that its worker didn't survive.

    Example:
        >>> [error.reason for error in decode_images(["gone.jpg"], 32, workers=0)]
        ['vanished']
    """
    decode = functools.partial(decode_or_error, image_size=image_size, fit=fit)
    yield from isolated_map(decode, paths, workers=workers, seconds=MAX_SECONDS, memory=MAX_MEMORY)


def decode_or_error(
    path: str | Path, image_size: int, fit: str = "squash"
) -> np.ndarray | DecodeError:
    """Decode as `decode_image` does, and return what it would raise: for worker processes."""
    try:
        return decode_image(path, image_size, fit)
    except DecodeError as error:
        return error


def _opened(data: bytes, image_size: int | None) -> tuple[np.ndarray, ImageFacts, bytes]:
    """Return grey or RGB pixels, at least of the wanted size if a smaller one is cheaper."""
    is_jpeg = data.startswith(_SIGNATURES[0])
    header = jpeg.read_header(data) if is_jpeg else None
    if is_jpeg and (header is None or header.scans):
        scans = data.count(b"\xff\xda")  # never within a scan, where a zero follows 255
        if scans > MAX_SCANS:
            raise DecodeError("too_many_scans", f"{scans} scans, at most {MAX_SCANS}")
    if header is not None and header.width * header.height <= MAX_PIXELS:
        pixels = jpeg.decode(data, header, _reduction(header, image_size))
        if pixels is not None:
            mode = "L" if header.channels == 1 else "RGB"
            exif = Image.Exif()
            orientation = _orientation(lambda: _loaded(exif, header.exif)) if header.exif else 1
            facts = ImageFacts("JPEG", mode, header.width, header.height, orientation)
            return pixels, facts, header.icc_profile
    return _opened_by_pillow(data, image_size)


def _opened_by_pillow(data: bytes, image_size: int | None) -> tuple[np.ndarray, ImageFacts, bytes]:
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
        return np.asarray(to_8_bits(image)), facts, profile or b""


def _reduction(header: jpeg.JpegHeader, image_size: int | None) -> int:
    if image_size is None:
        return 1
    factor = DRAFT_FACTOR if header.channels > 1 else GREY_DRAFT_FACTOR
    enough = min(header.width, header.height) / (factor * image_size)
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


def _resized(pixels: np.ndarray, size: int, fit: str) -> np.ndarray:
    height, width = pixels.shape[:2]
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return _scaled(pixels, size, size, (left, top, left + side, top + side))
    box = (0, 0, width, height)
    if fit == "letterbox":
        scale = size / max(width, height)
        # Equal borders on both sides, so that turning afterwards changes nothing.
        width, height = (size - 2 * _border(side * scale, size) for side in (width, height))
        return _scaled(pixels, width, height, box)
    return _scaled(pixels, size, size, box)


def _scaled(
    pixels: np.ndarray, width: int, height: int, box: tuple[float, float, float, float]
) -> np.ndarray:
    if box[2] - box[0] >= width and box[3] - box[1] >= height:
        return areas.shrink(pixels, width, height, box)
    # Areas can't enlarge: they would make blocks.
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, box)
    return np.asarray(image)


def _border(side: float, size: int) -> int:
    return min(round((size - side) / 2), (size - 1) // 2)


def _on_white(pixels: np.ndarray, size: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    canvas = np.full((size, size, 3), 255, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def _reason(error: Exception, data: bytes) -> str:
    text = str(error).lower()
    if isinstance(error, Image.DecompressionBombError):
        return "too_many_pixels"
    if isinstance(error, UnidentifiedImageError):
        known = data.startswith(_SIGNATURES) or data[4:12] == b"ftypavif"
        return "corrupt" if known else "not_an_image"
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

_SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"RIFF",
    b"BM",
    b"\0\0\0\x0cjP  ",
    b"\xffO\xffQ",
)

_TURNS: dict[int, Any] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
