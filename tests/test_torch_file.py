import io
import os
import pickle
import struct

import numpy as np
import pytest

from photoclf.errors import WeightsError
from photoclf.torch_file import read_torch_tensors

HEADER = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]


class Storage:
    """What PyTorch pickles by reference."""

    def __init__(self, key, values, kind="FloatStorage"):
        self.key, self.values, self.kind = key, values, kind


class Named:
    """Pickled as a global of a module that isn't there."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Tensor:
    def __init__(self, *arguments, function=("torch._utils", "_rebuild_tensor_v2")):
        self.arguments, self.function = arguments, function


class Writer(pickle._Pickler):
    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            kind = Named("torch", thing.kind)
            return ("storage", kind, thing.key, "cpu", len(thing.values), None)
        return None

    def save_named(self, thing):
        self.write(b"c" + f"{thing.module}\n{thing.name}\n".encode())

    def save_tensor(self, thing):
        self.save(Named(*thing.function))
        self.save(thing.arguments)
        self.write(b"R")

    dispatch = pickle._Pickler.dispatch | {Named: save_named, Tensor: save_tensor}


def torch_bytes(tensors, storages):
    file = io.BytesIO()
    for part in HEADER:
        pickle.dump(part, file, 2)
    Writer(file, 2).dump(tensors)
    pickle.dump([s.key for s in storages], file, 2)
    for storage in storages:
        file.write(struct.pack("<q", len(storage.values)) + storage.values.tobytes())
    return file.getvalue()


def test_tensors_come_back_with_their_shapes_strides_and_numbers():
    values = Storage("7", np.arange(12, dtype="<f4"))
    count = Storage("8", np.array([41], "<i8"), "LongStorage")
    data = torch_bytes(
        {
            "rows": Tensor(values, 0, (3, 4), (4, 1), False, {}),
            "columns": Tensor(values, 0, (4, 3), (1, 4), False, {}),
            "tail": Tensor(values, 10, (2,), (1,), False, {}),
            "steps": Tensor(count, 0, (), (), False, {}),
        },
        [values, count],
    )
    tensors = read_torch_tensors(data)
    expected = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(tensors["rows"], expected)
    np.testing.assert_array_equal(tensors["columns"], expected.T)
    np.testing.assert_array_equal(tensors["tail"], [10, 11])
    assert tensors["steps"] == 41
    assert tensors["rows"].flags.owndata or tensors["rows"].base is not values.values


def test_a_file_that_would_run_something_is_refused_and_runs_nothing(tmp_path):
    mark = tmp_path / "ran"
    evil = Tensor(f"touch {mark}", function=(os.system.__module__, "system"))
    with pytest.raises(WeightsError, match=r"must name tensors and OrderedDict only.*system"):
        read_torch_tensors(torch_bytes({"a": evil}, []))
    assert not mark.exists()


def test_names_are_refused_before_the_tensors_begin_as_well():
    file = io.BytesIO()
    Writer(file, 2).dump(Named("builtins", "eval"))
    with pytest.raises(WeightsError, match=r"builtins\.eval"):
        read_torch_tensors(file.getvalue())


@pytest.mark.parametrize("where", [("shape", (5, 4)), ("first", 11), ("stride", (4, -1))])
def test_a_tensor_that_reaches_beyond_its_values_is_refused(where):
    what, value = where
    values = Storage("7", np.arange(12, dtype="<f4"))
    tensor = Tensor(
        values,
        value if what == "first" else 0,
        value if what == "shape" else (3, 4),
        value if what == "stride" else (4, 1),
    )
    with pytest.raises(WeightsError, match="reaches beyond"):
        read_torch_tensors(torch_bytes({"a": tensor}, [values]))


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.99])
def test_a_file_cut_short_is_told(kept):
    values = Storage("7", np.arange(12, dtype="<f4"))
    data = torch_bytes({"a": Tensor(values, 0, (12,), (1,))}, [values])
    with pytest.raises(WeightsError, match="Get the file again"):
        read_torch_tensors(data[: int(kept * len(data))])
