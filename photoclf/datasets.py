"""Split and pixels → batches: no row dropped, and every order a function of seed and epoch."""

import functools
import math

import numpy as np
import pandas as pd

from photoclf.backend import tf
from photoclf.cache import PixelCache
from photoclf.config import AUGMENTATIONS
from photoclf.errors import ConfigError, did_you_mean

# Batches made ahead of the training step. A fixed number: an iterator whose buffers tune
# themselves was seen to block for seconds when it was let go.
PREFETCHED = 2
SHIFT, ZOOM, BRIGHTNESS, CONTRAST = 0.06, 0.10, 0.10, 0.15
# What a seed stands for beside its number, so that orders and augmentations never share draws.
_ORDER, _AUGMENT = 0, 1


def make_dataset(
    cache: PixelCache,
    table: pd.DataFrame,
    *,
    batch_size: int,
    training: bool,
    seed: int = 0,
    augmentation: str = "none",
    first_epoch: int = 0,
) -> "tf.data.Dataset":
    """Make batches of pixels and labels.

    For evaluation the rows come once, in the table's order, unchanged. For training the dataset
    is endless and goes through all rows once in `steps_per_epoch` batches, each epoch in an order
    that depends on `seed` and the epoch's number alone: a run resumed at epoch 3 sees what the
    uninterrupted run saw. Every epoch ends with the batch that is left over.

    Args:
        cache: A `PixelCache` that holds the table's images.
        table: Frame with `pathname` and `label`.
        batch_size: Images a batch.
        training: Whether to shuffle, augment and repeat.
        seed: Seed of order and augmentation.
        augmentation: `none`, or `light`: mirroring, shifts, zoom, brightness and contrast.
        first_epoch: Epoch to start with, counted from 0.

    Returns:
        Batches of (pixels, labels): uint8 (batch, S, S, 3), float32 in [0, 255] when augmented;
        and int64 (batch, 1).

    Raises:
        ConfigError: If the table is empty or the augmentation unknown.
    """
    if augmentation not in AUGMENTATIONS:
        raise ConfigError(
            f"`augmentation` must be one of {AUGMENTATIONS}. Received: {augmentation!r}."
            f"{did_you_mean(augmentation, AUGMENTATIONS)}"
        )
    steps = steps_per_epoch(len(table), batch_size)
    rows = cache.rows(table["pathname"])
    labels = table["label"].to_numpy(np.int64)[:, None]

    def batch(step: np.int64) -> tuple[np.ndarray, np.ndarray]:
        epoch, position = divmod(int(step), steps)
        order = epoch_order(len(rows), seed, epoch) if training else np.arange(len(rows))
        chosen = order[position * batch_size : (position + 1) * batch_size]
        return cache.pixels[rows[chosen]], labels[chosen]

    @tf.autograph.experimental.do_not_convert
    def load(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, answers = tf.numpy_function(batch, [step], (cache.pixels.dtype, tf.int64))
        return (
            tf.ensure_shape(pixels, (None, *cache.pixels.shape[1:])),
            tf.ensure_shape(answers, (None, 1)),
        )

    @tf.autograph.experimental.do_not_convert
    def change(step: tf.Tensor, pair: tuple) -> tuple:
        pixels, answers = pair
        return augment_light(pixels, tf.stack([_augmentation_seed(seed), step])), answers

    count = (
        tf.data.Dataset.counter(first_epoch * steps) if training else tf.data.Dataset.range(steps)
    )
    # No parallel map: deterministic mode makes it a serial one anyway, and says so at length. The
    # prefetching thread works beside the training step, and the kernels use all processors.
    data = count.map(load)
    if training and augmentation == "light":
        data = tf.data.Dataset.zip(count, data).map(change)
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options).prefetch(PREFETCHED)


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Return how many batches hold all rows, the last one maybe smaller.

    Raises:
        ConfigError: If there is no row.
    """
    if rows < 1:
        raise ConfigError("A dataset must have at least one row. Received: none. Check the split.")
    return math.ceil(rows / batch_size)


@functools.lru_cache(maxsize=4)
def epoch_order(rows: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of an epoch's rows, a permutation of int64 (rows,).

    Example:
        >>> sorted(epoch_order(4, seed=42, epoch=0).tolist())
        [0, 1, 2, 3]
    """
    order = np.random.default_rng([_ORDER, seed, epoch]).permutation(rows)
    order.setflags(write=False)
    return order


def augment_light(pixels: "tf.Tensor", seed: "tf.Tensor") -> "tf.Tensor":
    """Mirror, shift, zoom, brighten and change the contrast of each image a little.

    Args:
        pixels: uint8 (batch, S, S, 3).
        seed: Two whole numbers; the same give the same changes.

    Returns:
        float32 (batch, S, S, 3) in [0, 255].
    """
    pixels = tf.cast(pixels, tf.float32)
    batch, side = tf.shape(pixels)[0], tf.cast(tf.shape(pixels)[1], tf.float32)
    # One draw a quantity and image; each column serves one change below.
    draws = tf.random.stateless_uniform((batch, 6), seed, -1.0, 1.0)
    mirror = tf.where(draws[:, 0] < 0, -1.0, 1.0)
    zoom = 1.0 + ZOOM * draws[:, 1]
    centre = (side - 1) / 2
    zeros = tf.zeros_like(zoom)
    # Rows of the matrix that maps an output pixel to its input pixel, around the centre.
    across = centre - mirror * zoom * centre + SHIFT * side * draws[:, 2]
    down = centre - zoom * centre + SHIFT * side * draws[:, 3]
    transforms = tf.stack([mirror * zoom, zeros, across, zeros, zoom, down, zeros, zeros], axis=1)
    pixels = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=tf.shape(pixels)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    contrast = (1.0 + CONTRAST * draws[:, 4])[:, None, None, None]
    brightness = (255.0 * BRIGHTNESS * draws[:, 5])[:, None, None, None]
    mean = tf.reduce_mean(pixels, axis=(1, 2), keepdims=True)
    return tf.clip_by_value((pixels - mean) * contrast + mean + brightness, 0.0, 255.0)


def _augmentation_seed(seed: int) -> int:
    return int(np.random.default_rng([_AUGMENT, seed]).integers(2**62))
