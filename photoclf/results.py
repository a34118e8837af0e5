"""What a run's folder, an evaluation and predictions say, in tables that fit on a page."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from photoclf.escaping import escape_pathname


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
        One row a metric, with `test`, `low` and `high` (its interval), `val`, `baseline` (of
        calling every image "other") and `metadata` (of a classifier that sees file properties and
        no picture, see `shortcuts`); NaN where undefined or not measured.
    """
    test = figures["test"]
    table = pd.DataFrame(
        {
            "test": test["metrics"],
            "low": {name: pair[0] for name, pair in test["intervals"].items()},
            "high": {name: pair[1] for name, pair in test["intervals"].items()},
            "val": figures["val"]["metrics"],
            "baseline": figures["baseline_other"]["metrics"],
            "metadata": (figures.get("baseline_metadata") or {}).get("metrics"),
        }
    )
    return table.loc[list(test["metrics"])].astype("float64").rename_axis("metric")


def evaluation_lines(figures: Mapping[str, Any]) -> list[str]:
    """Say in lines what an evaluation found: metrics, review band, what it leads to, alarms.

    Args:
        figures: What `evaluate` wrote to `eval/metrics.json`.
    """
    lines = [f"{figures['run_id']}: threshold {figures['threshold']:.4f}"]
    for side in ("val", "test"):
        for name in ("recall", "precision", "f1", "accuracy", "roc_auc"):
            value = figures[side]["metrics"][name]
            low, high = figures[side]["intervals"].get(name, (None, None))
            shown = "undefined" if value is None else f"{value:.4f}"
            interval = "" if low is None or high is None else f"  [{low:.4f}, {high:.4f}]"
            lines.append(f"  {side:5}{name:10}{shown}{interval}")
    review, promise = figures["review"], figures["review"]["promise"]
    point = review["point"]
    promised = [
        f"at most {promise[kind]:.2%} of {of} {kind}"
        for kind, of in (("missed", "photographs"), ("false", "other images"))
        if promise and promise[kind] is not None
    ]
    told = f", promised with {promise['confidence']:.0%} confidence" if promise else ""
    lines.append(
        f"review band {point['low']:.4f} to {point['high']:.4f}:"
        f" {', '.join(promised) or 'nothing is promised'}{told}"
    )
    lines.append(
        f"  of {review['images']:,} images at {review['photo_share']:.1%} photographs:"
        f" {point['automatic']:.1%} sorted by themselves, {point['reviewed']:,.0f} to review"
        f" ({point['hours']:.1f} h)"
    )
    for alarm in figures["alarms"]:
        numbers = ", ".join(
            f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {escape_pathname(str(v))!r}"
            for k, v in alarm.items()
            if k != "alarm"
        )
        lines.append(f"ALARM {alarm['alarm']}: {numbers}")
    return lines


def operating_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Lay the ways to work with a run side by side: each promise, one threshold, the cheapest.

    Args:
        figures: What `evaluate` wrote to `eval/metrics.json`.

    Returns:
        One row a way, with its band (`low`, `high`), the share sorted by itself (`automatic`), and
        for the archive that was asked about the images `reviewed`, `missed` and `false`, `hours`
        and `cost`; NaN where val can't prove the promise. `chosen` marks what the run works with.
    """
    review = figures["review"]
    ways = {f"at most {step['share']:.1%} wrong": step["point"] for step in review["ladder"]}
    ways |= {"one threshold": review["one_threshold"], "cheapest": review["cheapest"]}
    if review["by"] in ("promise", "hours"):
        ways = {f"asked for ({review['by']})": review["point"], **ways}
    columns = ["low", "high", "automatic", "reviewed", "missed", "false", "hours", "cost"]
    table = pd.DataFrame({way: point or {} for way, point in ways.items()}, index=columns).T
    band = (review["point"]["low"], review["point"]["high"])
    chosen = [
        point is not None and (point["low"], point["high"]) == band for point in ways.values()
    ]
    return table.astype("float64").assign(chosen=chosen).rename_axis("way")


def shortcut_tables(figures: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tell which file properties and which sub-folders give the class away.

    Args:
        figures: What `shortcuts.check_shortcuts` returns, or `baseline_metadata` of an evaluation.

    Returns:
        The properties with `roc_auc` and `f1` of each kind alone and the AUC that is lost without
        it, and the sub-folders with `recognised` (share of images decided rightly), `sure` (share
        that their file gives away: 0.9 and more for the right kind, were both kinds equally
        frequent), their most frequent `trait`, the share `with_trait`, and the
        share `of_this_label` among all images with that trait. The most telling come first.
    """
    features, sources = pd.DataFrame(figures["features"]), pd.DataFrame(figures["sources"])
    features["columns"] = features["columns"].map(", ".join)
    for count in ("recognised", "sure", "with_trait"):
        sources[count] = sources[count] / sources.images
    return features, sources


