"""The demo archive's original photographs, their prints and slides, and the scanner."""

import importlib.util
import re
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from photoclf.demo_filters import Pixels, Rendering, blur, clouds, grey_of

# Both views of the motorcycle are one original: they show the same scene from two steps apart.
_FILES = {
    "skimage/data": "astronaut.png brick.png camera.png chelsea.png coffee.png coins.png grass.png "
    "gravel.png hubble_deep_field.jpg moon.png motorcycle_left.png motorcycle_right.png rocket.jpg",
    "sklearn/datasets/images": "china.jpg flower.jpg",
}
ORIGINALS: dict[str, list[tuple[str, str]]] = {}
for _folder, _files in _FILES.items():
    for _file in _files.split():
        ORIGINALS.setdefault(re.split("[_.]", _file)[0], []).append((_folder, _file))


def frame_original(name: str, rng: np.random.Generator) -> Pixels:
    """Crop, turn round and size one original at random, and stretch its tones to [0, 1]."""
    image = _load(*ORIGINALS[name][int(rng.integers(len(ORIGINALS[name])))])
    width, height = (np.array(image.size) * rng.uniform(0.55, 1, 2)).astype(int)
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    image = image.crop((left, top, left + width, top + height))
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    # Enlarging makes photographs soft but not strokes: the softness would give the class away.
    longest = min(900.0, 1.25 * max(image.size))
    longest = float(np.exp(rng.uniform(np.log(220), np.log(max(longest, 260)))))
    scale = max(longest / max(image.size), 160 / min(image.size))
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.LANCZOS)
    pixels = np.asarray(image, np.float32) / 255
    low, high = np.percentile(pixels, (1, 99))
    return np.clip((pixels - low) / max(high - low, 0.2), 0, 1)


def scan(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Add what a scanner adds: a little noise, glare and softness, alike for every class.

    Noise of one class alone would be learnt in place of what the picture shows.

    Args:
        image: An RGB image.
        rng: The only source of chance.

    Returns:
        An RGB image of the same size.
    """
    pixels = np.asarray(image, np.float32) / 255
    if rng.random() < 0.4:
        pixels = blur(pixels, rng.uniform(0.3, 0.7))
    light = rng.uniform(0.92, 1.04) + 0.04 * clouds(pixels.shape, 200, rng)
    noise = rng.standard_normal(pixels.shape[:2], np.float32) * rng.choice([0.004, 0.012, 0.025])
    pixels = pixels * light[..., None] + noise[..., None]
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


@cache
def _load(folder: str, file: str) -> Image.Image:
    package, _, inside = folder.partition("/")
    # The package's place is asked for without importing it: importing scikit-learn takes seconds.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"The demo archive needs `{package}`, installed with photoclf.")
    return Image.open(Path(spec.origin).parent / inside / file).convert("RGB")


def _shoot(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    exposed = pixels ** rng.uniform(0.7, 1.4) * rng.uniform(0.85, 1.05)
    return exposed * rng.uniform(0.9, 1.1, 3).astype(np.float32)


def _print(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    grey = grey_of(_shoot(pixels, rng))[..., None]
    ink = np.array(rng.choice([(0.05, 0.05, 0.06), (0.16, 0.08, 0.03)]), np.float32)
    paper = np.array(rng.choice([(0.97, 0.97, 0.96), (0.97, 0.92, 0.80)]), np.float32)
    printed = ink + (paper - ink) * grey
    edge = int(min(grey.shape[:2]) * rng.choice([0, 0.03, 0.05]))
    if edge:
        bordered = np.broadcast_to(paper, printed.shape).copy()
        bordered[edge:-edge, edge:-edge] = printed[edge:-edge, edge:-edge]
        return bordered
    return printed


def _slide(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    vignette = 1 - rng.uniform(0.05, 0.3) * (x**2 + y**2)
    faded = 0.08 + 0.86 * _shoot(blur(pixels, rng.uniform(0.2, 0.9)), rng) * vignette[..., None]
    return faded + rng.normal(0, 0.03, pixels.shape).astype(np.float32)


PHOTOGRAPHS: dict[str, Rendering] = {"camera_roll": _shoot, "prints": _print, "slides": _slide}
