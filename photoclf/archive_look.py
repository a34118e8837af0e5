"""Pictures made to look as archives keep them: scanned, yellowed, reduced, printed, encoded."""

import io

import numpy as np
from PIL import Image, ImageFilter

# Part of every key of what was made from such pictures: raise it when any of them would change.
LOOK_VERSION = 2


def archive_look(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw how an archive might have kept a picture.

    Each change is drawn on its own, in the order in which it happens to a real picture: a window
    of it, laid crooked with a border, a tone, contrast, printed as dots, scanned smaller or softer,
    with the scanner's noise, encoded as JPEG. A quarter of the pictures stay as they are.

    Args:
        pixels: RGB, uint8 (height, width, 3).
        rng: Draws everything.

    Returns:
        uint8 (height, width, 3), of another size maybe.
    """
    if rng.random() < 0.25:
        return pixels
    image = Image.fromarray(pixels)
    for share, change in _CHANGES:
        if rng.random() < share:
            image = change(image, rng)
    return np.asarray(image)


def _window(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    width, height = (max(8, round(side * rng.uniform(0.4, 1))) for side in image.size)
    width, height = min(width, image.width), min(height, image.height)
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def _crooked(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.rotate(rng.uniform(-3, 3), Image.Resampling.BILINEAR, fillcolor=_paper(rng))


def _border(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    margin = max(1, round(min(image.size) * rng.uniform(0.02, 0.08)))
    framed = Image.new("RGB", (image.width + 2 * margin, image.height + 2 * margin), _paper(rng))
    framed.paste(image, (margin, margin))
    return framed


def _paper(rng: np.random.Generator) -> tuple[int, int, int]:
    """Draw what lies around a picture on the glass: paper, or the black of the lid."""
    white = int(rng.integers(225, 256)) if rng.random() < 0.7 else int(rng.integers(0, 40))
    return white, white, max(0, white - int(rng.integers(0, 25)))


def _tone(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    kind = rng.random()
    if kind < 0.5:  # grey
        return image.convert("L").convert("RGB")
    pixels = np.asarray(image, np.float32)
    if kind < 0.75:  # sepia
        grey = np.asarray(image.convert("L"), np.float32)[..., None]
        return _image(grey * np.array([1.07, 0.94, 0.75]) + np.array([12, 4, -4]))
    return _image(pixels * np.array([1.0, rng.uniform(0.9, 1.0), rng.uniform(0.65, 0.9)]))


def _contrast(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    return _image((pixels - 128) * rng.uniform(0.6, 1.2) + 128 + rng.uniform(-25, 25))


def _dots(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Print in dots, as newspapers do, then look from a little further away."""
    pixels = np.asarray(image, np.float32)
    y, x = np.mgrid[: image.height, : image.width] * (np.pi / rng.uniform(2.5, 5))
    screen = 63 * (np.sin(x + y) + np.sin(x - y))[..., None]
    printed = _image(128 + 2.0 * (pixels - 128) + screen)
    return printed.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.2)))


def _small(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = rng.uniform(64, 256)
    scale = side / min(image.size)
    if scale >= 1:
        return image
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    kinds = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    return image.resize(size, kinds[int(rng.integers(len(kinds)))])


def _soft(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))


def _noise(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    channels = 1 if rng.random() < 0.5 else 3
    # Mostly a scanner's, at times a fast film's: up to 36 grey values.
    grain = rng.normal(0, rng.uniform(1, 6) ** 2, (*pixels.shape[:2], channels))
    return _image(pixels + grain)


def _encoded(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(10, 96)))
    return Image.open(file).convert("RGB")


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


# How often each change is drawn.
_CHANGES = (
    (0.5, _window),
    (0.25, _crooked),
    (0.2, _border),
    (0.4, _tone),
    (0.5, _contrast),
    (0.05, _dots),
    (0.5, _small),
    (0.3, _soft),
    (0.4, _noise),
    (0.7, _encoded),
)
