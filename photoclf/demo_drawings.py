"""Schematics and text pages for the demo archive, drawn and typeset from nothing, in French."""

import math
import textwrap
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
Draw = ImageDraw.ImageDraw
Point = tuple[float, float]

# Everything is drawn on a large sheet and reduced, so that lines and letters are smooth.
_SHEET = 1100
_INKS = ["#111111", "#111111", "#1d2f6f", "#3a2a1c"]
_PAPERS = ["#ffffff", "#fdfcf7", "#f6f0df", "#efe6cf", "#eef1f4"]
_BLUEPRINT = ("#e8f0ff", "#1f3f77")

# One choice a line's part; a line's end separates like a bar.
_WHO = """le service des archives|la mairie de Villefranche|notre agence de Lyon|Mme Lefèvre
la direction des achats|le cabinet du préfet|la société Morel et fils|l'atelier de reliure
le conseil municipal|l'intendance|la chambre de commerce|le greffe du tribunal|M. Garnier"""
_DID = """a transmis|a reçu|a classé|a fait numériser|vient de vérifier|devra restituer|a égaré
examine|souhaite acquérir|a consigné|conserve depuis 1954|a inventorié|refuse de céder|a commandé"""
_WHAT = """le registre des délibérations|douze cartons de plans|la correspondance commerciale
un lot d'affiches|les relevés de compte|l'inventaire du mobilier|la série complète des factures
trois albums reliés|le bordereau d'expédition|deux caisses de dossiers|le procès-verbal de séance"""
_HOW = """avant la fin du trimestre|sans réserve particulière|à la demande du notaire
contre remise d'un reçu|pour la somme de 340 francs|selon l'accord du 12 mars|au tarif en vigueur
malgré l'humidité du dépôt|en présence d'un témoin|dès l'ouverture des bureaux|par courrier"""
_THEN = "En outre,|Toutefois,|De ce fait,|Par ailleurs,|Enfin,|À cette date,|Désormais,"
_TITLES = """Procès-verbal de séance|Rapport d'activité|Note de service|Inventaire du fonds
État des lieux|Compte rendu de visite|Règlement intérieur|Mémoire des travaux|Avis aux usagers"""
_PARTS = """Pompe|Vanne|Réservoir|Chaudière|Moteur|Contrôle|Tri du courrier|Réception|Archivage
Comptabilité|Filtre|Expédition|Visa du chef|Numérisation|Dépôt|Capteur|Relais|Échangeur|Courroie"""
_MONTHS = "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"


def draw_schematic(style: str, rng: Rng) -> Image.Image:
    """Draw a circuit, a chart, a flow diagram or a mechanical part.

    Args:
        style: A key of `SCHEMATICS`, the sub-folder where such drawings lie.
        rng: The only source of chance: equal generators give equal pixels.

    Returns:
        An RGB image whose longer side is between 220 and 900 px.
    """
    ink, paper = str(rng.choice(_INKS)), str(rng.choice(_PAPERS))
    if rng.random() < 0.12:
        ink, paper = _BLUEPRINT
    size = (_SHEET, int(_SHEET * rng.uniform(0.6, 0.95)))
    image = Image.new("RGB", size, paper)
    SCHEMATICS[style](ImageDraw.Draw(image), size, ink, rng)
    return _lay_on_glass(image, paper, rng, 900)


def draw_text_page(style: str, rng: Rng) -> Image.Image:
    """Typeset a letter, a report, a two-column bulletin, a list or an invoice.

    Args:
        style: A key of `TEXTS`, the sub-folder where such pages lie.
        rng: The only source of chance.

    Returns:
        An RGB image whose longer side is between 220 and 1,200 px.
    """
    ink, paper = str(rng.choice([*_INKS[:2], "#2b2b30"])), str(rng.choice(_PAPERS))
    size = (int(_SHEET * rng.uniform(0.68, 0.78)), _SHEET)
    image = Image.new("RGB", size, paper)
    TEXTS[style](ImageDraw.Draw(image), size, ink, rng)
    if rng.random() < 0.25:  # an extract, as a reader would crop it
        top = int(rng.uniform(0, 0.3) * size[1])
        image = image.crop((0, top, size[0], top + int(size[1] * rng.uniform(0.4, 0.7))))
    return _lay_on_glass(image, paper, rng, 1200)


def _lay_on_glass(image: Image.Image, paper: str, rng: Rng, longest: int) -> Image.Image:
    side = float(np.exp(rng.uniform(np.log(220), np.log(longest))))
    scale = max(side / max(image.size), 160 / min(image.size))
    size = [round(length * scale) for length in image.size]
    image = image.resize(size, Image.Resampling.LANCZOS)
    return image.rotate(rng.normal(0, 0.7), Image.Resampling.BICUBIC, fillcolor=paper)


