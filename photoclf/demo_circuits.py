"""Circuits for the demo archive: a grid of wires with a component on each."""

import math
from collections.abc import Callable

import numpy as np

from photoclf.demo_sheets import (
    PARTS,
    Draw,
    Point,
    Rng,
    along,
    font,
    pick,
)


def draw_circuit(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    """Draw a circuit of wires and components over the whole sheet."""
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    xs = np.linspace(90, size[0] - 190, columns + 1)
    ys = np.linspace(140, size[1] - 110, rows + 1)
    wires = [((xs[c], y), (xs[c + 1], y), y in ys[1:-1]) for y in ys for c in range(columns)]
    wires += [((x, ys[r]), (x, ys[r + 1]), x in xs[1:-1]) for x in xs for r in range(rows)]
    for number, (start, end, inner) in enumerate(wires, 1):
        if inner and rng.random() < 0.3:
            continue
        part = _COMPONENTS[int(rng.integers(len(_COMPONENTS)))]
        part(draw, along(start, end), ink, number)
        for x, y in (start, end):
            draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=ink)
    draw.text((60, 30), f"Schéma n° {rng.integers(1, 90)} : {pick(PARTS, rng)}", ink, font(34))


def _component(gap: float, lines: list[list[Point]], label: str) -> Callable[..., None]:
    def part(draw: Draw, place: Callable[[float, float], Point], ink: str, number: int) -> None:
        for reach in (-1, 1):
            draw.line([place(reach * 9999, 0), place(reach * gap, 0)], ink, 4)
        for line in lines:
            draw.line([place(*point) for point in line], ink, 4, joint="curve")
        if label:
            # The side of a part that stands upright is beside it, where a label starts.
            upright = abs(place(1, 0)[0] - place(0, 0)[0]) < 0.5
            at, anchor = (place(0, -46), "lm") if upright else (place(0, -56), "mm")
            draw.text(at, label.format(n=number), ink, font(22), anchor=anchor)

    return part


def _arc(x: float, radius: float, start: float, end: float) -> list[Point]:
    turns = np.radians(np.linspace(start, end, 24))
    return [(x + radius * math.cos(turn), radius * math.sin(turn)) for turn in turns]


_ZIGZAG: list[Point] = [
    (-45, 0),
    (-38, -18),
    (-23, 18),
    (-8, -18),
    (8, 18),
    (23, -18),
    (38, 18),
    (45, 0),
]
_BOX: list[Point] = [(-45, -18), (45, -18), (45, 18), (-45, 18), (-45, -18)]
_CROSS: list[list[Point]] = [[(-25, -25), (25, 25)], [(-25, 25), (25, -25)]]
_COILS = [_arc(x, 12, 180, 360) for x in (-36, -12, 12, 36)]
_DIODE: list[list[Point]] = [[(-22, -22), (-22, 22), (20, 0), (-22, -22)], [(20, -22), (20, 22)]]
_COMPONENTS = [
    _component(0, [], ""),
    _component(0, [], ""),
    _component(45, [_BOX], "R{n}  4,7 kΩ"),
    _component(45, [_ZIGZAG], "R{n}  220 Ω"),
    _component(9, [[(-9, -34), (-9, 34)], [(9, -34), (9, 34)]], "C{n}  10 µF"),
    _component(9, [[(-9, -38), (-9, 38)], [(9, -18), (9, 18)]], "pile {n}"),
    _component(48, _COILS, "L{n}  2 mH"),
    _component(22, _DIODE, "D{n}"),
    _component(36, [_arc(0, 36, 0, 360), *_CROSS], "lampe {n}"),
    _component(36, [[(-36, 0), (34, -30)]], "inter. {n}"),
]
