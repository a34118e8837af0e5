"""Originals rendered as pictures of each kind: as they are, painted or sketched."""

from functools import partial

import numpy as np
from PIL import Image, ImageFilter

from photoclf.demo_filters import Pixels, Rendering, blur, clouds, grey_of, unfinished, wobble
from photoclf.demo_photographs import PHOTOGRAPHS, frame_original


def render_original(kind: str, style: str, name: str, rng: np.random.Generator) -> Image.Image:
    """Render one original photograph as a picture of another kind.

    Args:
        kind: `"Photo"`, `"Painting"` or `"Sketch"`.
        style: A key of `STYLES[kind]`.
        name: A key of `ORIGINALS`.
        rng: The only source of chance: equal generators give equal pixels.

    Returns:
        An RGB image whose longer side is between 180 and 900 px.
    """
    pixels = frame_original(name, rng)
    pixels = np.clip(STYLES[kind][style](pixels, rng), 0, 1)
    return Image.fromarray((pixels * 255 + 0.5).astype(np.uint8))


def _paint_oil(pixels: Pixels, rng: np.random.Generator, coarseness: float = 1.0) -> Pixels:
    """Lay strokes from broad to fine along the contours (after Hertzmann, SIGGRAPH 1998)."""
    unit = max(pixels.shape) / 400 * rng.uniform(0.9, 1.4) * coarseness
    pixels = _colour(pixels, rng)
    ground = np.dstack([blur(pixels, 12 * unit) * 0.8 + 0.1, np.full(pixels.shape[:2], 0.5)])
    # The fourth channel is the thickness of the paint, which the light then reveals.
    canvas = Image.fromarray((ground * 255).astype(np.uint8), "RGBA")
    for radius, tolerance in ((10, 0.0), (5.5, 0.07), (3, 0.11)):
        radius = max(radius * unit, 2.2)
        reference = blur(pixels, radius / 2.5)
        _lay_strokes(canvas, reference, radius, tolerance, rng)
    painted = np.asarray(canvas, np.float32) / 255
    relief = blur(painted[..., 3], 0.6)
    light = np.gradient(relief, axis=0) + np.gradient(relief, axis=1)
    return painted[..., :3] * (1 + 1.1 * np.clip(light, -0.25, 0.25))[..., None]


