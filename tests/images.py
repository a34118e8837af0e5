"""Images that tests draw."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw_noise(seed: int, size: tuple[int, int] = (40, 40)) -> Image.Image:
    """Smooth coloured noise, unlike for unlike seeds."""
    rng = np.random.default_rng(seed)
    cells = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    return cells.resize(size, Image.Resampling.BICUBIC)


def write_image(path: Path, *, seed: int, size: tuple[int, int] = (40, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_noise(seed, size).save(path)
    return path
