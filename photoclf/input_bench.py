"""How fast files become pixels: the reference's way, Keras's, ours, and the least there is."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from photoclf.bench_rounds import Contender
from photoclf.decode import MAX_MEMORY, MAX_SECONDS, decode_image, decode_or_error
from photoclf.workers import isolated_pool

LIMIT = "limit: grey at an eighth"
PARALLEL = "decode_or_error, a process a core"
KERAS_BATCH = 32
_TIMES = 8  # that what works in parallel gets the files: a few alone would leave cores idle


@contextmanager
def input_contenders(paths: Sequence[Path], image_size: int) -> Iterator[list[Contender]]:
    """List ways to get pixels from files, the reference's first.

    Args:
        paths: All files of one folder. JPEG; others count as well, but have no limit to compare
            with.
        image_size: Side to which images are decoded, in px.

    Yields:
        The contenders. Ours is there twice: in this process, for processor time, and in a process a
        core, for wall time: that is how the cache and prediction decode. Starting the processes
        falls into the first call.
    """
    from photoclf.keras_input import decode_as_reference, keras_batches

    decode = partial(decode_image, image_size=image_size)
    isolated = partial(decode_or_error, image_size=image_size)
    with isolated_pool(isolated, seconds=MAX_SECONDS, memory=MAX_MEMORY) as decode_in_processes:
        yield [
            Contender(
                "reference: one image at a time",
                lambda: _count(decode_as_reference(path, image_size) for path in paths),
            ),
            Contender(
                "Keras: image_dataset_from_directory",
                lambda: sum(
                    len(batch)
                    for batch in keras_batches(paths[0].parent, image_size, KERAS_BATCH, _TIMES)
                ),
            ),
            Contender("decode_image", lambda: _count(map(decode, paths))),
            Contender(
                PARALLEL, lambda: _count(decode_in_processes(_TIMES * list(paths))), counted=False
            ),
            Contender(LIMIT, lambda: _count(map(_decode_grey, paths))),
        ]


def _decode_grey(path: Path) -> np.ndarray:
    """Do the least that any decoder must: no colour, an eighth of the size."""
    import simplejpeg

    data = path.read_bytes()
    if not simplejpeg.is_jpeg(data):
        return decode_image(data, 8)
    return simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8)


def _count(images: Iterable[np.ndarray]) -> int:
    return sum(1 for _ in images)
