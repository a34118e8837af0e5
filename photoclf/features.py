"""Features of images, extracted once and kept on disk, shared by every head."""

import functools
import itertools
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from photoclf.cache import CacheError, PixelCache
from photoclf.decode import DECODER_VERSION, MAX_MEMORY, MAX_SECONDS
from photoclf.extractor import Extractor
from photoclf.files import replacing, sha256_text
from photoclf.views import packed_view, view_key
from photoclf.workers import Lost, isolated_map

# Images a file: what a kill loses, at most.
_CHUNK = 256


@dataclass(frozen=True)
class Features:
    """Features of some images.

    Args:
        values: What a head takes, float32 (n, d).
        pathnames: The n images in the order of the rows.
        parts: Where each part is in a row, see `feature_parts.PARTS`.
    """

    values: np.ndarray
    pathnames: tuple[str, ...]
    parts: Mapping[str, slice]

    @functools.cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.pathnames)}

    def rows(self, pathnames: Sequence[str] | pd.Series) -> np.ndarray:
        """Find the rows of images, int64, one an image, in the order given.

        Raises:
            CacheError: If an image has no features.
        """
        try:
            return np.array([self._row_of[name] for name in pathnames], np.int64)
        except KeyError as error:
            raise CacheError(
                f"An image must have features. Received: {error.args[0]!r}, which has none."
                " Extract them for this split."
            ) from error

    def values_of(self, pathnames: Sequence[str] | pd.Series) -> np.ndarray:
        """Return what a head takes of some images, float32, one row an image, in the order given.

        Raises:
            CacheError: If an image has no features.
        """
        return self.values[self.rows(pathnames)]

    def of(self, *parts: str) -> "Features":
        """Return the same images with some parts of their features, in the order given."""
        columns = np.concatenate([self.values[:, self.parts[part]] for part in parts], axis=1)
        widths = [self.parts[part].stop - self.parts[part].start for part in parts]
        edges = np.cumsum([0, *widths]).tolist()
        places = zip(parts, itertools.pairwise(edges), strict=True)
        return Features(columns, self.pathnames, {part: slice(*edge) for part, edge in places})


def cached_features(
    cache: PixelCache, images: pd.DataFrame, extractor: Extractor, folder: Path, *, progress: bool
) -> Features:
    """Extract features from cached pixels, or read them where they were extracted before.

    Args:
        cache: Pixels of the images, of the extractor's size.
        images: Frame with `pathname` and `sha256`.
        extractor: See `backbones.make_extractor`.
        folder: Where features are kept, one sub-folder an extractor and view.
        progress: Whether to show a progress bar.

    Returns:
        Features of the images, sorted by pathname.
    """
    kind = "" if cache.storage == "exact" else f"_{cache.storage}"
    place = folder / extractor.key / f"{cache.fit}_v{DECODER_VERSION}{kind}"

    def pixels(missing: pd.DataFrame) -> Iterator[np.ndarray]:
        return (cache.pixels[row] for row in cache.rows(missing.pathname))

    return _features(place, images, pixels, extractor, progress)


def view_features(
    archive: Path,
    images: pd.DataFrame,
    extractor: Extractor,
    view: str,
    folder: Path,
    *,
    workers: int | None = None,
    progress: bool = False,
) -> Features:
    """Extract features of a view of an archive's images, or read them.

    A view that is a fit shares its features with `cached_features` of exact pixels.

    Args:
        archive: The archive's folder.
        images: Frame with `pathname` and `sha256`; each image must decode.
        extractor: See `backbones.make_extractor`.
        view: See `views.render_view`.
        folder: Where features are kept.
        workers: Decoding processes, see `workers.isolated_map`.
        progress: Whether to show a progress bar.

    Returns:
        Features of the images, sorted by pathname.

    Raises:
        CacheError: If an image isn't what it was in the audit.
        ConfigError: If there is no such view.
    """
    side = extractor.image_size
    place = folder / extractor.key / view_key(view)

    def pixels(missing: pd.DataFrame) -> Iterator[np.ndarray]:
        items = zip((archive / name for name in missing.pathname), missing.sha256, strict=True)
        results = isolated_map(
            functools.partial(packed_view, view=view, image_size=side),
            items,
            workers=workers,
            seconds=MAX_SECONDS,
            memory=MAX_MEMORY,
        )
        with closing(results):
            for name, result in zip(missing.pathname, results, strict=True):
                if not isinstance(result, bytes):
                    what = result.reason if isinstance(result, Lost) else result
                    raise CacheError(
                        f"An image must be what it was in the audit. Received: {name!r}, {what}."
                        " Audit the archive again: photoclf audit."
                    )
                yield np.frombuffer(result, np.uint8).reshape(side, side, 3)

    return _features(place, images, pixels, extractor, progress)


def _features(
    place: Path,
    images: pd.DataFrame,
    pixels: Callable[[pd.DataFrame], Iterable[np.ndarray]],
    extractor: Extractor,
    progress: bool,
) -> Features:
    images = images[["pathname", "sha256"]].sort_values("pathname", ignore_index=True)
    chunks = [images.iloc[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
    # Named after their images' contents: another split or workspace finds what is the same.
    files = [place / f"{sha256_text(';'.join(c.sha256))[:16]}.npz" for c in chunks]
    found = [_read(file) for file in files]
    missing = [i for i, values in enumerate(found) if values is None]
    if missing:
        rows = pd.concat([chunks[i] for i in missing])
        drawn = iter(tqdm(pixels(rows), "extract", len(rows), unit="image", disable=not progress))
        for i in missing:
            batch = np.stack([next(drawn) for _ in range(len(chunks[i]))])
            values = extractor.features(batch)
            with replacing(files[i]) as file:
                np.savez(file, features=values)
            found[i] = values
    values = np.concatenate([chunk for chunk in found if chunk is not None])
    return Features(values, tuple(images.pathname), extractor.parts)


def _read(file: Path) -> np.ndarray | None:
    """Read a file of features; `None` when there is none or its checksum is wrong."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return arrays["features"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
