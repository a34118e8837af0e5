"""Both languages say the same things, each with its own numbers, dates and spaces."""

import re
import string
from datetime import date
from pathlib import Path

import pytest

from photoclf import decode
from photoclf.errors import ConfigError
from photoclf.messages import LANGUAGES, Messages, wording
from photoclf.schema import STATUSES

PACKAGE = Path(decode.__file__).parent


def placeholders(template):
    found = set()
    for _, field, spec, _ in string.Formatter().parse(template):
        if field is not None:
            found |= {field} | placeholders(spec)
    return found


def test_every_text_is_in_both_languages_with_the_same_placeholders():
    for key, texts in wording().items():
        assert set(texts) == set(LANGUAGES), key
        assert placeholders(texts["fr"]) == placeholders(texts["en"]), key
        assert texts["fr"].strip() == texts["fr"] != "", key


def test_every_text_is_said_somewhere():
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py"))
    built = ("status.", "reason.", "worth.", "summary.", "gallery.", "cases.", "glossary.",
             "provenance.", "received.", "found.", "folders.", "limits.", "figure.",
             "shortcuts.", "stress.", "comparison.", "lessons.", "verdict.",
             "share.", "shift.")  # fmt: skip
    assert 'f"looked.at_{' in code
    unsaid = [
        key
        for key in wording()
        if not key.startswith("looked.at_")
        and f'"{key}"' not in code
        and not (key.startswith(built) and f'"{key.split(".")[1].removesuffix("_text")}"' in code)
    ]
    reasons = [key for key in unsaid if key.startswith(("status.", "reason."))]
    assert set(unsaid) - set(reasons) == set()


def test_every_status_and_reason_has_plain_words():
    audited = {"same_bytes", "system_file", "ignored_folder", "no_class_folder"}
    listed = {"not_in_manifest", "special_file", "link_to_folder", "folder_no_permission"}
    for reason in {*decode.REASONS, *audited, *listed, "none"}:
        assert f"reason.{reason}" in wording()
    for status in STATUSES:
        assert f"status.{status}" in wording()


@pytest.mark.parametrize(
    ("value", "decimals", "english", "french"),
    [
        (1234567.891, 2, "1,234,567.89", "1\u202f234\u202f567,89"),
        (-0.5, 1, "−0.5", "−0,5"),
        (0, 0, "0", "0"),
        (0.012346, None, "0.01235", "0,01235"),
    ],
)
def test_numbers_take_the_signs_of_their_language(value, decimals, english, french):
    assert Messages("en").number(value, decimals) == english
    assert Messages("fr").number(value, decimals) == french


def test_french_sets_narrow_spaces_and_commas():
    text = Messages("fr")
    assert text.percent(0.9432) == "94,3\u202f%"
    assert text("received.total", files=7819) == "Fichiers reçus\u202f: 7\u202f819"
    assert "«\u202fPetit groupe\u202f»\u202f: moins" in text("folders.small_note", least=30)


def test_no_french_text_breaks_a_line_before_its_punctuation():
    for key, texts in wording().items():
        values = dict.fromkeys(placeholders(texts["fr"]), 2)
        values |= {n: "2026-03-01" for n in values if n == "day"}
        french = Messages("fr")(key, **values)
        assert not re.search(r" [;:!?%»]|« |'|[^\u202f][;!?»]", french), french


def test_english_sets_no_space_before_a_percent_sign():
    text = Messages("en")
    assert text.percent(0.9432) == "94.3%"


def test_nearly_all_is_never_rounded_to_all_nor_nearly_none_to_none():
    text = Messages("en")
    assert (text.percent(0.994, 0), text.percent(0.9999, 0)) == ("99%", ">\u202f99%")
    assert text.percent(0.99999) == ">\u202f99.9%"
    assert text.percent(0.00001) == "<\u202f0.1%"
    assert (text.percent(1), text.percent(0)) == ("100.0%", "0.0%")


@pytest.mark.parametrize(
    ("lang", "day", "written"),
    [
        ("fr", "2026-11-23T07:31:00+00:00", "23 novembre 2026"),
        ("fr", date(2026, 8, 1), "1er août 2026"),
        ("en", date(2026, 8, 1), "1 August 2026"),
    ],
)
def test_days_are_written_as_each_language_does(lang, day, written):
    assert Messages(lang).date(day) == written


def test_zero_is_singular_in_french_and_plural_in_english():
    assert Messages("fr").plural(0, "image", "images") == "image"
    assert Messages("en").plural(0, "image", "images") == "images"
    assert Messages("fr")("summary.files", files=1) == "fichier reçu"
    assert Messages("fr")("summary.files", files=2) == "fichiers reçus"


def test_filled_in_names_stay_as_they_are():
    name = "l'album : été ?.png {files}"
    assert name in Messages("fr")("page.model", run=name)


def test_an_unknown_language_or_key_suggests_the_right_one():
    with pytest.raises(ConfigError, match=r"Received: 'fra'\. Did you mean 'fr'\?"):
        Messages("fra")
    with pytest.raises(ConfigError, match=r"Did you mean 'received.title'\?"):
        Messages("fr")("recieved.title")


def test_a_missing_value_is_named():
    with pytest.raises(ConfigError, match=r"'received.total'.*without 'files'"):
        Messages("fr")("received.total")
