"""What people labelled, what merging did and how a split grew, in lines."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from photoclf.label_agreement import (
    agreement_table,
    conflicts_table,
    people_table,
    random_share,
)
from photoclf.label_folders import understood, unknown_labels
from photoclf.label_journal import latest
from photoclf.label_merge import LabelMerge
from photoclf.schema import LABELS
from photoclf.split_growth import SplitGrowth

NOBODY = "Nobody has labelled yet: notebook 08_label."

# Names in a line; tables hold them all.
_MOST = 5


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    Example:
        >>> counted(1, "image"), counted(2, "image")
        ('1 image', '2 images')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def state_lines(
    journal: pd.DataFrame, positive_folder: str, known: Collection[str] | None = None
) -> list[str]:
    """Say what a labels journal holds.

    Args:
        journal: A `schema.JOURNAL` frame in the order of the decisions.
        positive_folder: The class folder that holds photographs.
        known: The class folders that labels may name, see `label_folders`; any by default.

    Returns:
        Lines: each person's images and pace, each pair's agreement, conflicts, and the share of
        photographs in what was drawn at random.
    """
    if journal.empty:
        return [NOBODY]
    unknown = [] if known is None else unknown_lines(unknown_labels(latest(journal), known))
    journal = journal if known is None else understood(journal, known)
    lines = [_person(row) for _, row in people_table(journal, positive_folder).iterrows()]
    pairs = agreement_table(journal, positive_folder)
    lines += [_pair(row) for _, row in pairs.iterrows()]
    if len(set(journal.who)) > 1 and pairs.empty:
        lines.append("No two people labelled a same image: nothing is known of their agreement.")
    conflicts = len(conflicts_table(journal, positive_folder))
    if conflicts:
        lines.append(
            f"{counted(conflicts, 'conflict')}, left out when merging: photoclf label --conflicts"
        )
    share = random_share(journal, positive_folder)
    if share.images:
        unsure = f", {share.undecided} of them undecided" if share.undecided else ""
        lines.append(
            f"random sample: {counted(share.photos, 'photograph')} in"
            f" {counted(share.images, 'image')}{unsure}; share {_percent(share.share)}"
            f" [{_percent(share.low)}, {_percent(share.high)}]"
        )
    return lines + unknown


def unknown_lines(unknown: pd.DataFrame) -> list[str]:
    """Say which labels are no class folder's name, see `label_folders.unknown_labels`."""
    if unknown.empty:
        return []
    total = int(unknown.decisions.sum())
    told = [
        f"{row.label!r} ({row.decisions}).{row.hint}" for row in unknown.head(_MOST).itertuples()
    ]
    more = f" And {len(unknown) - _MOST} more." if len(unknown) > _MOST else ""
    return [
        f"{counted(total, 'decision')} left out when merging, with a label that is no class folder:"
        f' {" ".join(told)}{more} Decide again: 08_label with by = "conflicts". If the folder is a'
        " new one: photoclf label --merge --class-folder NAME"
    ]


def merge_lines(merge: LabelMerge) -> list[str]:
    """Say what merging a journal did, and what it left out."""
    changes = merge.changes
    added = int((changes.before == "").sum())
    lines = [
        f"{counted(len(changes) - added, 'label')} changed, {counted(added, 'file')} added,"
        f" {merge.kept} had their label before: {merge.manifest}"
    ]
    if len(merge.conflicts):
        lines.append(
            f"{counted(len(merge.conflicts), 'conflict')} left out: photoclf label --conflicts"
        )
    if merge.unsure:
        lines.append(f"{counted(merge.unsure, 'image')} left out that nobody is sure of")
    lines += unknown_lines(merge.unknown)
    if merge.gone:
        lines.append(
            f"{counted(len(merge.gone), 'labelled image')} not in the archive: {_some(merge.gone)}"
        )
    if merge.changed:
        lines.append(
            f"{counted(len(merge.changed), 'file')} left out, with other bytes than were labelled:"
            f" {_some(merge.changed)}"
        )
    if merge.before is not None:
        lines.append(f"the manifest of before: {merge.before}")
    if len(changes):
        lines.append("next: photoclf audit, then photoclf split, or split --grow NAME")
    return lines


def growth_lines(growth: SplitGrowth) -> list[str]:
    """Say how a split grew, and what it left out."""
    lines = [
        f"{counted(len(growth.added), 'image')} added to train, {len(growth.relabelled)} relabelled"
    ]
    if growth.left_out:
        lines.append(
            f"{counted(len(growth.left_out), 'new image')} left out, tied to val or test:"
            f" {_some(growth.left_out)}"
        )
    if growth.dropped:
        lines.append(
            f"{counted(len(growth.dropped), 'former train image')} can't be used:"
            f" {_some(growth.dropped)}"
        )
    if len(growth.corrected):
        told = [
            f"{name} ({side}, {LABELS[label]}, by now {LABELS[now]})"
            for name, side, label, now in growth.corrected.to_numpy().tolist()
        ]
        lines.append(
            "corrected, but under the old label in val and test, so that runs stay comparable:"
            f" {counted(len(told), 'image')}: {_some(told)}"
        )
    return lines


def next_round_lines(name: str) -> list[str]:
    """Say how a run on a grown split is made, measured and put to work."""
    return [
        f"next: photoclf train --split {name}, which prints the run's id, here NEW",
        f"      photoclf evaluate --split {name} --run NEW",
        "      photoclf report --run NEW --against OLD",
    ]


def _person(row: pd.Series) -> str:
    pace = "" if np.isnan(row.per_minute) else f", {row.per_minute:.0f} a minute"
    back = f", {row.withdrawn} taken back" if row.withdrawn else ""
    return (
        f"{row.who}: {counted(row.images, 'image')} ({counted(row.photos, 'photograph')},"
        f" {counted(row.others, 'other')}, {row.unsure} unsure{back}){pace}, last"
        f" {row['last'][:16].replace('T', ' ')} UTC"
    )


def _pair(row: pd.Series) -> str:
    told = f"{row.one} and {row.other}: {row.agreed} of {counted(row.images, 'image')} alike"
    if row.problem:
        return f"{told}; kappa isn't defined: {row.problem}"
    return f"{told}, kappa {row.kappa:.2f} [{row.low:.2f}, {row.high:.2f}]"


def _percent(share: float) -> str:
    return "unknown" if np.isnan(share) else f"{100 * share:.1f} %"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
