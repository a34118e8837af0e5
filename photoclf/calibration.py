"""Scores that mean what they say: temperature scaling."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from photoclf.temperature import log_odds
from photoclf.weighted_metrics import check_scores

# Images that are told apart without an error say nothing of how sure a model may be.
LIMITS = (0.25, 4.0)


def fit_temperature(labels: ArrayLike, scores: ArrayLike) -> float:
    """Find the temperature by which log-odds are divided so that scores are probabilities.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,); best of validation images.
        scores: P(photo) in [0, 1], shape (n,).

    Returns:
        The temperature of least log-loss, within `LIMITS`; 1 when there is one kind of label alone.
        Above 1, the model was too sure.

    Raises:
        ScoreError: If lengths differ or a value is out of range.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".

    Example:
        >>> labels, scores = [0, 1] * 50 + [1, 0] * 25, [0.05, 0.95] * 75
        >>> fit_temperature(labels, scores) > 2
        True
    """
    y, s = check_scores(labels, scores)
    if y.min() == y.max():
        return 1.0
    signed = log_odds(s) * (2 * y - 1)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0, -signed / np.exp(log_temperature)).mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(LIMITS)), method="bounded")
    return float(np.exp(found.x))
