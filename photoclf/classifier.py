"""An exported model, ready to score images without TensorFlow."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from photoclf.band import Band
from photoclf.decode import decode_image
from photoclf.errors import PhotoclfError
from photoclf.exported import ExportedModel
from photoclf.fitting import fitted, on_white
from photoclf.run_folder import RunFolder
from photoclf.run_names import open_run
from photoclf.scorer import Scorer
from photoclf.workers import available_threads


class ImageError(PhotoclfError, ValueError):
    """What should be scored isn't an image."""


@dataclass(frozen=True)
class Classifier:
    """An exported model, ready to score images.

    Args:
        model: The model, and what it decides by.
        scorers: One a thread.

    Example:
        >>> classifier = Classifier.load("release")                          # doctest: +SKIP
        >>> classifier(["scans/0001.jpg", "scans/0002.tif"])                 # doctest: +SKIP
        array([0.9987, 0.0021], dtype=float32)
    """

    model: ExportedModel
    scorers: tuple[Scorer, ...]

    @classmethod
    def load(
        cls, run: RunFolder | Path | str, *, as_trained: bool = False, threads: int | None = None
    ) -> "Classifier":
        """Load an exported model, checked against its recorded hash.

        Args:
            run: A run that was exported, its folder, or `release` for the one that comes with the
                project.
            as_trained: Whether to leave out what came after training, see `ExportedModel.of`.
            threads: Images scored at once, one a processor thread; as many as there are by default.

        Returns:
            The classifier.

        Raises:
            RunError: If the model is missing, isn't the one that was recorded, or was trained on
                pixels of another decoder version.
        """
        return cls.of(ExportedModel.of(open_run(run), as_trained=as_trained), threads=threads)

    @classmethod
    def of(cls, model: ExportedModel, *, threads: int | None = None) -> "Classifier":
        """Make a classifier of an exported model, see `load`."""
        return cls(model, tuple(Scorer(model) for _ in range(threads or available_threads())))

    @property
    def image_size(self) -> int:
        """Side of the square that the model sees, in px."""
        return self.model.image_size

    @property
    def fit(self) -> str:
        """How images fill it, see `decode.decode_image`."""
        return self.model.fit

    @property
    def threshold(self) -> float:
        """Score from which an image is called a photograph."""
        return self.model.threshold

    @property
    def band(self) -> Band:
        """Scores between which a person decides."""
        return self.model.band

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """Score images that have the model's size.

        Args:
            pixels: uint8 RGB (n, image_size, image_size, 3), as `decode_image` returns them.

        Returns:
            P(photo), float32 (n,), in [0, 1].
        """
        return self._each(pixels, lambda image: image)

    def __call__(self, images: Iterable[str | Path | bytes | np.ndarray]) -> np.ndarray:
        """Score images of any size, decoded in this process.

        A file that hangs or kills its decoder takes the process along; `predict.predict_folder`
        is for files of unknown origin.

        Args:
            images: Paths, files' bytes, or uint8 pixels, RGB (height, width, 3) or grey
                (height, width); sizes may differ. All are held in memory.

        Returns:
            P(photo), float32 (n,), in [0, 1], in their order. `classifier.band.triage` decides.

        Raises:
            DecodeError: If a file can't be read or decoded; its `reason` says why.
            ImageError: If pixels have another shape or dtype.
        """
        return self._each(list(images), self._pixels)

    def _each(self, images: Sequence[Any] | np.ndarray, pixels_of: Callable) -> np.ndarray:
        scores = np.empty(len(images), np.float32)
        threads = len(self.scorers)

        def work(first: int) -> None:
            for i in range(first, len(images), threads):
                scores[i] = self.scorers[first].score(pixels_of(images[i]))

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
        return scores

    def _pixels(self, image: str | Path | bytes | np.ndarray) -> np.ndarray:
        if not isinstance(image, np.ndarray):
            return decode_image(image, self.image_size, self.fit)
        good = image.dtype == np.uint8 and image.size and image.shape[2:] in ((), (3,))
        if not good or image.ndim < 2:
            raise ImageError(
                "Pixels must be uint8, (height, width, 3) or (height, width). Received:"
                f" {image.dtype} {image.shape}. Scale them to 0 … 255 first."
            )
        rgb = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
        square = fitted(rgb, self.image_size, self.fit)
        return on_white(square, self.image_size) if self.fit == "letterbox" else square
