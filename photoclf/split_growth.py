"""A split grown from another: more to learn from, the same images to choose and measure on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from photoclf.duplicates import connected_groups, links_of_equal
from photoclf.errors import SplitError
from photoclf.fingerprints import Fingerprints
from photoclf.names import Names
from photoclf.schema import SPLIT, check_table
from photoclf.split import check_split, usable_images


@dataclass(frozen=True)
class SplitGrowth:
    """A grown split, and what became of which image.

    Args:
        split: The `schema.SPLIT` frame; its val and test rows are those of the split that it was
            grown from.
        added: Pathnames of images that train has and hadn't.
        relabelled: Pathnames of train images with another label than before.
        left_out: Pathnames of labelled images that can't be learnt from, since they, or an image of
            their group, stand in val or test.
        tied: Pathnames of former train images that left it, since by now a group ties them to val
            or test.
        dropped: Pathnames of former train images that can't be used any more: gone, without a
            label, or with bytes that stand under two labels.
        corrected: Val and test images that have another label by now: `pathname`, `split`, the
            `label` that stays in the split, and `now`.
    """

    split: pd.DataFrame
    added: tuple[str, ...]
    relabelled: tuple[str, ...]
    left_out: tuple[str, ...]
    tied: tuple[str, ...]
    dropped: tuple[str, ...]
    corrected: pd.DataFrame


def grow_split(
    split: pd.DataFrame, audit: pd.DataFrame, class_folders: Mapping[str, str] | None = None
) -> SplitGrowth:
    """Take new and corrected labels into a split's train side, and leave val and test as they are.

    Runs on both splits can be compared on the same test images. What belongs together is what the
    audit says today: a former train image that it ties to val or test leaves train.

    Args:
        split: The `schema.SPLIT` frame to grow from.
        audit: The `schema.AUDIT` frame with the labels of today, at least `split.USED_COLUMNS`.
        class_folders: SHA-256 → the class folder that people named, where that of an added image
            says nothing of what it is.

    Returns:
        The grown split and what became of which image.

    Raises:
        SplitError: If nothing would change, the result can't be learned from or leaks, or the audit
            ties val to test by now.

    Example:
        >>> grown = grow_split(split, audit)                              # doctest: +SKIP
        >>> grown.split[grown.split["split"] == "test"].equals(           # doctest: +SKIP
        ...     split[split["split"] == "test"]
        ... )
        True
    """
    before = set(split.pathname)
    images = usable_images(audit)
    now = images.set_index("pathname")
    held = split[split["split"] != "train"]
    learnt = split[split["split"] == "train"].set_index("pathname").label
    asked = images[~images.pathname.isin(set(held.pathname))]
    named = [(class_folders or {}).get(sha256, "") for sha256 in asked.sha256]
    unknown = asked.pathname.isin(before) | (np.array(named, object) == "")
    folder = asked.class_folder.where(unknown, named)
    train = asked.assign(split="train", class_folder=folder)[~_tied(asked, held, audit)]
    grown = pd.concat([held, train.reindex(columns=list(SPLIT.columns))], ignore_index=True)
    grown = check_table(grown.sort_values("pathname"), SPLIT)
    _check_today(grown, audit)
    labels = train.set_index("pathname").label
    kept = learnt.index[learnt.index.isin(labels.index)]
    relabelled = kept[(learnt[kept] != labels[kept]).to_numpy(bool)]
    lost = set(learnt.index) - set(labels.index)
    corrected = held[held.pathname.isin(now.index)]
    corrected = corrected.assign(now=now.label[corrected.pathname].astype("int64").to_numpy())
    corrected = corrected[corrected.now != corrected.label]
    growth = SplitGrowth(
        split=grown,
        added=tuple(sorted(set(labels.index) - set(learnt.index))),
        relabelled=tuple(sorted(relabelled)),
        left_out=tuple(sorted(set(asked.pathname) - set(labels.index) - set(learnt.index))),
        tied=tuple(sorted(lost & set(asked.pathname))),
        dropped=tuple(sorted(lost - set(asked.pathname))),
        corrected=corrected[["pathname", "split", "label", "now"]].reset_index(drop=True),
    )
    if not (growth.added or growth.relabelled or lost):
        raise SplitError(
            "A split must have something to grow by. Received: no label that its train side doesn't"
            f" have ({len(growth.left_out)} new images are tied to val or test). Merge labels and"
            " audit again: photoclf label --merge, photoclf audit."
        )
    check_split(grown)
    return growth


def _tied(asked: pd.DataFrame, held: pd.DataFrame, audit: pd.DataFrame) -> np.ndarray:
    """Tell which images belong together with one of val or test: by bytes, looks or group."""
    # Val and test keep the groups they had; beside them count those that the audit has of their
    # files and of their bytes, which may have another name or no label by now.
    copies = audit[audit.sha256.isin(set(held.sha256))]
    both = pd.concat([held, asked, copies], ignore_index=True)
    today = both.pathname.map(audit.set_index("pathname").group).fillna("")
    images = Fingerprints([both], groups="group")
    links = [images.copies, images.near(), images.grouped(), links_of_equal(Names(today))]
    group = connected_groups(len(both), np.concatenate(links))
    return np.isin(group, group[: len(held)])[len(held) : len(held) + len(asked)]


def _check_today(grown: pd.DataFrame, audit: pd.DataFrame) -> None:
    """Prove that no group of today's audit stands on two sides."""
    by_name = grown.pathname.map(audit.set_index("pathname").group)
    by_bytes = grown.sha256.map(audit.drop_duplicates("sha256").set_index("sha256").group)
    for today in (by_name, by_bytes):
        known = grown.assign(today=today)[today.fillna("") != ""]
        sides = known.groupby("today")["split"].nunique()
        if (sides > 1).any():
            rows = known[known.today == sides.index[sides > 1][0]].drop_duplicates("split")
            one, other = (f"{row.pathname!r} in {row.split}" for row in rows.head(2).itertuples())
            raise SplitError(
                f"No group of today's audit may stand on two sides. Received: {one} and {other}."
                " A grown split has the val and test of the old one, so it can't mend that: make a"
                " new split, photoclf split; or, if they don't belong together, take them apart in"
                " the archive's groups.csv and audit again."
            )
