"""EfficientNet-Lite in Keras, with the ImageNet weights that it was published with."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from photoclf.backend import keras
from photoclf.errors import ConfigError, WeightsError
from photoclf.pretrained import PACKAGED, PackagedWeights
from photoclf.torch_file import read_torch_tensors

CLASSES = 1000
# Network → how much wider and deeper than Lite0 it is, and the side in px that it was trained at.
SCALES: Mapping[str, tuple[float, float, int]] = {
    "efficientnet_lite0": (1.0, 1.0, 224),
    "efficientnet_lite2": (1.1, 1.2, 260),
}
# Lite0's blocks of a stage, kernel, first stride, expansion, channels out.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD, _EPSILON = 32, 1280, 1e-3


@dataclass(frozen=True)
class LiteNetwork:
    """The network on some pixels.

    Args:
        maps: What its last convolution gives, (batch, S/32, S/32, 1280).
        blocks: What each of its blocks gives: 16 of Lite0, 21 of Lite2.
        stages: Those of `blocks` that are the last of their stage, seven.
    """

    maps: keras.KerasTensor
    blocks: tuple[keras.KerasTensor, ...]
    stages: tuple[keras.KerasTensor, ...]


def efficientnet_lite(
    name: str,
    pixels: keras.KerasTensor,
    *,
    fine_tune_from: int | None = None,
    weights: PackagedWeights | None = None,
) -> LiteNetwork:
    """Build an EfficientNet-Lite without its top on pixels, with its published weights.

    Batch norm is frozen with the statistics that it came with, and so are all convolutions before
    the block to fine-tune from. There is no way to get it with random weights.

    Args:
        name: One of `SCALES`.
        pixels: RGB in [0, 255], float32 (batch, S, S, 3), S at least 32.
        fine_tune_from: The first of its blocks whose convolutions may be trained, with all that
            come after it; none by default.
        weights: Where the weights are; those of `pretrained.PACKAGED` by default.

    Returns:
        The network's tensors. Its layers are named `stem…`, `block_0…`, `block_1…`, and `top…`.

    Raises:
        ConfigError: If there is no such block.
        WeightsError: If the weights are missing, damaged, or of another network.

    Source: Tan & Le 2019, "EfficientNet"; the lite variants of `tensorflow/tpu` have no
        squeeze-and-excite, ReLU6, and a stem and head that don't grow.
    """
    network = _network(name, pixels)
    model = keras.Model(pixels, network.maps)
    _load(model, weights or PACKAGED[name])
    if fine_tune_from is not None:
        _unfreeze(name, model, fine_tune_from, len(network.blocks))
    return network


def imagenet_classifier(name: str) -> keras.Model:
    """Build the published classifier with its top: pixels of its side → 1,000 probabilities.

    Raises:
        WeightsError: See `efficientnet_lite`.

    Example:
        >>> imagenet_classifier("efficientnet_lite0").count_params()
        4694024
    """
    side = SCALES[name][2]
    pixels = keras.Input((side, side, 3), name="pixels")
    x = keras.layers.GlobalAveragePooling2D(name="average")(_network(name, pixels).maps)
    x = keras.layers.Dense(CLASSES, activation="softmax", name="classes")(x)
    model = keras.Model(pixels, x, name=f"{name}_imagenet")
    _load(model, PACKAGED[name])
    return model


def stage_widths(name: str) -> tuple[int, ...]:
    """Return how many channels each of a network's seven stages gives.

    Example:
        >>> stage_widths("efficientnet_lite2")
        (16, 24, 48, 88, 120, 208, 352)
    """
    return tuple(channels for *_, channels in _scaled(name))


def _scaled(name: str) -> list[tuple[int, int, int, int, int]]:
    """Return the stages of a network: channels in eights, and the outer stages never deeper."""
    width, depth, _ = SCALES[name]
    last = len(_STAGES) - 1
    return [
        (
            repeats if i in (0, last) else math.ceil(repeats * depth),
            kernel,
            stride,
            expansion,
            int(channels * width + 4) // 8 * 8,
        )
        for i, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES)
    ]


def _network(name: str, pixels: keras.KerasTensor) -> LiteNetwork:
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale")(pixels)
    x = _norm_relu(_conv(x, _STEM, 3, 2, "stem"), "stem")
    blocks: list[keras.KerasTensor] = []
    stages = []
    for repeats, kernel, stride, expansion, channels in _scaled(name):
        for repeat in range(repeats):
            x = _block(
                x, kernel, 1 if repeat else stride, expansion, channels, f"block_{len(blocks)}"
            )
            blocks.append(x)
        stages.append(x)
    maps = _norm_relu(_conv(x, _HEAD, 1, 1, "top"), "top")
    return LiteNetwork(maps, tuple(blocks), tuple(stages))


def _block(
    x: keras.KerasTensor, kernel: int, stride: int, expansion: int, channels: int, name: str
) -> keras.KerasTensor:
    before = x
    if expansion > 1:
        x = _norm_relu(_conv(x, expansion * x.shape[-1], 1, 1, f"{name}_expand"), f"{name}_expand")
    # TensorFlow's "same": for a stride of 2 it pads more on the right than on the left.
    x = keras.layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = _norm_relu(x, f"{name}_depthwise")
    x = _norm(_conv(x, channels, 1, 1, f"{name}_project"), f"{name}_project")
    if stride == 1 and before.shape[-1] == channels:
        x = keras.layers.Add(name=f"{name}_add")([x, before])
    return x


def _conv(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str
) -> keras.KerasTensor:
    return keras.layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(
        x
    )


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_norm")(x)


def _norm_relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(_norm(x, name))


def _unfreeze(name: str, model: keras.Model, first: int, blocks: int) -> None:
    if not 0 <= first < blocks:
        raise ConfigError(
            f"`fine_tune_from` must be a block of {name}, 0 to {blocks - 1}."
            f" Received: {first}. Leave it out to train the head alone."
        )
    for layer in model.layers:
        part, _, rest = layer.name.partition("_")
        block = int(rest.split("_")[0]) if part == "block" else blocks if part == "top" else -1
        # Batch norm stays: statistics of a few images would undo those of a million.
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = block >= first and not norm


def _load(model: keras.Model, weights: PackagedWeights) -> None:
    tensors = read_torch_tensors(weights.read())
    for layer in model.layers:
        layer.trainable = False
        if layer.weights:
            try:
                layer.set_weights(_values(layer, tensors))
            except (KeyError, ValueError) as error:
                raise WeightsError(
                    f"The weights must be those of the network. Received: others in"
                    f" {weights.file}, at the layer {layer.name} ({error}). Install"
                    f" {weights.distribution} again."
                ) from error


def _values(layer: keras.Layer, tensors: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
    name = _torch_name(layer.name)
    if isinstance(layer, keras.layers.BatchNormalization):
        kinds = ("weight", "bias", "running_mean", "running_var")
        return [tensors[f"{name}.{kind}"] for kind in kinds]
    kernel = tensors[f"{name}.weight"]
    if isinstance(layer, keras.layers.Dense):
        return [kernel.T, tensors[f"{name}.bias"]]
    # PyTorch's kernels are (out, in, height, width); those of one channel each (channels, 1, …).
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return [kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)]


def _torch_name(name: str) -> str:
    """Turn a layer's name into the file's: `block_3_expand_norm` → `_blocks.3._bn0`."""
    if name in _OUTER:
        return _OUTER[name]
    _, number, part = name.split("_", 2)
    # Block 0 doesn't expand, and its norms have the same names nevertheless.
    return f"_blocks.{number}.{_INNER[part]}"


_OUTER = {
    "stem": "_conv_stem",
    "stem_norm": "_bn0",
    "top": "_conv_head",
    "top_norm": "_bn1",
    "classes": "_fc",
}
_INNER = {
    "expand": "_expand_conv",
    "expand_norm": "_bn0",
    "depthwise": "_depthwise_conv",
    "depthwise_norm": "_bn1",
    "project": "_project_conv",
    "project_norm": "_bn2",
}
