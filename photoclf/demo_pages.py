"""Text pages for the demo archive, typeset in French: letters, reports, lists, invoices."""

import textwrap
from collections.abc import Callable
from functools import partial

from PIL import Image, ImageDraw, ImageFont

from photoclf.demo_sheets import (
    INKS,
    MONTHS,
    PAPERS,
    SHEET,
    TITLES,
    Draw,
    Point,
    Rng,
    font,
    lay_on_glass,
    pick,
    year,
)

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


def draw_text_page(style: str, rng: Rng) -> Image.Image:
    """Typeset a letter, a report, a two-column bulletin, a list or an invoice.

    Args:
        style: A key of `TEXTS`, the sub-folder where such pages lie.
        rng: The only source of chance.

    Returns:
        An RGB image whose longer side is between 220 and 1,200 px.
    """
    ink, paper = str(rng.choice([*INKS[:2], "#2b2b30"])), str(rng.choice(PAPERS))
    size = (int(SHEET * rng.uniform(0.68, 0.78)), SHEET)
    image = Image.new("RGB", size, paper)
    TEXTS[style](ImageDraw.Draw(image), size, ink, rng)
    if rng.random() < 0.25:  # an extract, as a reader would crop it
        top = int(rng.uniform(0, 0.3) * size[1])
        image = image.crop((0, top, size[0], top + int(size[1] * rng.uniform(0.4, 0.7))))
    return lay_on_glass(image, paper, rng, 1200)


def _letter(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    face, left = _face(rng), size[0] * 0.12
    draw.text((left, 80), f"Maison {pick('Morel|Garnier|Lefèvre', rng)}\nRue Haute", ink, face(19))
    date = f"Lyon, le {rng.integers(2, 29)} {pick(MONTHS, rng)} {year(rng)}"
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
    draw.text((size[0] / 2, 90), pick(TITLES, rng), ink, face(30), anchor="mm")
    draw.line((left, 125, left + wide, 125), ink, 2)
    column = wide / columns
    for number in range(columns):
        x, y, section = left + number * column, 150.0, 0
        while y < size[1] - 260:
            section += 1
            draw.text((x, y), f"{number + 1}.{section}  {pick(TITLES, rng)}", ink, face(18))
            prose = _prose(rng, int(rng.integers(2, 5)))
            y = _paragraph(draw, (x, y + 34), column - 26 * (columns > 1), prose, face, 16) + 22
    draw.text((size[0] / 2, size[1] - 50), f"– {rng.integers(2, 80)} –", ink, face(16), anchor="mm")


def _list(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    face, y = _face(rng), 150.0
    draw.text((size[0] * 0.1, 80), f"{pick(TITLES, rng)} – liste", ink, face(26))
    for number in range(1, int(rng.integers(12, 30))):
        text = f"{number}.  {pick(_WHAT, rng)}, {pick(_HOW, rng)}"
        y = _paragraph(draw, (size[0] * 0.12, y), size[0] * 0.76, text, face, 16) + 10
        if y > size[1] - 110:
            break
    draw.text((size[0] / 2, size[1] - 50), f"{rng.integers(2, 80)}", ink, face(16), anchor="mm")


def _invoice(draw: Draw, size: tuple[int, int], ink: str, rng: Rng) -> None:
    face, left, right, y = _face(rng), size[0] * 0.1, size[0] * 0.9, 260.0
    draw.text((left, 80), f"FACTURE n° {rng.integers(100, 9999)}", ink, face(30))
    draw.text((left, 140), f"{pick(MONTHS, rng)} {year(rng)}\n{pick(_WHO, rng)}", ink, face(17))
    draw.text((left, y - 34), "Désignation", ink, face(17))
    draw.text((right, y - 34), "Montant", ink, face(17), anchor="ra")
    prices = rng.uniform(3, 900, int(rng.integers(6, 16)))
    for price in prices:
        draw.text((left, y), pick(_WHAT, rng), ink, face(16))
        draw.text((right, y), f"{price:.2f} F".replace(".", ","), ink, face(16), anchor="ra")
        y += 38
        draw.line((left, y - 8, right, y - 8), "#999999", 1)
    total = f"Total  {prices.sum():.2f} F".replace(".", ",")
    draw.text((right, y + 20), total, ink, face(20), anchor="ra")
    _paragraph(draw, (left, y + 80), right - left, _prose(rng, 2), face, 15)


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
        draw.text((at[0], y), line, fill=INKS[0], font=font)
        y += size * 1.5
    return y


def _prose(rng: Rng, sentences: int) -> str:
    return " ".join(_sentence(rng) for _ in range(sentences))


def _sentence(rng: Rng) -> str:
    words = f"{pick(_WHO, rng)} {pick(_DID, rng)} {pick(_WHAT, rng)} {pick(_HOW, rng)}."
    if rng.random() < 0.3:
        return f"{pick(_THEN, rng)} {words}"
    return words[0].upper() + words[1:]


def _face(rng: Rng) -> Callable[[int], ImageFont.FreeTypeFont]:
    name = str(rng.choice(["DejaVuSans", "DejaVuSerif", "DejaVuSerif", "DejaVuSansMono"]))
    return lambda size: font(size, name)
