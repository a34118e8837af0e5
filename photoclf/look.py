"""How figures look in each language: colours, style, wording, numbers and names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

# Dark for what a figure is about, light for its contrast, so that they also differ in grey; from
# Okabe & Ito's palette, which the colour-blind tell apart.
INK, MUTED, PALE = "#1f2933", "#6b7785", "#d5dae0"
MAIN, OTHER, ALERT = "#0072b2", "#e69f00", "#d55e00"
SERIES: tuple[str, ...] = (
    "#0b3c5d",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#6b7785",
    "#000000",
)
MARKERS = "osD^vP*X"

STYLE: Mapping[Any, Any] = MappingProxyType(
    {
        "figure.dpi": 110,
        "savefig.dpi": 150,
        "figure.constrained_layout.use": True,
        "font.size": 9.5,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "ytick.labelcolor": INK,
        "xtick.labelcolor": INK,
    }
)

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "decimal": ".",
        "thousands": ",",
        "images": "images",
        "width": "width (px)",
        "height": "height (px)",
        "epoch": "epoch",
        "smoothed": "smoothed",
        "runs": "other runs",
        "truth": "truth",
        "decision": "decision",
        "score": "score, P(photo)",
        "threshold": "threshold",
        "photo": "photo",
        "other": "not a photo",
        "mean_score": "mean score of a bin",
        "photo_share": "share of photos in the bin",
        "well_calibrated": "well calibrated",
        "error_rate": "error rate",
        "parameters": "parameters",
        "total": "total:",
        "no_data": "no data",
        "loss": "training loss",
        "accuracy": "training accuracy",
        "val_loss": "validation loss",
        "val_accuracy": "validation accuracy",
        "learning_rate": "learning rate",
    }
)

FRENCH: Mapping[str, str] = MappingProxyType(
    {
        "decimal": ",",
        "thousands": "\u202f",
        "images": "images",
        "width": "largeur (px)",
        "height": "hauteur (px)",
        "epoch": "époque",
        "smoothed": "lissée",
        "runs": "autres essais",
        "truth": "réalité",
        "decision": "décision",
        "score": "score, P(photo)",
        "threshold": "seuil",
        "photo": "photo",
        "other": "non-photo",
        "mean_score": "score moyen d’une tranche",
        "photo_share": "part de photos dans la tranche",
        "well_calibrated": "bien calibré",
        "error_rate": "taux d’erreur",
        "parameters": "paramètres",
        "total": "total\u202f:",
        "no_data": "aucune donnée",
        "loss": "perte à l’entraînement",
        "accuracy": "exactitude à l’entraînement",
        "val_loss": "perte de validation",
        "val_accuracy": "exactitude de validation",
        "learning_rate": "pas d’apprentissage",
    }
)


@contextmanager
def style() -> Iterator[None]:
    """Give figures made inside the block the project's fonts, sizes and layout.

    Example:
        >>> with style():
        ...     mpl.rcParams["axes.titlelocation"]
        'left'
    """
    with mpl.rc_context({**STYLE}):
        yield


def format_number(value: float, digits: int = 0, words: Mapping[str, str] = ENGLISH) -> str:
    r"""Write a number with the language's decimal and thousands signs.

    Example:
        >>> format_number(1234.5, 1, FRENCH)
        '1\u202f234,5'
    """
    text = f"{value:,.{digits}f}"
    signs = {",": words["thousands"], ".": words["decimal"], "-": "−"}
    return "".join(signs.get(character, character) for character in text)


def format_percent(share: float, digits: int = 0, words: Mapping[str, str] = ENGLISH) -> str:
    """Write a share from 0 to 1 as a percentage.

    Only nothing is 0 % and only all is 100 %: what would be rounded to either is written as
    `<` or `>` of the nearest number. French sets a narrow space before the sign.

    Example:
        >>> format_percent(0.9999, 1)
        '>99.9%'
    """
    space = "\u202f" if words["decimal"] == "," else ""
    step = 10.0**-digits
    percent, sign = 100 * share, ""
    if 0 < percent < step / 2:
        percent, sign = step, f"<{space}"
    elif 100 - step / 2 <= percent < 100:
        percent, sign = 100 - step, f">{space}"
    return f"{sign}{format_number(percent, digits, words)}{space}%"


def shorten(name: object, length: int = 24) -> str:
    """Shorten a name in its middle, and make every character one that can be drawn.

    Example:
        >>> shorten("Photo/a_very_long_source_name", 13)
        'Photo/…e_name'
    """
    text = str(name).encode("utf-8", "replace").decode("utf-8")
    text = "".join(c if c.isprintable() else " " for c in text)
    if len(text) <= length:
        return text
    head = length // 2
    return f"{text[:head]}…{text[len(text) - (length - head - 1) :]}"


def draw_nothing(ax: Axes, words: Mapping[str, str]) -> Axes:
    """Say that there is no data, instead of drawing empty axes."""
    ax.text(
        0.5, 0.5, words["no_data"], ha="center", va="center", color=MUTED, transform=ax.transAxes
    )
    ax.set_axis_off()
    return ax


def tidy(ax: Axes, *, grid: Literal["x", "y", "both"] | None) -> Axes:
    """Take away what isn't data, and put a pale grid behind what is."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(PALE)
    ax.tick_params(which="both", length=0)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color="#eceff2", lw=0.8)
    return ax


def ticks(words: Mapping[str, str], digits: int | None = None) -> FuncFormatter:
    """Write numbers at ticks with the language's signs; four significant digits by default."""

    def write(value: float, _: object) -> str:
        if digits is None:
            return f"{value:.4g}".replace(".", words["decimal"]).replace("-", "−")
        return format_number(value, digits, words)

    return FuncFormatter(write)
