"""What in an evaluation says that its figures can't be trusted, or that somebody must act."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from photoclf.intervals import exact_interval
from photoclf.subgroups import collapsed

ALARMS = (
    "equal_scores",
    "mismatch",
    "no_ranking",
    "over_hours",
    "promise_broken",
    "shortcuts",
    "subgroup",
    "uncalibrated",
    "val_better",
)
# These say that the model, or the way it is fed, is broken: nothing else of the page counts then.
SEVERE = frozenset({"equal_scores", "mismatch", "no_ranking"})

_GOOD_AUC, _POOR_AUC = 0.9, 0.7
_CHANCE = 0.6  # of balanced accuracy: at most this much isn't worth deciding
_BALANCING = ("max_f1", "equal_errors")  # rules that want both kinds of image decided rightly
_WORST_ECE = 0.1
_OVERRUN = 1.05


def find_alarms(figures: Mapping[str, Any], scores: np.ndarray) -> list[dict[str, Any]]:
    """Look for what should stop a reader.

    Args:
        figures: What `evaluate` is about to write: `val`, `test`, `subgroups`, `review` and
            `baseline_metadata`.
        scores: P(photo) of the test images.

    Returns:
        One dict an alarm: `alarm`, one of `ALARMS`, and the numbers that its text needs, in that
        order. `mismatch`: scores rank well and decisions are hardly better than chance, as when
        images are prepared in another way than in training. `no_ranking`: they may be random.
        `val_better`: the val images flatter. `promise_broken`: on the test, more than promised.
    """
    test, val = figures["test"], figures["val"]
    auc, balanced = (test["metrics"][name] for name in ("roc_auc", "balanced_accuracy"))
    # A threshold that is set for recall, precision or cost may lie at an end on purpose.
    set_for_both = figures["threshold_rule"].startswith(_BALANCING)
    alarms: list[dict[str, Any]] = []
    if len(scores) > 1 and np.ptp(scores) == 0:
        alarms.append({"alarm": "equal_scores", "score": float(scores[0])})
    elif auc is not None and auc >= _GOOD_AUC and balanced < _CHANCE and set_for_both:
        told = {"auc": auc, "accuracy": test["metrics"]["accuracy"], "balanced": balanced}
        alarms.append({"alarm": "mismatch"} | told)
    elif auc is not None and auc < _POOR_AUC and (test["intervals"]["roc_auc"][0] or 0) <= 0.5:
        alarms.append({"alarm": "no_ranking", "auc": auc})
    alarms += _broken_promises(figures["review"])
    allowed, hours = figures["review"]["hours_allowed"], figures["review"]["point"]["hours"]
    if allowed is not None and hours is not None and hours > allowed * _OVERRUN:
        alarms.append({"alarm": "over_hours", "allowed": allowed, "hours": hours})
    blind = figures.get("baseline_metadata")
    if blind and blind["high"]:
        f1 = {"blind": blind["metrics"]["f1"], "model": test["metrics"]["f1"]}
        alarms.append({"alarm": "shortcuts"} | f1)
    for group in collapsed(figures["subgroups"]):
        told = {name: group[name] for name in ("by", "name", "errors", "images", "rate")}
        alarms.append({"alarm": "subgroup"} | told)
    lowest = test["intervals"]["ece"][0]
    if lowest is not None and lowest > _WORST_ECE:
        alarms.append({"alarm": "uncalibrated", "ece": lowest})
    lowest, highest = val["intervals"]["f1"][0], test["intervals"]["f1"][1]
    if lowest is not None and highest is not None and lowest > highest:
        told = {"val": val["metrics"]["f1"], "test": test["metrics"]["f1"]}
        alarms.append({"alarm": "val_better"} | told)
    return alarms


def _broken_promises(review: Mapping[str, Any]) -> list[dict[str, Any]]:
    promise, alarms = review["promise"] or {}, []
    for kind in ("missed", "false"):
        rates = review["rates"][kind]
        if promise.get(kind) is None or not rates["groups"]:
            continue
        if exact_interval(rates["groups_wrong"], rates["groups"])[0] > promise[kind]:
            told = {name: rates[name] for name in ("errors", "images")}
            alarms.append(
                {"alarm": "promise_broken", "kind": kind, "promised": promise[kind]} | told
            )
    return alarms
