"""The registry of networks: a name in the config becomes a compiled Keras model."""

from collections.abc import Callable, Iterator

import numpy as np

from photoclf.backend import keras
from photoclf.config import PRETRAINED_CHOICES, RunConfig
from photoclf.errors import ConfigError, did_you_mean
from photoclf.feature_parts import PARTS, feature_parts
from photoclf.pretrained import APPLICATIONS, PACKAGED, WEIGHTS

# From a resolved config, pixels, seeds and how many kinds are told apart.
Builder = Callable[[RunConfig, keras.KerasTensor, Iterator[int], int], keras.KerasTensor]

BUILDERS: dict[str, Builder] = {}
# Models that are kept as the average of their last steps, see `averaging.WeightAverage`.
AVERAGED: set[str] = set()
TWO_WAY = "two_way"
# What a pretrained network makes of an image, and the layer of ours on it.
FEATURES, KINDS = "features", "kinds"
SMALLEST_PRETRAINED = 32


def register(name: str, *, averaged: bool = False) -> Callable[[Builder], Builder]:
    """Register a builder of networks under a name.

    A builder gets a resolved config, pixels as float32 (batch, S, S, 3) in [0, 255], an endless
    supply of seeds, one for each layer that draws numbers, and the number of kinds that a
    pretrained network's head tells apart. It returns P(photo), (batch, 1). Every layer is named, so
    that a second model in one process isn't `conv2d_7` where the first was `conv2d`. The model's
    defaults stand in `config.MODEL_DEFAULTS`.

    Args:
        name: What `RunConfig.model` calls it.
        averaged: Whether training keeps the running average of its weights.

    Returns:
        A decorator that leaves the builder as it is.

    Raises:
        ValueError: If the name is taken.
    """

    def add(builder: Builder) -> Builder:
        if name in BUILDERS:
            raise ValueError(f"A model's name must be new. Received: {name!r}. Choose another.")
        BUILDERS[name] = builder
        if averaged:
            AVERAGED.add(name)
        return builder

    return add


def build_model(config: RunConfig, kinds: int = 2) -> keras.Model:
    """Build the model that a config names, compiled, with weights that depend on its seed alone.

    Args:
        config: `model`, `image_size`, `filters`, `dense_units`, `dropout`, `features`,
            `fine_tune_from`, `learning_rate` and `seed` are used.
        kinds: What a pretrained network's head tells apart, photographs last, see
            `heads.count_kinds`.

    Returns:
        A model from RGB pixels in [0, 255], uint8 or float32 (batch, S, S, 3), to P(photo),
        float32 (batch, 1).

    Raises:
        ConfigError: If the model is unknown, the image too small for its layers, or a choice isn't
            one of this model's.
        WeightsError: If its pretrained weights are missing or damaged.

    Example:
        >>> build_model(RunConfig(model="reference_cnn")).count_params()
        78705410
    """
    config = config.resolved()
    assert config.image_size is not None
    if config.model not in BUILDERS:
        raise ConfigError(
            f"`model` must be one of {tuple(BUILDERS)}. Received: {config.model!r}."
            f"{did_you_mean(config.model, BUILDERS)}"
        )
    _check_choices(config)
    pixels = keras.Input((config.image_size, config.image_size, 3), name="pixels")
    try:
        score = BUILDERS[config.model](config, pixels, _seeds(config.seed), kinds)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(
            f"`image_size` must leave something after {len(config.filters or ())} halvings."
            f" Received: {config.image_size} px for filters={config.filters}. Enlarge the image"
            f" or take fewer filters. ({error})"
        ) from error
    model = keras.Model(pixels, score, name=config.model)
    compile_scorer(model, config.learning_rate)
    return model


def _check_choices(config: RunConfig) -> None:
    if config.model not in WEIGHTS:
        for name, before in PRETRAINED_CHOICES.items():
            if getattr(config, name) != before:
                raise ConfigError(
                    f"`{name}` must be left open for {config.model}, all of which is trained."
                    f" Received: {getattr(config, name)}. Leave it out, or train one of"
                    f" {tuple(WEIGHTS)}."
                )
        return
    for name in ("filters", "dense_units"):
        if getattr(config, name):
            raise ConfigError(
                f"`{name}` must be left open for {config.model}, whose weights were trained with"
                f" its own layers. Received: {list(getattr(config, name))}. Leave them out, or"
                " train compact_cnn."
            )
    if (config.image_size or 0) < SMALLEST_PRETRAINED:
        raise ConfigError(
            f"`image_size` must be at least {SMALLEST_PRETRAINED} px for {config.model}, which"
            f" halves it five times. Received: {config.image_size}. Enlarge the image."
        )
    if config.model in APPLICATIONS and config.features != "pooled":
        raise ConfigError(
            f"`features` must be pooled for {config.model}, whose stages aren't known. Received:"
            f" {config.features!r}. Leave it out, or train one of {tuple(PACKAGED)}."
        )
    if config.fine_tune_from is None and config.augmentation != "none":
        raise ConfigError(
            f"`augmentation` must be none while {config.model} is frozen, since its features are"
            f" extracted once. Received: {config.augmentation!r}. Leave it out, give `pieces`, or"
            " `fine_tune_from`."
        )


