"""Ordinary JPEGs decoded fast, at the eighth of their size that is wanted; the rest is Pillow's."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import simplejpeg

# Frames that libjpeg-turbo decodes with 8 bits a sample: baseline, extended, progressive.
_PROGRESSIVE = 0xC2
_FRAMES = (0xC0, 0xC1, _PROGRESSIVE)
_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)


@dataclass(frozen=True)
class JpegHeader:
    """What stands before a JPEG's pixels.

    Args:
        width: Width in px as stored.
        height: Height in px as stored.
        channels: 1 or 3.
        scans: Whether it may come in any number of scans: progressive, or colour by colour.
        exif: The EXIF block from its byte order on, or nothing.
        icc_profile: The colour profile, or nothing.
    """

    width: int
    height: int
    channels: int
    scans: bool
    exif: bytes
    icc_profile: bytes


def read_header(data: bytes) -> JpegHeader | None:
    """Read the header of an ordinary JPEG: grey or YCbCr, 8 bits, one picture.

    Returns:
        The header, or `None` for whatever is out of the ordinary or broken.
    """
    size: tuple[int, int, int] | None = None
    progressive = False
    exif = b""
    profile: dict[int, bytes] = {}
    for marker, segment in _segments(data):
        if marker == 0xDA:
            if size is None:
                return None
            scans = progressive or segment[:1] != bytes([size[2]])
            return JpegHeader(*size, scans, exif, b"".join(profile[i] for i in sorted(profile)))
        if marker in _FRAMES and len(segment) >= 6 and size is None:
            size = (_word(segment, 3), _word(segment, 1), segment[5])
            progressive = marker == _PROGRESSIVE
            if segment[0] != 8 or size[2] not in (1, 3) or not size[0] * size[1]:
                return None
        elif marker in _FRAMES or marker in _OTHER_FRAMES:
            return None
        elif marker == 0xE1 and segment.startswith(b"Exif\0\0"):
            if exif:
                return None
            exif = segment[6:]
        elif marker == 0xE2 and segment.startswith(b"ICC_PROFILE\0") and len(segment) > 14:
            profile[segment[12]] = segment[14:]
        elif _is_odd(marker, segment):
            return None
    return None


def decode(data: bytes, header: JpegHeader, reduction: int = 1) -> np.ndarray | None:
    """Decode an ordinary JPEG.

    Args:
        data: The file's bytes.
        header: What `read_header` made of them.
        reduction: 1, 2, 4 or 8: sides are divided by it, rounded up. It happens inside the
            decoder, on the frequencies, and saves most of its work.

    Returns:
        uint8 array (height, width) of a grey image, else (height, width, 3); `None` if the
        decoder has the least complaint.
    """
    try:
        pixels = simplejpeg.decode_jpeg(
            data,
            "GRAY" if header.channels == 1 else "RGB",
            min_height=-(-header.height // reduction),
            min_width=-(-header.width // reduction),
        )
    except ValueError:
        return None
    return pixels[..., 0] if header.channels == 1 else pixels


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a byte that fills
            at += 1
            continue
        length = _word(data, at + 2)
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _is_odd(marker: int, segment: bytes) -> bool:
    if marker == 0xE1:  # an orientation may also stand in XMP
        return segment.startswith(b"http") and b"Orientation" in segment
    if marker == 0xE2:  # several pictures in one file
        return segment.startswith(b"MPF\0")
    # Adobe's marker without a transform: RGB as it is.
    return marker == 0xEE and segment.startswith(b"Adobe") and segment[11:12] in (b"", b"\0")


def _word(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]
