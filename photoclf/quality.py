"""What is measured of one file, and what its quality scores say: CleanVision's definitions."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter, ImageStat

from photoclf.decode import DECODER_VERSION, DecodeError, decode_with_facts, read_bytes
from photoclf.duplicates import HASHED_SIDE, MIN_CONTRAST, detail_hash, perceptual_hash
from photoclf.errors import did_you_mean
from photoclf.files import sha256_bytes

# Raise it when anything that is measured here would come out differently.
QUALITY_VERSION = 2
MEASURED_BY = f"{DECODER_VERSION}.{QUALITY_VERSION}"

# Stored scores, 0 (bad) to 1; a score under its threshold is an issue. Names, scores and
# thresholds are CleanVision's (`light` is called bright here).
THRESHOLDS = {
    "dark": 0.32,
    "bright": 0.05,
    "blurry": 0.29,
    "low_information": 0.3,
    "odd_aspect_ratio": 0.35,
    "odd_size": 0.5,
    "grayscale": 0.5,
}
QUALITY = tuple(THRESHOLDS)

_GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_BRIGHTNESS_WEIGHTS = np.array([0.241, 0.691, 0.068], np.float32)
_EXIF_MARKS = (b"Exif\0\0", b"eXIfII*\0", b"eXIfMM\0*")  # of JPEG and HEIF, PNG
_SAMPLE = 2**20  # pixels whose brightness is ranked: of larger images, every so many
_BLUR_SIDE = 64
_MIN_SPREAD = 0.18  # of the histogram; below it counts as none
_IQR_FACTOR = 3.0


def examine_file(path: Path) -> dict[str, Any]:
    """Read and decode one file once, and measure it.

    Pixels are measured at full size: reduced, a page of text loses the white that `bright` sees.

    Returns:
        Status, reason, SHA-256, format, mode, sizes, EXIF, perceptual hash, the quality scores of
        one image and `measured_by`, as the audit's columns name them. Without pixels there are no
        scores.
    """
    measured: dict[str, Any] = {"status": "used", "reason": "", "measured_by": MEASURED_BY}
    try:
        data = read_bytes(path)
        measured["sha256"] = sha256_bytes(data)
        pixels, facts = decode_with_facts(data)
    except DecodeError as error:
        status = "not_an_image" if error.reason == "not_an_image" else "unreadable"
        return measured | {"status": status, "reason": error.reason}
    scores = quality_scores(pixels, grey=facts.mode in _GREY_MODES)
    return measured | vars(facts) | {"exif": int(_has_exif(data))} | scores | _hashes(pixels)


def lost_file(path: Path, reason: str) -> dict[str, Any]:
    """Tell of a file that `examine_file` didn't survive.

    Args:
        path: The file.
        reason: One of `workers.LOST`.

    Returns:
        Status, reason and, so that the next audit needn't lose a worker again, SHA-256; but none
        of a file that timed out: a slow disk may be to blame, so it is tried again.
    """
    lost = {"status": "unreadable", "reason": reason, "measured_by": MEASURED_BY}
    if reason == "timed_out":
        return lost
    try:
        return lost | {"sha256": sha256_bytes(read_bytes(path))}
    except DecodeError as error:
        return lost | {"reason": error.reason}


def quality_scores(pixels: np.ndarray, *, grey: bool) -> dict[str, float]:
    """Score one image as CleanVision 0.3.7 does.

    For images whose file holds `RGB` or `L` and no colour profile the scores are CleanVision's;
    those with a palette, transparency, bilevel or other pixels are scored by what they show, where
    CleanVision scores the numbers that stand for it. Brightness is ranked on about 2²⁰ evenly
    spaced pixels of a larger image.

    Args:
        pixels: uint8 (height, width, 3).
        grey: Whether the file has no colours to begin with.

    Returns:
        `dark`, `bright`, `blurry`, `low_information`, `odd_aspect_ratio`, `grayscale`: 0 to 1.
    """
    height, width = pixels.shape[:2]
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0]) if grey else pixels)
    darkest, lightest = np.percentile(_brightness(pixels), [5, 99])
    return {
        "dark": min(float(lightest), 1.0),
        "bright": max(1 - float(darkest), 0.0),
        "blurry": _sharpness(image),
        "low_information": min(image.entropy() / 10, 1.0),
        "odd_aspect_ratio": min(width / height, height / width),
        "grayscale": 0.0 if grey else 1.0,
    }


def odd_size_scores(audit: pd.DataFrame, usual: tuple[float, float] | None = None) -> pd.Series:
    """Score how far each image's size is from the archive's middle sizes.

    Args:
        audit: A frame with `width` and `height` in px, missing where nothing was decoded.
        usual: What `usual_sizes` says of the whole archive, when `audit` is a part of it.

    Returns:
        float64 (rows,), 0 to 1; NaN where nothing was decoded.
    """
    size = image_sizes(audit)
    middle, gap = usual or usual_sizes(size.to_numpy())
    # Where all images have one size, that size itself is the measure.
    return 1 - ((size - middle).abs() / (gap or middle or 1.0)).clip(0, 1)


def image_sizes(audit: pd.DataFrame) -> pd.Series:
    """Return the side in px of the square that has as many pixels as each image, float64."""
    return (audit.width.astype("float64") * audit.height.astype("float64")) ** 0.5


def usual_sizes(sizes: np.ndarray) -> tuple[float, float]:
    """Return the middle of an archive's sizes in px, and how far from it is odd altogether."""
    known = sizes[~np.isnan(sizes)]
    if not len(known):
        return 0.0, 0.0
    low, high = np.percentile(known, [25, 75])
    return float(low + high) / 2, float(high - low) * (1 + 2 * _IQR_FACTOR)


