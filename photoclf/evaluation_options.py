"""The command line's options of what a client asks of a sorting."""

from collections.abc import Callable
from typing import Any

import click

_share = click.FloatRange(0, 1, min_open=True, max_open=True)
_rate = click.FloatRange(0, 1, min_open=True)
_positive = click.FloatRange(0)


def evaluation_options(command: Callable) -> Callable:
    """Give a command what a client asks of a sorting, see `review_plan.Terms`."""
    for option in reversed(_EVALUATION):
        command = option(command)
    return command


def told_rule_and_terms(choices: dict[str, Any]) -> tuple[Any, Any]:
    """Make the rule of the threshold (`None` for the default) and the terms from the options."""
    from photoclf.operating import Prices
    from photoclf.review_plan import Terms, promised
    from photoclf.thresholds import ThresholdRule

    prices = Prices(
        review_s=choices["review_seconds"],
        hour=choices["hour_price"],
        missed=choices["missed_price"],
        false=choices["false_price"],
    )
    terms = Terms(
        promise=promised(choices["missed"], choices["false_photos"], choices["confidence"]),
        confidence=choices["confidence"],
        hours=choices["hours"],
        prices=prices,
        images=choices["images"],
        photo_share=choices["photo_share"],
    )
    if choices["rule"] is None and choices["at_least"] is None:
        return None, terms
    costs = {"cost_missed": prices.missed, "cost_false": prices.false}
    name = choices["rule"] or "f1"
    used = costs if name == "cost" else {}
    return ThresholdRule(name, choices["at_least"], **used), terms


_EVALUATION = (
    click.option(
        "--rule",
        type=click.Choice(["f1", "recall", "precision", "cost"]),
        show_default="f1, or the release's",
        help="What the threshold is chosen for on val: the highest F1, a recall or precision of"
        " --at-least, or the least cost.",
    ),
    click.option("--at-least", type=_rate, show_default="none", help="Share, for --rule."),
    click.option(
        "--missed",
        type=_share,
        show_default="what val can prove",
        help="Promise: share of the photographs that are left out unseen, at most; 0.01 is 1 %.",
    ),
    click.option(
        "--false",
        "false_photos",
        type=_share,
        show_default="what val can prove",
        help="Promise: share of the other images called photographs unseen, at most.",
    ),
    click.option(
        "--confidence",
        type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
        default=0.95,
        show_default=True,
        help="How sure the promise is.",
    ),
    click.option(
        "--hours",
        type=_positive,
        show_default="none",
        help="Instead of a promise: hours of review there are; the cheapest way to use them.",
    ),
    click.option(
        "--images",
        type=click.IntRange(1),
        show_default="the evaluated archive's",
        help="Size of the archive to sort.",
    ),
    click.option(
        "--photo-share",
        type=_share,
        show_default="the test's",
        help="Share of photographs in the archive to sort.",
    ),
    click.option(
        "--review-seconds",
        type=click.FloatRange(0, min_open=True),
        default=3.0,
        show_default=True,
        help="Time that a person takes for an image.",
    ),
    click.option(
        "--hour-price", type=_positive, default=30.0, show_default=True, help="An operator's hour."
    ),
    click.option(
        "--missed-price",
        type=_positive,
        default=1.0,
        show_default=True,
        help="Cost of a photograph that is left out unseen.",
    ),
    click.option(
        "--false-price",
        type=_positive,
        default=0.2,
        show_default=True,
        help="Cost of another image called a photograph unseen.",
    ),
)
