"""What runs are worth on sources that they never saw: the evaluations of a plan's splits."""

from dataclasses import dataclass

import pandas as pd

from photoclf.errors import RunError
from photoclf.evaluation import read_evaluation
from photoclf.paths import Workspace
from photoclf.run import Run
from photoclf.runs import is_on_split, list_runs
from photoclf.schema import SPLIT
from photoclf.split import sources_in_test, split_hash
from photoclf.tables import read_table

METRICS = ("f1", "recall", "precision", "roc_auc")


@dataclass(frozen=True)
class PlanResults:
    """The evaluations of a plan's splits.

    Args:
        runs: One row an evaluated run on a split of the plan: `choices` (the model and the hash of
            the run's choices without the seed), `split`, `run`, `seed`, `photos` and `images` (of
            the test), `METRICS` of the test at the run's threshold, `metadata_f1` (of file
            properties alone, see `shortcuts.shortcut_baseline`), and `sources`, those left out.
        summary: One row a `choices`: on how many `splits` of how many `planned`, and for each of
            `METRICS` the mean over splits and the worst split's. Several seeds on a split are
            averaged first. The best mean F1 comes first, complete plans before others.
    """

    runs: pd.DataFrame
    summary: pd.DataFrame


def plan_results(workspace: Workspace) -> PlanResults:
    """Gather what evaluated runs are worth on the splits of the workspace's plan.

    A mean over sources that were left out says what to expect of a new source, the worst what to
    fear. A split whose test holds few photographs says little of F1: see `photos`.

    Args:
        workspace: Holds the plan (`photoclf split --plan`) and the runs.

    Returns:
        The results.

    Raises:
        RunError: If there is no plan, or no run on one of its splits was evaluated.
    """
    paths = workspace.planned_splits
    rows = []
    for path in paths:
        split = read_table(path, SPLIT)
        expected = split_hash(split)
        sources = ", ".join(sources_in_test(split).source)
        for run in list_runs(workspace.models):
            if run.done and is_on_split(run, expected) and run.is_evaluated:
                rows.append({"split": path.stem} | _result(run) | {"sources": sources})
    if not rows:
        raise RunError(
            "A run must have been evaluated on a split of the plan. Received:"
            f" {len(paths)} splits in {workspace.splits}, and no evaluated run on any. Make a plan"
            " (photoclf split --plan), then for each split: photoclf train --split NAME, and"
            " photoclf evaluate --run RUN."
        )
    runs = pd.DataFrame(rows)
    runs = runs[["choices", *runs.columns.drop("choices")]]
    return PlanResults(runs.sort_values("choices", kind="stable"), _summary(runs, len(paths)))


def _result(run: Run) -> dict[str, object]:
    test = read_evaluation(run).figures
    blind = test["baseline_metadata"]
    return {
        "choices": f"{run.config.model}_{run.config.replace(seed=0).hash8}",
        "run": run.run_id,
        "seed": run.config.seed,
        "photos": test["test"]["photos"],
        "images": test["test"]["images"],
        **{name: test["test"]["metrics"][name] for name in METRICS},
        "metadata_f1": blind["metrics"]["f1"] if blind else None,
    }


def _summary(runs: pd.DataFrame, planned: int) -> pd.DataFrame:
    per_split = runs.groupby(["choices", "split"])[list(METRICS)].mean()
    over = per_split.groupby("choices")
    table = over.size().rename("splits").to_frame().assign(planned=planned)
    for name in METRICS:
        table[f"{name}_mean"], table[f"{name}_worst"] = over[name].mean(), over[name].min()
    table["runs"] = runs.groupby("choices").size()
    return table.sort_values(["splits", "f1_mean"], ascending=False).reset_index()
