"""Wording of reports and figures in French and English: text by key, numbers and dates.

The words stand in `templates/wording.yaml`, both languages side by side, typed with ordinary
spaces and apostrophes; what a typesetter would add is added here. Placeholders say how their value
is written:

    {files}              1 234 → a number, or a text as it is
    {score:2}            0,97 → with two decimals
    {recall:%}           95,2 % → a share of 1, with one decimal
    {seconds:~}          3, 2,5 → with the decimals that it has
    {promise:%~}         2 %, 0,5 % → a share of 1, with the decimals that it has
    {day:date}           23 novembre 2026
    {n:plural image|images}   the form that goes with the number
"""

import re
import string
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any

import yaml

from photoclf.errors import ConfigError, did_you_mean

LANGUAGES = ("fr", "en")
NARROW_SPACE = "\u202f"

_MONTHS = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
}
_SIGNS = {
    "fr": str.maketrans({",": NARROW_SPACE, ".": ",", "-": "−"}),
    "en": str.maketrans({"-": "−"}),
}


class Messages(string.Formatter):
    r"""The wording of one language.

    Args:
        lang: `fr` or `en`.

    Raises:
        ConfigError: If the language is unknown.

    Example:
        >>> Messages("fr")("received.total", files=1234)
        'Fichiers reçus\u202f: 1\u202f234'
    """

    def __init__(self, lang: str = "fr") -> None:
        if lang not in LANGUAGES:
            raise ConfigError(
                f"`lang` must be one of {LANGUAGES}. Received: {lang!r}."
                f"{did_you_mean(lang, LANGUAGES)}"
            )
        self.lang = lang

    def __call__(self, key: str, **values: Any) -> str:
        """Return a text with its values filled in; plain text, to be escaped where it is shown.

        Args:
            key: Such as `received.title`.
            values: One a placeholder, as numbers, dates or texts.

        Raises:
            ConfigError: If there is no such text, or a placeholder has no value.
        """
        try:
            return self.vformat(self._template(key), (), values)
        except KeyError as error:
            raise ConfigError(
                f"The text {key!r} must get a value for each placeholder. Received:"
                f" {sorted(values)}, without {error}."
            ) from error

    def number(self, value: float, decimals: int | None = 0) -> str:
        """Write a number: `1 234,5` in French, `1,234.5` in English.

        Without `decimals` it gets four significant digits.
        """
        text = f"{value:.4g}" if decimals is None else f"{value:,.{decimals}f}"
        return text.translate(_SIGNS[self.lang])

    def percent(self, share: float, decimals: int = 1) -> str:
        """Write a share of 1 in percent; 0 and 100 % are said of exactly none and all only."""
        smallest = 10.0**-decimals
        if 0 < share < smallest / 200:
            sign, share = f"<{NARROW_SPACE}", smallest / 100
        elif 1 - smallest / 200 <= share < 1:
            sign, share = f">{NARROW_SPACE}", 1 - smallest / 100
        else:
            sign = ""
        space = NARROW_SPACE if self.lang == "fr" else ""
        return f"{sign}{self.number(100 * share, decimals)}{space}%"

    def duration(self, hours: float) -> str:
        """Write a time of work: `25 min` below two hours, `4,1 h` above, `310 h` from 100 on."""
        if hours < 2:
            return f"{self.number(60 * hours)}\u00a0min"
        return f"{self.number(hours, 1 if hours < 100 else 0)}\u00a0h"

    def date(self, day: str | date) -> str:
        """Write a day, or the day of an ISO 8601 text: `1er mars 2026`, `1 March 2026`."""
        moment = datetime.fromisoformat(day) if isinstance(day, str) else day
        month = _MONTHS[self.lang].split()[moment.month - 1]
        first = "er" if self.lang == "fr" and moment.day == 1 else ""
        return f"{moment.day}{first} {month} {moment.year}"

    def plural(self, number: float, one: str, many: str) -> str:
        """Choose a word's form: French says `0 image`, English `0 images`."""
        single = abs(number) < 2 if self.lang == "fr" else number == 1
        return one if single else many

    def format_field(self, value: Any, format_spec: str) -> str:
        """Write one placeholder's value; see the module's head."""
        if format_spec.startswith("plural "):
            return self.plural(value, *format_spec.removeprefix("plural ").split("|"))
        if format_spec == "~":
            return self.number(value, decimals_of(value))
        if format_spec == "%~":
            return self.percent(value, decimals_of(100 * value))
        if format_spec.startswith("%"):
            return self.percent(value, int(format_spec[1:] or 1))
        if format_spec == "date":
            return self.date(value)
        if isinstance(value, str):
            return value
        return self.number(value, int(format_spec or 0))

    def _template(self, key: str) -> str:
        texts = wording()
        if key not in texts:
            raise ConfigError(
                f"A text's key must be one of {len(texts)} in wording.yaml. Received: {key!r}."
                f"{did_you_mean(key, texts)}"
            )
        text = texts[key][self.lang].replace("'", "’")
        return _in_french(text) if self.lang == "fr" else text


def decimals_of(value: float, most: int = 4) -> int:
    """Return how many decimals a number has, `most` at most.

    Example:
        >>> [decimals_of(value) for value in (2.0, 0.5, 1 / 3)]
        [0, 1, 4]
    """
    return next(n for n in range(most + 1) if n == most or abs(round(value, n) - value) < 1e-9)


@cache
def wording() -> dict[str, dict[str, str]]:
    """Return every text: key → language → template, read once."""
    file = resources.files("photoclf") / "templates" / "wording.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _in_french(text: str) -> str:
    """Make the spaces narrow and unbreakable that French sets inside « » and before ; : ! ? %."""
    return re.sub(r"(?<=«) | (?=[;:!?%»])", NARROW_SPACE, text)
