"""Memory shared with workers: what comes out is what went in, whichever way it took."""

import sys

import numpy as np
import pytest

from photoclf.slots import SLOT_BYTES, SLOTS, open_slots, packed
from photoclf.workers import isolated_map

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no such memory elsewhere")


@pytest.fixture
def slots():
    made = open_slots()
    yield made
    made.close()


def test_large_buffers_go_into_their_slot_and_come_out_as_copies(slots):
    values = [np.full((100, 100, 3), i, np.uint8) for i in range(SLOTS)]
    sizes = [packed(value, slots, i)[1] for i, value in enumerate(values)]
    assert sizes == [[30_000]] * SLOTS
    taken = [slots.take(i, sizes[i])[0] for i in range(SLOTS)]
    packed(np.zeros(30_000, np.uint8), slots, 0)
    assert [set(one) for one in taken] == [{i} for i in range(SLOTS)]


def test_what_does_not_fit_takes_the_pipe(slots):
    text, sizes = packed(np.zeros(SLOT_BYTES + 1, np.uint8), slots, 0)
    assert sizes == []
    assert len(text) > SLOT_BYTES


@pytest.mark.parametrize("side", [0, 1, 300, 700])
def test_results_of_any_size_are_the_same_from_workers(side):
    made = list(isolated_map(np.full, [], workers=1))
    assert made == []
    found = list(isolated_map(np.zeros, [(side, side, 3)] * 20, workers=2))
    assert len(found) == 20
    for pixels in found:
        assert pixels.shape == (side, side, 3)
        assert not pixels.any()
        pixels += 1  # each is a copy of its own, and may be written
