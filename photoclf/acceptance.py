"""Whether a client may accept a sorting, and why or why not: figures in, reasons out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from photoclf.alarms import SEVERE
from photoclf.subgroups import SMALL_GROUP

VERDICTS = ("accept", "reserve", "refuse")


@dataclass(frozen=True)
class Verdict:
    """What a report recommends.

    Args:
        verdict: One of `VERDICTS`.
        reasons: What speaks against accepting as it stands, the gravest first: a reason's name and
            the numbers that its text needs.
    """

    verdict: str
    reasons: tuple[tuple[str, dict[str, Any]], ...]


def judge(figures: Mapping[str, Any]) -> Verdict:
    """Recommend to accept a sorting, to accept it with reserve, or not to.

    Refused is what decides no better than chance or broke its promise on the test, or when not even
    the loosest promise can be proved. Reserve is called for by every other alarm, a test that was
    opened before, one too small to show much, and what a release scores on sources never seen.

    Args:
        figures: What `evaluate` wrote to `eval/metrics.json`.

    Returns:
        The verdict.
    """
    alarms = [(alarm["alarm"], alarm) for alarm in figures["alarms"]]
    grave = [pair for pair in alarms if pair[0] in SEVERE or pair[0] == "promise_broken"]
    light = [pair for pair in alarms if pair not in grave]
    review, test = figures["review"], figures["test"]
    if review["by"] == "nothing":
        grave.append(("unproved", dict(review["val_groups"])))
    if review["by"] == "hours":
        light.append(("unpromised", {}))
    photos, others = test["photos"], test["images"] - test["photos"]
    if photos < SMALL_GROUP:
        light.append(("few_photos", {"photos": photos}))
    if others < SMALL_GROUP:
        light.append(("few_others", {"others": others}))
    if figures["left_out"]:
        light.append(("left_out", dict(figures["left_out"])))
    runs = len(figures["test_opened_by_other_runs"])
    if runs:
        light.append(("openings", {"runs": runs}))
    if figures["test_openings"] > 1:
        light.append(("opened_again", {"times": figures["test_openings"]}))
    verdict = "refuse" if grave else "reserve" if light else "accept"
    return Verdict(verdict, (*grave, *light))
