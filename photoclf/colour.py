"""Any of Pillow's modes → 8 bits, grey or RGB; embedded profiles → sRGB."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

# Profiles that change no colour by more than this are left alone: they are sRGB by another name.
_SAME_COLOUR = 2
_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_LEAST_SCALE = 15.0  # of integers: fainter than that is noise on black
_SMAX_SAMPLE_VALUE, _BITS_PER_SAMPLE = 281, 258


def to_8_bits(image: Image.Image) -> Image.Image:
    """Turn a loaded image into `L` or `RGB`, its transparency laid over white.

    Values of more than 8 bits are scaled. PNG and others use their full range, or 8 bits of it; in
    a TIFF 12 bits may stand in 16, so the full range is `SMaxSampleValue` where the file has it,
    else the smallest number of bits that holds the largest value.

    CMYK goes through its profile when it has one that works.
    """
    if image.mode in ("RGB", "L") and "transparency" not in image.info:
        return _without_dark_bits(image)
    if image.mode.startswith(("I", "F")):
        return _scaled(image)
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    if image.mode == "CMYK":
        transform = _transform(image.info.get("icc_profile") or b"", "CMYK")
        return _applied(transform, image) if transform else image.convert("RGB")
    clear = image.info.get("transparency")
    if isinstance(clear, tuple) and max(clear) > 255:
        # Of a PNG with 16 bits a colour, of which Pillow keeps the upper byte.
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("L" if image.mode == "1" else "RGB")


def in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Turn an `L` or `RGB` image into sRGB.

    Args:
        image: An image of mode `L` or `RGB`.
        profile: Its ICC profile; one that is empty, broken, of another colour space, or sRGB
            itself changes nothing.

    Returns:
        An `RGB` image.
    """
    transform = _transform(profile, image.mode)
    if transform is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    return _applied(transform, image)


def _applied(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # it would be if it worked in place
    return converted


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    if not profile:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return None if mode != "CMYK" and _changes_nothing(transform, mode) else transform
    except Exception:  # a broken profile is none; the pixels are good all the same
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    steps = np.linspace(0, 255, 18 if mode == "L" else 6).astype(np.uint8)
    if mode == "L":
        colours = Image.fromarray(steps[None])
    else:
        colours = Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), -1).reshape(6, 36, 3))
    before = np.asarray(colours.convert("RGB"), np.int16)
    after = np.asarray(_applied(transform, colours), np.int16)
    return bool(np.abs(after - before).max() <= _SAME_COLOUR)


def _scaled(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    grey = np.asarray(_scaled_to_8_bits(values, _full_scale(image)))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey = np.where(values == clear, np.uint8(255), grey)
    return Image.fromarray(grey)


def _scaled_to_8_bits(values: np.ndarray, full: float | None) -> np.ndarray:
    is_float = values.dtype.kind == "f"
    scaled = np.nan_to_num(values.astype(np.float32), copy=False, posinf=0.0, neginf=0.0)
    np.clip(scaled, -1e30, 1e30, out=scaled)  # so that differences stay finite
    low, high = min(float(scaled.min()), 0.0), float(scaled.max())
    if is_float and high <= 1.0 and not (scaled == scaled.round()).all():
        full = 1.0
    elif full is None or high - low > full:
        full = max(2.0 ** int(high - low).bit_length() - 1, 255.0 if is_float else _LEAST_SCALE)
    scaled -= low
    scaled *= np.float32(255.0 / full)
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _full_scale(image: Image.Image) -> float | None:
    if image.format != "TIFF" and image.mode != "F":
        # All bits are used, or Pillow has made it so; but some writers put 8 bits into 16.
        return 65535.0 if np.max(image.getextrema()) > 255 else 255.0
    largest = _tag(image, _SMAX_SAMPLE_VALUE)
    return float(largest) if largest > 255 else None


def _without_dark_bits(image: Image.Image) -> Image.Image:
    if image.format != "TIFF" or image.mode != "RGB" or _tag(image, _BITS_PER_SAMPLE) <= 8:
        return image
    # Pillow keeps the upper byte of 16 bits: of 12 bits in 16, only its lower half is used.
    full = 2 ** max(int(np.max(image.getextrema())).bit_length(), 1) - 1
    levels = [round(min(value / full, 1) * 255) for value in range(256)]
    return image if full > 127 else image.point(levels * 3)


def _tag(image: Image.Image, tag: int) -> float:
    value = getattr(image, "tag_v2", {}).get(tag, 0)
    value = max(value, default=0) if isinstance(value, tuple) else value
    return value if isinstance(value, int | float) else 0
