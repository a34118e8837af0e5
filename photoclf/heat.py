"""Where a run looked in its most confident errors: maps on disk, and pictures of them."""

import zipfile
from collections.abc import Iterable

import numpy as np

from photoclf.run import Run

HEAT = "heat.npz"
# The orange of the figures, which those see who don't tell red from green.
_COLOUR = np.array([230, 159, 0])
_SHARE = 0.7


def read_heat(run: Run) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read what `explain.explain_errors` wrote.

    Returns:
        Pathname → pixels, uint8 (S, S, 3), and map, float32 (S, S) in [0, 1]; empty when there is
        none.
    """
    try:
        with np.load(run.eval_folder / HEAT, allow_pickle=False) as arrays:
            heat = arrays["heat"].astype(np.float32) / 255
            rows = zip(arrays["pathnames"], arrays["pixels"], heat, strict=True)
            return {str(name): (pixels, warm) for name, pixels, warm in rows}
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return {}


def heat_is_of(run: Run, pathnames: Iterable[str]) -> bool:
    """Tell whether these images were asked to be mapped, whether each could be read or not."""
    try:
        with np.load(run.eval_folder / HEAT, allow_pickle=False) as arrays:
            return arrays["wanted"].tolist() == list(pathnames)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return False


def overlaid(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a map over its greyed image, the warmer the more orange.

    Args:
        pixels: uint8 (S, S, 3).
        heat: float (S, S) in [0, 1].

    Returns:
        uint8 (S, S, 3).
    """
    grey = np.repeat(pixels.mean(axis=-1, keepdims=True), 3, axis=-1)
    share = _SHARE * heat[..., None]
    return np.round(grey * (1 - share) + _COLOUR * share).astype(np.uint8)
