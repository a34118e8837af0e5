"""Features from pixels by a frozen network, without TensorFlow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from photoclf.quiet import quiet_stderr

BATCH_SIZE = 32


@dataclass(frozen=True)
class Extractor:
    """A frozen network that turns pixels into features.

    It is loaded when the first image needs it: where all features are there, none is.

    Args:
        name: The network, see `backbones.EXTRACTORS`.
        image_size: Side of the square that it sees, in px.
        key: A text that changes whenever its features would.
        parts: Where each of `feature_parts.PARTS` is in a feature vector.
        threads: Processor threads.
        export: Gives the network as a LiteRT flatbuffer.
    """

    name: str
    image_size: int
    key: str
    parts: Mapping[str, slice]
    threads: int
    export: Callable[[], bytes]

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """Turn pixels into features.

        Args:
            pixels: uint8 (n, image_size, image_size, 3), n at least 1.

        Returns:
            float32 (n, d).
        """
        starts = range(0, len(pixels), BATCH_SIZE)
        return np.concatenate([self._batch(pixels[i : i + BATCH_SIZE]) for i in starts])

    def _batch(self, pixels: np.ndarray) -> np.ndarray:
        index = self._interpreter.get_input_details()[0]["index"]
        self._interpreter.resize_tensor_input(index, pixels.shape, strict=True)
        self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(index, np.ascontiguousarray(pixels))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._interpreter.get_output_details()[0]["index"])

    @cached_property
    def _interpreter(self) -> Any:
        # Here and not at the top: only those who extract pay for loading it.
        from ai_edge_litert.interpreter import Interpreter

        with quiet_stderr():  # it announces its delegate each time
            interpreter = Interpreter(model_content=self.export(), num_threads=self.threads)
            interpreter.allocate_tensors()
        return interpreter
