"""What predicting costs a fresh process: how soon it is done, and how much memory it takes."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from photoclf.bench_images import lay_files
from photoclf.bench_rounds import Contender
from photoclf.errors import PhotoclfError

COLD_IMAGES = 32
_TICK = 0.1  # seconds between two looks at the memory

# What somebody who has the model as a `.keras` file writes: no more is imported than must be.
_KERAS = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
model = keras.models.load_model(sys.argv[1], compile=False)
images = keras.utils.image_dataset_from_directory(
    sys.argv[2], labels=None, shuffle=False, image_size=model.input_shape[1:3],
    crop_to_aspect_ratio=True, batch_size=32, verbose=False)
scores = model.predict(images.prefetch(2), verbose=0)
with open(sys.argv[3], "w") as file:
    for path, score in zip(images.file_paths, scores[:, 0]):
        file.write(f"{path};{score}\\n")
"""


def cold_start_contenders(folder: Path, keras_model: Path, scratch: Path) -> list[Contender]:
    """List ways to predict a small folder by a process that has yet to start, Keras's first.

    Args:
        folder: Some images.
        keras_model: The release as a `.keras` file.
        scratch: A folder for what is written.
    """
    numbers = count()

    def by_keras() -> int:
        return _run(
            _keras_command(folder, keras_model, scratch / f"cold_{next(numbers)}.csv"), folder
        )

    def by_photoclf() -> int:
        return _run(_photoclf_command(folder, scratch / f"cold_{next(numbers)}.csv"), folder)

    return [
        Contender("python: import keras, load, predict", by_keras),
        Contender("photoclf predict", by_photoclf),
    ]


def memory_rows(
    paths: Sequence[Path], sizes: Sequence[int], keras_model: Path, scratch: Path
) -> pd.DataFrame:
    """Measure the memory of `photoclf predict` and of Keras by the number of files, once each.

    Args:
        paths: Images; laid into folders as often as it takes.
        sizes: Numbers of files; Keras gets the first only.
        keras_model: The release as a `.keras` file.
        scratch: A folder for what is written.

    Returns:
        Rows of `bench.run_bench`: `peak_mb` is the most that a process and all its children held
        at once, in 10^6 bytes, with what they share counted once.
    """
    rows = []
    for size in sizes:
        folder = scratch / f"memory_{size}"
        lay_files(paths, folder, size)
        out = scratch / f"memory_{size}.csv"
        commands = {f"photoclf predict, {size:,} files": _photoclf_command(folder, out)}
        if size == sizes[0]:
            name = f"python: import keras, load, predict, {size:,} files"
            commands[name] = _keras_command(folder, keras_model, out.with_suffix(".keras.csv"))
        for name, command in commands.items():
            peak, seconds = peak_memory(command)
            rate = size / seconds
            rows.append(
                {
                    "part": "memory",
                    "contender": name,
                    "images_per_s": rate,
                    "low": rate,
                    "high": rate,
                    "seconds": seconds,
                    "ratio": np.nan,
                    "peak_mb": peak / 1e6,
                }
            )
    return pd.DataFrame(rows)


def peak_memory(command: Sequence[str]) -> tuple[int, float]:
    """Run a command; return the most memory that it and its children held at once, and its time.

    Where the system tells it (Linux), a page that several processes share is counted once, in
    equal parts (PSS); else what each has for itself alone (USS), which leaves shared pages out.

    Returns:
        Bytes, looked for ten times a second, and seconds.

    Raises:
        PhotoclfError: If the command fails.
    """
    start, peak = time.perf_counter(), 0
    # Into a file: a pipe that nobody reads would hold up who writes a long progress bar.
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said) as process:
            while process.poll() is None:
                peak = max(peak, _held(process.pid))
                time.sleep(_TICK)
        seconds = time.perf_counter() - start
        said.seek(0)
        _check(command, process.returncode, said.read().decode(errors="replace"))
    return peak, seconds


def _held(pid: int) -> int:
    import psutil

    total = 0
    try:
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.Error:  # it has just ended
        return 0
    for process in processes:
        try:
            facts = process.memory_full_info()
        except psutil.Error:
            continue
        total += getattr(facts, "pss", facts.uss)
    return total


def _photoclf_command(folder: Path, out: Path) -> list[str]:
    # A workspace without a run of its own: the release predicts.
    workspace = out.with_suffix(".workspace")
    options = ["--workspace", os.fspath(workspace), "--out", os.fspath(out)]
    return [sys.executable, "-m", "photoclf", "predict", os.fspath(folder), *options]


def _keras_command(folder: Path, model: Path, out: Path) -> list[str]:
    return [sys.executable, "-c", _KERAS, *map(os.fspath, (model, folder, out))]


def _run(command: Sequence[str], folder: Path) -> int:
    """Run a command on a folder; return how many files that holds."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    _check(command, done.returncode, done.stderr)
    return len(os.listdir(folder))


def _check(command: Sequence[str], status: int, errors: str) -> None:
    if status:
        raise PhotoclfError(
            f"What the bench starts must end well. Received: status {status} from"
            f" {' '.join(command[:4])}:\n{errors[-2000:]}"
        )
