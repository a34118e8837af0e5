"""Paper, ink, letters and words of the demo archive's schematics and text pages."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
Draw = ImageDraw.ImageDraw
Point = tuple[float, float]

# Everything is drawn on a large sheet and reduced, so that lines and letters are smooth.
SHEET = 1100
INKS = ["#111111", "#111111", "#1d2f6f", "#3a2a1c"]
PAPERS = ["#ffffff", "#fdfcf7", "#f6f0df", "#efe6cf", "#eef1f4"]

# One choice a line's part; a line's end separates like a bar.
TITLES = """Procès-verbal de séance|Rapport d'activité|Note de service|Inventaire du fonds
État des lieux|Compte rendu de visite|Règlement intérieur|Mémoire des travaux|Avis aux usagers"""
PARTS = """Pompe|Vanne|Réservoir|Chaudière|Moteur|Contrôle|Tri du courrier|Réception|Archivage
Comptabilité|Filtre|Expédition|Visa du chef|Numérisation|Dépôt|Capteur|Relais|Échangeur|Courroie"""
MONTHS = "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"


def along(start: Point, end: Point) -> Callable[[float, float], Point]:
    """Return a map from (part of the way in px from its middle, px to the side) to the sheet."""
    length = math.dist(start, end)
    ux, uy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)

    def place(way: float, side: float) -> Point:
        way = max(-length / 2, min(length / 2, way))
        return (middle[0] + ux * way - uy * side, middle[1] + uy * way + ux * side)

    return place


def lay_on_glass(image: Image.Image, paper: str, rng: Rng, longest: int) -> Image.Image:
    """Reduce a drawn sheet to a longer side of 220 to `longest` px, and lay it a little askew."""
    side = float(np.exp(rng.uniform(np.log(220), np.log(longest))))
    scale = max(side / max(image.size), 160 / min(image.size))
    size = [round(length * scale) for length in image.size]
    image = image.resize(size, Image.Resampling.LANCZOS)
    return image.rotate(rng.normal(0, 0.7), Image.Resampling.BICUBIC, fillcolor=paper)


def pick(choices: str, rng: Rng) -> str:
    """Choose one of the choices that bars and line ends separate."""
    options = choices.replace("\n", "|").split("|")
    return options[int(rng.integers(len(options)))]


def year(rng: Rng) -> int:
    """Choose a year from 1931 to 1988."""
    return int(rng.integers(1931, 1989))


@cache
def font(size: int, name: str = "DejaVuSans") -> ImageFont.FreeTypeFont:
    """Return a font of matplotlib's, `size` in px."""
    import matplotlib

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    # Raqm, where a machine has it, sets the same text a little differently.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
