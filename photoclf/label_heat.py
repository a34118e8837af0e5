"""Where a run's model sees a photograph in one image, mapped in a process of its own."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from photoclf.decode import DecodeError, decode_image, read_bytes
from photoclf.errors import PhotoclfError
from photoclf.files import sha256_bytes
from photoclf.heat import overlaid
from photoclf.label_images import Rendition, as_jpeg, pixels_within
from photoclf.run import Run

# TensorFlow is loaded and the network built for the first map.
SECONDS = 240.0
_SIDE = 900


def map_image(item: tuple[str | Path, str | Path]) -> Rendition | str | Exception:
    """Lay over an image where a run's model sees a photograph; for a worker process.

    Args:
        item: The image's file, and the run's folder.

    Returns:
        The picture, in the image's proportions where the model is shown all of it, else the square
        that it is shown; or why there is none: one of `decode.REASONS`, or the error.
    """
    path, folder = item
    try:
        data = read_bytes(path)
        picture, own = pixels_within(data, _SIDE)
        model, config = _model(Path(folder))
        square = decode_image(data, config.image_size, config.fit)
        heat = _explain().grad_cam(model, square[None])[0]
    except DecodeError as error:
        return error.reason
    except (PhotoclfError, OSError) as error:
        return error
    if config.fit != "squash":
        picture = np.asarray(Image.fromarray(square).resize((_SIDE, _SIDE)))
    height, width = picture.shape[:2]
    large = Image.fromarray((heat * 255).astype(np.uint8)).resize((width, height))
    shown = overlaid(picture, np.asarray(large, np.float32) / 255)
    return Rendition(sha256_bytes(data), as_jpeg(shown), width, height, *own)


@functools.lru_cache(maxsize=1)
def _model(folder: Path) -> tuple[Any, Any]:
    run = Run(folder)
    return _explain().model_of(run), run.config.resolved()


def _explain() -> Any:
    # Only in the worker: a kernel that shows images needs no TensorFlow.
    from photoclf import explain

    return explain