def _circuit(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    xs = np.linspace(90, size[0] - 190, columns + 1)
    ys = np.linspace(140, size[1] - 110, rows + 1)
    wires = [((xs[c], y), (xs[c + 1], y), y in ys[1:-1]) for y in ys for c in range(columns)]
    wires += [((x, ys[r]), (x, ys[r + 1]), x in xs[1:-1]) for x in xs for r in range(rows)]
    for number, (start, end, inner) in enumerate(wires, 1):
        if inner and rng.random() < 0.3:
            continue
        part = _COMPONENTS[int(rng.integers(len(_COMPONENTS)))]
        part(draw, _along(start, end), ink, number)
        for x, y in (start, end):
            draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=ink)
    draw.text((60, 30), f"Schéma n° {rng.integers(1, 90)} : {_pick(_PARTS, rng)}", ink, _font(34))


def _along(start: Point, end: Point) -> Callable[[float, float], Point]:
    """Return a map from (part of the way in px from its middle, px to the side) to the sheet."""
    length = math.dist(start, end)
    ux, uy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)

    def place(way: float, side: float) -> Point:
        way = max(-length / 2, min(length / 2, way))
        return (middle[0] + ux * way - uy * side, middle[1] + uy * way + ux * side)

    return place


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
            draw.text(at, label.format(n=number), ink, _font(22), anchor=anchor)

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


