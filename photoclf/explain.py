"""Grad-CAM: where in an image the model sees a photograph."""

from contextlib import suppress
from pathlib import Path

import numpy as np

from photoclf.backend import keras, tf
from photoclf.decode import DecodeError, decode_image, read_bytes
from photoclf.errors import RunError
from photoclf.evaluation import read_evaluation
from photoclf.export import load_model
from photoclf.files import replacing, sha256_bytes
from photoclf.heat import HEAT, heat_is_of
from photoclf.models import KINDS, build_model
from photoclf.paths import Workspace, resolve_archive
from photoclf.pretrained import PACKAGED
from photoclf.released_weights import ship_weights
from photoclf.run import HEAD, Run
from photoclf.split_files import split_to_evaluate

_BATCH = 16
MOST = 8


def grad_cam(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Map where an image's pixels speak for "photo".

    The features are those after the last convolution, before anything makes them smaller. Each is
    weighted by the mean gradient of the photo's log-odds (what a head sees of earlier stages has no
    part in it), rather than of its probability, whose
    gradient vanishes for images that the model is sure of. Negative sums are cut off, so an image
    in which nothing speaks for "photo" gets zeros.

    Args:
        model: Any of the registry, from `build_model` or `export.load_model`.
        pixels: uint8 RGB (n, S, S, 3).

    Returns:
        Heat maps, float32 (n, S, S) in [0, 1], the largest value of each 1 or all 0.

    Raises:
        RunError: If the model has no convolution, or doesn't end in a dense layer.

    Source: Selvaraju et al., "Grad-CAM", ICCV 2017, https://arxiv.org/abs/1610.02391.

    Example:
        >>> grad_cam(model, pixels).shape == pixels.shape[:3]  # doctest: +SKIP
        True
    """
    parts = _parts(model)
    maps = [_heat(*parts, pixels[i : i + _BATCH]) for i in range(0, len(pixels), _BATCH)]
    return np.concatenate(maps) if maps else np.empty((0, *pixels.shape[1:3]), np.float32)


def explain_errors(
    run: Run, workspace: Workspace, *, archive: str | Path | None = None, most: int = MOST
) -> None:
    """Map what an evaluated run looked at in its most confident errors: `eval/heat.npz`.

    Maps that are there are kept while they are of the same errors. Images that aren't what they
    were in the split are left out.

    Args:
        run: An evaluated run, or the release.
        workspace: Holds the split.
        archive: The archive's folder, see `paths.resolve_archive`.
        most: Errors at most.

    Raises:
        RunError: If the run wasn't evaluated, or its model isn't what was recorded.
    """
    errors = read_evaluation(run).errors().head(most)
    if heat_is_of(run, errors.pathname):
        return
    config = run.config.resolved()
    assert config.image_size is not None
    split = split_to_evaluate(run, workspace).set_index("pathname")
    place = resolve_archive(archive, workspace)
    pixels = {}
    for name in errors.pathname:
        with suppress(DecodeError):
            data = read_bytes(place / name)
            if sha256_bytes(data) == split.sha256[name]:
                pixels[name] = decode_image(data, config.image_size, config.fit)
    heat = grad_cam(model_of(run), np.array(list(pixels.values()))) if pixels else np.empty((0, 1))
    with replacing(run.eval_folder / HEAT) as file:
        np.savez_compressed(
            file,
            wanted=np.array(list(errors.pathname), np.str_),
            pathnames=np.array(list(pixels), np.str_),
            pixels=np.array(list(pixels.values()), np.uint8),
            heat=(heat * 255).astype(np.uint8),
        )


def embed(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Return what a model makes of images before it decides: what its last layer takes.

    Args:
        model: Any of the registry.
        pixels: uint8 RGB (n, S, S, 3).

    Returns:
        float32 (n, d).

    Raises:
        RunError: As `grad_cam`.
    """
    body, _ = _parts(model)
    told = keras.Model(body.inputs, body.outputs[1])
    return np.asarray(told.predict(pixels.astype(np.float32), batch_size=_BATCH, verbose=0))


def model_of(run: Run) -> keras.Model:
    """Return a run's model for Keras.

    A release doesn't bring it, as its network's weights can be had from where they were published:
    it is built from them and the head that the release brings. Where its export is float16, an
    EfficientNet-Lite gets the very weights of the export, see `released_weights`, so that what is
    explained is what is shipped; other networks keep float32, and score up to 0.01 off.

    Raises:
        RunError: If a file is missing or isn't what was recorded.
        WeightsError: If the network's weights are missing or damaged.
    """
    if run.release is None:
        return load_model(run.best_model)
    run.check_hash(HEAD)
    with np.load(run.need(HEAD), allow_pickle=False) as head:
        kernel, bias = head["kernel"], head["bias"]
    model = build_model(run.config, kinds=max(2, len(bias)))
    model.get_layer(KINDS).set_weights([kernel, bias])
    rounded = run.read_object("model.json", "weights")["weights"] == "float16"
    return ship_weights(model) if rounded and run.config.model in PACKAGED else model


def _parts(model: keras.Model) -> tuple[keras.Model, keras.layers.Dense]:
    convolutions = [la for la in model.layers if isinstance(la, keras.layers.Conv2D)]
    heads = [la for la in model.layers if isinstance(la, keras.layers.Dense)]
    if not convolutions or not heads:
        raise RunError(
            "Grad-CAM needs a model with a convolution and a dense layer at its end."
            f" Received: {model.name!r}, with {[type(la).__name__ for la in model.layers]}."
        )
    features = _last_of_size(model, convolutions[-1].output.shape)
    return keras.Model(model.inputs, [features, heads[-1].input]), heads[-1]


def _last_of_size(model: keras.Model, shape: tuple) -> keras.KerasTensor:
    # In a residual network the last convolution is only one of two summands; the sum is what the
    # rest of the network sees.
    same = [layer.output for layer in model.layers if layer.output.shape == shape]
    return same[-1]


def _heat(body: keras.Model, head: keras.layers.Dense, pixels: np.ndarray) -> np.ndarray:
    images = tf.cast(pixels, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        features, last = body(images, training=False)
        log_odds = _log_odds(last, head)
    weights = tf.reduce_mean(tape.gradient(log_odds, features), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1, keepdims=True))
    heat = tf.image.resize(heat, pixels.shape[1:3])[..., 0].numpy()
    largest = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, largest, out=np.zeros_like(heat), where=largest > 0)


def _log_odds(last: "tf.Tensor", head: keras.layers.Dense) -> "tf.Tensor":
    logits = tf.matmul(last, head.kernel) + head.bias
    if logits.shape[1] == 1:
        return logits[:, 0]
    # Photographs come last, see `heads.fit_head`; so they do in a two-way softmax.
    return logits[:, -1] - tf.reduce_logsumexp(logits[:, :-1], axis=1)
