"""EfficientNet-Lite0 in Keras, with the ImageNet weights that it was published with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photoclf.backend import keras
from photoclf.errors import ConfigError, WeightsError
from photoclf.pretrained import WEIGHTS, PackagedWeights
from photoclf.torch_file import read_torch_tensors

CLASSES = 1000
LITE0 = WEIGHTS["efficientnet_lite0"]
# Blocks of a stage, kernel, first stride, expansion, channels out.
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
class Lite0:
    """The network on some pixels.

    Args:
        maps: What its last convolution gives, (batch, S/32, S/32, 1280).
        blocks: What each of its 16 blocks gives.
        stages: Those of `blocks` that are the last of their stage, seven.
    """

    maps: keras.KerasTensor
    blocks: tuple[keras.KerasTensor, ...]
    stages: tuple[keras.KerasTensor, ...]


def efficientnet_lite0(
    pixels: keras.KerasTensor,
    *,
    fine_tune_from: int | None = None,
    weights: PackagedWeights = LITE0,
) -> Lite0:
    """Build EfficientNet-Lite0 without its top on pixels, with its published weights.

    Batch norm is frozen with the statistics that it came with, and so are all convolutions before
    the block to fine-tune from. There is no way to get it with random weights.

    Args:
        pixels: RGB in [0, 255], float32 (batch, S, S, 3), S at least 32.
        fine_tune_from: The first of the 16 blocks whose convolutions may be trained, with all
            that come after it; none by default.
        weights: Where the weights are.

    Returns:
        The network's tensors. Its layers are named `stem…`, `block_0…` to `block_15…`, `top…`.

    Raises:
        ConfigError: If there is no such block.
        WeightsError: If the weights are missing, damaged, or of another network.

    Source: Tan & Le 2019, "EfficientNet"; the lite variants of `tensorflow/tpu` have no
        squeeze-and-excite, ReLU6, and a stem and head that don't grow.
    """
    network = _network(pixels)
    model = keras.Model(pixels, network.maps)
    _load(model, weights)
    if fine_tune_from is not None:
        _unfreeze(model, fine_tune_from, len(network.blocks))
    return network


def imagenet_classifier(*, weights: PackagedWeights = LITE0) -> keras.Model:
    """Build the published classifier with its top: 224 px pixels → 1,000 probabilities.

    Raises:
        WeightsError: See `efficientnet_lite0`.

    Example:
        >>> imagenet_classifier().count_params()
        4694024
    """
    pixels = keras.Input((224, 224, 3), name="pixels")
    x = keras.layers.GlobalAveragePooling2D(name="average")(_network(pixels).maps)
    x = keras.layers.Dense(CLASSES, activation="softmax", name="classes")(x)
    model = keras.Model(pixels, x, name="efficientnet_lite0_imagenet")
    _load(model, weights)
    return model


def _network(pixels: keras.KerasTensor) -> Lite0:
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale")(pixels)
    x = _norm_relu(_conv(x, _STEM, 3, 2, "stem"), "stem")
    blocks: list[keras.KerasTensor] = []
    stages = []
    for repeats, kernel, stride, expansion, channels in _STAGES:
        for repeat in range(repeats):
            x = _block(
                x, kernel, 1 if repeat else stride, expansion, channels, f"block_{len(blocks)}"
            )
            blocks.append(x)
        stages.append(x)
    maps = _norm_relu(_conv(x, _HEAD, 1, 1, "top"), "top")
    return Lite0(maps, tuple(blocks), tuple(stages))


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


def _unfreeze(model: keras.Model, first: int, blocks: int) -> None:
    if not 0 <= first < blocks:
        raise ConfigError(
            f"`fine_tune_from` must be a block of EfficientNet-Lite0, 0 to {blocks - 1}."
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
                    f"The weights must be those of EfficientNet-Lite0. Received: others in"
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
