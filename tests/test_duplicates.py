import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from photoclf import duplicates
from photoclf.duplicates import (
    MAX_DETAIL_DISTANCE,
    MAX_DISTANCE,
    connected_groups,
    detail_hash,
    links_of_equal,
    near_links,
    near_pairs,
    perceptual_hash,
)

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
    assert near_pairs(hashes, 20).tolist() == slow_pairs(hashes, 20)


def flipped(value, positions):
    for i in positions:
        value ^= 1 << i
    return value


NEAR_ONES = st.tuples(
    st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF]),
    st.lists(st.integers(0, 63), max_size=6, unique=True),
).map(lambda drawn: flipped(*drawn))


@settings(deadline=None, max_examples=200)
@given(st.lists(NEAR_ONES | HASHES, max_size=25), st.integers(0, 6))
def test_the_index_finds_the_pairs_of_brute_force_and_no_other(hashes, max_distance):
    assert near_pairs(hashes, max_distance).tolist() == slow_pairs(hashes, max_distance)


def test_planted_pairs_are_found_among_many_hashes():
    rng = np.random.default_rng(5)
    hashes = [int(v) for v in rng.integers(0, 2**64, 30_000, dtype=np.uint64)]
    planted = [[i, 20_000 + i] for i in range(200)]
    for i, j in planted:
        bits = rng.choice(64, int(rng.integers(0, 5)), replace=False)
        hashes[j] = flipped(hashes[i], bits.tolist())
    assert near_pairs(hashes, 4).tolist() == planted


def test_equal_hashes_of_many_copies_are_one_link_each():
    links = near_links(["0" * 15 + "1"] * 3000 + ["0" * 15 + "3"], ["f" * 16] * 3001)
    assert len(links) == 3000
    assert set(connected_groups(3001, links.tolist())) == {0}


def test_images_alike_at_a_glance_and_not_in_detail_are_not_linked():
    glance = ["0" * 16, "0" * 15 + "7"]
    assert near_links(glance, ["0" * 16, f"{2**MAX_DETAIL_DISTANCE - 1:016x}"]).tolist() == [[0, 1]]
    assert (
        near_links(glance, ["0" * 16, f"{2 ** (MAX_DETAIL_DISTANCE + 1) - 1:016x}"]).tolist() == []
    )
    assert near_links(["0" * 16] * 2, ["0" * 16, "f" * 16]).tolist() == []


def test_without_details_a_glance_decides_and_without_a_hash_nothing_is_alike():
    assert near_links(["0" * 16] * 2, ["", "f" * 16]).tolist() == [[0, 1]]
    assert near_links(["", "", "0" * 16], ["", "", ""]).tolist() == []
    assert near_links([], []).shape == (0, 2)


@settings(deadline=None)
@given(
    st.lists(st.tuples(NEAR_ONES, st.sampled_from(["", "0" * 16, "f" * 16])), max_size=12),
    st.integers(0, 6),
)
def test_links_reach_what_pairs_with_agreeing_details_reach(images, max_distance):
    phashes, details = [f"{p:016x}" for p, _ in images], [d for _, d in images]
    pairs = [
        (i, j)
        for i, j in slow_pairs([p for p, _ in images], max_distance)
        if details[i] == details[j] or "" in (details[i], details[j])
    ]
    links = near_links(phashes, details, max_distance)
    assert {tuple(sorted(link)) for link in links.tolist()} <= set(pairs)
    reached = connected_groups(len(images), links.tolist())
    assert reached.tolist() == connected_groups(len(images), pairs).tolist()


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


def drawn_page(seed, *, lines, frame, shape=None):
    """A scanned page with noise: text lines at fixed places, or a small drawing at one place."""
    rng = np.random.default_rng(seed)
    page = Image.new("L", (400, 560), 245)
    draw = ImageDraw.Draw(page)
    for line in range(lines):
        x = 40
        while x < 350:
            word = int(rng.integers(8, 40))
            for stroke in range(x, x + word, 5):
                slant = int(rng.integers(0, 4))
                draw.line((stroke, 60 + 17 * line, stroke + slant, 68 + 17 * line), fill=30)
            x += word + 6
    if shape is not None:
        corners = rng.integers(0, 90, (7, 2)) + np.array([160, 230])
        draw.line([tuple(c) for c in corners.tolist()], fill=20, width=5)
    if frame:
        draw.rectangle((0, 0, 399, 559), outline=20, width=6)
    noisy = np.asarray(page) + rng.normal(0, 2, (560, 400))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def hashed(image):
    grey = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR), np.float64)
    return f"{perceptual_hash(grey):016x}", f"{detail_hash(grey):016x}"


@pytest.mark.parametrize("frame", [False, True])
@pytest.mark.parametrize(("lines", "shape"), [(0, None), (1, None), (3, None), (28, None), (0, 1)])
def test_different_pages_of_one_layout_do_not_chain_into_one_group(lines, frame, shape):
    pages = [drawn_page(seed, lines=lines, frame=frame, shape=shape) for seed in range(40)]
    phashes, details = zip(*map(hashed, pages), strict=True)
    groups = connected_groups(40, near_links(phashes, details).tolist())
    # Drawings of 7 strokes in one small square are hard to tell apart at 32 × 32 px.
    assert np.bincount(groups).max() <= (8 if shape else 3)


@pytest.mark.parametrize(("lines", "shape"), [(28, None), (0, 1)])
def test_a_page_scaled_and_encoded_again_is_found_near(lines, shape):
    found = 0
    for seed in range(20):
        page = drawn_page(seed, lines=lines, frame=False, shape=shape)
        file = io.BytesIO()
        page.resize((300, 420)).save(file, "JPEG", quality=70)
        pair = zip(hashed(page), hashed(Image.open(file)), strict=True)
        glance, detail = ((int(a, 16) ^ int(b, 16)).bit_count() for a, b in pair)
        found += glance <= MAX_DISTANCE and detail <= MAX_DETAIL_DISTANCE
    assert found >= 17
