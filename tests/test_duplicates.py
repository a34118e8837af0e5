import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photoclf import duplicates
from photoclf.duplicates import connected_groups, links_of_equal, near_pairs, perceptual_hash

HASHES = st.integers(0, 2**64 - 1)


def slow_pairs(hashes, max_distance):
    n = len(hashes)
    return [
        [i, j]
        for i in range(n)
        for j in range(i + 1, n)
        if (hashes[i] ^ hashes[j]).bit_count() <= max_distance
    ]


@pytest.mark.parametrize("hashes", [[], [0], [2**64 - 1]])
def test_none_or_one_hash_makes_no_pair(hashes):
    pairs = near_pairs(hashes)
    assert pairs.shape == (0, 2)
    assert pairs.dtype == np.int64


def test_the_limit_is_included():
    assert near_pairs([0, 0b1111], 4).tolist() == [[0, 1]]
    assert near_pairs([0, 0b11111], 4).tolist() == []
    assert near_pairs([0, 2**64 - 1], 64).tolist() == [[0, 1]]
    assert near_pairs([5, 5, 4], 0).tolist() == [[0, 1]]


@settings(deadline=None)
@given(st.lists(HASHES | st.sampled_from([0, 1, 3, 7, 15, 31]), max_size=12), st.integers(0, 64))
def test_pairs_are_those_of_the_slow_way(hashes, max_distance):
    assert near_pairs(hashes, max_distance).tolist() == slow_pairs(hashes, max_distance)


def test_pairs_across_blocks_are_found_in_order(monkeypatch):
    monkeypatch.setattr(duplicates, "_BLOCK", 3)
    hashes = [int(x) for x in np.random.default_rng(0).integers(0, 2**10, 20)]
    assert near_pairs(hashes, 3).tolist() == slow_pairs(hashes, 3)


@settings(deadline=None)
@given(st.integers(0, 12), st.data())
def test_groups_are_what_can_be_reached(n, data):
    thing = st.integers(0, max(n - 1, 0))
    links = data.draw(st.lists(st.tuples(thing, thing), max_size=12)) if n else []
    groups = connected_groups(n, links)
    reach = np.eye(n, dtype=bool)
    for a, b in links:
        reach[a, b] = reach[b, a] = True
    for k in range(n):
        reach |= reach[:, [k]] & reach[[k], :]
    assert groups.tolist() == [int(np.flatnonzero(row)[0]) for row in reach]


def test_a_long_chain_is_one_group_whatever_the_order():
    links = [(i, i + 1) for i in range(3000)]
    assert set(connected_groups(3001, links[::-1])) == {0}


def test_equal_keys_are_linked_and_empty_ones_are_not():
    groups = connected_groups(6, links_of_equal(["a", "", "b", "a", "", "b"]))
    assert groups.tolist() == [0, 1, 2, 0, 4, 2]


def test_a_hash_is_near_for_a_scan_in_another_light_and_far_for_another_picture():
    rng = np.random.default_rng(1)

    def picture() -> np.ndarray:
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6), dtype=np.uint8))
        return np.asarray(coarse.resize((32, 32), Image.Resampling.BICUBIC)).astype(np.float64)

    first, second = picture(), picture()
    lighter = first * 0.8 + 30 + rng.normal(0, 1, first.shape)
    assert (perceptual_hash(first) ^ perceptual_hash(lighter)).bit_count() <= 4
    assert (perceptual_hash(first) ^ perceptual_hash(second)).bit_count() > 12


def test_a_hash_is_64_bits_and_the_same_for_integers_and_floats():
    grey = np.random.default_rng(2).integers(0, 256, (32, 32), dtype=np.uint8)
    assert 0 <= perceptual_hash(grey) < 2**64
    assert perceptual_hash(grey) == perceptual_hash(grey.astype(np.float64))
