"""What tells which of an archive's images are the same, or look it, in little memory."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from photoclf.duplicates import MAX_DISTANCE, links_of_equal, near_links
from photoclf.names import Names


class Fingerprints:
    """Names, labels and hashes of images: some 150 bytes each.

    Args:
        frames: Rows of images that were read, one frame after the other, with `pathname`, `label`,
            `sha256`, `phash`, `detail_hash` and groups.
        groups: The column with the groups, empty where an image has none.
    """

    def __init__(self, frames: Iterable[pd.DataFrame], groups: str = "named_group") -> None:
        self.pathnames, self.groups = Names(), Names()
        sha256 = Names()
        labels, phashes, details = [], [], []
        for frame in frames:
            self.pathnames.extend(frame.pathname)
            self.groups.extend(frame[groups])
            labels.append(frame.label.fillna(-1).to_numpy(np.int8))
            sha256.extend(frame.sha256)
            phashes.append(frame.phash.to_numpy(object).astype("S16"))
            details.append(frame.detail_hash.to_numpy(object).astype("S16"))
        empty = np.array([], "S16")
        self.labels = np.concatenate([np.array([], np.int8), *labels])
        """int8 (n,), -1 where there is none."""
        self.copies = links_of_equal(sha256)
        """int64 array (links, 2): each image that has the bytes of an earlier one, after that."""
        self.first = np.arange(len(self.labels))
        """int64 (n,): for each image the first one with the same bytes."""
        self.first[self.copies[:, 1]] = self.copies[:, 0]
        self._phashes = np.concatenate([empty, *phashes])
        self._details = np.concatenate([empty, *details])

    def conflicts(self) -> np.ndarray:
        """Tell of which images the same bytes stand under both labels, bool (n,)."""
        under = [np.bincount(self.first, self.labels == label) for label in (0, 1)]
        return ((under[0] > 0) & (under[1] > 0))[self.first]

    def near(self, max_distance: int = MAX_DISTANCE) -> np.ndarray:
        """Link the images that look alike, the first of equal bytes standing for its copies.

        Returns:
            int64 array (links, 2), see `duplicates.near_links`.
        """
        one = np.flatnonzero(self.first == np.arange(len(self.first)))
        return one[near_links(self._phashes[one], self._details[one], max_distance)]

    def grouped(self) -> np.ndarray:
        """Link the images of each group, see `duplicates.links_of_equal`."""
        return links_of_equal(self.groups)
