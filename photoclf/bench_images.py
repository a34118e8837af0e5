"""What the bench decodes: drawn photographs and scans, or files of one's own, in a folder."""

import os
import shutil
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from photoclf.demo_photographs import ORIGINALS, frame_original, scan

PHOTOGRAPHS = 64
SCANS = 8
SCAN_SIZE = (2121, 2828)  # px; an A5 page at 360 dpi, 6 megapixels

_PAPER, _INK = (244, 240, 231), (38, 33, 30)
_WORDS = ("archive", "holds", "letters", "drawings", "and", "photographs", "of", "the", "coast")


def draw_photographs(folder: Path) -> list[Path]:
    """Draw `PHOTOGRAPHS` small JPEGs: the demo archive's photographs, 160 to 900 px, quality 88."""
    folder.mkdir(parents=True)
    paths = [folder / f"{i:03d}.jpg" for i in range(PHOTOGRAPHS)]
    for i, (path, name) in enumerate(zip(paths, cycle(ORIGINALS), strict=False)):
        rng = np.random.default_rng(i)
        pixels = (frame_original(name, rng) * 255).astype(np.uint8)
        image = Image.fromarray(pixels).convert("RGB")  # some originals are grey
        scan(image, rng).save(path, quality=88)
    return paths


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


def lay_files(paths: Sequence[Path], folder: Path, files: int) -> list[Path]:
    """Fill a folder with files as often as it takes, by links where the disk allows.

    Args:
        paths: What is laid, in turn.
        folder: A folder to make, on the disk of `paths` or another.
        files: How many there shall be.

    Returns:
        Their paths, in the order of their names.
    """
    folder.mkdir(parents=True)
    places = [folder / f"{i:06d}" for i in range(files)]
    laid = []
    for source, place in zip(islice(cycle(paths), files), places, strict=True):
        place = place.with_suffix(source.suffix.lower())
        try:
            os.link(source, place)
        except OSError:  # another disk, one without links, or too many of them
            shutil.copyfile(source, place)
        laid.append(place)
    return laid


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
