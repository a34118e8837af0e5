"""What the bench decodes, and how: the reference's way, ours, and the least that must be done."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from photoclf.decode import MAX_MEMORY, MAX_SECONDS, decode_image, decode_or_error
from photoclf.workers import isolated_pool

SCANS = 8
SCAN_SIZE = (2121, 2828)  # px; an A5 page at 360 dpi, 6 megapixels
LIMIT = "limit: grey at an eighth"
PARALLEL = "decode_or_error, a process a core"
_TIMES = 8  # that the processes get the files: a few alone would leave one of them idle

_PAPER, _INK = (244, 240, 231), (38, 33, 30)
_WORDS = ("archive", "holds", "letters", "drawings", "and", "photographs", "of", "the", "coast")


def decode_as_reference(path: Path, image_size: int) -> np.ndarray:
    """Read, decode and resize one image, as the reference study does."""
    from photoclf.backend import tf

    data = tf.io.read_file(str(path))
    if path.suffix == ".jpg":
        pixels = tf.io.decode_jpeg(data, channels=3)
    else:
        pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    return tf.image.resize(pixels, (image_size, image_size)).numpy()


@contextmanager
def input_contenders(
    paths: Sequence[Path], image_size: int
) -> Iterator[list[tuple[str, Callable[[], int]]]]:
    """List ways to get pixels from files, the reference's first.

    Args:
        paths: JPEG files; others count as well, but have no limit to compare with.
        image_size: Side to which images are decoded, in px.

    Yields:
        Names, and functions that decode files and return how many they were. Ours is there twice:
        in this process, for processor time, and in a process a core, for wall time: that is how
        the cache and prediction decode. Starting the processes falls into the first call.
    """
    decode = partial(decode_image, image_size=image_size)
    isolated = partial(decode_or_error, image_size=image_size)
    with isolated_pool(isolated, seconds=MAX_SECONDS, memory=MAX_MEMORY) as decode_in_processes:
        yield [
            (
                "reference: one image at a time",
                lambda: _count(decode_as_reference(path, image_size) for path in paths),
            ),
            ("decode_image", lambda: _count(map(decode, paths))),
            (PARALLEL, lambda: _count(decode_in_processes(_TIMES * list(paths)))),
            (LIMIT, lambda: _count(map(_decode_grey, paths))),
        ]


def draw_scans(folder: Path) -> list[Path]:
    """Draw `SCANS` scans of 6 megapixels as JPEG of quality 90: photographs and typed pages."""
    folder.mkdir(parents=True)
    paths = [folder / f"{i}.jpg" for i in range(SCANS)]
    for i, path in enumerate(paths):
        rng = np.random.default_rng(i)
        image = _photograph(rng) if i % 2 else _page(rng)
        grain = rng.normal(0, 1.5, (image.height, image.width, 1))
        pixels = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=90)
    return paths


def _photograph(rng: np.random.Generator) -> Image.Image:
    """Light and shade at every scale, the finer the fainter, as in nature."""
    light = np.zeros((SCAN_SIZE[1], SCAN_SIZE[0], 3), np.float32)
    for cells in (3, 6, 12, 24, 48, 96, 192, 384):
        # What is fine differs in light alone, what is coarse in colour too.
        for channels in [[0, 1, 2]] if cells > 12 else [[0], [1], [2]]:
            values = rng.normal(0, 40 / cells**0.5, (cells * 4 // 3, cells)).astype(np.float32)
            layer = Image.fromarray(values).resize(SCAN_SIZE, Image.Resampling.BICUBIC)
            light[..., channels] += np.asarray(layer)[..., None]
    return Image.fromarray(np.clip(128 + light, 0, 255).astype(np.uint8))


def _page(rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", SCAN_SIZE, _PAPER)
    draw, face = ImageDraw.Draw(image), ImageFont.load_default(38)
    for y in range(240, SCAN_SIZE[1] - 240, 64):
        if rng.random() < 0.85:  # the rest are the gaps between paragraphs
            line = " ".join(rng.choice(_WORDS, 13))
            draw.text((220, y), line, _INK, face)
    return image


def _decode_grey(path: Path) -> np.ndarray:
    """Do the least that any decoder must: no colour, an eighth of the size."""
    import simplejpeg

    data = path.read_bytes()
    if not simplejpeg.is_jpeg(data):
        return decode_image(data, 8)
    return simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8)


def _count(images: Iterable[np.ndarray]) -> int:
    return sum(1 for _ in images)
