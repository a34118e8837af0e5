"""Two thresholds, and between them the images that are left to a person."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from photoclf.weighted_metrics import ScoreError


@dataclass(frozen=True)
class Band:
    """Scores between which a person decides.

    Args:
        low: An image that scores less is left out by itself, 0 to 1; at 0 none is.
        high: One that scores at least this is called a photograph by itself; above 1 none is.

    Raises:
        ScoreError: If not 0 ≤ low ≤ high.

    Example:
        >>> Band(0.2, 0.7).triage([0.1, 0.5, 0.7]).tolist()
        ['other', 'review', 'photo']
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ScoreError(
                "A review band needs 0 ≤ low ≤ high."
                f" Received: low={self.low!r}, high={self.high!r}."
            )

    def triage(self, scores: ArrayLike) -> np.ndarray:
        """Say what becomes of each image: `photo`, `other` or `review`, shape (n,)."""
        s = np.asarray(scores, np.float64)
        return np.select([s >= self.high, s < self.low], ["photo", "other"], "review")
