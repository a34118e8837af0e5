"""One image's score, by an exported model in LiteRT: no TensorFlow, no table."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from photoclf.decode import DecodeError, decode_image
from photoclf.errors import RunError
from photoclf.exported import ExportedModel
from photoclf.files import sha256_bytes
from photoclf.quiet import quiet_stderr
from photoclf.temperature import tempered


class Scorer:
    """An exported model that scores one image at a time, on one thread.

    So a score depends on its image alone: not on those beside it, nor on how many processors work.
    Several of them on as many threads are also faster than one on all of them.

    Args:
        model: Whose file is read, and checked once more.

    Raises:
        RunError: If the file isn't the one that was recorded.
    """

    def __init__(self, model: ExportedModel) -> None:
        # Here and not at the top: only those who score pay for loading it.
        from ai_edge_litert.interpreter import Interpreter

        content = model.path.read_bytes()
        if sha256_bytes(content) != model.sha256:
            raise RunError(
                f"The exported model must stay what it was. Received: {model.path}, changed"
                " meanwhile. Restore it."
            )
        self._temperature = model.temperature
        with quiet_stderr():  # it announces its delegate each time
            self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def score(self, pixels: np.ndarray) -> np.float32:
        """Score an image.

        Args:
            pixels: uint8 RGB (image_size, image_size, 3), as `decode_image` returns them.

        Returns:
            P(photo), in [0, 1].
        """
        image = pixels[None].astype(self._input["dtype"], copy=False)
        self._interpreter.set_tensor(self._input["index"], image)
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output).reshape(1).astype(np.float32)
        return tempered(raw, self._temperature)[0]


def score_file(path: str | Path, model: ExportedModel) -> float | DecodeError:
    """Decode and score a file, for worker processes; each keeps its scorer.

    Returns:
        P(photo), a float32's value, or why the file can't be decoded.
    """
    try:
        pixels = decode_image(path, model.image_size, model.fit)
    except DecodeError as error:
        return error
    return float(_kept_scorer(model).score(pixels))


@functools.lru_cache(maxsize=1)
def _kept_scorer(model: ExportedModel) -> Scorer:
    return Scorer(model)
