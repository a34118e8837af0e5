"""Image files → JPEGs of a wanted size to be looked at, made in processes that may be lost."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from photoclf.decode import DecodeError, decode_with_facts, read_bytes
from photoclf.files import sha256_bytes
from photoclf.fitting import fitted

# Longer sides, in px: in a grid, on a screen, and at an image's own size, for which a browser takes
# up to 256 MB.
SIZES = {"small": 360, "screen": 1600, "full": 8000}
_QUALITY = {"small": 82, "screen": 88, "full": 90}


@dataclass(frozen=True)
class Rendition:
    """An image as a browser is given it: never the file's own bytes, which may be hostile.

    Args:
        sha256: Of the file's bytes that were decoded.
        jpeg: The picture, RGB.
        width: Of the picture, in px.
        height: Of the picture, in px.
        own_width: Of the image at its own size, turned as it is shown, in px.
        own_height: Of the image at its own size, in px.
    """

    sha256: str
    jpeg: bytes
    width: int
    height: int
    own_width: int
    own_height: int


def render_image(item: tuple[str | Path, str]) -> Rendition | str:
    """Make a picture of an image file; for worker processes.

    Args:
        item: The file's path, and one of `SIZES`.

    Returns:
        The picture, no larger than the image itself; or the reason why there is none, one of
        `decode.REASONS`.
    """
    path, size = item
    try:
        data = read_bytes(path)
        pixels, own = pixels_within(data, SIZES[size])
    except DecodeError as error:
        return error.reason
    height, width = pixels.shape[:2]
    return Rendition(sha256_bytes(data), as_jpeg(pixels, _QUALITY[size]), width, height, *own)


def hash_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes; empty where it can't be read as an image's would."""
    try:
        return sha256_bytes(read_bytes(path))
    except DecodeError:
        return ""


def pixels_within(data: bytes, side: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode an image in proportion, no larger than a square.

    Args:
        data: The file's bytes.
        side: Of the square, in px.

    Returns:
        uint8 (height, width, 3), and the image's own width and height in px as it is shown.

    Raises:
        DecodeError: If it can't be decoded.

    Example:
        >>> file = io.BytesIO(); Image.new("L", (800, 400), 7).save(file, "PNG")
        >>> pixels, own = pixels_within(file.getvalue(), 100)
        >>> pixels.shape, own
        ((50, 100, 3), (800, 400))
    """
    if not data.startswith(b"\xff\xd8\xff") or _longer_side(data) <= side:
        pixels = decode_with_facts(data)[0]
        height, width = pixels.shape[:2]
        small = pixels if max(width, height) <= side else fitted(pixels, side, "letterbox")
        return small, (width, height)
    # A large JPEG is decoded at an eighth or more of its size, for a square; what is white around
    # it was added to fill that.
    pixels, facts = decode_with_facts(data, side, "letterbox")
    turned = facts.exif_orientation > 4
    own = (facts.height, facts.width) if turned else (facts.width, facts.height)
    left, top = (
        min(round((side - side * length / max(own)) / 2), (side - 1) // 2) for length in own
    )
    return np.ascontiguousarray(pixels[top : side - top, left : side - left]), own


def _longer_side(data: bytes) -> float:
    """Tell how large an image says it is, without its pixels; infinite where that isn't known."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return max(image.size)
    except Exception:  # what is hostile is dealt with where it is decoded
        return float("inf")


def as_jpeg(pixels: np.ndarray, quality: int = 88) -> bytes:
    """Write RGB pixels, uint8 (height, width, 3), as a JPEG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()
