"""Frozen pretrained networks, ready to give features."""

import itertools

from photoclf.backend import keras
from photoclf.errors import check_one_of
from photoclf.export import convert
from photoclf.extractor import Extractor
from photoclf.feature_parts import feature_parts, part_widths
from photoclf.pretrained import WEIGHTS
from photoclf.workers import available_threads

# Part of every cached feature's key: raise it when any feature would come out differently.
EXTRACTOR_VERSION = 1
EXTRACTORS = tuple(WEIGHTS)


def make_extractor(name: str, image_size: int, *, threads: int | None = None) -> Extractor:
    """Make an extractor of features by a frozen pretrained network.

    It runs in LiteRT, which is twice as fast as Keras at depthwise convolutions on a CPU.

    Args:
        name: One of `EXTRACTORS`.
        image_size: Side of the square that it sees, in px, at least 32.
        threads: Processor threads; all by default.

    Returns:
        The extractor. Where its weights are missing or damaged, its first use says so
        (`WeightsError`).

    Raises:
        ConfigError: If there is no such extractor.

    Example:
        >>> make_extractor("efficientnet_lite0", 224).parts["means"]
        slice(1280, 2064, None)
    """
    check_one_of("backbone", name, EXTRACTORS)
    widths = part_widths(name)
    edges = itertools.pairwise(itertools.accumulate(widths.values(), initial=0))
    return Extractor(
        name=name,
        image_size=image_size,
        key=f"{name}_{WEIGHTS[name].digest[:12]}_{image_size}px_v{EXTRACTOR_VERSION}",
        parts={part: slice(*edge) for part, edge in zip(widths, edges, strict=True)},
        threads=threads or available_threads(),
        export=lambda: convert(_feature_model(name, image_size)),
    )


def _feature_model(name: str, image_size: int) -> keras.Model:
    pixels = keras.Input((image_size, image_size, 3), name="pixels")
    parts = feature_parts(name, pixels).values()
    vector = keras.layers.Concatenate(name="vector")([*parts])
    return keras.Model(pixels, vector, name="extractor")