def parts_of(config: RunConfig) -> tuple[str, ...]:
    """Return the parts of a pretrained network's features that a config's head sees."""
    return {"pooled": PARTS[:1], "stages": PARTS[1:], "all": PARTS}[config.features]


def compile_scorer(model: keras.Model, learning_rate: float) -> None:
    """Compile a model that ends in P(photo) for training."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )


@register("reference_cnn")
def reference_cnn(
    config: RunConfig, pixels: keras.KerasTensor, seeds: Iterator[int], kinds: int
) -> keras.KerasTensor:
    """Two valid convolutions, then dense layers that hold nearly all of the 78.7 M parameters."""
    assert config.filters is not None
    assert config.dense_units is not None
    layers = keras.layers
    x = layers.Rescaling(1 / 255, name="rescale")(pixels)
    for i, filters in enumerate(config.filters):
        kernel = 5 if i == 0 else 3
        x = layers.Conv2D(
            filters,
            kernel,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            name=f"conv_{i + 1}",
        )(x)
        x = layers.MaxPooling2D(2, name=f"pool_{i + 1}")(x)
    x = layers.Flatten(name="flatten")(x)
    for i, units in enumerate(config.dense_units):
        x = layers.Dropout(config.dropout, seed=next(seeds), name=f"dropout_{i + 1}")(x)
        x = layers.Dense(
            units,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            name=f"dense_{i + 1}",
        )(x)
    both = layers.Dense(
        2,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        name=TWO_WAY,
    )(x)
    return both[:, 1:]


@register("compact_cnn", averaged=True)
def compact_cnn(
    config: RunConfig, pixels: keras.KerasTensor, seeds: Iterator[int], kinds: int
) -> keras.KerasTensor:
    """A small residual network with batch norm and global pooling: few parameters, fast steps.

    The stem halves the image at once and each later stage halves it again. Full convolutions,
    since oneDNN runs them several times faster than depthwise ones of the same cost.
    """
    assert config.filters is not None
    layers = keras.layers
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(pixels)
    x = _convolve(x, config.filters[0], 5, 2, seeds, "stem")
    x = layers.ReLU(name="stem_relu")(x)
    for i, filters in enumerate(config.filters[1:]):
        x = _residual_stage(x, filters, seeds, f"stage_{i + 1}")
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return _head(x, config, seeds)


def pretrained(
    config: RunConfig, pixels: keras.KerasTensor, seeds: Iterator[int], kinds: int
) -> keras.KerasTensor:
    """A network with its published weights, frozen but for what is fine-tuned, and a head."""
    parts = feature_parts(config.model, pixels, fine_tune_from=config.fine_tune_from)
    layers, ops = keras.layers, keras.ops
    wanted = [parts[part] for part in parts_of(config)]
    x = layers.Concatenate(name=FEATURES)(wanted)
    x = layers.Dropout(config.dropout, seed=next(seeds), name="dropout")(x)
    initializer = keras.initializers.GlorotUniform(next(seeds))
    logits = layers.Dense(1 if kinds == 2 else kinds, kernel_initializer=initializer, name=KINDS)(x)
    if kinds > 2:
        # The log-odds of photographs against all others together.
        others = ops.logsumexp(logits[:, :-1], axis=1, keepdims=True)
        logits = logits[:, -1:] - others
    return layers.Activation("sigmoid", name="photo")(logits)


for _name in WEIGHTS:
    register(_name)(pretrained)


def _head(x: keras.KerasTensor, config: RunConfig, seeds: Iterator[int]) -> keras.KerasTensor:
    assert config.dense_units is not None
    layers = keras.layers
    for i, units in enumerate(config.dense_units):
        x = layers.Dense(
            units,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            name=f"dense_{i + 1}",
        )(x)
    x = layers.Dropout(config.dropout, seed=next(seeds), name="dropout")(x)
    return layers.Dense(
        1,
        activation="sigmoid",
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        name="photo",
    )(x)


def _residual_stage(
    x: keras.KerasTensor, filters: int, seeds: Iterator[int], name: str
) -> keras.KerasTensor:
    layers = keras.layers
    # The shortcut averages before it projects: a strided 1x1 would throw three pixels in four away.
    shortcut = layers.AveragePooling2D(2, padding="same", name=f"{name}_pool")(x)
    shortcut = _convolve(shortcut, filters, 1, 1, seeds, f"{name}_shortcut")
    x = _convolve(x, filters, 3, 2, seeds, f"{name}_a")
    x = layers.ReLU(name=f"{name}_a_relu")(x)
    x = _convolve(x, filters, 3, 1, seeds, f"{name}_b")
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu")(x)


def _convolve(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int, seeds: Iterator[int], name: str
) -> keras.KerasTensor:
    layers = keras.layers
    x = layers.Conv2D(
        filters,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(next(seeds)),
        name=name,
    )(x)
    # Keras's momentum of 0.99 takes some 500 steps to forget its start: longer than the first
    # epochs of a small archive, whose val_loss would say nothing.
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)


def _seeds(seed: int) -> Iterator[int]:
    generator = np.random.default_rng(seed)
    while True:
        yield int(generator.integers(2**31))