def shortcut_summary(figures: Mapping[str, Any]) -> str:
    """Say in a line or two how well the archive is sorted without looking, and what to do."""
    metrics, (low, high) = figures["metrics"], figures["intervals"]["f1"]
    interval = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
    line = (
        f"Without looking: F1 {metrics['f1']:.3f}{interval}, ROC AUC {metrics['roc_auc']:.3f};"
        f" always photo: F1 {figures['always_photo_f1']:.3f}."
    )
    if not figures["high"]:
        return f"{line} File properties give little away."
    warning = (
        "WARNING: file properties alone sort this archive well. A model's score may owe as"
        " much to scanner and file format as to the picture. Judge it on sources that it never saw:"
        " photoclf split --plan. docs/shortcuts.md tells what else was tried and what it is worth."
    )
    return f"{line}\n{textwrap.fill(warning, 100)}"  # a notebook's page would break it amid words


def next_steps(
    audit: pd.DataFrame,
    shortcuts: Mapping[str, Any],
    suspects: pd.DataFrame,
    conflicts: pd.DataFrame,
) -> pd.DataFrame:
    """List what an archive's checks found that somebody should act on, and how.

    Args:
        audit: A `schema.AUDIT` frame.
        shortcuts: What `shortcuts.check_shortcuts` returns.
        suspects: A `schema.SUSPECTS` frame.
        conflicts: As `conflicts.label_conflicts` gives them.

    Returns:
        `found`, `images` and `what to do`, one row a finding, the last one what comes next.
    """
    used = audit[(audit.status == "used") & audit.label.notna()]
    lost = int(audit.status.isin(["unreadable", "not_an_image"]).sum())
    sources = used.groupby("class_folder").source.nunique()
    single = [str(name) for name in sources.index[sources == 1]]
    sure = sum(row["sure"] for row in shortcuts["sources"]) if shortcuts["high"] else 0
    rows = [
        ("files that can't be read", lost, "ask for the originals, then run this notebook again"),
        (
            "pairs with contradicting labels",
            len(conflicts),
            "decide with the archivist; correct data/manifest.csv or the folders",
        ),
        ("suspected labels", len(suspects), "look at data/suspects.csv, the first ones at least"),
        (
            "images that their file gives away",
            sure,
            "judge networks on sources that they never saw: photoclf split --plan",
        ),
        (
            f"images of classes with one source ({', '.join(single)})",
            int(used.class_folder.isin(single).sum()),
            "add another source: no split can leave the only one out",
        ),
    ]
    rows = [row for row in rows if row[1]]
    rows.append(("images to learn from", len(used), "train: 03_train_run"))
    return pd.DataFrame(rows, columns=["found", "images", "what to do"])


def error_table(rows: Sequence[Mapping[str, Any]], most: int = 25) -> pd.DataFrame:
    """Order an evaluation's error rates for `plots_scores.draw_rates`, the worst first.

    Args:
        rows: What `Evaluation.groups` returns.
        most: Rows at most.

    Returns:
        `name`, `images`, `errors`, `rate`, `low`, `high`.
    """
    columns = ["name", "images", "errors", "rate", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.sort_values(["rate", "name"], ascending=[False, True])
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
