"""What training a network takes: its parameters and memory, from the built network."""

import math

from photoclf.backend import keras
from photoclf.config import RunConfig
from photoclf.errors import ConfigError, WeightsError
from photoclf.models import build_model

# Bytes a trial takes whatever its network: TensorFlow, the kernel, pixels fed ahead.
_PROCESS = 900 * 2**20
# Bytes a parameter: weight, gradient, Adam's two moments, their average, and the copies that a
# checkpoint is written from. Measured on reference_cnn at 224 and 400 px.
_PER_PARAMETER = 32
# Bytes a value that a layer puts out, an image: itself and its gradient.
_PER_OUTPUT = 8


def network_memory(config_json: str) -> int | str:
    """Build a config's network, and estimate the memory that its training takes.

    Args:
        config_json: The config, as `RunConfig.to_json` writes it.

    Returns:
        Bytes, or the reason why there can't be such a network.
    """
    keras.backend.clear_session()
    try:
        config = RunConfig.from_json(config_json)
        model = build_model(config)
    except (ConfigError, WeightsError) as error:
        return str(error)
    outputs = sum(math.prod(layer.output.shape[1:]) for layer in model.layers)
    batch = outputs * _PER_OUTPUT * config.batch_size
    return int(_PROCESS + model.count_params() * _PER_PARAMETER + batch)
