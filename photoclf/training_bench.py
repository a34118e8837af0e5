"""How fast a training is fed and fitted."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.bench_rounds import Contender
from photoclf.cache import build_cache
from photoclf.config import RunConfig
from photoclf.files import sha256_file

BATCH_SIZE = 32
# Images that a round takes from the cache, so many that what was made ahead doesn't count.
FED = 2048


def feeding_contenders(paths: Sequence[Path], image_size: int, scratch: Path) -> list[Contender]:
    """List ways to feed images to a training, the reference's first.

    Args:
        paths: All files of one folder.
        image_size: Side in px.
        scratch: A folder for the caches.

    Returns:
        The contenders: those that decode go through the files once a call, as in every epoch; those
        that read from a cache feed `FED` images.
    """
    from photoclf.datasets import make_dataset
    from photoclf.keras_input import ReferenceSequence, keras_batches

    folder = paths[0].parent
    names, hashes = [path.name for path in paths], [sha256_file(path) for path in paths]
    images = pd.DataFrame({"pathname": names, "sha256": hashes, "label": 0})
    options: dict[str, Any] = {"image_size": image_size, "fit": "squash"}

    def feed(storage: str) -> Callable[[], int]:
        cache = build_cache(folder, images, scratch / "cache", storage=storage, **options)
        # One endless iterator, as a training has it.
        batches = iter(make_dataset(cache, images, batch_size=BATCH_SIZE, training=True))

        def work() -> int:
            fed = 0
            while fed < FED:
                fed += len(next(batches)[0])
            return fed

        return work

    def sequence() -> Iterator[np.ndarray]:
        batches = ReferenceSequence(paths, image_size, BATCH_SIZE)
        return (batches[i] for i in range(len(batches)))

    return [
        Contender("reference: Sequence", lambda: sum(map(len, sequence()))),
        Contender(
            "Keras: image_dataset_from_directory",
            lambda: sum(map(len, keras_batches(folder, image_size, BATCH_SIZE))),
        ),
        Contender("pixel cache", feed("exact")),
        Contender("pixel cache, compact", feed("compact")),
    ]


def fitting_contenders() -> list[Contender]:
    """List the networks that are trained whole, the reference's first; each call is a step."""
    return [
        Contender(f"{name} at {RunConfig(model=name).resolved().image_size} px", _trainer(name))
        for name in ("reference_cnn", "compact_cnn")
    ]


def _trainer(name: str) -> Callable[[], int]:
    from photoclf.models import build_model
    from photoclf.training_views import training_view

    config = RunConfig(model=name).resolved()
    model = training_view(build_model(config))
    rng = np.random.default_rng(0)
    size = config.image_size or 0  # resolved: never None
    pixels = rng.integers(0, 256, (BATCH_SIZE, size, size, 3)).astype(np.uint8)
    labels = rng.integers(0, 2, (BATCH_SIZE, 1))

    def step() -> int:
        model.train_on_batch(pixels, labels)
        return BATCH_SIZE

    return step
