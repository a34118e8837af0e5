"""Log-odds of scores, and what a temperature makes of them."""

import numpy as np

_LEAST = 1e-7  # float32 has nothing between this and certainty


def tempered(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Divide scores' log-odds by a temperature.

    Args:
        scores: P(photo) in [0, 1], shape (n,).
        temperature: Over 0; 1 leaves the scores as they are.

    Returns:
        P(photo) of the same dtype.

    Example:
        >>> tempered(np.array([0.5, 0.9]), 2.0).round(2).tolist()
        [0.5, 0.75]
    """
    if temperature == 1:
        return scores
    return (1 / (1 + np.exp(-log_odds(scores) / temperature))).astype(scores.dtype)


def log_odds(scores: np.ndarray) -> np.ndarray:
    """Return scores' log-odds, float64; certainty counts as one in ten million."""
    clipped = np.clip(np.asarray(scores, np.float64), _LEAST, 1 - _LEAST)
    return np.log(clipped) - np.log1p(-clipped)
