"""What of a model is fitted: all of it, up to its logits, or its head on features."""

from photoclf.backend import keras
from photoclf.config import RunConfig
from photoclf.models import FEATURES, TWO_WAY, compile_scorer
from photoclf.pretrained import WEIGHTS


def learns_from_features(config: RunConfig) -> bool:
    """Tell whether a model's training needs each image's features alone.

    So it is when a pretrained network is frozen and sees each image the same way in all epochs:
    then its features can be extracted once, and a head trains in seconds.

    Example:
        >>> learns_from_features(RunConfig(model="efficientnet_lite0"))
        True
    """
    frozen = config.model in WEIGHTS and config.fine_tune_from is None
    return frozen and config.augmentation == "none"


def head_view(model: keras.Model) -> keras.Model:
    """Return the model to fit on features: what comes after a frozen network, sharing its weights.

    Args:
        model: A compiled model from `build_model` whose config `learns_from_features`.

    Returns:
        A compiled model from features, float32 (batch, d), to P(photo).
    """
    names = [layer.name for layer in model.layers]
    features = keras.Input(model.get_layer(FEATURES).output.shape[1:], name=FEATURES)
    x = features
    for layer in model.layers[names.index(FEATURES) + 1 :]:
        x = layer(x)
    view = keras.Model(features, x, name=f"{model.name}_head")
    compile_scorer(view, float(model.optimizer.learning_rate))
    return view


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
