"""How fast: contenders timed in turn within one run, told as medians and ratios."""

import itertools
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.cache import build_cache
from photoclf.config import RunConfig
from photoclf.decode import decode_image
from photoclf.demo_archive import draw_demo_archive
from photoclf.errors import ArchiveError, ConfigError, did_you_mean
from photoclf.manifest import list_files

PARTS = ("input", "cache", "train")

# Enough for a stable rate within a second or two, few enough for five rounds in a minute.
IMAGES = 64
TRAIN_BATCH = 32

Contender = tuple[str, Callable[[], int]]


def run_bench(
    parts: Sequence[str] = PARTS,
    *,
    data: Path | None = None,
    rounds: int = 5,
    image_size: int = 224,
) -> pd.DataFrame:
    """Time what users wait for, against the way of the reference study.

    Within a round the contenders of a part run one after the other, so that a slower moment of
    the machine hits all of them; the first round warms up and doesn't count.

    Args:
        parts: Of `PARTS`: `input` decodes files, `cache` feeds decoded pixels, `train` fits both
            networks at their own sizes.
        data: A folder of images; a small demo archive is drawn when `None`.
        rounds: Rounds that count, 1 or more.
        image_size: Side to which images are decoded, in px.

    Returns:
        One row a contender: `part`, `contender`, `images_per_s` (median), `low`, `high` (over the
        rounds) and `ratio` to the part's first contender, the reference's way (median of the
        rounds' ratios).

    Raises:
        ConfigError: If a part is unknown or `rounds` isn't positive.
        ArchiveError: If `data` holds no JPEG or PNG file.
    """
    for part in parts:
        if part not in PARTS:
            raise ConfigError(
                f"A part must be one of {PARTS}. Received: {part!r}.{did_you_mean(part, PARTS)}"
            )
    if rounds < 1:
        raise ConfigError(f"`rounds` must be 1 or more. Received: {rounds}.")
    with tempfile.TemporaryDirectory() as scratch:
        folder = data or _demo(Path(scratch))
        names = _image_names(folder)
        contenders = {
            "input": lambda: _input_contenders(folder, names, image_size),
            "cache": lambda: _cache_contenders(folder, names, image_size, Path(scratch)),
            "train": _train_contenders,
        }
        return pd.concat(
            [_timed(part, contenders[part](), rounds) for part in parts], ignore_index=True
        )


def machine() -> dict[str, Any]:
    """Tell on what the figures were taken: processors, load, and versions."""
    return {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _demo(scratch: Path) -> Path:
    draw_demo_archive(scratch / "demo", images_per_class=24)
    return scratch / "demo"


def _image_names(folder: Path) -> list[str]:
    names = [n for n in list_files(folder).pathname if n.lower().endswith((".jpg", ".png"))]
    readable = list(itertools.islice((n for n in names if _decodes(folder / n)), IMAGES))
    if not readable:
        raise ArchiveError(f"The bench must have JPEG or PNG images. Received: none in {folder}.")
    return readable


def _decodes(path: Path) -> bool:
    try:
        _decode_as_reference(path, 16)
        decode_image(path, 16)
    except Exception:  # either decoder's refusal rules the file out for both
        return False
    return True


def _decode_as_reference(path: Path, image_size: int) -> np.ndarray:
    from photoclf.backend import tf

    data = tf.io.read_file(str(path))
    pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    return tf.image.resize(pixels, (image_size, image_size)).numpy()


def _decode_grey(path: Path) -> np.ndarray:
    """Do the least that any decoder must: no colour, an eighth of the size."""
    import simplejpeg

    data = path.read_bytes()
    if not simplejpeg.is_jpeg(data):
        return decode_image(data, 8)
    return simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8)


def _input_contenders(folder: Path, names: list[str], image_size: int) -> list[Contender]:
    paths = [folder / name for name in names]
    jpegs = [path for path in paths if path.suffix == ".jpg"] or paths
    return [
        (
            "reference: one image at a time",
            lambda: _count(_decode_as_reference(path, image_size) for path in paths),
        ),
        ("decode_image", lambda: _count(decode_image(path, image_size) for path in paths)),
        ("limit: JPEGs in grey at an eighth", lambda: _count(_decode_grey(p) for p in jpegs)),
    ]


def _cache_contenders(
    folder: Path, names: list[str], image_size: int, scratch: Path
) -> list[Contender]:
    from photoclf.datasets import make_dataset

    images = pd.DataFrame({"pathname": names, "sha256": names, "label": 0})
    cache = build_cache(folder, images, scratch, image_size=image_size, fit="squash")

    def feed() -> int:
        batches = make_dataset(cache, images, batch_size=32, training=False)
        return sum(len(pixels) for pixels, _ in batches)

    def feed_as_reference() -> int:
        batches = (names[i : i + 32] for i in range(0, len(names), 32))
        stacked = (
            np.stack([_decode_as_reference(folder / name, image_size) for name in batch])
            for batch in batches
        )
        return sum(len(pixels) for pixels in stacked)

    return [("reference: Sequence", feed_as_reference), ("pixel cache", feed)]


def _train_contenders() -> list[Contender]:
    return [
        (f"{name} at {RunConfig(model=name).resolved().image_size} px", _trainer(name))
        for name in ("reference_cnn", "compact_cnn")
    ]


def _trainer(name: str) -> Callable[[], int]:
    from photoclf.models import build_model, training_view

    config = RunConfig(model=name).resolved()
    model = training_view(build_model(config))
    rng = np.random.default_rng(0)
    size = config.image_size or 0  # resolved: never None
    pixels = rng.integers(0, 256, (TRAIN_BATCH, size, size, 3)).astype(np.uint8)
    labels = rng.integers(0, 2, (TRAIN_BATCH, 1))

    def step() -> int:
        model.train_on_batch(pixels, labels)
        return TRAIN_BATCH

    return step


def _timed(part: str, contenders: list[Contender], rounds: int) -> pd.DataFrame:
    rates: dict[str, list[float]] = {name: [] for name, _ in contenders}
    for _ in range(rounds + 1):
        for name, work in contenders:
            start = time.perf_counter()
            images = work()
            rates[name].append(images / (time.perf_counter() - start))
    counted = {name: np.array(values[1:]) for name, values in rates.items()}
    first = counted[contenders[0][0]]
    rows = [
        {
            "part": part,
            "contender": name,
            "images_per_s": float(np.median(values)),
            "low": float(values.min()),
            "high": float(values.max()),
            "ratio": float(np.median(values / first)),
        }
        for name, values in counted.items()
    ]
    return pd.DataFrame(rows)


def _count(images: Iterable[np.ndarray]) -> int:
    return sum(1 for _ in images)
