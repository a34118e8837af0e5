"""A pretrained network's head, fitted to its features at once: the first epoch of its run."""

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

    wanted = parts_of(config)
    plain = cached_features(cache, split, extractor, folder, progress=progress).of(*wanted)
    learnt = [plain.values_of(train.pathname)]
    for number in range(1, config.pieces + 1):
        # Of all sides, as the pixels: the next split of these images finds them there. Only what is
        # fitted to is held: all of each view's features would take many times the memory.
        piece = view_features(
            archive, split, extractor, f"piece_{number}", folder, progress=progress
        )
        learnt.append(piece.of(*wanted).values_of(train.pathname))
    head = fit_head(
        np.concatenate(learnt),
        pd.concat([train] * len(learnt), ignore_index=True),
        target=config.target,
        balance=config.balance,
        strength=config.strength,
    )
    return Probe(
        head,
        {
            f"{prefix}{name}": value
            for prefix, rows in (("", train), ("val_", val))
            for name, value in _measures(head, plain, rows).items()
        },
    )


def _measures(head: Head, features: Features, rows: pd.DataFrame) -> dict[str, float]:
    metrics = classification_metrics(
        rows.label, head.scores(features.values_of(rows.pathname)), 0.5
    )
    return {"loss": metrics["log_loss"], "accuracy": metrics["accuracy"]}
