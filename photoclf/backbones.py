"""Frozen pretrained networks, ready to give features."""

import itertools

from photoclf.backend import keras
from photoclf.efficientnet_lite import LITE0, efficientnet_lite0
from photoclf.errors import check_one_of
from photoclf.export import convert
from photoclf.extractor import Extractor
from photoclf.workers import available_threads

# Part of every cached feature's key: raise it when any feature would come out differently.
EXTRACTOR_VERSION = 1
EXTRACTORS = ("efficientnet_lite0",)
# Parts of a feature vector with their widths: the pooled output of the last convolution, then mean
# and spread over the image of what each stage gives. Texture lives there: brush strokes, grain.
PARTS = {"pooled": 1280, "means": 784, "spreads": 784}


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
    edges = itertools.pairwise(itertools.accumulate(PARTS.values(), initial=0))
    return Extractor(
        name=name,
        image_size=image_size,
        key=f"{name}_{LITE0.sha256[:12]}_{image_size}px_v{EXTRACTOR_VERSION}",
        parts={part: slice(*edge) for part, edge in zip(PARTS, edges, strict=True)},
        threads=threads or available_threads(),
        export=lambda: convert(_feature_model(image_size)),
    )


def _feature_model(image_size: int) -> keras.Model:
    pixels = keras.Input((image_size, image_size, 3), name="pixels")
    network = efficientnet_lite0(pixels)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(network.maps)
    means = [keras.ops.mean(stage, (1, 2)) for stage in network.stages]
    spreads = [keras.ops.std(stage, (1, 2)) for stage in network.stages]
    vector = keras.layers.Concatenate(name="vector")([pooled, *means, *spreads])
    return keras.Model(pixels, vector, name="extractor")
