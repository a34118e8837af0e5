"""Decode once: uint8 pixels on disk, shared by every run."""

import functools
import hashlib
import shutil
import warnings
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from photoclf.config import STORAGES, RunConfig
from photoclf.decode import (
    DECODER_VERSION,
    MAX_MEMORY,
    MAX_SECONDS,
    decode_image,
    made_of_same_bytes,
)
from photoclf.errors import PhotoclfError, did_you_mean
from photoclf.files import full_disk_told, write_json
from photoclf.names import Names
from photoclf.pixel_files import JPEG_QUALITY, CompactPixels, PixelFiles, pack
from photoclf.workers import Lost, isolated_map

# Images from which the size of a compact cache is guessed, and what is added to the guess.
_GUESSED_FROM, _MARGIN = 8, 1.25
# What isn't read back as it was written so many times is the disk's doing.
_ATTEMPTS = 3


class CacheError(PhotoclfError):
    """The pixel cache can't be built, or isn't what was built."""


@dataclass(frozen=True)
class PixelCache:
    """Decoded pixels of some images.

    Args:
        pixels: Read-only, uint8 (n, image_size, image_size, 3): a memory map, or what reads like
            one when the rows are compact.
        pathnames: The n images in the order of the rows, sorted.
        image_size: Side in px.
        fit: How the images fill the square, see `decode.decode_image`.
        storage: `exact` or `compact`, see `build_cache`.
    """

    pixels: np.ndarray | CompactPixels
    pathnames: Sequence[str]
    image_size: int
    fit: str
    storage: str = "exact"

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
    images: pd.DataFrame | Iterable[pd.DataFrame],
    folder: Path,
    *,
    image_size: int,
    fit: str,
    storage: str = "exact",
    workers: int | None = None,
    progress: bool = False,
) -> PixelCache:
    """Decode images into a cache, or open it when it is already there.

    Every row is read back and checked against its checksum, also when the cache was there. What
    is missing or spoilt is decoded: a build that was killed, that met a full disk or lost its
    power goes on where it was. Two builds at once leave one good cache.

    Args:
        archive: The archive's folder.
        images: Frame with `pathname` and `sha256`, or its rows as `tables.read_chunks` gives them,
            of which memory keeps some 120 bytes each; every image must decode.
        folder: Where caches are, one sub-folder a content, decoder version, size and fit.
        image_size: Side in px.
        fit: See `decode.decode_image`.
        storage: `exact` keeps the pixels themselves; `compact` keeps JPEGs, a fifth of the bytes,
            whose pixels differ a little from what `decode_image` gives.
        workers: Decoding processes, see `workers.isolated_map`; one a processor core by default.
        progress: Whether to show a progress bar.

    Returns:
        The cache, all its checksums verified.

    Raises:
        CacheError: If there is no image, the disk is too small or doesn't keep what is written,
            or an image changed since the audit.
    """
    listed = _Images([images] if isinstance(images, pd.DataFrame) else images)
    if not len(listed):
        raise CacheError("A pixel cache must have images. Received: none. Make a split with some.")
    if storage not in STORAGES:
        raise CacheError(
            f"`storage` must be one of {STORAGES}. Received: {storage!r}."
            f"{did_you_mean(storage, STORAGES)}"
        )
    count = len(listed)
    place = folder / _cache_key(listed, image_size, fit, storage)
    files = PixelFiles(place, (count, image_size, image_size, 3), storage)
    todo = files.unsound_rows(progress)
    _tell_spoilt(place, len(todo))
    source = _Source(archive, listed, image_size, fit, workers)
    attempts = 0
    while len(todo):
        if attempts == _ATTEMPTS:
            raise CacheError(
                f"The disk must keep what is written. Received: {len(todo)} of {count}"
                f" images that were read back otherwise in {place}. Check the disk, or use another"
                " workspace."
            )
        attempts += 1
        _check_space(place, files, source, todo)
        with full_disk_told(functools.partial(_disk_is_full, place)):
            _fill(files, source, todo, progress)
        todo = files.unsound_rows()
    if not (place / "done.json").is_file():
        write_json(place / "done.json", {"images": count, "storage": storage})
    return PixelCache(files.pixels(), listed.pathnames, image_size, fit, storage)


def build_cache_for(
    config: RunConfig,
    archive: Path,
    images: pd.DataFrame | Iterable[pd.DataFrame],
    folder: Path,
    *,
    progress: bool = False,
) -> PixelCache:
    """Decode images as a config wants them, or open the cache that is there.

    Args:
        config: `image_size`, `fit` and `storage` are used, the model's own where left open.
        archive: See `build_cache`, as for the rest and the errors.
        images: Frame with `pathname` and `sha256`, or its rows.
        folder: Where caches are.
        progress: Whether to show a progress bar.
    """
    config = config.resolved()
    assert config.image_size is not None
    return build_cache(
        archive,
        images,
        folder,
        image_size=config.image_size,
        fit=config.fit,
        storage=config.storage,
        progress=progress,
    )


