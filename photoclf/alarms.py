"""What in an evaluation says that its figures can't be trusted, or that somebody must act."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from photoclf.subgroups import collapsed

ALARMS = (
    "equal_scores",
    "mismatch",
    "no_ranking",
    "promise_broken",
    "shortcuts",
    "subgroup",
    "uncalibrated",
    "val_better",
)
# These say that the model, or the way it is fed, is broken: nothing else of the page counts then.
SEVERE = frozenset({"equal_scores", "mismatch", "no_ranking"})

_GOOD_AUC, _CHANCE = 0.9, 0.02
_WORST_ECE = 0.1


def find_alarms(figures: Mapping[str, Any], scores: np.ndarray) -> list[dict[str, Any]]:
    """Look for what should stop a reader.

    Args:
        figures: What `evaluate` is about to write: `val`, `test`, `subgroups`, `review` and
            `baseline_metadata`.
        scores: P(photo) of the test images.

    Returns:
        One dict an alarm: `alarm`, one of `ALARMS`, and the numbers that its text needs, in that
        order. `mismatch`: scores rank well and decisions are no better than chance, as when images
        are prepared in another way than in training. `no_ranking`: they may as well be random.
        `val_better`: the val images flatter. `promise_broken`: on the test, more than promised.
    """
    test = figures["test"]
    auc, accuracy = (test["metrics"][name] for name in ("roc_auc", "accuracy"))
    balanced, ece = (test["metrics"][name] for name in ("balanced_accuracy", "ece"))
    majority = max(test["photos"], test["images"] - test["photos"]) / max(test["images"], 1)
    alarms: list[dict[str, Any]] = []
    if len(scores) > 1 and np.ptp(scores) == 0:
        alarms.append({"alarm": "equal_scores", "score": float(scores[0])})
    elif auc is not None and auc >= _GOOD_AUC and balanced < 0.75 and accuracy < majority + _CHANCE:
        alarms.append({"alarm": "mismatch", "auc": auc, "accuracy": accuracy})
    elif auc is not None and (test["intervals"]["roc_auc"][0] or 0.5) <= 0.5 < 1 and auc < 0.7:
        alarms.append({"alarm": "no_ranking", "auc": auc})
    alarms += _broken_promises(figures["review"])
    blind = figures.get("baseline_metadata")
    if blind and blind["high"]:
        f1 = {"blind": blind["metrics"]["f1"], "model": test["metrics"]["f1"]}
        alarms.append({"alarm": "shortcuts"} | f1)
    for group in collapsed(figures["subgroups"]):
        told = {name: group[name] for name in ("by", "name", "errors", "images", "rate")}
        alarms.append({"alarm": "subgroup"} | told)
    lowest = test["intervals"]["ece"][0]
    if lowest is not None and lowest > _WORST_ECE:
        alarms.append({"alarm": "uncalibrated", "ece": ece})
    val, highest = figures["val"]["metrics"]["f1"], test["intervals"]["f1"][1]
    if val is not None and highest is not None and val > highest:
        alarms.append({"alarm": "val_better", "val": val, "test": test["metrics"]["f1"]})
    return alarms


def _broken_promises(review: Mapping[str, Any]) -> list[dict[str, Any]]:
    promise = review["promise"] or {}
    return [
        {"alarm": "promise_broken", "kind": kind, "promised": promise[kind]} | review["rates"][kind]
        for kind in ("missed", "false")
        if promise.get(kind) is not None and review["rates"][kind]["low"] > promise[kind]
    ]
