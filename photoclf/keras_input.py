"""Pixels from files as the reference study gets them, and as Keras's documentation advises."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from photoclf.backend import keras, tf


def decode_as_reference(path: Path, image_size: int) -> np.ndarray:
    """Read, decode and resize one image, as the reference study does.

    Returns:
        float32 RGB (image_size, image_size, 3).
    """
    data = tf.io.read_file(str(path))
    if path.suffix == ".jpg":
        pixels = tf.io.decode_jpeg(data, channels=3)
    else:
        pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    return tf.image.resize(pixels, (image_size, image_size)).numpy()


class ReferenceSequence(keras.utils.PyDataset):
    """The reference study's `keras.utils.Sequence`: batches, decoded one image at a time.

    Args:
        paths: The files.
        image_size: Side to which they are decoded, in px.
        batch_size: Images a batch; the last one may be smaller.
    """

    def __init__(self, paths: Sequence[Path], image_size: int, batch_size: int) -> None:
        super().__init__()
        self.paths, self.image_size, self.batch_size = paths, image_size, batch_size

    def __len__(self) -> int:
        return -(-len(self.paths) // self.batch_size)

    def __getitem__(self, index: int) -> np.ndarray:
        start = index * self.batch_size
        batch = self.paths[start : start + self.batch_size]
        return np.stack([decode_as_reference(path, self.image_size) for path in batch])


def keras_batches(folder: Path, image_size: int, batch_size: int, times: int = 1) -> "tf.Dataset":
    """Read a folder with `keras.utils.image_dataset_from_directory`, and prefetch.

    Args:
        folder: Its files are taken in the order of their names.
        image_size: Side to which they are decoded, in px; the middle of an image fills it.
        batch_size: Images a batch.
        times: How often the folder is gone through.

    Returns:
        Batches of float32 RGB (batch, image_size, image_size, 3).
    """
    dataset = keras.utils.image_dataset_from_directory(
        folder,
        labels=None,
        shuffle=False,
        image_size=(image_size, image_size),
        batch_size=batch_size,
        crop_to_aspect_ratio=True,
        verbose=False,
    )
    return dataset.repeat(times).prefetch(tf.data.AUTOTUNE)
