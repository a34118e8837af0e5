"""What a convolutional network is made of: its layers on one image, its parameters in a table."""

import numpy as np
import pandas as pd

from photoclf.backend import keras
from photoclf.errors import ConfigError, did_you_mean

# Each sums to 1 (keeps brightness) or to 0 (answers only to change).
KERNELS: dict[str, np.ndarray] = {
    "identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32),
    "blur": np.full((3, 3), 1 / 9, np.float32),
    "vertical edges": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32),
    "horizontal edges": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], np.float32),
}


def make_convolution(
    kernel: np.ndarray, *, stride: int = 1, padding: str = "valid", activation: str | None = None
) -> keras.layers.Conv2D:
    """Make a convolution whose kernel is given instead of learned.

    Args:
        kernel: Float array (side, side), applied to the mean of an image's channels.
        stride: Steps of the kernel, in px.
        padding: `valid` stays inside the image, `same` adds zeros around it.
        activation: Such as `relu`; none by default.

    Returns:
        A `Conv2D` with one filter and no bias.
    """
    kernel = np.asarray(kernel, np.float32)

    def fixed(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
        return np.broadcast_to(kernel[:, :, None, None] / shape[2], shape).astype(dtype)

    return keras.layers.Conv2D(
        1,
        kernel.shape,
        strides=stride,
        padding=padding,
        activation=activation,
        use_bias=False,
        kernel_initializer=fixed,
    )


def apply_layer(layer: keras.Layer, values: np.ndarray, *, training: bool = False) -> np.ndarray:
    """Apply a Keras layer to one image.

    Args:
        layer: Any layer that takes a batch of one input.
        values: The image or a layer's output, without a batch axis.
        training: Whether the layer behaves as in training; only dropout and batch norm differ.

    Returns:
        float32 array, the layer's output without its batch axis.

    Example:
        >>> apply_layer(keras.layers.MaxPooling2D(2), np.zeros((5, 4, 1))).shape
        (2, 2, 1)
    """
    batch = np.asarray(values, np.float32)[None]
    options = {"training": training} if layer._call_has_training_arg else {}
    return np.asarray(layer(batch, **options))[0]


def to_picture(values: np.ndarray) -> np.ndarray:
    """Turn one map into grey values that can be looked at.

    The outermost 0.5 % at each end are cut off, or a single strong answer would darken the rest.

    Args:
        values: Float array (height, width) or (height, width, 1).

    Returns:
        uint8 array (height, width). A map with negative values has 0 at mid-grey; another one
        goes from black to white, and a constant one is black.
    """
    grey = np.asarray(values, np.float64).reshape(np.shape(values)[:2])
    low, high = np.percentile(grey, (0.5, 99.5))
    if low < 0:
        high = max(-low, high)
        low = -high
    if low == high:
        low, high = grey.min(), grey.max()
    scaled = (np.clip(grey, low, high) - low) / (high - low) if high > low else 0 * grey
    return np.rint(255 * scaled).astype(np.uint8)


def feature_maps(model: keras.Model, pixels: np.ndarray, layer: str) -> np.ndarray:
    """Return what a layer of a model answers to one image.

    Args:
        model: A model from `models.build_model`, or a loaded one.
        pixels: uint8 (S, S, 3), of the size that the model takes.
        layer: The layer's name, as `parameter_table` shows it.

    Returns:
        float32 array (height, width, filters), or (units,) after the flattening.

    Raises:
        ConfigError: If the model has no such layer.
    """
    names = [each.name for each in model.layers]
    if layer not in names:
        raise ConfigError(
            f"`layer` must be one of {', '.join(names)}. Received: {layer!r}."
            f"{did_you_mean(layer, names)}"
        )
    part = keras.Model(model.input, model.get_layer(layer).output)
    return np.asarray(part(pixels[None], training=False))[0]


def parameter_table(model: keras.Model) -> pd.DataFrame:
    """Count the parameters of each layer.

    Returns:
        One row a layer that computes something, in the network's order, with the columns `layer`,
        `kind` (the Keras class), `output_shape` (without the batch), `parameters` and `share`
        (of all parameters, in [0, 1]).
    """
    layers = [layer for layer in model.layers if isinstance(layer.output, keras.KerasTensor)]
    table = pd.DataFrame(
        {
            "layer": [layer.name for layer in layers],
            "kind": [type(layer).__name__ for layer in layers],
            "output_shape": [tuple(layer.output.shape[1:]) for layer in layers],
            "parameters": [layer.count_params() for layer in layers],
        }
    )
    table["share"] = table.parameters / max(int(table.parameters.sum()), 1)
    named = ~table.kind.isin(["InputLayer", "GetItem"])
    return table[named].reset_index(drop=True)
