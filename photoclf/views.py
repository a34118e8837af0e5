"""Views of an image: the squares of it that a network may be shown, each by a name."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from photoclf.archive_look import LOOK_VERSION, archive_look
from photoclf.decode import DECODER_VERSION, FITS, decode_image, made_of_same_bytes
from photoclf.errors import ConfigError
from photoclf.files import sha256_bytes

DRAWN = ("native", "archive", "piece")
# Longer sides are reduced to this many squares before an archive's look is drawn: what is lost
# is lost in the square as well, and a page of 70 million pixels would take seconds.
_LOOKED_AT = 3
# The least share of the shorter side that a piece shows, and how many pieces have a look.
_LEAST_PIECE, _LOOKS = 1 / 3, 0.5


def render_view(data: bytes, view: str, image_size: int) -> np.ndarray:
    """Show an image the way a view does.

    Views are `squash`, `letterbox` and `crop`, see `decode.decode_image`; `native_1`, `native_2`…,
    square windows of the image at its own resolution, drawn at random, since brush strokes and
    grain vanish when a large image is reduced; `archive_1`, `archive_2`…, the whole image with an
    archive's look drawn over it, see `archive_look.archive_look`; and `piece_1`, `piece_2`…, square
    pieces of any size and place, mirrored or not, half of them with an archive's look. What is
    drawn depends on the bytes and the view's number alone.

    Args:
        data: The file's bytes.
        view: The view's name.
        image_size: Side of the square to return, in px.

    Returns:
        uint8 (image_size, image_size, 3).

    Raises:
        DecodeError: If the image doesn't decode.
        ConfigError: If there is no such view.
    """
    kind, number = _parsed(view)
    if kind in FITS:
        return decode_image(data, image_size, kind)
    rng = np.random.default_rng([number, int(sha256_bytes(data)[:12], 16)])
    pixels = decode_image(data)
    if kind == "native":
        return _squashed(_window(pixels, image_size, rng), image_size)
    if kind == "piece":
        shown = rng.uniform(_LEAST_PIECE, 1) * min(pixels.shape[:2])
        pixels = _window(pixels, max(1, round(shown)), rng)[:, :: rng.choice([1, -1])]
        if rng.random() >= _LOOKS:
            return _squashed(pixels, image_size)
    looked_at = Image.fromarray(pixels)
    looked_at.thumbnail((_LOOKED_AT * image_size,) * 2, Image.Resampling.BILINEAR)
    return _squashed(archive_look(np.asarray(looked_at), rng), image_size)


def packed_view(item: tuple[Path, str], view: str, image_size: int) -> bytes | str:
    """Render a view into its pixels' bytes: what worker processes do.

    Args:
        item: The file, and the SHA-256 that its bytes must have.
        view: See `render_view`.
        image_size: Side in px.

    Returns:
        The bytes, or why there are none, as a text.
    """
    return made_of_same_bytes(item, lambda data: render_view(data, view, image_size).tobytes())


def piece_keys(pieces: int) -> list[str]:
    """Return the `view_key` of each of the first pieces of an image, see `render_view`."""
    return [view_key(f"piece_{number}") for number in range(1, pieces + 1)]


def view_key(view: str) -> str:
    """Return a text that changes whenever the view's pixels would.

    Raises:
        ConfigError: If there is no such view.

    Example:
        >>> view_key("archive_2").startswith("archive_2_")
        True
    """
    kind, _ = _parsed(view)
    look = f"_look{LOOK_VERSION}" if kind in ("archive", "piece") else ""
    return f"{view}_v{DECODER_VERSION}{look}"


def _parsed(view: str) -> tuple[str, int]:
    drawn = re.fullmatch(rf"({'|'.join(DRAWN)})_([1-9]\d*)", view)
    if drawn:
        return drawn[1], int(drawn[2])
    if view in FITS:
        return view, 0
    raise ConfigError(
        f"A view must be one of {FITS}, or `native_1`, `archive_1`, `piece_1` and so on."
        f" Received: {view!r}."
    )


def _window(pixels: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    height, width = pixels.shape[:2]
    whole = min(height, width, side)
    top, left = (int(rng.integers(length - whole + 1)) for length in (height, width))
    return pixels[top : top + whole, left : left + whole]


def _squashed(pixels: np.ndarray, side: int) -> np.ndarray:
    if pixels.shape[:2] == (side, side):
        return pixels
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