def _lay_strokes(
    canvas: Image.Image, colours: Pixels, radius: float, tolerance: float, rng: np.random.Generator
) -> None:
    height, width = colours.shape[:2]
    step = radius * 0.8
    grid = np.mgrid[0:height:step, 0:width:step].reshape(2, -1).T
    spots = (grid + rng.uniform(-step, step, grid.shape)).astype(int)
    spots = rng.permutation(np.clip(spots, 0, (height - 1, width - 1)))
    laid = np.asarray(canvas, np.float32)[..., :3] / 255
    error = blur(np.abs(laid - colours).mean(axis=2), radius / 2)
    spots = spots[error[spots[:, 0], spots[:, 1]] >= tolerance]
    brushes = [[_brush(radius, 10 * turn, rng) for _ in range(3)] for turn in range(18)]
    flow = _flow(colours, radius)[spots[:, 0], spots[:, 1]] + rng.normal(0, 0.15, len(spots))
    turns = np.round(-np.degrees(flow) / 10).astype(int) % 18
    paint = np.column_stack([colours[spots[:, 0], spots[:, 1]], rng.uniform(0.1, 0.9, len(spots))])
    paint[:, :3] += rng.normal(0, 0.025, (len(spots), 3)) + rng.normal(0, 0.03, (len(spots), 1))
    paint = (np.clip(paint, 0, 1) * 255).astype(int).tolist()
    hairs = rng.integers(3, size=len(spots))
    for (y, x), colour, turn, hair in zip(spots.tolist(), paint, turns, hairs, strict=True):
        brush = brushes[turn][hair]
        canvas.paste(tuple(colour), (x - brush.width // 2, y - brush.height // 2), brush)


def _brush(radius: float, degrees: int, rng: np.random.Generator) -> Image.Image:
    wide, long = max(round(radius * 1.3), 3), round(radius * 4.2)
    across = np.sin(np.linspace(0.25, np.pi - 0.25, wide)) ** 0.5 * rng.uniform(0.5, 1, wide)
    start, end = rng.uniform(0, 0.22, (2, wide, 1))
    along = np.linspace(0, 1, long)[None]
    hairs = across[:, None] * np.clip(np.minimum(along - start, 1 - end - along) * 8, 0, 1)
    stamp = Image.fromarray((hairs * 255).astype(np.uint8))
    return stamp.rotate(degrees, Image.Resampling.BILINEAR, expand=True)


def _paint_watercolour(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    unit = max(pixels.shape) / 400 * rng.uniform(0.9, 1.3)
    size = (pixels.shape[1], pixels.shape[0])
    small = [max(round(side / (2.2 * unit)), 8) for side in size]
    sheet = Image.fromarray((_colour(pixels, rng) ** 0.75 * 255).astype(np.uint8)).resize(small)
    sheet = sheet.filter(ImageFilter.MedianFilter(7)).resize(size, Image.Resampling.BICUBIC)
    wet = wobble(np.asarray(sheet, np.float32) / 255, 3 * unit, 14 * unit, rng)
    washes = blur(0.4 * wet + 0.6 * np.round(wet * 6) / 6, 0.6 * unit)
    # Pigment gathers at the rim of each wash and in the hollows of the paper.
    rims = np.abs(blur(washes, 0.5 * unit) - blur(washes, 2.5 * unit)).mean(axis=2)
    pools = clouds(pixels.shape, 45 * unit, rng) + 0.6 * clouds(pixels.shape, 12 * unit, rng)
    grain = clouds(pixels.shape, 1.6 * unit, rng)
    density = 1 + 0.3 * pools + 0.18 * grain + 5 * rims
    painted = np.exp(np.log(np.clip(0.14 + 0.88 * washes, 0.02, 0.99)) * density[..., None])
    paper = np.array((0.98, 0.965, 0.93), np.float32) * (1 + 0.02 * grain[..., None])
    covered = unfinished(pixels.shape, rng.choice([0, 0.03, 0.06]), rng)
    return paper * (1 - (1 - painted) * covered[..., None])


def _sketch_pencil(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    tone, unit = _tone(pixels), max(pixels.shape) / 400 * rng.uniform(0.8, 1.2)
    lines = _pencil_lines(wobble(tone, 1.5 * unit, 15 * unit, rng), unit)
    first, second = rng.uniform(20, 70), rng.uniform(100, 150)
    dark = 1 - blur(tone, 1.5 * unit)
    shade = np.clip(dark * 1.5 - 0.5 + 0.28 * _strokes(tone.shape, first, unit, rng), 0, 1)
    deep = np.clip(dark * 1.6 - 0.95 + 0.3 * _strokes(tone.shape, second, unit, rng), 0, 1)
    ink = 0.85 * lines + 0.5 * shade + 0.35 * deep
    ink *= 1 + 0.25 * clouds(tone.shape, 1.2, rng)
    colour = rng.choice([(0.17, 0.17, 0.19), (0.17, 0.17, 0.19), (0.52, 0.19, 0.11)])
    return _on_paper(ink, tuple(colour), rng)


def _sketch_hatching(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    tone, unit = _tone(pixels), max(pixels.shape) / 400 * rng.uniform(0.9, 1.3)
    dark, ink = 1 - blur(tone, 1.2 * unit), np.zeros_like(tone)
    y, x = np.mgrid[: tone.shape[0], : tone.shape[1]].astype(np.float32)
    spacing = max(3.4, 4.6 * unit)
    for layer, degrees in enumerate(rng.uniform(30, 50) + np.array([0, 85, 42, 128])):
        angle = np.radians(degrees + rng.normal(0, 4))
        wander = spacing * (1.2 * clouds(tone.shape, 90, rng) + 0.25 * clouds(tone.shape, 9, rng))
        across = (x * np.cos(angle) + y * np.sin(angle) + wander) / spacing
        distance = np.abs(across % 1 - 0.5) * spacing
        weight = (dark - 0.22 - 0.17 * layer + 0.1 * clouds(tone.shape, 14, rng)) * 2.4
        half_width = np.clip(weight, 0, 0.6) * spacing * 0.32
        ink = np.maximum(ink, np.clip(half_width + 0.5 - distance, 0, 1) * (weight > 0.02))
    lines = _pencil_lines(wobble(tone, 1.5 * unit, 15 * unit, rng), 0.9 * unit)
    colour = rng.choice([(0.08, 0.08, 0.1), (0.22, 0.13, 0.07), (0.1, 0.13, 0.32)])
    return _on_paper(0.85 * ink + 0.7 * lines, tuple(colour), rng)


def _sketch_ink(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Draw contours by differences of Gaussians (Winnemöller, Computers & Graphics 2012)."""
    unit = max(pixels.shape) / 400 * rng.uniform(0.9, 1.4)
    tone = wobble(_tone(pixels), 2 * unit, 18 * unit, rng)
    pressed = 0.15 * clouds(tone.shape, 25 * unit, rng)
    edges = (blur(tone, 2.1 * unit) - blur(tone, 1.3 * unit)) * 28 - 0.35 + pressed
    dry = 0.12 * _strokes(tone.shape, rng.uniform(20, 70), 0.8 * unit, rng)
    blacks = (rng.uniform(0.1, 0.22) - blur(tone, 2 * unit) + 0.3 * dry) * 14
    wash = 0.22 * (blur(tone, 5 * unit) < rng.choice([0, 0.4])) * (1 + pressed)
    ink = np.clip(np.maximum(edges, blacks), 0, 1) + blur(wash, 0.6)
    colour = rng.choice([(0.07, 0.07, 0.09), (0.07, 0.07, 0.09), (0.25, 0.14, 0.07)])
    return _on_paper(ink, tuple(colour), rng)


STYLES: dict[str, dict[str, Rendering]] = {
    "Photo": PHOTOGRAPHS,
    "Painting": {
        "aquarelles": _paint_watercolour,
        "esquisses_a_l_huile": partial(_paint_oil, coarseness=1.7),
        "huiles": _paint_oil,
    },
    "Sketch": {
        "crayon": _sketch_pencil,
        "encre": _sketch_ink,
        "hachures": _sketch_hatching,
    },
}


def _tone(pixels: Pixels) -> Pixels:
    """Grey of middling lightness: a night sky would leave no white paper to draw on."""
    grey = grey_of(pixels)
    return grey ** np.clip(np.log(0.58) / np.log(np.clip(np.median(grey), 0.02, 0.9)), 0.3, 1.6)


def _pencil_lines(tone: Pixels, unit: float) -> Pixels:
    soft = blur(tone, 0.8 * unit)
    dodged = soft / (blur(soft, 4 * unit) + 0.03)
    return np.clip((0.95 - dodged) * 3.2, 0, 1)


def _strokes(
    shape: tuple[int, ...], degrees: float, unit: float, rng: np.random.Generator
) -> Pixels:
    from scipy.ndimage import gaussian_filter

    side = int(np.hypot(shape[0], shape[1])) + 2
    noise = rng.standard_normal((side, side), np.float32)
    noise = gaussian_filter(noise, (0.9 * unit, 9 * unit), mode="wrap", truncate=2.5)
    turned = Image.fromarray(noise / noise.std()).rotate(degrees, Image.Resampling.BILINEAR)
    top, left = (side - shape[0]) // 2, (side - shape[1]) // 2
    return np.asarray(turned)[top : top + shape[0], left : left + shape[1]]


def _on_paper(ink: Pixels, colour: tuple[float, ...], rng: np.random.Generator) -> Pixels:
    papers = [(0.98, 0.98, 0.97), (0.96, 0.93, 0.86), (0.93, 0.89, 0.79), (0.82, 0.76, 0.66)]
    paper = np.array(rng.choice(papers), np.float32)
    fibres = 1 + 0.02 * clouds(ink.shape, 1.5, rng) + 0.03 * clouds(ink.shape, 120, rng)
    ink = np.clip(ink * unfinished(ink.shape, rng.choice([0, 0.05, 0.08]), rng), 0, 1)[..., None]
    return paper * fibres[..., None] * (1 - ink) + np.array(colour, np.float32) * ink


def _colour(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Give a painter's palette, and colours to black-and-white originals."""
    grey = grey_of(pixels)[..., None]
    if np.abs(pixels - grey).mean() > 0.01:
        return np.clip(grey + (pixels - grey) * rng.uniform(0.9, 1.4), 0, 1)
    dark, light = rng.uniform(0, 0.35, 3), rng.uniform(0.75, 1, 3)
    washes = [clouds(pixels.shape, 0.3 * max(pixels.shape), rng) for _ in range(3)]
    tinted = dark + (light - dark) * grey + 0.09 * np.dstack(washes)
    return np.clip(tinted, 0, 1).astype(np.float32)


def _flow(pixels: Pixels, sigma: float) -> Pixels:
    """Angle along the contours, in radians, from the smoothed structure tensor."""
    dy, dx = np.gradient(blur(grey_of(pixels), 1))
    xx, yy, xy = (blur(part, sigma) for part in (dx * dx, dy * dy, dx * dy))
    return 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
