"""How an image of any proportions fills a square: squashed, with white borders, or cropped."""

import numpy as np
from PIL import Image

from photoclf import areas

FITS = ("squash", "letterbox", "crop")


def fitted(pixels: np.ndarray, size: int, fit: str) -> np.ndarray:
    """Resize an image as it will stand in a square.

    Args:
        pixels: uint8 array (height, width), or (height, width, 3).
        size: Side of the square in px.
        fit: `squash` changes the proportions, `letterbox` keeps them and leaves borders for
            `on_white`, `crop` cuts the longer side.

    Returns:
        uint8 array (size, size) or (size, size, 3); with `letterbox` one side is shorter.
    """
    height, width = pixels.shape[:2]
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return _scaled(pixels, size, size, (left, top, left + side, top + side))
    box = (0, 0, width, height)
    if fit == "letterbox":
        scale = size / max(width, height)
        # Equal borders on both sides, so that turning afterwards changes nothing.
        width, height = (size - 2 * _border(side * scale, size) for side in (width, height))
        return _scaled(pixels, width, height, box)
    return _scaled(pixels, size, size, box)


def _scaled(
    pixels: np.ndarray, width: int, height: int, box: tuple[float, float, float, float]
) -> np.ndarray:
    if box[2] - box[0] >= width and box[3] - box[1] >= height:
        return areas.shrink(pixels, width, height, box)
    # Areas can't enlarge: they would make blocks.
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, box)
    return np.asarray(image)


def _border(side: float, size: int) -> int:
    return min(round((size - side) / 2), (size - 1) // 2)


def on_white(pixels: np.ndarray, size: int) -> np.ndarray:
    """Lay RGB pixels in the middle of a white square.

    Args:
        pixels: uint8 array (height, width, 3), no side longer than the square's.
        size: Side of the square in px.

    Returns:
        uint8 array (size, size, 3).
    """
    height, width = pixels.shape[:2]
    canvas = np.full((size, size, 3), 255, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = pixels
    return canvas
