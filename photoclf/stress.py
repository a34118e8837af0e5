"""How a model holds when images get worse: the same test images, spoilt more and more."""

import functools
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance, ImageFilter
from tqdm import tqdm

from photoclf.classifier import Classifier
from photoclf.decode import MAX_MEMORY, MAX_SECONDS, decode_image, made_of_same_bytes
from photoclf.errors import ConfigError, RunError
from photoclf.evaluation import read_evaluation
from photoclf.exported import ExportedModel
from photoclf.files import sha256_text
from photoclf.intervals import exact_interval
from photoclf.metrics import confusion
from photoclf.paths import Workspace, resolve_archive
from photoclf.run import Run
from photoclf.schema import STRESS, check_table
from photoclf.split_files import split_to_evaluate
from photoclf.tables import write_table
from photoclf.workers import Lost, isolated_pool

# Longer sides are reduced to this first: what is done to a page of 70 million pixels would take
# seconds, and the network would never see it.
_LONGEST = 1024
IMAGES, _LEAST = 600, 2
_BATCH = 32
Change = Callable[[Image.Image, float, np.random.Generator], Image.Image]


def _jpeg(image: Image.Image, quality: float, rng: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(quality))
    return Image.open(file).convert("RGB")


def _smaller(image: Image.Image, side: float, rng: np.random.Generator) -> Image.Image:
    share = side / min(image.size)
    if share >= 1:
        return image
    width, height = (max(1, round(length * share)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)


def _blurred(image: Image.Image, per_mille: float, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(per_mille / 1000 * min(image.size)))


def _noisy(image: Image.Image, spread: float, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    return _image(pixels + rng.normal(0, spread, pixels.shape[:2])[..., None])


def _grey(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    return Image.blend(image, image.convert("L").convert("RGB"), level)


def _sepia(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    grey = np.asarray(image.convert("L"), np.float32)[..., None]
    toned = _image(grey * np.array([1.07, 0.94, 0.75]) + np.array([12, 4, -4]))
    return Image.blend(image, toned, level)


def _skewed(image: Image.Image, degrees: float, rng: np.random.Generator) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=(255, 255, 255))


def _brighter(image: Image.Image, step: float, rng: np.random.Generator) -> Image.Image:
    return _image(np.asarray(image, np.float32) + step)


def _contrast(image: Image.Image, factor: float, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(factor)


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


# What is done, with its levels from gentle to harsh: JPEG quality, shorter side in px, blur's
# radius in thousandths of the shorter side, noise's standard deviation in grey values, shares of
# grey and sepia, degrees, grey values added, and contrast's factor.
CHANGES: dict[str, tuple[Change, tuple[float, ...]]] = {
    "jpeg": (_jpeg, (70, 40, 20, 10, 5)),
    "smaller": (_smaller, (192, 128, 96, 64, 48)),
    "blur": (_blurred, (2, 4, 8, 16)),
    "noise": (_noisy, (5, 10, 20, 40)),
    "grey": (_grey, (0.5, 1.0)),
    "sepia": (_sepia, (0.5, 1.0)),
    "skew": (_skewed, (1, 3, 8)),
    "darker": (_brighter, (-25, -50, -100)),
    "brighter": (_brighter, (25, 50, 100)),
    "contrast": (_contrast, (0.75, 0.5, 0.25)),
}
NONE = "none"


def stress(
    run: Run,
    workspace: Workspace,
    *,
    archive: str | Path | None = None,
    images: int = IMAGES,
    decision: tuple[float, float] | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Measure an evaluated run on test images that are spoilt more and more.

    What is drawn (noise) depends on an
    image's bytes alone.

    Args:
        run: An evaluated run, or the release.
        workspace: Holds the split.
        archive: The archive's folder, see `paths.resolve_archive`.
        images: Test images at most, half of them photographs where there are enough; which ones
            depends on their contents.
        decision: Threshold and temperature; those that evaluation chose by default.
        workers: Processes, see `workers.isolated_pool`.
        progress: Whether to show a bar.

    Returns:
        A `schema.STRESS` frame, also written to the run's `eval/stress.csv`: one row a change and
        level, `none` first.

    Raises:
        RunError: If the run wasn't evaluated or has no exported model, or an image isn't what it
            was in the audit.
    """
    if images < _LEAST:
        raise ConfigError(f"`images` must be {_LEAST} or more. Received: {images}.")
    if decision is None and run.release is None:
        read_evaluation(run)  # whoever isn't evaluated has no threshold yet
    model = ExportedModel.of(run)
    if decision is not None:
        model = replace(model, threshold=decision[0], temperature=decision[1])
    classifier = Classifier.of(model)
    test = split_to_evaluate(run, workspace).query("split == 'test'")
    chosen = _some(test, images)
    place = resolve_archive(archive, workspace)
    pairs = [(NONE, 0.0), *((name, at) for name, (_, levels) in CHANGES.items() for at in levels)]
    render = functools.partial(spoilt, side=classifier.image_size, fit=classifier.fit)
    rows = []
    with isolated_pool(render, workers=workers, seconds=MAX_SECONDS, memory=MAX_MEMORY) as apply:
        for name, level in tqdm(pairs, "stress", unit="level", disable=not progress):
            items = (
                (place / path, sha256, name, level)
                for path, sha256 in zip(chosen.pathname, chosen.sha256, strict=True)
            )
            scores = np.concatenate(list(_scores(classifier, chosen.pathname, apply(items))))
            rows.append({"change": name, "level": level} | _row(chosen.label, scores, classifier))
    table = check_table(pd.DataFrame(rows), STRESS)
    write_table(table, run.eval_folder / "stress.csv", STRESS)
    return table


def spoilt(item: tuple[Path, str, str, float], side: int, fit: str) -> bytes | str:
    """Render an image spoilt in a way: what worker processes do.

    Args:
        item: The file, the SHA-256 that its bytes must have, one of `CHANGES` or `NONE`, and one of
            its levels.
        side: Of the square, in px.
        fit: How the image fills it.

    Returns:
        The pixels' bytes, or why there are none, as a text.
    """
    path, sha256, name, level = item

    def render(data: bytes) -> bytes:
        image = Image.fromarray(decode_image(data))
        image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BILINEAR, reducing_gap=2)
        if name != NONE:
            rng = np.random.default_rng(int(sha256[:12], 16))
            image = CHANGES[name][0](image, level, rng)
        file = io.BytesIO()
        image.save(file, "BMP")
        return decode_image(file.getvalue(), side, fit).tobytes()

    return made_of_same_bytes((path, sha256), render)


def _scores(
    classifier: Classifier, pathnames: Iterable[str], results: Iterable[Any]
) -> Iterator[np.ndarray]:
    side = classifier.image_size
    batch: list[np.ndarray] = []
    for path, result in zip(pathnames, results, strict=True):
        if not isinstance(result, bytes):
            what = result.reason if isinstance(result, Lost) else result
            raise RunError(
                f"An image must be what it was in the audit. Received: {path!r}, {what}."
                " Audit the archive again: photoclf audit."
            )
        batch.append(np.frombuffer(result, np.uint8).reshape(side, side, 3))
        if len(batch) == _BATCH:
            yield classifier.scores(np.array(batch))
            batch = []
    if batch:
        yield classifier.scores(np.array(batch))


def _some(test: pd.DataFrame, images: int) -> pd.DataFrame:
    order = test.assign(draw=[sha256_text(sha256) for sha256 in test.sha256]).sort_values("draw")
    sides = [order[order.label == label] for label in (1, 0)]
    photos = min(len(sides[0]), max(images // 2, images - len(sides[1])))
    return pd.concat([sides[0].head(photos), sides[1].head(images - photos)])


def _row(labels: pd.Series, scores: np.ndarray, classifier: Classifier) -> dict[str, float]:
    counts = confusion(labels, scores, classifier.threshold)
    row: dict[str, float] = {
        "threshold": classifier.threshold,
        "temperature": classifier.model.temperature,
        "images": len(labels),
        "photos": int(labels.sum()),
    }
    for name, of in (("recall", counts["fn"]), ("precision", counts["fp"])):
        total = counts["tp"] + of
        row[name] = counts["tp"] / total if total else np.nan
        low, high = exact_interval(counts["tp"], total) if total else (np.nan, np.nan)
        row |= {f"{name}_low": low, f"{name}_high": high}
    return row