def _chart(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    width, height = size
    draw.text((width / 2, 50), f"{_pick(_TITLES, rng)}, {_year(rng)}", ink, _font(36), anchor="mm")
    values, kind = rng.uniform(0.15, 1, int(rng.integers(4, 10))), rng.integers(3)
    fills = [_tint(ink, rng) for _ in values]
    if kind == 0:
        return _pie(draw, size, ink, values, fills)
    left, top, right, bottom = 150, 120, width - 80, height - 110
    for step in range(6):
        y = bottom - (bottom - top) * step / 5
        draw.line((left, y, right, y), "#b5b5b5", 2)
        draw.text((left - 14, y), f"{step * 20} %", ink, _font(24), anchor="rm")
    draw.line([(left, top - 20), (left, bottom), (right + 20, bottom)], ink, 4)
    pitch = (right - left) / len(values)
    centres = [left + pitch * (i + 0.5) for i in range(len(values))]
    for x, month in zip(centres, _MONTHS.split("|"), strict=False):
        draw.text((x, bottom + 28), month[:4], ink, _font(22), anchor="mm")
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
    parts = _PARTS.replace("\n", "|").split("|")
    for i, fill in enumerate(fills):
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.pieslice(box, turns[i], turns[i + 1], fill, ink, 3)
        row = size[1] * 0.25 + 52 * i
        draw.rectangle((size[0] * 0.7, row, size[0] * 0.7 + 30, row + 30), fill, ink, 2)
        draw.text((size[0] * 0.7 + 44, row), parts[i], ink, _font(24))


def _flow(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    columns, rows = int(rng.integers(2, 4)), int(rng.integers(2, 5))
    pitch, rise = size[0] / columns, (size[1] - 80) / rows
    half, tall = pitch * 0.36, rise * 0.28
    fills = [None, None, _tint(ink, rng)] if ink != _BLUEPRINT[0] else [None]
    draw.text((40, 20), _pick(_TITLES, rng), ink, _font(34))
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
            draw.text((x, y), _pick(_PARTS, rng), ink, _font(24), anchor="mm")


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
    draw.text((width - 405, height - 110), f"{_pick(_PARTS, rng)}\nÉch. 1:2", ink, _font(26))
    draw.text((width - 150, height - 60), f"Pl. {rng.integers(1, 99)}", ink, _font(26))


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
    draw.text(((left + right) / 2, y - 20), f"{sign}{value:.0f}", ink, _font(24), anchor="mm")


def _arrow(draw: Draw, start: Point, end: Point, ink: str) -> None:
    place = _along(start, end)
    tip = math.dist(start, end) / 2
    draw.line([start, end], ink, 3)
    draw.polygon([end, place(tip - 20, 8), place(tip - 20, -8)], ink)


def _dashes(draw: Draw, start: Point, end: Point, ink: str) -> None:
    place, half = _along(start, end), math.dist(start, end) / 2
    for way in np.arange(-half, half, 44):
        draw.line([place(way, 0), place(way + 24, 0)], ink, 2)
        draw.line([place(way + 31, 0), place(way + 36, 0)], ink, 2)


def _letter(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    face, left = _face(rng), size[0] * 0.12
    draw.text((left, 80), f"Maison {_pick('Morel|Garnier|Lefèvre', rng)}\nRue Haute", ink, face(19))
    date = f"Lyon, le {rng.integers(2, 29)} {_pick(_MONTHS, rng)} {_year(rng)}"
    draw.text((size[0] * 0.55, 190), date, ink, face(17))
    y = _paragraph(draw, (left, 290), size[0] * 0.76, f"Objet : {_sentence(rng)}", face, 17)
    draw.text((left, y + 20), "Madame, Monsieur,", ink, face(17))
    y += 70
    for _ in range(int(rng.integers(2, 5))):
        y = _paragraph(draw, (left, y), size[0] * 0.76, _prose(rng, 3), face, 17) + 18
    _paragraph(draw, (left, y), size[0] * 0.76, "Veuillez agréer nos salutations.", face, 17)
    draw.text((size[0] * 0.6, y + 70), "Le secrétaire général", ink, face(17))


def _report(draw: Draw, size: tuple[int, int], ink: str, rng: Rng, columns: int = 1) -> None:
    face, left, wide = _face(rng), size[0] * 0.1, size[0] * 0.8
    draw.text((size[0] / 2, 90), _pick(_TITLES, rng), ink, face(30), anchor="mm")
    draw.line((left, 125, left + wide, 125), ink, 2)
    column = wide / columns
    for number in range(columns):
        x, y, section = left + number * column, 150.0, 0
        while y < size[1] - 260:
            section += 1
            draw.text((x, y), f"{number + 1}.{section}  {_pick(_TITLES, rng)}", ink, face(18))
            prose = _prose(rng, int(rng.integers(2, 5)))
            y = _paragraph(draw, (x, y + 34), column - 26 * (columns > 1), prose, face, 16) + 22
    draw.text((size[0] / 2, size[1] - 50), f"– {rng.integers(2, 80)} –", ink, face(16), anchor="mm")


def _list(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    face, y = _face(rng), 150.0
    draw.text((size[0] * 0.1, 80), f"{_pick(_TITLES, rng)} – liste", ink, face(26))
    for number in range(1, int(rng.integers(12, 30))):
        text = f"{number}.  {_pick(_WHAT, rng)}, {_pick(_HOW, rng)}"
        y = _paragraph(draw, (size[0] * 0.12, y), size[0] * 0.76, text, face, 16) + 10
        if y > size[1] - 110:
            break
    draw.text((size[0] / 2, size[1] - 50), f"{rng.integers(2, 80)}", ink, face(16), anchor="mm")


def _invoice(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    face, left, right, y = _face(rng), size[0] * 0.1, size[0] * 0.9, 260.0
    draw.text((left, 80), f"FACTURE n° {rng.integers(100, 9999)}", ink, face(30))
    draw.text((left, 140), f"{_pick(_MONTHS, rng)} {_year(rng)}\n{_pick(_WHO, rng)}", ink, face(17))
    draw.text((left, y - 34), "Désignation", ink, face(17))
    draw.text((right, y - 34), "Montant", ink, face(17), anchor="ra")
    prices = rng.uniform(3, 900, int(rng.integers(6, 16)))
    for price in prices:
        draw.text((left, y), _pick(_WHAT, rng), ink, face(16))
        draw.text((right, y), f"{price:.2f} F".replace(".", ","), ink, face(16), anchor="ra")
        y += 38
        draw.line((left, y - 8, right, y - 8), "#999999", 1)
    total = f"Total  {prices.sum():.2f} F".replace(".", ",")
    draw.text((right, y + 20), total, ink, face(20), anchor="ra")
    _paragraph(draw, (left, y + 80), right - left, _prose(rng, 2), face, 15)


SCHEMATICS: dict[str, Callable[..., None]] = {
    "circuits": _circuit,
    "graphiques": _chart,
    "organigrammes": _flow,
    "pieces": _mechanics,
}
TEXTS: dict[str, Callable[..., None]] = {
    "bulletins": partial(_report, columns=2),
    "courriers": _letter,
    "factures": _invoice,
    "inventaires": _list,
    "rapports": _report,
}


def _paragraph(draw: Draw, at: Point, width: float, text: str, face: Callable, size: int) -> float:
    font = face(size)
    letters = max(10, int(width / font.getlength("abcdefghij élmnop") * 17))
    y = at[1]
    for line in textwrap.wrap(text, letters):
        draw.text((at[0], y), line, fill=_INKS[0], font=font)
        y += size * 1.5
    return y


def _prose(rng: Rng, sentences: int) -> str:
    return " ".join(_sentence(rng) for _ in range(sentences))


def _sentence(rng: Rng) -> str:
    words = f"{_pick(_WHO, rng)} {_pick(_DID, rng)} {_pick(_WHAT, rng)} {_pick(_HOW, rng)}."
    if rng.random() < 0.3:
        return f"{_pick(_THEN, rng)} {words}"
    return words[0].upper() + words[1:]


def _pick(choices: str, rng: Rng) -> str:
    options = choices.replace("\n", "|").split("|")
    return options[int(rng.integers(len(options)))]


def _year(rng: Rng) -> int:
    return int(rng.integers(1931, 1989))


def _tint(ink: str, rng: Rng) -> str:
    if rng.random() < 0.5:
        return "#" + f"{int(rng.integers(160, 240)):02x}" * 3
    return "#" + "".join(f"{int(value):02x}" for value in rng.integers(130, 245, 3))


def _face(rng: Rng) -> Callable[[int], ImageFont.FreeTypeFont]:
    name = str(rng.choice(["DejaVuSans", "DejaVuSerif", "DejaVuSerif", "DejaVuSansMono"]))
    return lambda size: _font(size, name)


@cache
def _font(size: int, name: str = "DejaVuSans") -> ImageFont.FreeTypeFont:
    import matplotlib

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    # Raqm, where a machine has it, sets the same text a little differently.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
