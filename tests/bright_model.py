"""A run whose model says how bright an image is, so that every answer is known."""

import io
import json
from pathlib import Path

from PIL import Image

from photoclf.config import RunConfig
from photoclf.decode import DECODER_VERSION
from photoclf.files import sha256_bytes, write_json
from photoclf.run import Run

SIZE = 16


def convert_brightness_model() -> bytes:
    """Make a model whose P(photo) is the image's mean brightness."""
    from photoclf.backend import keras
    from photoclf.export import convert

    inputs = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    output = keras.layers.Dense(
        1, use_bias=False, kernel_initializer=keras.initializers.Constant(1 / 3)
    )(mean)
    return convert(keras.Model(inputs, output))


def make_bright_run(folder: Path, model: bytes) -> Run:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(RunConfig(image_size=SIZE).to_json())
    (folder / "model.tflite").write_bytes(model)
    spoil_facts(Run(folder), sha256=sha256_bytes(model))
    return Run(folder)


def spoil_facts(run, **changes):
    path = run.folder / "model.json"
    facts = {"image_size": SIZE, "fit": "squash", "decoder_version": DECODER_VERSION}
    if path.is_file():
        facts = json.loads(path.read_text())
    write_json(path, facts | changes)


def png(grey: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (20, 30), grey).save(file, "PNG")
    return file.getvalue()


def put(root: Path, name: str, content: bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def choose(run, threshold, low=None, high=None):
    """Write as much of an evaluation as predicting asks for."""
    point = {"low": threshold if low is None else low, "high": high or threshold}
    told = {"threshold": threshold, "temperature": 1.0, "review": {"point": point}}
    write_json(run.eval_folder / "metrics.json", told)
