"""TensorFlow and Keras, imported quietly and set up in one place.

Every module that needs them takes them from here: `from photoclf.backend import keras, tf`.
"""

import os

from photoclf.errors import RunError
from photoclf.quiet import quiet_stderr
from photoclf.workers import available_threads

os.environ["KERAS_BACKEND"] = "tensorflow"
# Whatever goes wrong comes as a Python exception as well; even TensorFlow's errors on the stream
# tell of its own rewriting of graphs, which nobody who reads them can mend.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Some lines are written before the level above is read, hence the closed stream.
with quiet_stderr():
    import keras
    import tensorflow as tf

__all__ = ["configure", "keras", "tf"]


def configure(
    *, seed: int, threads: int | None = None, gpu_memory_limit_mib: int | None = None
) -> int:
    """Set seeds, deterministic operations, processor threads and the GPU memory limit.

    TensorFlow takes the number of threads and the memory limit only before its first operation.
    A second call in one process, as in a notebook that trains twice, may therefore change the
    seed, not the others.

    Args:
        seed: Seed of Python's, NumPy's and TensorFlow's generators.
        threads: Processor threads; all that the process may use when `None`.
        gpu_memory_limit_mib: Limit for each GPU in MiB; no effect without a GPU.

    Returns:
        The number of threads in use.

    Raises:
        RunError: If TensorFlow has started with another number of threads or without that limit.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    _limit_gpu_memory(gpu_memory_limit_mib)
    return _set_threads(threads or available_threads())


def _set_threads(threads: int) -> int:
    current = tf.config.threading.get_intra_op_parallelism_threads() or available_threads()
    if current == threads:
        return threads
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        # Going on would give other weights than the config promises.
        raise RunError(
            f"`threads` must be what TensorFlow started with in this process ({current})."
            f" Received: {threads}. Restart the kernel, or leave `threads` as it was."
        ) from error
    return threads


def _limit_gpu_memory(limit_mib: int | None) -> None:
    if limit_mib is None:
        return
    limit = [tf.config.LogicalDeviceConfiguration(memory_limit=limit_mib)]
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.set_logical_device_configuration(gpu, limit)
        except RuntimeError as error:
            raise RunError(
                "`gpu_memory_limit_mib` must be set before TensorFlow uses the GPU."
                f" Received: {limit_mib} after it did. Restart the kernel."
            ) from error
