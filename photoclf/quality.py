"""What is measured of one file: readable or why not, hashes, sizes, quality."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from photoclf.decode import DecodeError, decode_with_facts, read_bytes
from photoclf.duplicates import MIN_CONTRAST, perceptual_hash
from photoclf.files import sha256_bytes

# Hashes and quality are taken from the image at this size: large enough for both, and cheap.
THUMBNAIL_SIZE = 128
QUALITY = ("brightness", "contrast", "sharpness", "entropy", "colourfulness")


def examine_file(path: Path) -> dict[str, Any]:
    """Read and decode one file once, and measure it.

    Returns:
        Status, reason, SHA-256, format, mode, sizes, perceptual hash and quality, as the audit's
        columns name them.
    """
    measured: dict[str, Any] = {"status": "used", "reason": ""}
    try:
        data = read_bytes(path)
        measured["sha256"] = sha256_bytes(data)
        pixels, facts = decode_with_facts(data, THUMBNAIL_SIZE)
    except DecodeError as error:
        status = "not_an_image" if error.reason == "not_an_image" else "unreadable"
        return measured | {"status": status, "reason": error.reason}
    return measured | vars(facts) | _quality(pixels)


def _quality(pixels: np.ndarray) -> dict[str, Any]:
    rgb = pixels.astype(np.float64)
    grey = rgb @ (0.299, 0.587, 0.114)
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    shares = np.bincount(grey.astype(np.uint8).ravel(), minlength=256) / grey.size
    shares = shares[shares > 0]
    red_green, yellow_blue = rgb[..., 0] - rgb[..., 1], rgb[..., :2].mean(axis=-1) - rgb[..., 2]
    small = np.asarray(
        Image.fromarray(grey.astype(np.uint8)).resize((32, 32), Image.Resampling.BOX)
    )
    contrast = float(grey.std())
    return {
        "phash": f"{perceptual_hash(small):016x}" if contrast >= MIN_CONTRAST else "",
        "brightness": float(grey.mean()),
        "contrast": contrast,
        "sharpness": float(laplacian.std()),
        "entropy": float(-(shares * np.log2(shares)).sum()),
        # Hasler and Süsstrunk, "Measuring colourfulness in natural images", 2003.
        "colourfulness": float(
            np.hypot(red_green.std(), yellow_blue.std())
            + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean())
        ),
    }
