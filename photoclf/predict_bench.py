"""How fast the release scores decoded pixels, against Keras with the same network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

IMAGES = 96


def predict_contenders(scratch: Path) -> list[tuple[str, Callable[[], int]]]:
    """Make the contenders: `keras.predict`, and the release as `predict` runs it.

    Args:
        scratch: A folder to lay the release into.

    Returns:
        (name, work) pairs; each work scores `IMAGES` squares of noise and returns their number.

    Raises:
        RunError: If no release comes with the project.
    """
    from photoclf.classifier import Classifier
    from photoclf.explain import model_of
    from photoclf.runs import load_run
    from photoclf.shipped import NAME

    run = load_run(scratch / "models", NAME)
    classifier, model = Classifier.load(run), model_of(run)
    side = classifier.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, side, side, 3), dtype=np.uint8)
    return [
        (
            f"keras.predict at {side} px",
            lambda: len(model.predict(pixels, batch_size=32, verbose=0)),
        ),
        ("release in LiteRT", lambda: len(classifier.scores(pixels))),
    ]
