"""Decode once: uint8 pixels in one file on disk, shared by every run."""

import functools
import math
import os
import shutil
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from photoclf.decode import DECODER_VERSION, DecodeError, decode_image, read_bytes
from photoclf.errors import PhotoclfError
from photoclf.files import read_json, sha256_bytes, sha256_text, write_json


class CacheError(PhotoclfError):
    """The pixel cache can't be built, or isn't what was built."""


@dataclass(frozen=True)
class PixelCache:
    """Decoded pixels of some images.

    Args:
        pixels: Read-only memory map, uint8 (n, image_size, image_size, 3).
        pathnames: The n images in the order of the rows.
        image_size: Side in px.
        fit: How the images fill the square, see `decode.decode_image`.
    """

    pixels: np.ndarray
    pathnames: tuple[str, ...]
    image_size: int
    fit: str

    @functools.cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.pathnames)}

    def rows(self, pathnames: Sequence[str] | pd.Series) -> np.ndarray:
        """Find the rows of images.

        Returns:
            int64 array, one row number an image, in the order given.

        Raises:
            CacheError: If an image isn't in the cache.
        """
        try:
            return np.array([self._row_of[name] for name in pathnames], np.int64)
        except KeyError as error:
            raise CacheError(
                f"An image must be in the pixel cache. Received: {error.args[0]!r}, which isn't."
                " Build it again: photoclf cache."
            ) from error


def build_cache(
    archive: Path,
    images: pd.DataFrame,
    folder: Path,
    *,
    image_size: int,
    fit: str,
    workers: int | None = None,
    progress: bool = False,
) -> PixelCache:
    """Decode images into a cache, or open it when it is already there.

    A killed build goes on where it was. Two builds at once write the same bytes to the same
    places of one file that neither shortens, so that neither harms the other.

    Args:
        archive: The archive's folder.
        images: Frame with `pathname` and `sha256`; each image must decode.
        folder: Where caches are, one sub-folder a content, decoder version, size and fit.
        image_size: Side in px.
        fit: See `decode.decode_image`.
        workers: Threads; one a processor core by default.
        progress: Whether to show a progress bar.

    Returns:
        The cache, its checksum verified.

    Raises:
        CacheError: If there is no image, the disk is too small, an image changed since the audit,
            or the cache isn't what was built.
    """
    if images.empty:
        raise CacheError("A pixel cache must have images. Received: none. Make a split with some.")
    images = images.sort_values("pathname")
    place = folder / _cache_key(images, image_size, fit)
    shape = (len(images), image_size, image_size, 3)
    if not (place / "done.json").is_file():
        _fill(archive, images, place, shape, fit, workers, progress)
    if not _is_sound(place, shape):
        shutil.rmtree(place)
        raise CacheError(
            f"The pixel cache must be what was built. Received: other bytes in {place}."
            " It has been removed; run the same command again to build it anew."
        )
    pixels = np.memmap(place / "pixels.bin", np.uint8, "r", shape=shape)
    return PixelCache(pixels, tuple(images.pathname), image_size, fit)


def _cache_key(images: pd.DataFrame, image_size: int, fit: str) -> str:
    content = "\n".join(images.sha256 + ";" + images.pathname)
    return f"{image_size}_{fit}_v{DECODER_VERSION}_{sha256_text(content)[:12]}"


def _fill(
    archive: Path,
    images: pd.DataFrame,
    place: Path,
    shape: tuple[int, ...],
    fit: str,
    workers: int | None,
    progress: bool,
) -> None:
    place.mkdir(parents=True, exist_ok=True)
    _check_space(place, shape)
    # The pixels, and after them one flag a row.
    whole = _map_file(place / "pixels.bin", math.prod(shape) + shape[0])
    pixels, flags = whole[: -shape[0]].reshape(shape), whole[-shape[0] :]
    names, hashes = images.pathname.tolist(), images.sha256.tolist()

    def decode_row(row: int) -> None:
        try:
            data = read_bytes(archive / names[row])
            changed = "" if sha256_bytes(data) == hashes[row] else "other bytes"
            pixels[row] = decode_image(data, shape[1], fit)
        except DecodeError as error:
            changed = error.reason
        if changed:
            raise CacheError(
                f"An image must be what it was in the audit. Received: {names[row]!r}, {changed}."
                " Audit the archive again: photoclf audit."
            )
        # After its pixels: what a kill leaves unflagged is decoded again.
        flags[row] = 1

    todo = np.flatnonzero(flags == 0).tolist()
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        done = pool.map(decode_row, todo)
        for _ in tqdm(done, total=len(todo), desc="decode", unit="image", disable=not progress):
            pass
    whole.flush()
    write_json(place / "done.json", {"crc32": _checksum(pixels), "images": len(names)})


def _map_file(path: Path, size: int) -> np.memmap:
    with open(path, "ab") as file:  # makes the file, and shortens none that is there
        if file.tell() < size:
            file.truncate(size)
    return np.memmap(path, np.uint8, "r+", shape=(size,))


def _is_sound(place: Path, shape: tuple[int, ...]) -> bool:
    try:
        # The map is let go on return: Windows removes no file that is mapped.
        pixels = np.memmap(place / "pixels.bin", np.uint8, "r", shape=shape)
        return _checksum(pixels) == read_json(place / "done.json")["crc32"]
    except (OSError, ValueError, LookupError, TypeError):  # gone, shortened, or no such JSON
        return False


def _check_space(place: Path, shape: tuple[int, ...]) -> None:
    needed, free = math.prod(shape), shutil.disk_usage(place).free
    if needed > free and not (place / "pixels.bin").is_file():
        raise CacheError(
            f"The disk must have {needed / 2**20:.0f} MiB free for {shape[0]} images of"
            f" {shape[1]} px. Received: {free / 2**20:.0f} MiB in {place}. Free some space, or"
            " use a smaller --image-size."
        )


def _checksum(pixels: np.ndarray) -> int:
    crc = 0
    for start in range(0, len(pixels), 256):
        crc = zlib.crc32(np.ascontiguousarray(pixels[start : start + 256]).data, crc)
    return crc
