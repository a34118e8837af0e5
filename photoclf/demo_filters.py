"""What the demo archive's renderings have in common: blur, clouds, wobble, grey."""

from collections.abc import Callable

import numpy as np
from PIL import Image

Pixels = np.ndarray  # float32 in [0, 1], height x width x 3
Rendering = Callable[[Pixels, np.random.Generator], Pixels]


def blur(pixels: Pixels, sigma: float) -> Pixels:
    """Blur by a Gaussian of `sigma` px, or nearly so when it is broad."""
    from scipy.ndimage import gaussian_filter, uniform_filter

    pixels = pixels.astype(np.float32, copy=False)
    if sigma < 2:
        return gaussian_filter(pixels, sigma, truncate=3, axes=(0, 1))
    # Three boxes come close to a broad Gaussian at a fraction of its time.
    for _ in range(3):
        pixels = uniform_filter(pixels, round(2 * sigma) | 1, axes=(0, 1))
    return pixels


def clouds(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> Pixels:
    """Return smooth noise in [-1, 1], about, of `shape`'s height and width, `scale` px a knot."""
    height, width = shape[:2]
    small = (round(height / scale) + 2, round(width / scale) + 2)
    knots = Image.fromarray(rng.uniform(-1, 1, small).astype(np.float32))
    return np.asarray(knots.resize((width, height), Image.Resampling.BICUBIC))


def wobble(pixels: Pixels, amount: float, scale: float, rng: np.random.Generator) -> Pixels:
    """Move each pixel by up to `amount` px, in clouds of `scale` px."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    rows = np.clip(y + amount * clouds(pixels.shape, scale, rng), 0, height - 1)
    columns = np.clip(x + amount * clouds(pixels.shape, scale, rng), 0, width - 1)
    return pixels[rows.astype(np.intp), columns.astype(np.intp)]


def unfinished(shape: tuple[int, ...], margin: float, rng: np.random.Generator) -> Pixels:
    """Return how far each pixel is covered, 0 to 1, but for a ragged margin (share of a side)."""
    height, width = shape[:2]
    y = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None] / height
    x = np.minimum(np.arange(width), np.arange(width)[::-1])[None] / width
    reach = np.minimum(y, x) + 0.35 * margin * clouds(shape, 0.06 * max(shape), rng)
    return np.clip((reach - margin) * 60 + 1, 0, 1) if margin else np.ones((height, width))


def grey_of(pixels: Pixels) -> Pixels:
    """Return the lightness, (height, width), of what has three channels."""
    # Not a matrix product: its last bit may depend on the number of threads.
    return 0.299 * pixels[..., 0] + 0.587 * pixels[..., 1] + 0.114 * pixels[..., 2]