class _Images:
    """The images of a cache in the order of their names, in little memory."""

    def __init__(self, frames: Iterable[pd.DataFrame]) -> None:
        self.pathnames, self.sha256 = Names(), Names()
        for frame in frames:
            self.pathnames.extend(frame.pathname)
            self.sha256.extend(frame.sha256)
        if any(a > b for a, b in pairwise(self.pathnames)):
            order = sorted(range(len(self)), key=self.pathnames.__getitem__)
            self.pathnames = Names(self.pathnames[row] for row in order)
            self.sha256 = Names(self.sha256[row] for row in order)

    def __len__(self) -> int:
        return len(self.pathnames)


def _cache_key(images: _Images, image_size: int, fit: str, storage: str) -> str:
    content = hashlib.sha256()  # bit by bit: a million names at once would fill the memory
    for sha256, name in zip(images.sha256, images.pathnames, strict=True):
        content.update(f"{sha256};{name}\n".encode("utf-8", "surrogatepass"))
    kind = f"_jpeg{JPEG_QUALITY}" if storage == "compact" else ""
    return f"{image_size}_{fit}_v{DECODER_VERSION}_{content.hexdigest()[:12]}{kind}"


@dataclass(frozen=True)
class _Source:
    """Where the pixels come from, and how they are to be."""

    archive: Path
    images: _Images
    image_size: int
    fit: str
    workers: int | None

    def packed(self, rows: np.ndarray, storage: str) -> Generator[bytes, None, None]:
        """Decode rows in worker processes, which may be lost; in the order of the rows."""
        names, hashes = self.images.pathnames, self.images.sha256
        results = isolated_map(
            functools.partial(
                decode_packed, image_size=self.image_size, fit=self.fit, storage=storage
            ),
            ((self.archive / names[row], hashes[row]) for row in rows),
            workers=self.workers,
            seconds=MAX_SECONDS,
            memory=MAX_MEMORY,
        )
        with closing(results):
            for row, result in zip(rows, results, strict=True):
                if isinstance(result, bytes):
                    yield result
                    continue
                what = result.reason if isinstance(result, Lost) else result
                raise CacheError(
                    f"An image must be what it was in the audit. Received: {names[row]!r},"
                    f" {what}. Audit the archive again: photoclf audit."
                )


def decode_packed(item: tuple[Path, str], image_size: int, fit: str, storage: str) -> bytes | str:
    """Decode an image into the bytes that a cache keeps: what worker processes do.

    Args:
        item: The file, and the SHA-256 that its bytes must have.
        image_size: Side in px.
        fit: See `decode.decode_image`.
        storage: See `build_cache`.

    Returns:
        The bytes, or why there are none, as a text.
    """
    return made_of_same_bytes(item, lambda data: pack(decode_image(data, image_size, fit), storage))


def _fill(files: PixelFiles, source: _Source, todo: np.ndarray, progress: bool) -> None:
    # Decoded by the workers, written by this process alone.
    packed = source.packed(todo, files.storage)
    with closing(packed), files.writing() as write:
        bar = tqdm(packed, "decode", len(todo), unit="image", disable=not progress)
        for row, data in zip(todo, bar, strict=True):
            write(int(row), data)


def _tell_spoilt(place: Path, rows: int) -> None:
    if rows and (place / "done.json").is_file():
        warnings.warn(
            f"{rows} images of the pixel cache {place} aren't what was written; they are decoded"
            " again. If this comes back, check the disk.",
            RuntimeWarning,
            stacklevel=3,
        )
        # Until they are mended the cache isn't done.
        (place / "done.json").unlink(missing_ok=True)


def _check_space(place: Path, files: PixelFiles, source: _Source, todo: np.ndarray) -> None:
    place.mkdir(parents=True, exist_ok=True)
    exact, free = len(todo) * files.row_bytes, shutil.disk_usage(place).free
    if exact <= free:
        return
    some = todo[np.linspace(0, len(todo) - 1, min(_GUESSED_FROM, len(todo))).astype(int)]
    sizes = [len(packed) for packed in source.packed(some, "compact")]
    compact = int(_MARGIN * len(todo) * np.mean(sizes))
    if files.storage == "compact" and compact <= free:
        return
    advice = "Free some space, or use a smaller --image-size"
    if files.storage == "exact" and compact <= free:
        advice += ", or --storage compact, whose pixels differ a little"
    raise CacheError(
        f"The disk must have {_mib(exact)} free for {len(todo)} images, or about {_mib(compact)}"
        f" with --storage compact. Received: {_mib(free)} in {place}. {advice}.{_others(place)}"
    )


def _disk_is_full(place: Path, said: str) -> CacheError:
    return CacheError(
        f"The disk must take all pixels. Received: {said} in {place}. What was written is kept;"
        f" free some space and run the same command again.{_others(place)}"
    )


def _others(place: Path) -> str:
    sizes = {
        other.name: sum(file.stat().st_size for file in other.iterdir())
        for other in sorted(place.parent.iterdir())
        if other.is_dir() and other != place
    }
    if not sizes:
        return ""
    listed = ", ".join(f"{name} ({_mib(size)})" for name, size in sizes.items())
    return f" Other caches in {place.parent} may be removed and are built again: {listed}."


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
