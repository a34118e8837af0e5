"""Rows of pixels on disk, exact or compact, each with its own checksum."""

import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import simplejpeg
from tqdm import tqdm

# Compact rows are JPEGs of this quality with full colour resolution: a fifth of the bytes or less.
JPEG_QUALITY = 90

# Where a row's bytes are, and their checksum. No length: the row was never written.
_RECORD = np.dtype([("offset", "<u8"), ("length", "<u4"), ("crc32", "<u4")])
_ROWS_A_CHECK = 256


class PixelFiles:
    """Rows of pixels in a folder: `pixels.bin` and, one record a row, `rows.bin`.

    A row counts only when its checksum agrees, so that whatever a killed process, a full disk or
    a lost power supply left behind is found. Processes that write the same rows at once do no
    harm: exact rows have fixed places and equal bytes, compact ones are added at the end, and no
    file is ever shortened.

    Args:
        place: The folder.
        shape: (n, side, side, 3).
        storage: `exact`, the pixels themselves, or `compact`, JPEGs, which change them a little.
    """

    def __init__(self, place: Path, shape: tuple[int, int, int, int], storage: str) -> None:
        self._data, self._index = place / "pixels.bin", place / "rows.bin"
        self._shape, self._compact = shape, storage == "compact"
        self.storage = storage
        self.row_bytes = shape[1] * shape[2] * shape[3]

    @contextmanager
    def writing(self) -> Iterator[Callable[[int, bytes], None]]:
        """Open the files for `write(row, packed)`; when all went well they are on the disk.

        Raises:
            OSError: If the disk is full or can't be written.
        """
        self._data.parent.mkdir(parents=True, exist_ok=True)
        for path in (self._data, self._index):
            path.open("ab").close()
        with (
            open(self._data, "ab" if self._compact else "r+b", buffering=0) as data,
            open(self._index, "r+b", buffering=0) as index,
        ):

            def write(row: int, packed: bytes) -> None:
                if not self._compact:
                    data.seek(row * self.row_bytes)
                _write_all(data, packed)
                # Another process may be adding too: only after writing is the place known.
                offset = data.tell() - len(packed)
                record = np.array((offset, len(packed), zlib.crc32(packed)), _RECORD)
                # After its pixels: what a kill leaves without a record is decoded again.
                index.seek(row * _RECORD.itemsize)
                _write_all(index, record.tobytes())

            yield write
            os.fsync(data.fileno())
            os.fsync(index.fileno())

    def unsound_rows(self, progress: bool = False) -> np.ndarray:
        """Read everything and find the rows that are missing or aren't what was written.

        Returns:
            int64 (rows,), ascending.
        """
        records = self._records()
        written = np.flatnonzero(records["length"])
        if not len(written) or not self._data.is_file():
            return np.arange(self._shape[0])
        parts = np.array_split(written, -(-len(written) // _ROWS_A_CHECK))
        sound = np.zeros(self._shape[0], bool)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(lambda part: self._sound_of(part, records), parts)
            bar = tqdm(
                found, "verify", len(parts), disable=not progress or len(parts) < 64, leave=False
            )
            for part, agrees in zip(parts, bar, strict=True):
                sound[part] = agrees
        return np.flatnonzero(~sound)

    def pixels(self) -> "np.ndarray | CompactPixels":
        """Map the rows, read-only; all must be sound."""
        if self._compact:
            return CompactPixels(np.memmap(self._data, np.uint8, "r"), self._records(), self._shape)
        return np.memmap(self._data, np.uint8, "r", shape=self._shape)

    def _records(self) -> np.ndarray:
        records = np.zeros(self._shape[0], _RECORD)
        if self._index.is_file():
            there = np.fromfile(self._index, _RECORD, self._shape[0])
            records[: len(there)] = there
        return records

    def _sound_of(self, rows: np.ndarray, records: np.ndarray) -> list[bool]:
        # Read, not mapped: pages of a map would count as this process's memory.
        with open(self._data, "rb", buffering=0) as file:
            return [self._is_sound(file, int(row), records[row]) for row in rows]

    def _is_sound(self, file: BinaryIO, row: int, record: np.void) -> bool:
        offset, length = int(record["offset"]), int(record["length"])
        if self._compact:
            # A record may be spoilt too: it must not make us read the whole file as one row.
            possible = length <= 2 * self.row_bytes + 4096
        else:
            possible = (offset, length) == (row * self.row_bytes, self.row_bytes)
        if not possible or offset + length > os.fstat(file.fileno()).st_size:
            return False
        file.seek(offset)
        data = file.read(length)
        return len(data) == length and zlib.crc32(data) == record["crc32"]


class CompactPixels:
    """JPEG rows that read like the array of their pixels: `pixels[rows]`.

    Args:
        data: uint8 (bytes,), the JPEGs.
        records: Where each row is.
        shape: (n, side, side, 3).
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, data: np.ndarray, records: np.ndarray, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._data = data.view(np.ndarray)
        self._starts = records["offset"].astype(np.int64)
        self._ends = self._starts + records["length"]
        self._pool = ThreadPoolExecutor(os.cpu_count())

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Decode one row, uint8 (side, side, 3), or several, uint8 (k, side, side, 3)."""
        wanted = np.arange(len(self))[rows]
        pixels = np.empty((wanted.size, *self.shape[1:]), np.uint8)

        def decode(place: int) -> None:
            row = wanted.flat[place]
            jpeg = self._data[self._starts[row] : self._ends[row]]
            simplejpeg.decode_jpeg(jpeg, "RGB", buffer=pixels[place])

        list(self._pool.map(decode, range(wanted.size)))
        return pixels.reshape(*wanted.shape, *self.shape[1:])


def pack(pixels: np.ndarray, storage: str) -> bytes:
    """Turn a row's pixels, uint8 (side, side, 3), into the bytes that are kept."""
    pixels = np.ascontiguousarray(pixels)
    if storage == "compact":
        return simplejpeg.encode_jpeg(pixels, JPEG_QUALITY, "RGB", colorsubsampling="444")
    return pixels.tobytes()


def _write_all(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # a disk that fills up takes a part first and complains at the next
        rest = rest[file.write(rest) :]
