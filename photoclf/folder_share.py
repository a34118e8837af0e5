"""The share of photographs in a predicted folder, by the error rates that are known of its run."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from photoclf.evaluation import read_evaluation
from photoclf.exported import chosen
from photoclf.prevalence import ShareEstimate, estimate_share
from photoclf.run import Run

# Where error rates were measured; their words stand in `wording.yaml` under `share.`.
ON_TEST, ON_LEFT_OUT = "on_test", "on_left_out"

# Labels, decisions, groups.
Rates = tuple[np.ndarray, np.ndarray, np.ndarray]


def estimate_shares(
    run: Run, predictions: pd.DataFrame, *, draws: int = 2000, seed: int = 42
) -> dict[str, ShareEstimate]:
    """Estimate a folder's share of photographs, adjusted for each set of known error rates.

    Args:
        run: The run that predicted.
        predictions: A `schema.PREDICTIONS` frame.
        draws: Bootstrap draws for the intervals.
        seed: Of the draws.

    Returns:
        Where the error rates were measured → estimate. `ON_TEST` comes first and is always there;
        a release also knows those on sources that it never saw, which is what a new client's
        folder is. Where nothing can be estimated, the estimate's `problem` says why.
    """
    # By the single threshold, as the known rates are: a band leaves some to a person.
    called = (predictions.score.dropna() >= chosen(run)[0]).to_numpy()
    rates = _known_rates(run)
    if not len(called) or not rates:
        return {ON_TEST: _nothing(run, called)}
    return {
        name: estimate_share(called, *where, draws=draws, seed=seed)
        for name, where in rates.items()
    }


def _known_rates(run: Run) -> dict[str, Rates]:
    rates = {}
    if run.is_evaluated:
        test = read_evaluation(run).side("test")
        labels, decided = test.label.to_numpy(), (test.decision == "photo").to_numpy()
        rates[ON_TEST] = labels, decided, test.group.to_numpy()
    release = run.release or {}
    if ON_TEST not in rates and release.get("test"):
        rates[ON_TEST] = _rates_of([release["test"]["confusion"]], one_group=False)
    if release.get("left_out"):
        splits = [split["confusion"] for split in release["left_out"]["splits"]]
        rates[ON_LEFT_OUT] = _rates_of(splits, one_group=True)
    return {name: each for name, each in rates.items() if set(each[0]) == {0, 1}}


def _rates_of(confusions: list[Mapping[str, int]], *, one_group: bool) -> Rates:
    """Give counts back as single images, those of one split as one group or each as its own."""
    kinds = {"tp": (1, True), "fn": (1, False), "fp": (0, True), "tn": (0, False)}
    images = [
        (*kind, split)
        for split, counts in enumerate(confusions)
        for name, kind in kinds.items()
        for _ in range(counts[name])
    ]
    labels, decided, splits = (np.array(column) for column in zip(*images, strict=True))
    return labels, decided, splits if one_group else np.arange(len(labels))


def _nothing(run: Run, called: np.ndarray) -> ShareEstimate:
    nan = float("nan")
    if not len(called):
        return ShareEstimate(0, nan, nan, 0.0, 1.0, nan, nan, "No file has a decision.")
    problem = (
        f"The errors of {run.run_id} aren't known: no evaluation. photoclf evaluate --run"
        f" {run.run_id} measures them."
    )
    return ShareEstimate(len(called), float(called.mean()), nan, 0.0, 1.0, nan, nan, problem)
