"""Any image file → RGB uint8 of one size: the only place where pixels enter."""

import functools
import os
import stat
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from photoclf.colour import in_srgb
from photoclf.errors import did_you_mean
from photoclf.files import sha256_bytes
from photoclf.fitting import FITS, fitted, on_white
from photoclf.opening import (
    MAX_BYTES,
    MAX_MEMORY,
    MAX_PIXELS,
    MAX_SECONDS,
    REASONS,
    DecodeError,
    ImageFacts,
    open_pixels,
    reason_of,
)
from photoclf.workers import Lost, isolated_map

__all__ = [
    "DECODER_VERSION",
    "FITS",
    "MAX_BYTES",
    "MAX_MEMORY",
    "MAX_PIXELS",
    "MAX_SECONDS",
    "REASONS",
    "DecodeError",
    "ImageFacts",
    "decode_image",
    "decode_images",
    "decode_or_error",
    "decode_with_facts",
    "made_of_same_bytes",
    "read_bytes",
]

# Part of every cache key: raise it when any pixel of any image would come out differently.
DECODER_VERSION = 3


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


def made_of_same_bytes(item: tuple[Path, str], make: Callable[[bytes], bytes]) -> bytes | str:
    """Make something of a file whose bytes must be those that were audited.

    Args:
        item: The file, and the SHA-256 that its bytes must have.
        make: Makes bytes of the file's bytes.

    Returns:
        What was made, or why nothing was, as a text.
    """
    path, sha256 = item
    try:
        data = read_bytes(path)
        return make(data) if sha256_bytes(data) == sha256 else "other bytes"
    except DecodeError as error:
        return error.reason


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
        pixels, facts, profile = open_pixels(data, image_size)
        if image_size is not None:
            pixels = fitted(pixels, image_size, fit)
        if pixels.ndim == 2 or profile:
            # After the resize, where it costs little.
            pixels = np.asarray(in_srgb(Image.fromarray(pixels), profile))
        if image_size is not None and fit == "letterbox":
            pixels = on_white(pixels, image_size)
        turn = _TURNS.get(facts.exif_orientation)
        if turn is not None:  # where it costs little too: a square's turn and resize commute
            pixels = np.asarray(Image.fromarray(pixels).transpose(turn))
        return pixels, facts
    except DecodeError:
        raise
    except Exception as error:
        # Decoders of hostile files raise nearly anything: struct.error, SyntaxError, IndexError…
        raise DecodeError(reason_of(error, data), f"{type(error).__name__}: {error}") from error


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


_TURNS: dict[int, Any] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
