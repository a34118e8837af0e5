"""Any image file → RGB uint8 of one size: the only place where pixels enter."""

import io
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from photoclf.errors import PhotoclfError, did_you_mean

# Part of every cache key: raise it when any pixel of any image would come out differently.
DECODER_VERSION = 1

# Beyond these an image is refused, so that no file can take the run's memory. An A3 page scanned
# at 600 dpi has 70 million pixels.
MAX_BYTES = 512 * 2**20
MAX_PIXELS = 200_000_000

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
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise DecodeError("too_many_bytes", f"{size} bytes, at most {MAX_BYTES}")
            data = file.read(MAX_BYTES + 1)
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
        with Image.open(io.BytesIO(data)) as image:
            if image.format in _PROGRAMS:
                raise UnidentifiedImageError(f"{image.format}, a program that draws")
            stored = (image.format or "", image.mode, image.width, image.height)
            if image.format == "JPEG" and image_size is not None:
                image.draft(image.mode, (DRAFT_FACTOR * image_size, DRAFT_FACTOR * image_size))
            image.load()
            # Only now: asking a PNG for its EXIF loads it, and would hide that its pixels break.
            facts = ImageFacts(*stored, exif_orientation=_orientation(image))
            rgb = _to_rgb(image)
    except Exception as error:
        # Decoders of hostile files raise nearly anything: struct.error, SyntaxError, IndexError…
        raise DecodeError(_reason(error, data), f"{type(error).__name__}: {error}") from error
    if image_size is not None:
        rgb = _fitted(rgb, image_size, fit)
    # After the resize, where turning costs little: the result is square, so the two commute.
    turn = _TURNS.get(facts.exif_orientation)
    if turn is not None:
        rgb = rgb.transpose(turn)
    return np.asarray(rgb), facts


def _orientation(image: Image.Image) -> int:
    try:
        orientation = int(image.getexif().get(0x0112, 1))
    except Exception:  # any nonsense may stand in EXIF; the pixels are good all the same
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scaled_to_8_bits(np.asarray(image))).convert("RGB")
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _scaled_to_8_bits(values: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = min(values.min(), 0.0), values.max()
    # The smallest full scale that holds the values: unit floats, 8, 16 or more bits.
    is_float = values.dtype.kind == "f" and high <= 1.0 and not (values == values.round()).all()
    full = 1.0 if is_float else 65535.0 if 255 < high - low <= 65535 else max(high - low, 255.0)
    return np.rint((values - low) * (255.0 / full)).astype(np.uint8)


def _fitted(image: Image.Image, size: int, fit: str) -> Image.Image:
    if fit == "crop":
        return ImageOps.fit(image, (size, size), method=_resampling(image, size))
    if fit == "letterbox":
        scale = size / max(image.size)
        # Equal borders on both sides, so that turning afterwards changes nothing.
        x, y = (min(round((size - s * scale) / 2), (size - 1) // 2) for s in image.size)
        resized = image.resize((size - 2 * x, size - 2 * y), _resampling(image, size))
        canvas = Image.new("RGB", (size, size), "white")
        canvas.paste(resized, (x, y))
        return canvas
    return image.resize((size, size), _resampling(image, size))


def _resampling(image: Image.Image, size: int) -> Image.Resampling:
    # Averaging areas keeps most of a scan's detail; it can't enlarge, where it would make blocks.
    return Image.Resampling.BOX if min(image.size) >= size else Image.Resampling.BILINEAR


def _reason(error: Exception, data: bytes) -> str:
    text = str(error).lower()
    if isinstance(error, Image.DecompressionBombError):
        return "too_many_pixels"
    if isinstance(error, UnidentifiedImageError):
        return "corrupt" if data.startswith(_SIGNATURES) else "not_an_image"
    if isinstance(error, MemoryError):
        return "too_many_pixels"
    return "truncated" if "truncated" in text or isinstance(error, EOFError) else "corrupt"


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
