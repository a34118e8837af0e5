"""Scores of images whose pixels are cached."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from photoclf.cache import PixelCache
from photoclf.classifier import Classifier

# Cached images taken into memory at once: 120 MB at the reference's 400 px.
_CHUNK = 256


def score_cached(
    classifier: Classifier, cache: PixelCache, pathnames: Sequence[str] | pd.Series
) -> np.ndarray:
    """Score images of a pixel cache, a few hundred in memory at once.

    Returns:
        P(photo), float32, one a pathname.
    """
    rows = cache.rows(pathnames)
    chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    scores = [classifier.scores(cache.pixels[chunk]) for chunk in chunks]
    return np.concatenate(scores) if scores else np.empty(0, np.float32)
