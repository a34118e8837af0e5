"""What a run's folder, an evaluation and predictions say, in tables that fit on a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd


def folder_table(folder: Path) -> pd.DataFrame:
    """List what lies in a folder, a sub-folder as one row.

    Returns:
        `name`, `files` and `kib`, sorted by name.
    """
    rows = []
    for path in sorted(Path(folder).iterdir()):
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        size = sum(file.stat().st_size for file in files)
        rows.append({"name": path.name, "files": len(files), "kib": size / 1024})
    return pd.DataFrame(rows, columns=["name", "files", "kib"])


def metrics_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Put an evaluation's test metrics beside their intervals and the baseline.

    Args:
        figures: What `evaluate` wrote to `eval/metrics.json`.

    Returns:
        One row a metric, with `test`, `low` and `high` (its interval), `val`, and `baseline` (of
        calling every image "other"); NaN where undefined.
    """
    test = figures["test"]
    table = pd.DataFrame(
        {
            "test": test["metrics"],
            "low": {name: pair[0] for name, pair in test["intervals"].items()},
            "high": {name: pair[1] for name, pair in test["intervals"].items()},
            "val": figures["val"]["metrics"],
            "baseline": figures["baseline_other"]["metrics"],
        }
    )
    return table.loc[list(test["metrics"])].astype("float64").rename_axis("metric")


def error_table(rows: Sequence[Mapping[str, Any]], most: int = 25) -> pd.DataFrame:
    """Order an evaluation's error rates for `plots_scores.draw_rates`, the worst first.

    Args:
        rows: `by_class_folder` or `by_source` of the evaluation's figures.
        most: Rows at most.

    Returns:
        `name`, `images`, `errors`, `rate`, `low`, `high`.
    """
    table = pd.DataFrame(rows)
    keys = [key for key in ("class_folder", "source") if key in table.columns]
    table.insert(0, "name", table[keys].agg(" / ".join, axis=1))
    table = table.drop(columns=keys).sort_values(["rate", "name"], ascending=[False, True])
    return table.head(most).reset_index(drop=True)


def decision_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count predicted files by decision, and those without a score by status and reason.

    Args:
        predictions: A `schema.PREDICTIONS` frame.

    Returns:
        `outcome`, `reason`, `files` and `share` (of all files); the files add up.
    """
    outcome = predictions.decision.where(predictions.decision != "", predictions.status)
    counts = predictions.assign(outcome=outcome).groupby(["outcome", "reason"]).size()
    table = counts.sort_values(ascending=False, kind="stable").rename("files").reset_index()
    return table.assign(share=table.files / max(len(predictions), 1))
