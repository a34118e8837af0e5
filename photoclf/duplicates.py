"""Perceptual hashes, and the pairs and groups of images that look alike: arrays in, pairs out."""

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from scipy.fft import dctn

MAX_DISTANCE = 4

# Below this spread of grey values (0 to 127) an image is nearly blank: its hash is noise, and one
# blank page would chain unrelated images into one group.
MIN_CONTRAST = 6.0

_BLOCK = 2048  # 2048 × 2048 distances are 32 MB of uint64


def perceptual_hash(grey: np.ndarray) -> int:
    """Hash how an image looks at a glance.

    Signs of the 64 lowest frequencies of its cosine transform against their median (the "pHash"
    of Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010).

    Args:
        grey: Float or integer array (32, 32).

    Returns:
        64 bits as a non-negative integer.
    """
    low = dctn(np.asarray(grey, np.float64), norm="ortho")[:8, :8].ravel()
    bits = low > np.median(low)
    return int(np.packbits(bits).view(">u8")[0])


def near_pairs(hashes: Sequence[int] | np.ndarray, max_distance: int = MAX_DISTANCE) -> np.ndarray:
    """Find all pairs of hashes that differ in few bits.

    Args:
        hashes: n 64-bit hashes.
        max_distance: Bits that may differ, 0 to 64.

    Returns:
        int64 array (pairs, 2) of positions, the smaller first, in order.
    """
    values = np.asarray(hashes, np.uint64)
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(values), _BLOCK):
        rows = values[start : start + _BLOCK]
        for other in range(start, len(values), _BLOCK):
            columns = values[other : other + _BLOCK]
            near = np.bitwise_count(rows[:, None] ^ columns[None, :]) <= max_distance
            i, j = np.nonzero(near)
            pairs = np.stack([i + start, j + other], axis=1).astype(np.int64)
            found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    joined = np.concatenate(found)
    return joined[np.lexsort((joined[:, 1], joined[:, 0]))]


def connected_groups(n: int, links: Iterable[tuple[int, int]]) -> np.ndarray:
    """Number the groups that links between n things make.

    Args:
        n: How many things there are.
        links: Pairs of positions that belong together.

    Returns:
        int64 array (n,): for each thing the smallest position in its group.
    """
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in links:
        low, high = sorted((root(int(a)), root(int(b))))
        parent[high] = low
    return np.array([root(i) for i in range(n)], np.int64)


def links_of_equal(keys: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Link each thing to the first one with an equal key; empty texts link nothing."""
    first: dict[Hashable, int] = {}
    return [(first.setdefault(key, i), i) for i, key in enumerate(keys) if key != ""]
