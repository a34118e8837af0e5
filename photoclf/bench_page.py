"""A run of the bench as Markdown for the results page: figures with date, command and load."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

TITLES = {
    "input": "Files to pixels, small files",
    "scans": "Files to pixels, scans of 6 megapixels",
    "cache": "Feeding a training",
    "scan": "Listing a folder (files a second)",
    "train": "Training steps",
    "predict_small": "Files to rows on disk, small files",
    "predict_scans": "Files to rows on disk, scans of 6 megapixels",
    "inference": "Scoring pixels in memory",
    "cold_start": "A fresh process on a few images",
    "memory": "Memory of a process and its children",
    "sweep": "Sweeps (trials a second; runs read a second)",
}


def _rate(row: pd.Series) -> str:
    digits = 0 if row.low >= 100 else 1 if row.low >= 10 else 2
    return f"{row.images_per_s:.{digits}f} ({row.low:.{digits}f}–{row.high:.{digits}f})"


_COLUMNS: dict[str, tuple[str, Callable[[pd.Series], str]]] = {
    "images_per_s": ("images/s (range)", _rate),
    "ratio": ("× the first", lambda row: f"{row.ratio:.2f}"),
    "of_decode": ("of decoding alone", lambda row: f"{row.of_decode:.0%}"),
    "of_limit": ("of the limit", lambda row: f"{row.of_limit:.0%}"),
    "cpu_ms": ("processor ms an image", lambda row: f"{row.cpu_ms:.2f}"),
    "cpu_ratio": ("× less than the first", lambda row: f"{row.cpu_ratio:.2f}"),
    "cpu_of_limit": ("× the limit’s", lambda row: f"{row.cpu_of_limit:.1f}"),
    "seconds": ("s", lambda row: f"{row.seconds:.2f}"),
    "peak_mb": ("peak MB", lambda row: f"{row.peak_mb:.0f}"),
}
# Where a round's length is what is asked.
_WITH_SECONDS = ("cold_start", "memory", "sweep")


def as_markdown(
    table: pd.DataFrame, before: Mapping[str, Any], after: Mapping[str, Any], command: str
) -> str:
    """Write a section of the results page.

    Args:
        table: From `bench.run_bench`.
        before: From `bench.machine`, when the run began.
        after: The same when it ended.
        command: What was run.

    Returns:
        A heading with the date; a paragraph with command, times, load, processor and versions; one
        table a part.
    """
    cpu, versions = before["cpu"], before["versions"]
    loads = [
        f"{one['load']:.1f}" if one["load"] is not None else "unknown" for one in (before, after)
    ]
    facts = [
        f"`{command}`, {before['at']} to {after['at']}; load {loads[0]} before, {loads[1]} after,"
        f" on {cpu['count']} cores.",
        f"{cpu['model']} ({cpu['machine']}; {', '.join(cpu['features'])}).",
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}.",
    ]
    parts = [
        f"### {TITLES.get(str(part), str(part))}\n\n{_markdown_table(rows, str(part))}"
        for part, rows in table.groupby("part", sort=False)
    ]
    return "\n\n".join([f"## {before['at'][:10]}", "\n".join(facts), *parts]) + "\n"


def _markdown_table(rows: pd.DataFrame, part: str) -> str:
    shown = [
        name
        for name in _COLUMNS
        if name in rows
        and rows[name].notna().any()
        and (name != "seconds" or part in _WITH_SECONDS)
    ]
    lines = [["", *(_COLUMNS[name][0] for name in shown)], ["---"] * (len(shown) + 1)]
    for _, row in rows.iterrows():
        cells = [_COLUMNS[name][1](row) if pd.notna(row[name]) else "" for name in shown]
        lines.append([str(row.contender).replace("|", "\\|"), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
