"""Weights as a release ships them: batch norm folded into convolutions, rounded to float16."""

import numpy as np

from photoclf.backend import keras, tf


def ship_weights(model: keras.Model) -> keras.Model:
    """Give a network the weights that its float16 export has, so that both score alike.

    The converter folds each batch norm into the convolution before it, in float32, and keeps
    kernels and biases as float16. The same is done here with TensorFlow's own operations, as the
    converter does when it folds constants: NumPy's reciprocal of a root differs in the last bit,
    and of four million rounded weights 218 then come out otherwise. What the batch norm still
    does is add the bias.

    Args:
        model: EfficientNet-Lite with any head, whose batch norms are frozen. It is changed.

    Returns:
        The model.

    Example:
        >>> pixels = keras.Input((8, 8, 3))
        >>> convolved = keras.layers.Conv2D(4, 3, use_bias=False, name="stem")(pixels)
        >>> normed = keras.layers.BatchNormalization(name="stem_norm")(convolved)
        >>> model = ship_weights(keras.Model(pixels, normed))
        >>> kernel = model.get_layer("stem").get_weights()[0]
        >>> bool((kernel == kernel.astype(np.float16)).all())
        True
    """
    layers = {layer.name: layer for layer in model.layers}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            layer.set_weights([_half(values) for values in layer.get_weights()])
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            _fold(layer, layers[f"{layer.name}_norm"])
    return model


def _fold(convolution: keras.Layer, norm: keras.layers.BatchNormalization) -> None:
    gamma, beta, mean, variance = norm.get_weights()
    scale = tf.math.rsqrt(tf.constant(variance) + norm.epsilon).numpy() * gamma
    (kernel,) = convolution.get_weights()
    # A depthwise kernel is (height, width, channels, 1), any other ends in the channels out.
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    factors = scale[:, None] if depthwise else scale
    convolution.set_weights([_half(kernel * factors)])
    one, zero = np.ones_like(gamma), np.zeros_like(gamma)
    norm.set_weights([one, _half(beta - mean * scale), zero, one - np.float32(norm.epsilon)])


def _half(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)
