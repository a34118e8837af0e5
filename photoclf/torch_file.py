"""Tensors from a PyTorch file without PyTorch, and without running what the file may say."""

import collections
import io
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from photoclf.errors import WeightsError

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


def read_torch_tensors(data: bytes) -> dict[str, np.ndarray]:
    """Read the tensors that `torch.save` wrote, in its format before version 1.6.

    Such a file is a pickle, which may name any function to be called. Here the rebuilding of
    tensors and `OrderedDict` are the only names; any other one is refused before it is looked up.

    Args:
        data: The file's bytes.

    Returns:
        The tensors by their names, float32 or int64, each with its own memory.

    Raises:
        WeightsError: If it isn't such a file, is cut short, or names anything else.

    Source: `torch.serialization._legacy_save` of PyTorch 1.5.
    """
    file = io.BytesIO(data)
    try:
        if _read_pickle(file) != _MAGIC or _read_pickle(file) != _PROTOCOL:
            raise ValueError("another magic number")
        if not _read_pickle(file)["little_endian"]:
            raise ValueError("big-endian numbers")
        storages: dict[str, _Storage] = {}
        tensors = _Restricted(file, storages).load()
        for key in _read_pickle(file):
            storages[key].read(file)
        return {str(name): tensor.array() for name, tensor in tensors.items()}
    except WeightsError:
        raise
    except Exception as error:  # a pickle that is cut short or made up may raise anything
        raise WeightsError(
            f"A PyTorch file must hold tensors as torch.save wrote them before version 1.6."
            f" Received: {len(data)} bytes, {type(error).__name__}: {error}. Get the file again."
        ) from error


class _Storage:
    def __init__(self, dtype: str, count: int) -> None:
        self.dtype, self.count = np.dtype(dtype), count
        self.values: np.ndarray | None = None

    def read(self, file: io.BytesIO) -> None:
        count = int.from_bytes(file.read(8), "little")
        data = file.read(count * self.dtype.itemsize)
        if count != self.count or len(data) != count * self.dtype.itemsize:
            raise ValueError(f"{self.count} values expected, {len(data)} bytes found")
        self.values = np.frombuffer(data, self.dtype)


class _Tensor:
    def __init__(self, storage: _Storage, first: int, shape: Sequence[int], strides: Sequence[int]):
        self.storage, self.first = storage, first
        self.shape, self.strides = tuple(shape), tuple(strides)

    def array(self) -> np.ndarray:
        values = self.storage.values
        steps = zip(self.shape, self.strides, strict=True)
        last = self.first + sum((size - 1) * stride for size, stride in steps)
        numbers = (self.first, *self.shape, *self.strides)
        # Strides are trusted by NumPy: what they reach must be looked at before.
        if values is None or min(numbers) < 0 or (0 not in self.shape and last >= len(values)):
            raise ValueError("a tensor that reaches beyond its values")
        view = np.lib.stride_tricks.as_strided(
            values[self.first :], self.shape, [s * values.itemsize for s in self.strides]
        )
        return view.astype(values.dtype.newbyteorder("="), order="C")


def _rebuild_tensor(
    storage: _Storage, first: int, shape: Sequence[int], strides: Sequence[int], *_: Any
) -> _Tensor:
    return _Tensor(storage, first, shape, strides)


class _StorageType:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


_NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    **{("torch", name): _StorageType(dtype) for name, dtype in _DTYPES.items()},
}


class _Restricted(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, storages: dict[str, _Storage] | None = None) -> None:
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if self.storages is None or (module, name) not in _NAMES:
            raise WeightsError(
                "A PyTorch file of weights must name tensors and OrderedDict only. Received:"
                f" {module}.{name}. Don't open it with anything that would run it."
            )
        return _NAMES[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        _, kind, key, _, count, view = pid
        if self.storages is None or view is not None:
            raise ValueError("a storage in another form")
        return self.storages.setdefault(key, _Storage(kind.dtype, count))


def _read_pickle(file: io.BytesIO) -> Any:
    return _Restricted(file).load()