def quality_flags(
    audit: pd.DataFrame, thresholds: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Derive from the stored scores which images have which issue; nothing is read again.

    Args:
        audit: A `schema.AUDIT` frame.
        thresholds: Issue → threshold, where it differs from `THRESHOLDS`.

    Returns:
        One boolean column an issue, the audit's index; false where nothing was decoded.

    Raises:
        ValueError: If a threshold's name is unknown.
    """
    told = dict(thresholds or {})
    for name in set(told) - set(QUALITY):
        raise ValueError(
            f"A threshold's name must be one of {QUALITY}. Received: {name!r}."
            f"{did_you_mean(name, QUALITY)}"
        )
    limits = THRESHOLDS | told
    if (
        "odd_size" not in told and usual_sizes(image_sizes(audit).to_numpy())[1] == 0
    ):  # one size for nearly all
        limits["odd_size"] = 1.0
    return pd.DataFrame({name: audit[name] < limits[name] for name in QUALITY})


def _has_exif(data: bytes) -> bool:
    if data.startswith(b"RIFF"):  # WebP says so in a bit of its header
        return data[12:16] == b"VP8X" and bool(data[20] & 8)
    return any(mark in data for mark in _EXIF_MARKS)


def _hashes(pixels: np.ndarray) -> dict[str, str]:
    grey = Image.fromarray(pixels).convert("L")
    # Weighted areas: Pillow's BOX takes whole pixels, and another size would give another hash.
    small = np.asarray(
        grey.resize((HASHED_SIDE, HASHED_SIDE), Image.Resampling.BILINEAR, reducing_gap=3),
        np.float64,
    )
    if small.std() < MIN_CONTRAST:
        return {"phash": "", "detail_hash": ""}
    return {
        "phash": f"{perceptual_hash(small):016x}",
        "detail_hash": f"{detail_hash(small):016x}",
    }


def _brightness(pixels: np.ndarray) -> np.ndarray:
    flat = pixels.reshape(-1, 3)
    sample = flat[:: -(-len(flat) // _SAMPLE)].astype(np.float32)
    return np.sqrt((sample * sample) @ _BRIGHTNESS_WEIGHTS) / np.float32(255)


def _sharpness(image: Image.Image) -> float:
    ratio = max(image.size) / _BLUR_SIDE
    if ratio > 1:
        image = image.resize([max(int(side // ratio), 1) for side in image.size])
    small = image.convert("L")
    edges = ImageStat.Stat(small.filter(ImageFilter.FIND_EDGES)).stddev[0]
    spread = 1 - math.exp(-np.std(small.histogram()) / 100)
    return min(1 - math.exp(-edges / 100) + (spread if spread > _MIN_SPREAD else 0), 1.0)
