"""What people labelled, what merging did and how a split grew, in lines."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from photoclf.label_agreement import (
    agreement_table,
    conflicts_table,
    people_table,
    random_share,
)
from photoclf.label_merge import LabelMerge
from photoclf.schema import LABELS
from photoclf.split_growth import SplitGrowth

# Names in a line; tables hold them all.
_MOST = 5


def state_lines(journal: pd.DataFrame, positive_folder: str) -> list[str]:
    """Say what a labels journal holds.

    Args:
        journal: A `schema.JOURNAL` frame in the order of the decisions.
        positive_folder: The class folder that holds photographs.

    Returns:
        Lines: each person's images and pace, each pair's agreement, conflicts, and the share of
        photographs in what was drawn at random.
    """
    lines = [_person(row) for _, row in people_table(journal, positive_folder).iterrows()]
    if not lines:
        return ["Nobody has labelled yet: notebook 08_label."]
    pairs = agreement_table(journal, positive_folder)
    lines += [_pair(row) for _, row in pairs.iterrows()]
    if len(set(journal.who)) > 1 and pairs.empty:
        lines.append("No two people labelled a same image: nothing is known of their agreement.")
    conflicts = len(conflicts_table(journal, positive_folder))
    if conflicts:
        lines.append(f"{conflicts} conflicts, left out when merging: photoclf label --conflicts")
    share = random_share(journal, positive_folder)
    if share.images:
        unsure = f", {share.undecided} of them undecided" if share.undecided else ""
        lines.append(
            f"random sample: {share.photos} photographs in {share.images} images{unsure}; share"
            f" {_percent(share.share)} [{_percent(share.low)}, {_percent(share.high)}]"
        )
    return lines


def merge_lines(merge: LabelMerge) -> list[str]:
    """Say what merging a journal did, and what it left out."""
    changes = merge.changes
    added = int((changes.before == "").sum())
    lines = [
        f"{len(changes) - added} labels changed, {added} files added, {merge.kept} had their label"
        f" before: {merge.manifest}"
    ]
    if len(merge.conflicts):
        lines.append(f"{len(merge.conflicts)} conflicts left out: photoclf label --conflicts")
    if merge.unsure:
        lines.append(f"{merge.unsure} images left out that nobody is sure of")
    if merge.gone:
        lines.append(
            f"{len(merge.gone)} labelled images aren't in the archive: {_some(merge.gone)}"
        )
    if merge.changed:
        lines.append(
            f"{len(merge.changed)} files aren't what was labelled, left out: {_some(merge.changed)}"
        )
    if merge.before is not None:
        lines.append(f"the manifest of before: {merge.before}")
    if len(changes):
        lines.append("next: photoclf audit, then photoclf split, or split --grow NAME")
    return lines


def growth_lines(growth: SplitGrowth) -> list[str]:
    """Say how a split grew, and what it left out."""
    lines = [f"{len(growth.added)} images added to train, {len(growth.relabelled)} relabelled"]
    if growth.left_out:
        lines.append(
            f"{len(growth.left_out)} new images left out, tied to val or test:"
            f" {_some(growth.left_out)}"
        )
    if growth.tied:
        lines.append(
            f"{len(growth.tied)} former train images left out, tied to val or test by now:"
            f" {_some(growth.tied)}"
        )
    if growth.dropped:
        lines.append(
            f"{len(growth.dropped)} former train images can't be used: {_some(growth.dropped)}"
        )
    if len(growth.corrected):
        told = [
            f"{name} ({side}, {LABELS[label]}, by now {LABELS[now]})"
            for name, side, label, now in growth.corrected.to_numpy().tolist()
        ]
        lines.append(
            f"{len(told)} images of val and test keep a label that was corrected, so that runs stay"
            f" comparable: {_some(told)}"
        )
    return lines


def _person(row: pd.Series) -> str:
    pace = "" if np.isnan(row.per_minute) else f", {row.per_minute:.0f} a minute"
    back = f", {row.withdrawn} taken back" if row.withdrawn else ""
    return (
        f"{row.who}: {row.images} images ({row.photos} photographs, {row.others} others,"
        f" {row.unsure} unsure{back}){pace}, last {row['last'][:16].replace('T', ' ')} UTC"
    )


def _pair(row: pd.Series) -> str:
    told = f"{row.one} and {row.other}: {row.agreed} of {row.images} images alike"
    if row.problem:
        return f"{told}; kappa isn't defined: {row.problem}"
    return f"{told}, kappa {row.kappa:.2f} [{row.low:.2f}, {row.high:.2f}]"


def _percent(share: float) -> str:
    return "unknown" if np.isnan(share) else f"{100 * share:.1f} %"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
