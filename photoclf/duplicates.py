"""Perceptual hashes, and the pairs and groups of images that look alike: arrays in, pairs out."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MAX_DISTANCE = 4
# Different drawings at one place of a white page, and pages of one layout, are often within 4 bits;
# most of them differ here in more than 10. Of 300 copies that were made smaller and encoded again,
# 99 % differed in 5 at most.
MAX_DETAIL_DISTANCE = 10

# Below this spread of grey values (0 to 127) an image is blank: its hash is noise.
MIN_CONTRAST = 2.0

HASHED_SIDE = 32
_BLOCK = 2048  # 2048 × 2048 distances are 32 MB of uint64
_MIN_KEY_BITS = 9  # shorter keys are shared by so many hashes that they spare no comparison

# The 64 lowest frequencies that the perceptual hash leaves out. None is purely horizontal or
# vertical, so that the frame and the margins of a page, which pages share, change no bit.
_DETAILS = tuple(
    zip(
        *[
            (u, total - u)
            for total in range(9, 17)
            for u in range(1, total)
            if max(u, total - u) >= 8
        ][:64],
        strict=True,
    )
)


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
    return _packed(low > np.median(low))


def detail_hash(grey: np.ndarray) -> int:
    """Hash what the perceptual hash is too coarse to see.

    Signs of the next 64 frequencies. Sparse drawings and pages of one layout agree at a glance;
    only copies agree here too.

    Args:
        grey: Float or integer array (32, 32).

    Returns:
        64 bits as a non-negative integer.
    """
    return _packed(dctn(np.asarray(grey, np.float64), norm="ortho")[_DETAILS] > 0)


def near_pairs(hashes: Sequence[int] | np.ndarray, max_distance: int = MAX_DISTANCE) -> np.ndarray:
    """Find all pairs of hashes that differ in few bits.

    Hashes are cut into `max_distance` + 1 keys: two that differ in fewer bits than there are
    keys agree in one of them, and only those are compared (multi-index hashing; Norouzi, Punjani
    and Fleet, "Fast search in Hamming space with multi-index hashing", 2012).

    Args:
        hashes: n 64-bit hashes.
        max_distance: Bits that may differ, 0 to 64.

    Returns:
        int64 array (pairs, 2) of positions, the smaller first, in order.
    """
    values = np.asarray(hashes, np.uint64)
    edges = np.linspace(0, 64, max_distance + 2).astype(int)
    if edges[1] < _MIN_KEY_BITS:
        return _in_order(_compared(values, max_distance))
    found = [np.empty((0, 2), np.int64)]
    for low, high in pairwise(edges.tolist()):
        keys = (values >> np.uint64(low)) & np.uint64(2 ** (high - low) - 1)
        found.append(_compared_where_equal(keys, values, max_distance))
    return _in_order(np.unique(np.concatenate(found), axis=0))


def near_links(
    phashes: Sequence[str] | np.ndarray,
    detail_hashes: Sequence[str] | np.ndarray,
    max_distance: int = MAX_DISTANCE,
) -> np.ndarray:
    """Link images that look alike: near at a glance, and in detail.

    Args:
        phashes: Perceptual hashes as 16 hexadecimal digits, texts or a `S16` array; empty ones are
            linked to nothing.
        detail_hashes: Detail hashes, likewise; an empty one agrees with any.
        max_distance: Bits by which perceptual hashes may differ, 0 to 64.

    Returns:
        int64 array (links, 2) of positions. Of images with equal hashes only the first is linked to
        others, so that ten thousand copies are ten thousand links.
    """
    glances, details = np.asarray(phashes, "S16"), np.asarray(detail_hashes, "S16")
    hashed = np.flatnonzero(glances != b"")
    glances, details = glances[hashed], details[hashed]
    values, bits, told = _numbers(glances), _numbers(details), details != b""
    first = first_equal(values, bits, told)
    firsts = np.flatnonzero(first == np.arange(len(first)))
    pairs = near_pairs(values[firsts], max_distance)
    bits, told = bits[firsts], told[firsts]
    one, other = pairs.T
    differing = np.bitwise_count(bits[one] ^ bits[other])
    pairs = pairs[(differing <= MAX_DETAIL_DISTANCE) | ~told[one] | ~told[other]]
    return hashed[np.concatenate([firsts[pairs], links_to(first)])]


def first_equal(*columns: np.ndarray) -> np.ndarray:
    """Return for each of n rows the position of the first one that is equal in all columns."""
    order = np.lexsort(columns)  # stable: of equal rows the first comes first
    begins = np.ones(len(order), bool)
    begins[1:] = np.any([c[order[1:]] != c[order[:-1]] for c in columns], axis=0)
    first = np.empty(len(order), np.int64)
    first[order] = order[begins][np.cumsum(begins) - 1]
    return first


def links_to(first: np.ndarray) -> np.ndarray:
    """Link what isn't the first of its kind to that one, `first` as `first_equal` gives it."""
    copies = np.flatnonzero(first != np.arange(len(first)))
    return np.stack([first[copies], copies], axis=1)


