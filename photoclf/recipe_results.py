"""What measured recipes are worth: mean and worst over a plan's splits, and errors by source."""

import pandas as pd

from photoclf.errors import RunError
from photoclf.paths import Workspace
from photoclf.schema import SPLIT, VAL_SCORES
from photoclf.tables import read_table

# Splits whose test holds fewer photographs say little of F1: one mistake moves it by points.
ENOUGH_PHOTOS = 75
METRICS = ("f1", "recall", "precision", "f1_half", "roc_auc")


def summarise_recipes(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise measured recipes, one row a recipe.

    Args:
        table: A `schema.ABLATION` frame.

    Returns:
        `recipe`, `splits`; mean and worst over splits of each of `METRICS`; `features` (numbers a
        view), `views` (an image), `fit_s` (median seconds of a fit). The best worst F1 comes first.
        F1 (at the threshold chosen on val, `f1_half` at 0.5), recall and precision are taken over
        the splits whose test holds `ENOUGH_PHOTOS` photographs, the area under the ROC curve over
        all.
    """
    enough, every = table[table.photos >= ENOUGH_PHOTOS].groupby("recipe"), table.groupby("recipe")
    rows = pd.DataFrame({"splits": enough.size()})
    for name in METRICS:
        over = every if name == "roc_auc" else enough
        rows[f"{name}_mean"], rows[f"{name}_worst"] = over[name].mean(), over[name].min()
    rows["features"], rows["views"] = every.features.first(), every.views.first()
    rows["fit_s"] = every.fit_s.median()
    return rows.sort_values("f1_worst", ascending=False).reset_index()


def errors_by_source(workspace: Workspace, table: pd.DataFrame, recipe: str) -> pd.DataFrame:
    """Count a measured recipe's errors on each source that was left out.

    Args:
        workspace: Holds the plan and the recipe's scores.
        table: A `schema.ABLATION` frame.
        recipe: A name in it.

    Returns:
        One row a source and split: `class_folder`, `source`, `split`, `label`, `images`, `errors`
        and `error_rate`, at the threshold that was chosen on val; the worst first.

    Raises:
        RunError: If the recipe wasn't measured.
    """
    measured = table[table.recipe == recipe]
    if measured.empty:
        raise RunError(
            f"A recipe must have been measured. Received: {recipe!r}, which isn't one of"
            f" {sorted(set(table.recipe))}. Measure it: photoclf ablate."
        )
    tables = []
    for row in measured.itertuples():
        folder = workspace.data / "ablation" / str(row.recipe_hash)
        scores = read_table(folder / f"{row.split}.csv", VAL_SCORES)
        split = read_table(workspace.splits / f"{row.split}.csv", SPLIT)
        known = split.set_index("pathname").loc[scores.pathname]
        wrong = (scores.score.to_numpy() >= row.threshold) != (scores.label.to_numpy() == 1)
        tables.append(known.assign(split=str(row.split), wrong=wrong))
    keys = ["class_folder", "source", "split", "label"]
    groups = pd.concat(tables).groupby(keys, sort=False).wrong
    result = groups.agg(images="size", errors="sum", error_rate="mean").reset_index()
    return result.sort_values(["error_rate", "images"], ascending=False, ignore_index=True)
