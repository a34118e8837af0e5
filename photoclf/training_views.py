"""What of a model is fitted: all of it, up to its logits, or its head alone."""

from photoclf.backend import keras
from photoclf.config import RunConfig
from photoclf.heads import Head
from photoclf.models import KINDS, TWO_WAY
from photoclf.pretrained import WEIGHTS


def is_pretrained(config: RunConfig) -> bool:
    """Tell whether a model's training begins with a head on a pretrained network's features."""
    return config.model in WEIGHTS


def is_frozen(config: RunConfig) -> bool:
    """Tell whether that head is all that is trained.

    Example:
        >>> is_frozen(RunConfig(model="efficientnet_lite0"))
        True
    """
    return is_pretrained(config) and config.fine_tune_from is None


def set_head(model: keras.Model, head: Head) -> None:
    """Give a pretrained network's model a head that was fitted to its features.

    Args:
        model: From `build_model` with as many kinds as the head has.
        head: Fitted to the parts `models.parts_of` of its config.
    """
    model.get_layer(KINDS).set_weights(list(head.dense()))


def training_view(model: keras.Model) -> keras.Model:
    """Return the model to fit: it shares every weight with `model` and ends where its loss starts.

    A network that ends in one sigmoid is fitted as it is. One that ends in a two-way softmax is
    fitted on both outputs with sparse categorical cross-entropy. On paper, that is the binary
    cross-entropy of P(photo). In float32 it isn't: Keras takes the former from the logits, whose
    gradient never vanishes, but must clip a P(photo) that was cut out of the softmax, and the
    huge logits of Adam's first steps would then stop learning for good.

    Args:
        model: A compiled model from `build_model`.

    Returns:
        A compiled model; `model` itself when there is nothing to cut off.
    """
    heads = [layer for layer in model.layers if layer.name == TWO_WAY]
    if not heads:
        return model
    view = keras.Model(model.inputs, heads[0].output, name=f"{model.name}_{TWO_WAY}")
    view.compile(
        optimizer=keras.optimizers.Adam.from_config(model.optimizer.get_config()),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return view
