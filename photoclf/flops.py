"""What a network computes for one image: multiplications and additions, counted by its shapes."""

import math

from photoclf.backend import keras


def count_flops(model: keras.Model) -> int:
    """Count the floating-point operations of one image's way through a network.

    Each weight of a convolution or dense layer is multiplied and added once at every place of the
    layer's output: two operations. Biases, normalisation, activations and pooling are left out, as
    is usual; they are a few in a hundred. It says what must be computed, not how long that takes.

    Args:
        model: A built Keras model; models inside it are counted too.

    Returns:
        Operations an image, forward.

    Raises:
        ValueError: If a layer with a kernel has an output whose size isn't known.

    Example:
        >>> layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()]
        >>> count_flops(keras.Sequential([*layers, keras.layers.Dense(2)]))
        8352
    """
    return 2 * sum(_multiplications(layer) for layer in _layers(model))


def _layers(layer: keras.Layer) -> list[keras.Layer]:
    if isinstance(layer, keras.Model):
        return [inner for child in layer.layers for inner in _layers(child)]
    return [layer]


def _multiplications(layer: keras.Layer) -> int:
    # Kernels have two dimensions or more, biases and what normalises have one.
    kernels = sum(math.prod(w.shape) for w in layer.weights if len(w.shape) > 1)
    if not kernels:
        return 0
    shape = layer.output.shape[1:]
    if None in shape:
        raise ValueError(
            f"The output of a layer must have a size, to count its operations. Received:"
            f" {layer.name} with {shape}. Build the model with a fixed image size."
        )
    last = getattr(layer, "data_format", "channels_last") == "channels_last"
    return kernels * math.prod(shape[:-1] if last else shape[1:])
