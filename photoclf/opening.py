"""A file's bytes → its pixels, grey or RGB, and what it says of them; or the reason why not."""

import functools
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from photoclf import jpeg
from photoclf.colour import to_8_bits
from photoclf.errors import PhotoclfError
from photoclf.workers import LOST

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


def open_pixels(data: bytes, image_size: int | None) -> tuple[np.ndarray, ImageFacts, bytes]:
    """Open an image's bytes at the least work.

    Args:
        data: The file's bytes.
        image_size: Side in px to which the image will be shrunk; `None` for its own size.

    Returns:
        uint8 pixels, (height, width) of a grey image, else (height, width, 3), at least
        `DRAFT_FACTOR` times the wanted size where the image is that large; what the file says;
        its colour profile, or nothing.

    Raises:
        DecodeError: If it has too many scans. Decoders raise nearly anything, see `reason_of`.
    """
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


def reason_of(error: Exception, data: bytes) -> str:
    """Return which of `REASONS` an error means that a decoder raised on these bytes."""
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
