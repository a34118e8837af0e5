"""How fast the release predicts, from files on disk to rows on disk, against Keras and limits."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from photoclf.bench_rounds import Contender
from photoclf.decode import decode_images
from photoclf.exported import ExportedModel
from photoclf.predict import predict_folder
from photoclf.run import Run
from photoclf.runs import load_run
from photoclf.scorer import Scorer
from photoclf.shipped import NAME
from photoclf.workers import available_threads

if TYPE_CHECKING:
    from photoclf.backend import keras

PIXELS = 96  # squares of noise that inference alone scores
KERAS_BATCH = 32
DECODE = "limit: decode_images alone"
SGEMM, SGEMM_ONE = "limit: sgemm on all cores", "limit: sgemm on one core"
BOTH = "limit: decode, then sgemm"
# A square large enough for sgemm's best, and as often as takes about a second on one core.
_SIDE, _TIMES = 2048, 8


@dataclass(frozen=True)
class Rivals:
    """The release, and the same network in Keras.

    Args:
        run: The release.
        scratch: A folder for what is written.
    """

    run: Run
    scratch: Path

    @classmethod
    def of_release(cls, scratch: Path) -> "Rivals":
        """Lay the release into a folder.

        Raises:
            RunError: If no release comes with the project.
        """
        return cls(load_run(scratch / "models", NAME), scratch)

    @cached_property
    def exported(self) -> ExportedModel:
        """The release as LiteRT reads it."""
        return ExportedModel.of(self.run)

    @property
    def flops(self) -> float:
        """Operations of one image's way through its network."""
        return float(self.run.read_object("model.json", "flops")["flops"])

    @cached_property
    def model(self) -> "keras.Model":
        """The release in Keras, see `explain.model_of`."""
        from photoclf.explain import model_of

        return model_of(self.run)


def predict_contenders(rivals: Rivals, paths: Sequence[Path]) -> list[Contender]:
    """List ways from files to rows on disk, Keras's first.

    Args:
        rivals: The networks.
        paths: All files of one folder.

    Returns:
        The contenders, and the limits: decoding alone, in a process a core, and decoding with a
        network that runs at the speed of sgemm. Ours and decoding start their processes in each
        call; Keras's model is loaded, and its graph built, before the first that counts.
    """
    from photoclf.keras_input import ReferenceSequence, keras_batches

    folder, side, model = paths[0].parent, rivals.exported.image_size, rivals.model
    numbers = count()

    def out() -> Path:
        return rivals.scratch / f"{folder.name}_{next(numbers)}.csv"

    def by_keras() -> int:
        scores = model.predict(keras_batches(folder, side, KERAS_BATCH), verbose=0)
        return _write(paths, scores, out())

    def by_reference() -> int:
        scores = model.predict(ReferenceSequence(paths, side, KERAS_BATCH), verbose=0)
        return _write(paths, scores, out())

    shares = {"of_decode": DECODE, "of_limit": BOTH}
    return [
        Contender("Keras: image_dataset_from_directory, predict", by_keras, shares),
        Contender("reference: Sequence, keras.predict", by_reference, shares),
        Contender(
            "predict_folder",
            lambda: len(predict_folder(folder, rivals.run, out=out())),
            shares,
        ),
        Contender(
            DECODE,
            lambda: sum(1 for _ in decode_images(paths, side, rivals.exported.fit)),
        ),
        Contender(SGEMM, multiply(available_threads(), rivals.flops)),
        Contender(BOTH, after=(DECODE, SGEMM)),
    ]


def inference_contenders(rivals: Rivals) -> list[Contender]:
    """List ways to score pixels that are in memory, Keras's first, and how fast sgemm is.

    Returns:
        The contenders; rates of sgemm are those of a network that does as many operations as the
        release's and nothing else.
    """
    side = rivals.exported.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (PIXELS, side, side, 3), dtype=np.uint8)
    model = rivals.model
    scorers = [Scorer(rivals.exported) for _ in range(available_threads())]

    def one_at_a_time(scorer: Scorer, images: np.ndarray) -> int:
        return len([scorer.score(image) for image in images])

    def on_all_cores() -> int:
        parts = [pixels[i :: len(scorers)] for i in range(len(scorers))]
        with ThreadPoolExecutor(len(scorers)) as pool:
            return sum(pool.map(one_at_a_time, scorers, parts))

    return [
        Contender(
            "keras.predict, batches of 32",
            lambda: len(model.predict(pixels, batch_size=KERAS_BATCH, verbose=0)),
            {"of_limit": SGEMM},
        ),
        Contender(
            "LiteRT, one image at a time on one core",
            lambda: one_at_a_time(scorers[0], pixels),
            {"of_limit": SGEMM_ONE},
        ),
        Contender("LiteRT, the same on each core", on_all_cores, {"of_limit": SGEMM}),
        Contender(SGEMM_ONE, multiply(1, rivals.flops)),
        Contender(SGEMM, multiply(available_threads(), rivals.flops)),
    ]


def multiply(threads: int, flops: float) -> Callable[[], float]:
    """Return work that multiplies float32 matrices, told as images of so many operations each."""
    from threadpoolctl import threadpool_limits

    matrix = np.random.default_rng(0).random((_SIDE, _SIDE), np.float32)
    product = np.empty_like(matrix)

    def work() -> float:
        with threadpool_limits(threads, user_api="blas"):
            for _ in range(_TIMES):
                np.matmul(matrix, matrix, out=product)
        return _TIMES * 2 * _SIDE**3 / flops

    return work


def _write(paths: Sequence[Path], scores: np.ndarray, out: Path) -> int:
    names = [path.name for path in paths]
    pd.DataFrame({"pathname": names, "score": scores[:, 0]}).to_csv(out, sep=";", index=False)
    return len(scores)