def _numbers(digits: np.ndarray) -> np.ndarray:
    """Read 16 hexadecimal digits each; none are 0."""
    padded = np.where(digits == b"", b"0" * 16, digits)
    return np.frombuffer(bytes.fromhex(padded.tobytes().decode()), ">u8").astype(np.uint64)


def _packed(bits: np.ndarray) -> int:
    return int(np.packbits(bits).view(">u8")[0])


def _compared_where_equal(keys: np.ndarray, values: np.ndarray, max_distance: int) -> np.ndarray:
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    found = [np.empty((0, 2), np.int64)]
    here, step = np.arange(len(keys)), 1
    while len(here):  # each with the one a step on, as long as that has the same key
        here = here[: np.searchsorted(here, len(keys) - step)]
        here = here[keys[here] == keys[here + step]]
        near = here[np.bitwise_count(values[here] ^ values[here + step]) <= max_distance]
        found.append(np.stack([order[near], order[near + step]], axis=1))
        step += 1
    return np.concatenate(found)


def _compared(values: np.ndarray, max_distance: int) -> np.ndarray:
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(values), _BLOCK):
        rows = values[start : start + _BLOCK]
        for other in range(start, len(values), _BLOCK):
            columns = values[other : other + _BLOCK]
            near = np.bitwise_count(rows[:, None] ^ columns[None, :]) <= max_distance
            i, j = np.nonzero(near)
            pairs = np.stack([i + start, j + other], axis=1).astype(np.int64)
            found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.concatenate(found)


def _in_order(pairs: np.ndarray) -> np.ndarray:
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def connected_groups(n: int, links: Sequence[tuple[int, int]] | np.ndarray) -> np.ndarray:
    """Number the groups that links between n things make.

    Args:
        n: How many things there are.
        links: Pairs of positions that belong together.

    Returns:
        int64 array (n,): for each thing the smallest position in its group.
    """
    one, other = np.asarray(links, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(n, n))
    return first_equal(connected_components(graph, directed=False)[1])


def links_of_equal(keys: Sequence[str]) -> np.ndarray:
    """Link each thing to the first one with an equal key; empty keys link nothing.

    Returns:
        int64 array (links, 2) of positions, the smaller first.
    """
    # Most keys are nobody else's: those never get into the dictionary.
    hashes = np.fromiter(map(hash, keys), np.int64, len(keys))
    _, which, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    first: dict[str, int] = {}
    links = [
        (first.setdefault(key, i), i)
        for i in np.flatnonzero(counts[which] > 1).tolist()
        if (key := keys[i])
    ]
    pairs = np.array(links, np.int64).reshape(-1, 2)
    return pairs[pairs[:, 0] != pairs[:, 1]]
