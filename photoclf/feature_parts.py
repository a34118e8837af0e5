"""What a pretrained network makes of an image, in parts that a head may be fitted to."""

from photoclf.applications import application
from photoclf.backend import keras
from photoclf.efficientnet_lite import SCALES, efficientnet_lite, stage_widths
from photoclf.errors import ConfigError
from photoclf.pretrained import APPLICATIONS

# The pooled output of the last convolution, then mean and spread over the image of what each stage
# gives. Texture lives there: brush strokes, grain.
PARTS = ("pooled", "means", "spreads")
_POOLED = 1280


def feature_parts(
    name: str, pixels: keras.KerasTensor, *, fine_tune_from: int | None = None
) -> dict[str, keras.KerasTensor]:
    """Build a pretrained network on pixels, and its parts.

    Args:
        name: One of `pretrained.WEIGHTS`.
        pixels: See `efficientnet_lite.efficientnet_lite`.
        fine_tune_from: See there.

    Returns:
        Each of `part_widths`, (batch, its width).

    Raises:
        ConfigError: If blocks of a network of `keras.applications` are to be fine-tuned.
        WeightsError: If its weights can't be had.
    """
    if name in APPLICATIONS:
        if fine_tune_from is not None:
            raise ConfigError(
                f"`fine_tune_from` must be left open for {name}, which is used frozen. Received:"
                f" {fine_tune_from}. Leave it out, or fine-tune one of {tuple(SCALES)}."
            )
        maps = application(name, pixels)
        return {"pooled": keras.layers.GlobalAveragePooling2D(name="pooled")(maps)}
    network = efficientnet_lite(name, pixels, fine_tune_from=fine_tune_from)
    layers, ops = keras.layers, keras.ops
    means = [ops.mean(stage, (1, 2)) for stage in network.stages]
    spreads = [ops.std(stage, (1, 2)) for stage in network.stages]
    return {
        "pooled": layers.GlobalAveragePooling2D(name="pooled")(network.maps),
        "means": layers.Concatenate(name="means")(means),
        "spreads": layers.Concatenate(name="spreads")(spreads),
    }


def part_widths(name: str) -> dict[str, int]:
    """Return how many numbers each of a network's parts has.

    Networks of `keras.applications` have one part, `pooled`.

    Example:
        >>> part_widths("efficientnet_lite0")
        {'pooled': 1280, 'means': 784, 'spreads': 784}
    """
    if name in APPLICATIONS:
        return {"pooled": APPLICATIONS[name].width}
    stages = sum(stage_widths(name))
    return dict(zip(PARTS, (_POOLED, stages, stages), strict=True))
