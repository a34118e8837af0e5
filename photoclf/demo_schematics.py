"""Schematics for the demo archive, drawn from nothing: circuits, charts, flow diagrams, parts."""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from photoclf.demo_circuits import draw_circuit
from photoclf.demo_sheets import (
    INKS,
    MONTHS,
    PAPERS,
    PARTS,
    SHEET,
    TITLES,
    Draw,
    Point,
    Rng,
    along,
    font,
    lay_on_glass,
    pick,
    year,
)

_BLUEPRINT = ("#e8f0ff", "#1f3f77")


def draw_schematic(style: str, rng: Rng) -> Image.Image:
    """Draw a circuit, a chart, a flow diagram or a mechanical part.

    Args:
        style: A key of `SCHEMATICS`, the sub-folder where such drawings lie.
        rng: The only source of chance: equal generators give equal pixels.

    Returns:
        An RGB image whose longer side is between 220 and 900 px.
    """
    ink, paper = str(rng.choice(INKS)), str(rng.choice(PAPERS))
    if rng.random() < 0.12:
        ink, paper = _BLUEPRINT
    size = (SHEET, int(SHEET * rng.uniform(0.6, 0.95)))
    image = Image.new("RGB", size, paper)
    SCHEMATICS[style](ImageDraw.Draw(image), size, ink, rng)
    return lay_on_glass(image, paper, rng, 900)


