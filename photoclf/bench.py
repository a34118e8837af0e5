"""How fast: contenders timed in turn within one run, told as medians and ratios."""

import itertools
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd

from photoclf.bench_images import draw_photographs, draw_scans, lay_files
from photoclf.bench_rounds import Contender, time_in_turn
from photoclf.decode import decode_image
from photoclf.errors import ArchiveError, ConfigError, did_you_mean
from photoclf.input_bench import LIMIT, input_contenders
from photoclf.manifest import list_files
from photoclf.predict_bench import Rivals, inference_contenders, predict_contenders
from photoclf.process_bench import COLD_IMAGES, cold_start_contenders, memory_rows
from photoclf.provenance import cpu_facts, versions
from photoclf.scan_bench import scan_contenders
from photoclf.sweep_bench import sweep_rows
from photoclf.training_bench import feeding_contenders, fitting_contenders

PARTS = ("input", "cache", "scan", "train", "predict", "sweep")

# Enough for a stable rate within a second or two, few enough for five rounds in a minute.
IMAGES = 64
# So many that starting the processes, half a second, is a small part of predicting.
PREDICTED, PREDICTED_SCANS = 512, 128
MEMORY_FILES = (1000,)


def run_bench(
    parts: Sequence[str] = PARTS,
    *,
    data: Path | None = None,
    rounds: int = 5,
    image_size: int = 224,
    memory_files: Sequence[int] = MEMORY_FILES,
) -> pd.DataFrame:
    """Time what users wait for, against the reference study's way, Keras's, and limits.

    Within a round the contenders of a part run one after the other, so that a slower moment of
    the machine hits all of them; the first round warms up and doesn't count.

    Args:
        parts: Of `PARTS`: `input` decodes files, and drawn scans of 6 megapixels, `cache` feeds
            decoded pixels to a training, `scan` lists a folder of 100,000 empty files (files, not
            images, a second), `train` fits both networks at their own sizes, `predict` takes small
            files and scans to rows on disk with the release, scores pixels alone, and measures
            cold start and memory, `sweep` runs tiny trials (trials a second) and reads many runs
            (runs a second).
        data: A folder of images; small JPEGs are drawn when `None`.
        rounds: Rounds that count, 1 or more.
        image_size: Side to which `input` and `cache` decode, in px.
        memory_files: How many files memory is measured with, once each.

    Returns:
        One row a contender, see `bench_rounds.time_in_turn`; `of_decode` and `of_limit` tell rates
        of `predict` as shares of decoding alone, and of decoding with the network at sgemm's speed
        (of sgemm alone where there is nothing to decode); `peak_mb`, see
        `process_bench.memory_rows`; `seconds` of `sweep`, see `sweep_bench.sweep_rows`.

    Raises:
        ConfigError: If a part is unknown or a number isn't positive.
        ArchiveError: If `data` holds no JPEG or PNG file.
    """
    for part in parts:
        if part not in PARTS:
            raise ConfigError(
                f"A part must be one of {PARTS}. Received: {part!r}.{did_you_mean(part, PARTS)}"
            )
    for name, numbers in (("rounds", [rounds]), ("memory_files", memory_files)):
        if not numbers or min(numbers) < 1:
            raise ConfigError(f"`{name}` must be 1 or more. Received: {numbers}.")
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        bench = _Bench(Path(scratch), data, rounds, image_size, memory_files, stack)
        return pd.concat([bench.tables[part]() for part in parts], ignore_index=True)


def machine() -> dict[str, Any]:
    """Tell on what figures are taken: when, processor, load of the last minute, and versions."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "cpu": cpu_facts(),
        "versions": versions(),
    }


class _Bench:
    """The parts, each a table; what several of them need is made once."""

    def __init__(
        self,
        scratch: Path,
        data: Path | None,
        rounds: int,
        image_size: int,
        memory_files: Sequence[int],
        stack: ExitStack,
    ) -> None:
        self.scratch, self.data, self.rounds, self.stack = scratch, data, rounds, stack
        self.image_size, self.memory_files = image_size, memory_files
        self.tables: dict[str, Callable[[], pd.DataFrame]] = {
            "input": self.input,
            "cache": lambda: self.timed(
                "cache", feeding_contenders(self.laid("cache", self.images), image_size, scratch)
            ),
            "scan": lambda: self.timed("scan", scan_contenders(scratch)),
            "train": lambda: self.timed("train", fitting_contenders()),
            "predict": self.predict,
            "sweep": lambda: sweep_rows(scratch, rounds),
        }

    @cached_property
    def images(self) -> list[Path]:
        return _images(self.data) if self.data else draw_photographs(self.scratch / "drawn")

    @cached_property
    def scans(self) -> list[Path]:
        return draw_scans(self.scratch / "scans")

    def laid(self, name: str, paths: Sequence[Path], files: int = 0) -> list[Path]:
        return lay_files(paths, self.scratch / "laid" / name, files or len(paths))

    def timed(self, part: str, contenders: Sequence[Contender], limit: str = "") -> pd.DataFrame:
        return time_in_turn(part, contenders, self.rounds, limit)

    def input(self) -> pd.DataFrame:
        sets = {"input": self.laid("input", self.images), "scans": self.scans}
        decode = partial(input_contenders, image_size=self.image_size)
        return pd.concat(
            self.timed(part, self.stack.enter_context(decode(paths)), LIMIT)
            for part, paths in sets.items()
        )

    def predict(self) -> pd.DataFrame:
        rivals = Rivals.of_release(self.scratch)
        keras_model = self.scratch / "release.keras"
        rivals.model.save(keras_model)
        small = self.laid("small", self.images, PREDICTED)
        scans = self.laid("scans", self.scans, PREDICTED_SCANS)
        cold = self.laid("cold", self.images, COLD_IMAGES)[0].parent
        return pd.concat(
            [
                self.timed("predict_small", predict_contenders(rivals, small)),
                self.timed("predict_scans", predict_contenders(rivals, scans)),
                self.timed("inference", inference_contenders(rivals)),
                self.timed("cold_start", cold_start_contenders(cold, keras_model, self.scratch)),
                memory_rows(self.images, self.memory_files, keras_model, self.scratch),
            ]
        )


def _images(folder: Path) -> list[Path]:
    endings = (".jpg", ".jpeg", ".png")
    names = [n for n in list_files(folder).pathname if n.lower().endswith(endings)]
    # From all over the folder: its first images may all come from one source and have one size.
    spread = names[:: max(1, len(names) // IMAGES)]
    paths = (folder / name for name in spread)
    readable = list(itertools.islice(filter(_decodes, paths), IMAGES))
    if not readable:
        raise ArchiveError(f"The bench must have JPEG or PNG images. Received: none in {folder}.")
    return readable


def _decodes(path: Path) -> bool:
    from photoclf.keras_input import decode_as_reference

    try:
        decode_as_reference(path, 16)
        decode_image(path, 16)
    except Exception:  # either decoder's refusal rules the file out for both
        return False
    return True
