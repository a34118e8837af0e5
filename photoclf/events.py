"""Scalars of TensorBoard event files: read without TensorFlow, smoothed as its slider does."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photoclf.errors import ConfigError

# Bytes of the largest record that can be a scalar; the model's graph, images and histograms,
# which Keras writes into the same files, are larger and are never parsed.
LARGEST_SCALAR = 4096
COLUMNS = ("file", "tag", "step", "wall_time_s", "value")

# TensorFlow's number of a dtype → how `struct` and the protobuf call it.
_DTYPES = {
    1: ("<f", "float_val"),
    2: ("<d", "double_val"),
    3: ("<i", "int_val"),
    9: ("<q", "int64_val"),
}


def read_scalars(files: Sequence[Path], prefix: str = "") -> pd.DataFrame:
    """Read the scalars of event files.

    An event file is a sequence of records: length (8 bytes), its checksum (4), payload, its
    checksum (4). A killed run leaves a half record at the end, which is left out. A record whose
    payload fails its checksum is left out too, and reading goes on, since its length is sound;
    after a wrong checksum of the length nothing that follows can be found, and the file ends
    there.

    Args:
        files: Event files; each may still be growing.
        prefix: Only tags that begin with it are read.

    Returns:
        A frame with the columns `file` (position in `files`), `tag`, `step`, `wall_time_s`
        (seconds since 1970) and `value`, in the order of writing.

    Source: TFRecord's framing, https://www.tensorflow.org/tutorials/load_data/tfrecord, and
        the messages `Event` and `Summary` of TensorBoard.
    """
    rows = [
        (position, *scalar)
        for position, path in enumerate(files)
        for scalar in _scalars(path.read_bytes(), prefix)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"file": "int64", "step": "int64", "wall_time_s": "float64", "value": "float64"}
    )


def smooth(values: Sequence[float] | np.ndarray, weight: float = 0.6) -> np.ndarray:
    """Smooth values as TensorBoard's slider does: an exponential average, debiased.

    Args:
        values: In the order of steps; those that aren't finite stay as they are.
        weight: The slider's position, from 0 (values as they are) to below 1.

    Returns:
        float64 array of the same length; a constant series is left untouched.

    Source: `classicSmoothing` of TensorBoard's line chart.

    Example:
        >>> float(smooth([1.0, 2.0])[1])
        1.625
    """
    values = np.array(values, np.float64)
    if not 0 <= weight < 1:
        raise ConfigError(f"`weight` must be from 0 to below 1. Received: {weight!r}.")
    if values.size and (values == values[0]).all():
        return values
    last, count = 0.0, 0
    for i, value in enumerate(values):
        if np.isfinite(value):
            last, count = last * weight + (1 - weight) * value, count + 1
            values[i] = last / (1 - weight**count)
    return values


def framed(payload: bytes) -> bytes:
    """Frame an event's bytes as an event file holds them: length, payload, and their checksums."""
    length = struct.pack("<Q", len(payload))
    checksums = masked_crc32c([length, payload])
    return length + struct.pack("<I", checksums[0]) + payload + struct.pack("<I", checksums[1])


def _scalars(data: bytes, prefix: str) -> Iterator[tuple[str, int, float, float]]:
    # Imported late: `photoclf --help` and prediction need no protobuf.
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    for payload in _payloads(data, prefix.encode()):
        try:
            event = Event.FromString(payload)
        except DecodeError:  # a sound record that holds something else
            continue
        for value in event.summary.value:
            number = _number(value)
            if number is not None and value.tag.startswith(prefix):
                yield value.tag, event.step, event.wall_time, number


def _number(value: Any) -> float | None:
    if value.WhichOneof("value") == "simple_value":
        return value.simple_value
    tensor = value.tensor
    # What `tf.summary` writes today is a tensor without dimensions, packed or as a list of one.
    if (
        value.WhichOneof("value") != "tensor"
        or tensor.tensor_shape.dim
        or tensor.dtype not in _DTYPES
    ):
        return None
    packed, field = _DTYPES[tensor.dtype]
    if len(tensor.tensor_content) == struct.calcsize(packed):
        return float(struct.unpack(packed, tensor.tensor_content)[0])
    numbers = getattr(tensor, field)
    # Protobuf leaves zeros out: no number stands for 0.
    return float(numbers[0]) if numbers else 0.0


def _payloads(data: bytes, needle: bytes) -> list[bytes]:
    starts, lengths = _frames(data)
    keep = lengths <= LARGEST_SCALAR
    found = [
        (start, data[start : start + length])
        for start, length in zip(starts[keep].tolist(), lengths[keep].tolist(), strict=True)
    ]
    found = [(start, payload) for start, payload in found if needle in payload]
    expected = [data[start + len(p) : start + len(p) + 4] for start, p in found]
    sound = masked_crc32c([p for _, p in found]) == np.frombuffer(b"".join(expected), "<u4")
    return [payload for (_, payload), ok in zip(found, sound, strict=True) if ok]


def _frames(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    starts, lengths, offset = [], [], 0
    while offset + 12 <= len(data):
        length = int.from_bytes(data[offset : offset + 8], "little")
        if offset + 12 + length + 4 > len(data):
            break
        starts.append(offset + 12)
        lengths.append(length)
        offset += 12 + length + 4
    heads = [data[start - 12 : start] for start in starts]
    expected = np.frombuffer(b"".join(head[8:] for head in heads), "<u4")
    wrong = np.flatnonzero(masked_crc32c([head[:8] for head in heads]) != expected)
    end = wrong[0] if wrong.size else len(starts)
    return np.array(starts[:end], np.int64), np.array(lengths[:end], np.int64)


def masked_crc32c(blocks: Sequence[bytes]) -> np.ndarray:
    """Return the masked CRC-32C of each block, as TFRecord files hold it.

    All blocks advance together, one byte a step, which is about 50 times faster than one after
    another in Python.

    Args:
        blocks: Any number of byte strings, of any lengths.

    Returns:
        uint32 array, one number a block.

    Source: RFC 3720, appendix B.4 (CRC-32C); the mask is TFRecord's own.

    Example:
        >>> int(masked_crc32c([b"123456789"])[0] - 0xA282EAD8) & 0xFFFFFFFF == (
        ...     0xE3069283 >> 15 | 0xE3069283 << 17) & 0xFFFFFFFF
        True
    """
    lengths = np.array([len(block) for block in blocks], np.int64)
    order = np.argsort(-lengths, kind="stable")
    data = np.frombuffer(b"".join(blocks), np.uint8)
    starts = (np.cumsum(lengths) - lengths)[order]
    # How many blocks still have a byte at each position: the longest stand first.
    active = np.searchsorted(-lengths[order], -np.arange(lengths.max(initial=0)), side="left")
    crc = np.full(len(blocks), 0xFFFFFFFF, np.uint32)
    for position, count in enumerate(active):
        byte = data[starts[:count] + position]
        crc[:count] = _TABLE[(crc[:count] ^ byte) & 0xFF] ^ (crc[:count] >> 8)
    crc = ~crc
    masked = np.empty_like(crc)
    masked[order] = (crc >> 15 | crc << 17) + np.uint32(0xA282EAD8)
    return masked


def _crc_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


_TABLE = _crc_table()
