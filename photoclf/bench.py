"""How fast: contenders timed in turn within one run, told as medians and ratios."""

import itertools
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.cache import build_cache
from photoclf.config import RunConfig
from photoclf.decode import decode_image
from photoclf.demo_archive import draw_demo_archive
from photoclf.errors import ArchiveError, ConfigError, did_you_mean
from photoclf.files import sha256_file
from photoclf.input_bench import (
    LIMIT,
    PARALLEL,
    decode_as_reference,
    draw_scans,
    input_contenders,
)
from photoclf.manifest import list_files
from photoclf.predict_bench import predict_contenders
from photoclf.sweep_bench import sweep_rows

PARTS = ("input", "cache", "scan", "train", "predict", "sweep")

# Enough for a stable rate within a second or two, few enough for five rounds in a minute.
IMAGES = 64
TRAIN_BATCH = 32
# Images that a round takes from the cache, so many that what was made ahead doesn't count.
FED = 2048
SCANNED_FILES = 100_000

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
        parts: Of `PARTS`: `input` decodes files, and drawn scans of 6 megapixels, `cache` feeds
            decoded pixels to a training, `scan` lists a folder of 100,000 empty files (files, not
            images, a second), `train` fits both networks at their own sizes, `predict` scores
            pixels with the release, `sweep` runs tiny trials (trials a second) and reads many runs
            (runs a second).
        data: A folder of images; a small demo archive is drawn when `None`.
        rounds: Rounds that count, 1 or more.
        image_size: Side to which images are decoded, in px.

    Returns:
        One row a contender: `part`, `contender`, `images_per_s` (median), `low`, `high` (over the
        rounds) and `ratio` to the part's first contender, the reference's way (median of the
        rounds' ratios); `cpu_ms` (processor time of this process an image, missing where others
        work), `cpu_ratio`, how many times less than the first contender, and `cpu_of_limit`, how
        many times the least that decoding must take; `seconds`, of `sweep` alone, see
        `sweep_bench.sweep_rows`.

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
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder, names = _images(data, Path(scratch), parts)

        def decode(paths: list[Path]) -> list[Contender]:
            return stack.enter_context(input_contenders(paths, image_size))

        contenders = {
            "input": lambda: decode([folder / name for name in names]),
            "scans": lambda: decode(draw_scans(Path(scratch) / "scans")),
            "cache": lambda: _cache_contenders(folder, names, image_size, Path(scratch)),
            "scan": lambda: _scan_contenders(Path(scratch)),
            "train": _train_contenders,
            "predict": lambda: predict_contenders(Path(scratch)),
        }
        tables = [
            sweep_rows(Path(scratch), rounds)
            if part == "sweep"
            else _timed(part, contenders[part](), rounds)
            for part in _with_scans(parts)
        ]
        return pd.concat(tables, ignore_index=True)


def _with_scans(parts: Sequence[str]) -> list[str]:
    return [p for part in parts for p in (("input", "scans") if part == "input" else (part,))]


def machine() -> dict[str, Any]:
    """Tell on what the figures were taken: processors, load, and versions."""
    return {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _images(data: Path | None, scratch: Path, parts: Sequence[str]) -> tuple[Path, list[str]]:
    if not {"input", "cache"} & set(parts):
        return scratch, []
    folder = data or _demo(scratch)
    return folder, _image_names(folder)


def _demo(scratch: Path) -> Path:
    draw_demo_archive(scratch / "demo", images_per_class=24)
    return scratch / "demo"


def _image_names(folder: Path) -> list[str]:
    names = [n for n in list_files(folder).pathname if n.lower().endswith((".jpg", ".png"))]
    # From all over the folder: its first images may all come from one source and have one size.
    spread = names[:: max(1, len(names) // IMAGES)]
    readable = list(itertools.islice((n for n in spread if _decodes(folder / n)), IMAGES))
    if not readable:
        raise ArchiveError(f"The bench must have JPEG or PNG images. Received: none in {folder}.")
    return readable


def _decodes(path: Path) -> bool:
    try:
        decode_as_reference(path, 16)
        decode_image(path, 16)
    except Exception:  # either decoder's refusal rules the file out for both
        return False
    return True


def _cache_contenders(
    folder: Path, names: list[str], image_size: int, scratch: Path
) -> list[Contender]:
    from photoclf.datasets import make_dataset

    hashes = [sha256_file(folder / name) for name in names]
    images = pd.DataFrame({"pathname": names, "sha256": hashes, "label": 0})
    place = scratch / "cache"
    options: dict[str, Any] = {"image_size": image_size, "fit": "squash"}

    def feed(storage: str) -> Callable[[], int]:
        cache = build_cache(folder, images, place, storage=storage, **options)
        # One endless iterator, as a training has it.
        batches = iter(make_dataset(cache, images, batch_size=TRAIN_BATCH, training=True))

        def work() -> int:
            fed = 0
            while fed < FED:
                fed += len(next(batches)[0])
            return fed

        return work

    def feed_as_reference() -> int:
        starts = range(0, len(names), TRAIN_BATCH)
        batches = (names[start : start + TRAIN_BATCH] for start in starts)
        stacked = (
            np.stack([decode_as_reference(folder / name, image_size) for name in batch])
            for batch in batches
        )
        return sum(len(pixels) for pixels in stacked)

    return [
        ("reference: Sequence", feed_as_reference),
        ("pixel cache", feed("exact")),
        ("pixel cache, compact", feed("compact")),
    ]


def _scan_contenders(scratch: Path) -> list[Contender]:
    root = scratch / "many"
    for i in range(SCANNED_FILES // 1000):
        folder = root / "Photo" / f"box_{i:03d}"
        folder.mkdir(parents=True)
        for j in range(1000):
            (folder / f"scan_{j:04d}.jpg").touch()
    return [
        ("bare os.scandir and stat", lambda: _scan_barely(root)),
        ("list_files", lambda: len(list_files(root))),
    ]


def _scan_barely(root: Path) -> int:
    files, folders = 0, [os.fspath(root)]
    while folders:
        for entry in os.scandir(folders.pop()):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                entry.stat()
                files += 1
    return files


def _train_contenders() -> list[Contender]:
    return [
        (f"{name} at {RunConfig(model=name).resolved().image_size} px", _trainer(name))
        for name in ("reference_cnn", "compact_cnn")
    ]


def _trainer(name: str) -> Callable[[], int]:
    from photoclf.models import build_model
    from photoclf.training_views import training_view

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
    cpu: dict[str, list[float]] = {name: [] for name, _ in contenders}
    for _ in range(rounds + 1):
        for name, work in contenders:
            start, used = time.perf_counter(), time.process_time()
            images = work()
            rates[name].append(images / (time.perf_counter() - start))
            spent = (time.process_time() - used) * 1000 / images
            cpu[name].append(spent if name != PARALLEL else np.nan)
    counted = {name: np.array(values[1:]) for name, values in rates.items()}
    cpu_ms = {name: np.array(values[1:]) for name, values in cpu.items()}
    first = contenders[0][0]
    rows = [
        {
            "part": part,
            "contender": name,
            "images_per_s": float(np.median(values)),
            "low": float(values.min()),
            "high": float(values.max()),
            "ratio": float(np.median(values / counted[first])),
            "cpu_ms": float(np.median(cpu_ms[name])),
            "cpu_ratio": float(np.median(cpu_ms[first] / cpu_ms[name])),
            "cpu_of_limit": float(np.median(cpu_ms[name] / cpu_ms[LIMIT]))
            if LIMIT in cpu_ms
            else np.nan,
        }
        for name, values in counted.items()
    ]
    return pd.DataFrame(rows)
