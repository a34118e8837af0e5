"""A pretrained network's head, fitted to its features at once: the first epoch of its run."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from photoclf.backbones import make_extractor
from photoclf.cache import PixelCache
from photoclf.config import RunConfig
from photoclf.features import Features, cached_features, view_features
from photoclf.heads import Head, fit_head
from photoclf.metrics import classification_metrics
from photoclf.models import parts_of


@dataclass(frozen=True)
class Probe:
    """A fitted head, and what its run's history says of it.

    Args:
        head: The head.
        measures: `loss` and `accuracy` on the train side, `val_loss` and `val_accuracy` on val.
    """

    head: Head
    measures: dict[str, float]


def fit_probe(
    config: RunConfig,
    split: pd.DataFrame,
    cache: PixelCache,
    archive: Path,
    folder: Path,
    *,
    threads: int | None = None,
    progress: bool = False,
) -> Probe:
    """Fit the head of a pretrained network to the train side of a split.

    Features are extracted once and kept: another head on them is fitted in seconds. The optimum of
    a logistic regression depends on no seed and no order.

    Args:
        config: `model`, `features`, `pieces`, `target`, `balance` and `strength` are used.
        split: The split, see `schema.SPLIT`.
        cache: Pixels of its images at the config's size.
        archive: The archive's folder; read when there are `pieces`.
        folder: Where features are kept, see `paths.Workspace.features`.
        threads: Processor threads; all by default.
        progress: Whether to show bars.

    Returns:
        The head and its measures.

    Raises:
        ConfigError: If the train side lacks photographs or others.
        WeightsError: If the network's weights are missing or damaged.
        CacheError: If an image isn't what it was in the audit.
    """
    extractor = make_extractor(config.model, cache.image_size, threads=threads)
    train, val = (split[split["split"] == side] for side in ("train", "val"))

    def pieces() -> Iterator[Features]:
        # Of all sides, as the pixels: the next split of these images finds them there.
        for number in range(1, config.pieces + 1):
            view = f"piece_{number}"
            yield view_features(archive, split, extractor, view, folder, progress=progress)

    def values(features: Features, rows: pd.DataFrame) -> np.ndarray:
        kept = np.flatnonzero(columns)
        return features.values[np.ix_(features.rows(rows.pathname), kept)]

    plain = cached_features(cache, split, extractor, folder, progress=progress)
    columns = np.zeros(plain.values.shape[1], bool)
    for part in parts_of(config):
        columns[plain.parts[part]] = True
    learnt, seen = values(plain, train), {"": train, "val_": val}
    sides = {prefix: values(plain, rows) for prefix, rows in seen.items()}
    del plain
    # One view at a time: all of all sides' features at once take many times the memory.
    for features in pieces():
        learnt = np.concatenate([learnt, values(features, train)])
    head = fit_head(
        learnt,
        pd.concat([train] * (1 + config.pieces), ignore_index=True),
        target=config.target,
        balance=config.balance,
        strength=config.strength,
    )
    return Probe(
        head,
        {
            f"{prefix}{name}": value
            for prefix, rows in seen.items()
            for name, value in _measures(head, sides[prefix], rows).items()
        },
    )


def _measures(head: Head, values: np.ndarray, rows: pd.DataFrame) -> dict[str, float]:
    scores = head.scores(values)
    metrics = classification_metrics(rows.label, scores, 0.5)
    return {"loss": metrics["log_loss"], "accuracy": metrics["accuracy"]}
