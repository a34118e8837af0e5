"""Image files that no encoder at hand writes, put together byte by byte."""

import struct
import zlib

import numpy as np


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *, depth=8, colour=2, rows=b"\0" * 99, extra=b"") -> bytes:
    """A PNG whose header may claim what its rows don't hold; `extra` are chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunks + png_chunk(b"IEND", b"")


def png_of_16_bits(values: np.ndarray, extra=b"") -> bytes:
    """Values (height, width, channels): 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png(width, height, depth=16, colour=colour, rows=rows, extra=extra)


def tiff(width, height, tags=(), data=b"\0" * 64) -> bytes:
    """A TIFF of 8-bit RGB; `tags` are triples of number, type, values, added or put instead."""
    entries = {
        256: (4, (width,)),
        257: (4, (height,)),
        258: (3, (8, 8, 8)),
        259: (3, (1,)),
        262: (3, (2,)),
        277: (3, (3,)),
        284: (3, (1,)),
    }
    entries |= {tag: (kind, values) for tag, kind, values in tags}
    at = 8 + 2 + 12 * len(entries) + 4
    table, long = b"", b""
    for tag, (kind, values) in sorted(entries.items()):
        content = struct.pack(f"<{len(values)}{'HI'[kind - 3]}", *values)
        if len(content) > 4:
            place = struct.pack("<I", at + len(long))
            long += content
        else:
            place = content.ljust(4, b"\0")
        table += struct.pack("<HHI", tag, kind, len(values)) + place
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + table + struct.pack("<I", 0) + long + data


def tiled_tiff(pixels: np.ndarray, side: int = 16) -> bytes:
    height, width = pixels.shape[:2]
    down, across = -(-height // side), -(-width // side)
    padded = np.zeros((down * side, across * side, 3), np.uint8)
    padded[:height, :width] = pixels
    tiles = padded.reshape(down, side, across, side, 3).swapaxes(1, 2).reshape(-1, side * side * 3)
    each = len(tiles) * [tiles.shape[1]]
    layout = [(322, 4, (side,)), (323, 4, (side,)), (325, 4, each)]
    start = len(tiff(width, height, [*layout, (324, 4, each)], b""))
    places = [start + i * tiles.shape[1] for i in range(len(tiles))]
    return tiff(width, height, [*layout, (324, 4, places)], tiles.tobytes())


def profile_of_inks(colours) -> bytes:
    """An ICC profile of CMYK: a function of four inks, each 0 or 1, that returns 8-bit Lab."""
    nodes = [colours(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    ramp, one = bytes(range(256)), struct.pack(">i", 65536)
    table = b"mft1\0\0\0\0\4\3\2\0" + (one + bytes(12)) * 2 + one + ramp * 4
    table += b"".join(bytes(node) for node in nodes) + ramp * 3
    size = 128 + 4 + 12 + len(table)
    head = struct.pack(">I4xI4s4s4s12x4s", size, 0x02400000, b"prtr", b"CMYK", b"Lab ", b"acsp")
    head = head.ljust(68, b"\0") + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


def lossless_jpeg(width, height) -> bytes:
    """A lossless JPEG of the middle grey, which is what it predicts: every difference is 0."""

    def segment(marker, data):
        return struct.pack(">BBH", 255, marker, len(data) + 2) + data

    frame = segment(0xC3, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    codes = segment(0xC4, b"\0\1" + bytes(15) + b"\0")
    scan = segment(0xDA, b"\1\1\0\1\0\0") + bytes(-(-width * height // 8))
    return b"\xff\xd8" + frame + codes + scan + b"\xff\xd9"
