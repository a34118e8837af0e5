"""Keras model → LiteRT, checked on real images against the original."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from photoclf.backend import keras, tf
from photoclf.errors import RunError
from photoclf.files import read_json, replacing, sha256_file
from photoclf.flops import count_flops
from photoclf.quiet import quiet_stderr

TOLERANCE = 1e-4
EXPORTED = "model.tflite"
_BATCH = 32


def load_model(path: Path, sha256: str | None = None) -> keras.Model:
    """Load a run's Keras model, if it is the file that the run recorded.

    Keras's safe mode stays on, so that a file can't bring code of its own.

    Args:
        path: The run's `best.keras`.
        sha256: What the file must hash to; by default what `done` or, while the run is
            unfinished, `state.json` beside it says.

    Returns:
        The model, not compiled, since a kept model is used, not trained on.

    Raises:
        RunError: If the file is missing, not in Keras's format, or not the recorded one.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise RunError(
            f"A model must be a `.keras` file. Received: {path.name}. HDF5 files may run code when"
            " they are loaded; save the model anew with Keras 3."
        )
    if not path.is_file():
        raise RunError(f"The model must exist. Received: {path}, which does not. Train again.")
    wanted, received = sha256 or recorded_sha256(path), sha256_file(path)
    if wanted != received:
        raise RunError(
            f"{path.name} must be the file that the run recorded.\n- {wanted}\n+ {received}"
            f"\nin {path.parent}. Restore the file or train again."
        )
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise RunError(f"A model must be what Keras saved. Received: {path} ({error}).") from error


def recorded_sha256(path: Path) -> str:
    """Find what the run beside a model says its hash is.

    Raises:
        RunError: If nothing there says so.
    """
    folder = path.parent
    if (folder / "done").is_file():
        recorded = read_json(folder / "done").get("sha256", {}).get(path.name)
    elif (folder / "state.json").is_file() and path.name == "best.keras":
        recorded = read_json(folder / "state.json").get("best_sha256")
    else:
        recorded = None
    if recorded is None:
        raise RunError(
            f"A model's hash must be recorded by its run. Received: {path}, of which neither `done`"
            " nor `state.json` beside it tells the hash. Train again."
        )
    return recorded


def export_model(
    model_path: Path,
    images: np.ndarray,
    folder: Path,
    *,
    sha256: str | None = None,
    half_at: float | None = None,
) -> dict[str, Any]:
    """Export a run's model to LiteRT and check it against Keras.

    Args:
        model_path: The run's `best.keras`.
        images: Real images to check with, uint8 (n, S, S, 3), n at least 1.
        folder: Where `model.tflite` is written, only when it agrees. It takes uint8 RGB
            (batch, S, S, 3) of any batch and returns P(photo), float32 (batch, 1).
        sha256: See `load_model`.
        half_at: Keep weights as float16, at half the size, if all decisions at this threshold stay
            the same; float32 by default.

    Returns:
        `max_abs_difference` of the scores, `images` compared, `sha256` of what was written,
        `weights` (`float32` or `float16`), and `parameters` and `flops` of the model, see
        `flops.count_flops`.

    Raises:
        RunError: If the model isn't the recorded one, a float32 score differs by more than 1e-4,
            or a float16 score decides otherwise.
    """
    if len(images) < 1:
        raise RunError("An export must be checked on images. Received: none. Give at least one.")
    model = load_model(model_path, sha256)
    exported = convert(model, half=half_at is not None)
    expected, received = keras_scores(model, images), litert_scores(exported, images)
    difference = float(np.abs(expected - received).max())
    if half_at is not None and not np.array_equal(expected >= half_at, received >= half_at):
        raise RunError(
            f"A float16 model must decide as the original at the threshold {half_at}. Received: a"
            f" score that is {difference} off on {len(images)} images. Nothing was written; export"
            " it as float32."
        )
    if half_at is None and not difference <= TOLERANCE:  # NaN isn't either
        raise RunError(
            f"The exported model must score within {TOLERANCE} of the original. Received: a"
            f" difference of {difference} on {len(images)} images. Nothing was written; report it."
        )
    path = Path(folder) / EXPORTED
    with replacing(path) as file:
        file.write(exported)
    return {
        "max_abs_difference": difference,
        "images": len(images),
        "sha256": sha256_file(path),
        "weights": "float32" if half_at is None else "float16",
        "parameters": model.count_params(),
        "flops": count_flops(model),
    }


def convert(model: keras.Model, *, half: bool = False) -> bytes:
    """Convert a model to LiteRT, for any batch size.

    Args:
        model: From uint8-range RGB pixels (batch, S, S, 3) to P(photo).
        half: Whether weights are kept as float16; computing is in float32 either way.

    Returns:
        The flatbuffer's bytes.
    """
    pixels = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name="pixels")

    # Explicitly not training: else dropout and batch statistics could be baked in.
    @tf.function(input_signature=[pixels], autograph=False)
    def score(pixels: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(pixels, tf.float32), training=False)

    # The converter tells its progress from native code and that it will move to another package.
    with quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Given the function instead of the model, the converter freezes the weights to constants;
        # else it leaves them variables that nothing sets: scores of NaN.
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [score.get_concrete_function()], score
        )
        if half:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def keras_scores(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Score images with Keras; float32 (n,)."""
    batches = [images[i : i + _BATCH] for i in range(0, len(images), _BATCH)]
    scores = [np.asarray(model(tf.cast(b, tf.float32), training=False)) for b in batches]
    return np.concatenate(scores)[:, 0]


def litert_scores(exported: bytes, images: np.ndarray) -> np.ndarray:
    """Score images with LiteRT; float32 (n,)."""
    # Imported late: only an export needs both runtimes in one process.
    from ai_edge_litert.interpreter import Interpreter

    with quiet_stderr():
        interpreter = Interpreter(model_content=exported)
        interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    scores = []
    for i in range(0, len(images), _BATCH):
        batch = np.ascontiguousarray(images[i : i + _BATCH])
        interpreter.resize_tensor_input(index, batch.shape, strict=True)
        interpreter.allocate_tensors()
        interpreter.set_tensor(index, batch)
        interpreter.invoke()
        scores.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.concatenate(scores)[:, 0]
