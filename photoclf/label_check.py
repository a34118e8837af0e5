"""Labels that scores contradict: suspects for a reviewer. Nothing is relabelled."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from photoclf.cache import PixelCache
from photoclf.crossfit import FOLDS, boosted_trees, grouped_folds, planned_scores
from photoclf.schema import SUSPECTS, check_table
from photoclf.weighted_metrics import ScoreError, check_scores

# Larger shows no more of what `picture_features` measures, and costs decoding.
PICTURE_SIZE = 64
CHEAP_MODEL = "picture_features"

_BATCH = 256
_TILE = 8


def label_quality(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Judge labels by scores of a model that wasn't fitted to them.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,); both occur.
        scores: Out-of-sample P(photo) in [0, 1], shape (n,). Scores of images that the model was
            fitted to agree with any label, and find nothing.

    Returns:
        The quality of each label, float64 (n,), 0 (contradicted) to 1, and whether it is suspect,
        bool (n,): those with the lowest quality, as many as cleanlab expects wrong labels.

    Raises:
        ScoreError: If lengths differ, a value is out of range, or one of the labels is missing.

    Source: Northcutt, Jiang & Chuang, "Confident learning: estimating uncertainty in dataset
        labels", 2021, as `cleanlab` has it.

    Example:
        >>> _, suspect = label_quality([1] * 20 + [0] * 20, [0.9] * 19 + [0.05] + [0.1] * 20)
        >>> int(suspect.argmax())
        19
    """
    # Here: cleanlab takes over a second to import, and few verbs need it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tqdm, about a progress bar that isn't shown
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores

    y, s = check_scores(labels, scores)
    if len(set(y)) < 2:
        raise ScoreError(
            "Judging labels needs photographs and other images. Received:"
            f" {int(y.sum())} photographs among {len(y)} images."
        )
    probabilities = np.stack([1 - s, s], axis=1)
    suspect = find_label_issues(y, probabilities, filter_by="low_normalized_margin", n_jobs=1)
    return get_label_quality_scores(y, probabilities), suspect


def find_suspects(images: pd.DataFrame, scores: ArrayLike, scored_by: str) -> pd.DataFrame:
    """List the images whose label the scores contradict, the most suspect first.

    Args:
        images: `pathname`, `label`, `class_folder` and `source`, one row an image.
        scores: Out-of-sample P(photo) of each, see `label_quality`.
        scored_by: What the scores come from: a run's name, or `CHEAP_MODEL`.

    Returns:
        A `schema.SUSPECTS` frame; empty when no label is suspect.
    """
    quality, suspect = label_quality(images.label.astype("int64"), scores)
    table = images[["pathname", "label", "class_folder", "source"]].assign(
        score=np.asarray(scores), label_quality=quality, scored_by=scored_by
    )
    table = table[suspect].sort_values(["label_quality", "pathname"], ignore_index=True)
    return check_table(table, SUSPECTS)


def cheap_scores(
    cache: PixelCache, images: pd.DataFrame, *, folds: int = FOLDS, seed: int = 42
) -> np.ndarray:
    """Score each image by a simple model that was fitted to others, without training a network.

    Gradient boosting on `picture_features`, cross-validated with groups whole. It sees the picture
    alone, no file property: what it contradicts is what an image looks like.

    Args:
        cache: The images at `PICTURE_SIZE` px.
        images: `pathname`, `label` and `group`, one row an image.
        folds: Folds of the cross-validation.
        seed: Seed of folds and fits.

    Returns:
        P(photo), float64 (n,), in the order of the images.

    Raises:
        ScoreError: If a class has fewer than two groups.
    """
    rows = cache.rows(images.pathname)
    parts = np.array_split(rows, len(rows) // _BATCH + 1)
    features = np.concatenate([picture_features(cache.pixels[part]) for part in parts])
    labels = images.label.astype("int64").to_numpy()
    model = boosted_trees(len(images), seed, max_iter=80)
    return planned_scores(model, features, labels, grouped_folds(labels, images.group, folds, seed))


def picture_features(pixels: np.ndarray) -> np.ndarray:
    """Describe pictures by few numbers: tones, colours, edges and their directions, and a mosaic.

    Args:
        pixels: uint8 (n, side, side, 3), the side a multiple of 8.

    Returns:
        float32 (n, features).
    """
    rgb = pixels.astype(np.float32)
    grey = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    across = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2]
    down = grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]
    edges = np.hypot(across, down)
    directions = np.floor(np.arctan2(down, across) % np.pi / np.pi * 8)
    tiles = grey.reshape(len(grey), _TILE, -1, _TILE, grey.shape[2] // _TILE)
    parts = [
        _histogram(grey, 16, 0, 256),
        _histogram(rgb[..., 0] - rgb[..., 1], 8, -64, 64),
        _histogram(rgb[..., 2] - rgb[..., 1], 8, -64, 64),
        _histogram(rgb.max(axis=-1) - rgb.min(axis=-1), 8, 0, 256),
        _histogram(np.log1p(edges), 12, 0, 6),
        np.stack([(edges * (directions == k)).mean(axis=(1, 2)) for k in range(8)], axis=1),
        tiles.mean(axis=(2, 4)).reshape(len(grey), -1),
        tiles.std(axis=(2, 4)).reshape(len(grey), -1),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _histogram(values: np.ndarray, bins: int, low: float, high: float) -> Any:
    """Return the share of each image's values in equal bins; the outer ones take the rest."""
    n = len(values)
    index = ((values.reshape(n, -1) - low) * (bins / (high - low))).astype(np.int64)
    index = index.clip(0, bins - 1) + np.arange(n)[:, None] * bins
    return np.bincount(index.ravel(), minlength=n * bins).reshape(n, bins) / index.shape[1]
