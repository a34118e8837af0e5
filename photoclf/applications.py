"""Networks of `keras.applications` on pixels, with their published weights or not at all."""

from photoclf.backend import keras
from photoclf.errors import WeightsError
from photoclf.pretrained import APPLICATIONS


def application(name: str, pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Build a network of `keras.applications` without its top on pixels, frozen.

    Args:
        name: One of `pretrained.APPLICATIONS`.
        pixels: RGB in [0, 255], float32 (batch, S, S, 3), S at least 32.

    Returns:
        What its last layer gives, (batch, height, width, channels).

    Raises:
        WeightsError: If the weights can't be had, aren't those that are pinned, or don't fit.
    """
    facts = APPLICATIONS[name]
    path = facts.weights.fetch()
    x = pixels
    if facts.scaled:
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(x)
    model = getattr(keras.applications, facts.name)(include_top=False, weights=None, input_tensor=x)
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise WeightsError(
            f"The weights must be those of {facts.name} in this version of Keras. Received: others"
            f" in {path} ({error}). Use the locked version of Keras."
        ) from error
    for layer in model.layers:
        layer.trainable = False
    return model.output