def _chart(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    width, height = size
    draw.text((width / 2, 50), f"{pick(TITLES, rng)}, {year(rng)}", ink, font(36), anchor="mm")
    values, kind = rng.uniform(0.15, 1, int(rng.integers(4, 10))), rng.integers(3)
    fills = [_tint(ink, rng) for _ in values]
    if kind == 0:
        return _pie(draw, size, ink, values, fills)
    left, top, right, bottom = 150, 120, width - 80, height - 110
    for step in range(6):
        y = bottom - (bottom - top) * step / 5
        draw.line((left, y, right, y), "#b5b5b5", 2)
        draw.text((left - 14, y), f"{step * 20} %", ink, font(24), anchor="rm")
    draw.line([(left, top - 20), (left, bottom), (right + 20, bottom)], ink, 4)
    pitch = (right - left) / len(values)
    centres = [left + pitch * (i + 0.5) for i in range(len(values))]
    for x, month in zip(centres, MONTHS.split("|"), strict=False):
        draw.text((x, bottom + 28), month[:4], ink, font(22), anchor="mm")
    for series in range(int(rng.integers(1, 4)) if kind == 1 else 1):
        heights = bottom - (bottom - top) * np.clip(values + rng.normal(0, 0.1, len(values)), 0, 1)
        if kind == 1:
            draw.line(list(zip(centres, heights, strict=True)), fills[series], 6, joint="curve")
            for x, y in zip(centres, heights, strict=True):
                draw.rectangle((x - 8, y - 8, x + 8, y + 8), fills[series], ink)
        else:
            for x, y in zip(centres, heights, strict=True):
                box = (x - pitch * 0.35, y, x + pitch * 0.35, bottom)
                draw.rectangle(box, fills[0], ink, 3)
    return None


def _pie(draw: Draw, size: tuple[int, int], ink: str, values: np.ndarray, fills: list[str]) -> None:
    radius, x, y = size[1] * 0.36, size[0] * 0.36, size[1] * 0.55
    turns = np.concatenate([[0], np.cumsum(values / values.sum() * 360)]) - 90
    parts = PARTS.replace("\n", "|").split("|")
    for i, fill in enumerate(fills):
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.pieslice(box, turns[i], turns[i + 1], fill, ink, 3)
        row = size[1] * 0.25 + 52 * i
        draw.rectangle((size[0] * 0.7, row, size[0] * 0.7 + 30, row + 30), fill, ink, 2)
        draw.text((size[0] * 0.7 + 44, row), parts[i], ink, font(24))


def _flow(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    columns, rows = int(rng.integers(2, 4)), int(rng.integers(2, 5))
    pitch, rise = size[0] / columns, (size[1] - 80) / rows
    half, tall = pitch * 0.36, rise * 0.28
    fills = [None, None, _tint(ink, rng)] if ink != _BLUEPRINT[0] else [None]
    draw.text((40, 20), pick(TITLES, rng), ink, font(34))
    for row in range(rows):
        for column in range(columns):
            x, y = pitch * (column + 0.5), 80 + rise * (row + 0.5)
            if column + 1 < columns and (row == 0 or rng.random() < 0.6):
                _arrow(draw, (x + half, y), (x + pitch - half, y), ink)
            if row + 1 < rows and (column == 0 or rng.random() < 0.6):
                _arrow(draw, (x, y + tall), (x, y + rise - tall), ink)
            box, fill = (x - half, y - tall, x + half, y + tall), fills[rng.integers(len(fills))]
            shape = rng.integers(4)
            if shape == 0:
                lozenge = [(x, y - tall), (x + half, y), (x, y + tall), (x - half, y)]
                draw.polygon(lozenge, fill, ink, 4)
            elif shape == 1:
                draw.ellipse(box, fill, ink, 4)
            else:
                draw.rounded_rectangle(box, 18 * (shape == 2), fill, ink, 4)
            draw.text((x, y), pick(PARTS, rng), ink, font(24), anchor="mm")


def _mechanics(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    width, height = size
    middle = height * 0.46
    if rng.random() < 0.5:
        _flange(draw, (width * 0.3, middle), height * 0.3, ink, rng)
        left = width * 0.62
    else:
        left = width * 0.12
    x, radii = left, rng.uniform(0.08, 0.28, int(rng.integers(2, 6))) * height
    lengths = rng.dirichlet([6] * len(radii)) * (width * 0.9 - left)
    for radius, length in zip(radii, lengths, strict=True):
        box = (x, middle - radius, x + length, middle + radius)
        draw.rectangle(box, None, ink, 5)
        if rng.random() < 0.5:
            for way in np.arange(-2 * radius, length, 22):
                low, high = max(-way, 0), min(2 * radius, length - way)
                draw.line((x + way + low, box[3] - low, x + way + high, box[3] - high), ink, 2)
        _dimension(draw, x, x + length, middle + radii.max() + 50, length / 8, ink)
        x += length
    _dashes(draw, (left - 40, middle), (x + 40, middle), ink)
    draw.rectangle((20, 20, width - 20, height - 20), None, ink, 4)
    draw.rectangle((width - 420, height - 120, width - 20, height - 20), None, ink, 4)
    draw.text((width - 405, height - 110), f"{pick(PARTS, rng)}\nÉch. 1:2", ink, font(26))
    draw.text((width - 150, height - 60), f"Pl. {rng.integers(1, 99)}", ink, font(26))


def _flange(draw: Draw, centre: Point, radius: float, ink: str, rng: Rng) -> None:
    x, y = centre

    def circle(cx: float, cy: float, r: float) -> None:
        draw.ellipse((cx - r, cy - r, cx + r, cy + r), None, ink, 5)

    for part in (1, rng.uniform(0.4, 0.55), rng.uniform(0.15, 0.35)):
        circle(x, y, radius * part)
    holes = int(rng.choice([4, 6, 8]))
    for turn in np.arange(holes) * 2 * math.pi / holes:
        circle(x + radius * 0.77 * math.cos(turn), y + radius * 0.77 * math.sin(turn), radius / 11)
    _dashes(draw, (x - radius * 1.15, y), (x + radius * 1.15, y), ink)
    _dashes(draw, (x, y - radius * 1.15), (x, y + radius * 1.15), ink)
    _dimension(draw, x - radius, x + radius, y + radius * 1.3, radius / 2, ink, "Ø ")


def _dimension(
    draw: Draw, left: float, right: float, y: float, value: float, ink: str, sign: str = ""
) -> None:
    for x, other in ((left, right), (right, left)):
        draw.line((x, y - 45, x, y + 10), ink, 2)
        _arrow(draw, (other, y), (x, y), ink)
    draw.text(((left + right) / 2, y - 20), f"{sign}{value:.0f}", ink, font(24), anchor="mm")


def _arrow(draw: Draw, start: Point, end: Point, ink: str) -> None:
    place = along(start, end)
    tip = math.dist(start, end) / 2
    draw.line([start, end], ink, 3)
    draw.polygon([end, place(tip - 20, 8), place(tip - 20, -8)], ink)


def _dashes(draw: Draw, start: Point, end: Point, ink: str) -> None:
    place, half = along(start, end), math.dist(start, end) / 2
    for way in np.arange(-half, half, 44):
        draw.line([place(way, 0), place(way + 24, 0)], ink, 2)
        draw.line([place(way + 31, 0), place(way + 36, 0)], ink, 2)


def _tint(ink: str, rng: Rng) -> str:
    if rng.random() < 0.5:
        return "#" + f"{int(rng.integers(160, 240)):02x}" * 3
    return "#" + "".join(f"{int(value):02x}" for value in rng.integers(130, 245, 3))


SCHEMATICS: dict[str, Callable[..., None]] = {
    "circuits": draw_circuit,
    "graphiques": _chart,
    "organigrammes": _flow,
    "pieces": _mechanics,
}
