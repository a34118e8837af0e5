"""What page one recommends, from figures alone."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from photoclf import acceptance_sections, operating_sections, subgroup_sections
from photoclf.acceptance import judge
from photoclf.alarms import ALARMS
from photoclf.messages import Messages, wording
from photoclf.plots_review import draw_coverage_risk, draw_prior_shift
from photoclf.subgroups import collapsed


def figures(**told):
    return {
        "alarms": [],
        "review": {"by": "ladder", "val_groups": {"photos": 200, "others": 300}},
        "test": {"photos": 350, "images": 900},
        "test_openings": 1,
        "left_out": None,
        "test_opened_by_other_runs": [],
    } | told


def test_without_anything_against_it_a_sorting_is_accepted():
    assert judge(figures()).verdict == "accept"
    assert judge(figures()).reasons == ()


@pytest.mark.parametrize("alarm", ["equal_scores", "mismatch", "no_ranking", "promise_broken"])
def test_a_broken_model_or_promise_is_refused(alarm):
    light = {"alarm": "shortcuts"}
    verdict = judge(figures(alarms=[light, {"alarm": alarm}]))
    assert verdict.verdict == "refuse"
    assert [why for why, _ in verdict.reasons] == [alarm, "shortcuts"]


def test_what_cannot_be_proved_is_refused():
    groups = {"photos": 4, "others": 9}
    review = {"by": "nothing", "val_groups": groups}
    assert judge(figures(review=review)).reasons == (("unproved", groups),)


def test_hours_promise_nothing():
    review = {"by": "hours", "val_groups": {}}
    assert judge(figures(review=review)).reasons == (("unpromised", {}),)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"alarms": [{"alarm": "subgroup"}]}, "subgroup"),
        ({"test": {"photos": 12, "images": 90}}, "few_photos"),
        ({"test": {"photos": 80, "images": 90}}, "few_others"),
        ({"test_opened_by_other_runs": ["a"]}, "openings"),
        ({"test_openings": 2}, "opened_again"),
        ({"left_out": {"mean": 0.9, "worst": 0.7}}, "left_out"),
    ],
)
def test_lesser_doubts_call_for_reserve(told, why):
    verdict = judge(figures(**told))
    assert verdict.verdict == "reserve"
    assert [name for name, _ in verdict.reasons] == [why]


def test_every_alarm_has_words_in_both_languages():
    for alarm in ALARMS:
        keys = [key for key in wording() if re.fullmatch(f"alarm.{alarm}(_missed|_false)?", key)]
        assert keys, alarm


def group(by, errors, images, low, **told):
    return {"by": by, "name": "x", "errors": errors, "images": images, "low": low,
            "small": images < 30} | told  # fmt: skip


def test_a_group_collapses_when_its_errors_are_many_and_sure():
    whole = group("class_folder", 30, 1000, 0.02)
    bad, small = group("format", 40, 80, 0.38), group("flag", 9, 10, 0.55)
    assert collapsed([whole, bad, small]) == [bad]
    assert collapsed([group("class_folder", 500, 1000, 0.45)]) == []


REVIEW = {
    "by": "promise",
    "promise": {"missed": 0.01, "false": 0.02, "confidence": 0.95},
    "prices": {"review_s": 3.0, "hour": 30.0, "missed": 1.0, "false": 0.2},
    "images": 12345,
    "photo_share": 0.3,
    "val_groups": {"photos": 400, "others": 900},
    "candidates": 7,
    "hours_allowed": 2.0,
    "photo_share_of": "test",
    "least": {"photos": 0.0075, "others": 0.0033},
    "cells": {"photo_found": 300, "photo_reviewed": 40, "photo_missed": 2, "other_false": 3,
              "other_reviewed": 50, "other_left": 700},
    "rates": {
        "missed": {"errors": 2, "images": 342, "rate": 0.0058, "low": 0.001, "high": 0.02},
        "false": {"errors": 3, "images": 753, "rate": 0.004, "low": 0.001, "high": 0.01},
    },
    "point": {"low": 0.1, "high": 0.6, "reviewed": 1000.0, "missed": 20.0, "false": 30.0,
              "called_photo": 3000.0, "hours": 0.8, "cost": 50.0, "automatic": 0.92,
              "precision": 0.99, "recall": 0.994},
    "coverage": {"coverage": [0.5, 0.9, 1.0], "risk": [0.0, 0.001, 0.02]},
}  # fmt: skip
PRIOR = {"photo_share": 0.3, "precision": 0.99, "precision_low": 0.98, "precision_high": 0.995,
         "reviewed": 1000.0, "hours": 0.8, "cost": 50.0}  # fmt: skip


class Found:
    """As much of `Findings` as these sections ask for."""

    def __init__(self, **told):
        point = REVIEW["point"]
        ladder = [
            {"share": 0.005, "needed": 736, "point": None},
            {"share": 0.01, "needed": 368, "point": point},
            {"share": 0.05, "needed": 72, "point": point | {"reviewed": 0.0, "low": 0.4}},
            {"share": 0.1, "needed": 36, "point": point | {"reviewed": 0.0, "low": 0.4}},
        ]
        rare = PRIOR | {"photo_share": 0.01, "precision": None, "precision_low": None}
        review = REVIEW | {"one_threshold": point, "cheapest": point, "ladder": ladder}
        review |= {"prior": [rare, PRIOR]} | told
        self.figures = {"review": review}


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_step_that_cannot_be_proved_says_what_it_takes_and_equal_ones_are_not_repeated(lang):
    page = operating_sections.operating(Found(), Messages(lang))
    assert "736" in page
    assert {"fr": "5\u202f% au plus", "en": "at most 5%"}[lang] in page
    assert {"fr": "10\u202f% au plus", "en": "at most 10%"}[lang] not in page
    assert page.count('class="mark chosen"') >= 1
    assert "7" in page.split("operating")[-1]


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_other_archives_are_told_in_hours_and_cost(lang):
    page = operating_sections.other_archives(Found(), Messages(lang))
    assert {"fr": "1\u202f000\u202f000", "en": "1,000,000"}[lang] in page
    assert Messages(lang)("worth.no_value") in page
    assert page.count("<table>") == 2


def test_without_photographs_there_is_no_table_of_sizes():
    cells = REVIEW["cells"] | {"photo_found": 0, "photo_reviewed": 0, "photo_missed": 0}
    page = operating_sections.other_archives(Found(cells=cells), Messages("en"))
    assert page.count("<table>") == 1


def test_bands_that_leave_all_or_nothing_to_a_person_are_said_in_words():
    text = Messages("en")
    everything = REVIEW["point"] | {"low": 0.0, "high": 1.0000001}
    assert text("operating.all_reviewed") in operating_sections.operating(
        Found(point=everything), text
    )
    nothing = REVIEW["point"] | {"low": 0.4, "high": 0.4}
    assert "One threshold, 0.40" in operating_sections.operating(Found(point=nothing), text)


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize(
    "promise", [{"missed": 0.01, "false": None}, {"missed": None, "false": 0.02}, None]
)
def test_page_one_says_what_is_promised_and_what_is_only_measured(lang, promise):
    text = Messages(lang)
    promise = promise and promise | {"confidence": 0.95}
    review = REVIEW | {"promise": promise, "by": "promise" if promise else "hours"}
    said = acceptance_sections._conditions(review, text)
    found = type("Found", (), {"figures": {"review": review}})()
    tiles = acceptance_sections._tiles(found, text)
    assert ("95" in said) == bool(promise)
    assert tiles.count("≤") == (1 if promise else 0)


def test_groups_have_names_in_both_languages():
    for by, value in (("size", "over_1024"), ("flag", "blurry"), ("colour", "grey")):
        for lang in ("fr", "en"):
            assert subgroup_sections.group_name(by, value, Messages(lang))
    assert "<b>" in subgroup_sections.group_name("source", "<b>", Messages("fr"))


def test_figures_of_nothing_say_so():
    for draw in (
        lambda ax: draw_coverage_risk(ax, [], []),
        lambda ax: draw_prior_shift(ax, [PRIOR | {"precision": None}], 0.3),
    ):
        ax = draw(Figure().add_subplot())
        assert [t.get_text() for t in ax.texts] == ["no data"]


def test_the_curve_of_errors_begins_where_there_are_some():
    ax = Figure().add_subplot()
    coverage = np.linspace(0.01, 1, 100)
    draw_coverage_risk(ax, coverage, np.maximum(coverage - 0.95, 0), (0.97, 0.02))
    assert 0.8 <= ax.get_xlim()[0] <= 0.9
    draw_coverage_risk(ax, coverage, np.zeros(100))
    assert ax.get_ylim()[1] > 0
