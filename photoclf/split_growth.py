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
        dropped: Pathnames of former train images that can't be used any more: gone, without a
            label, or with bytes that stand under two labels.
        corrected: Val and test images that have another label by now: `pathname`, `split`, the
            `label` that stays in the split, and `now`.
    """

    split: pd.DataFrame
    added: tuple[str, ...]
    relabelled: tuple[str, ...]
    left_out: tuple[str, ...]
    dropped: tuple[str, ...]
    corrected: pd.DataFrame


def grow_split(
    split: pd.DataFrame, audit: pd.DataFrame, class_folders: Mapping[str, str] | None = None
) -> SplitGrowth:
    """Take new and corrected labels into a split's train side, and leave val and test as they are.

    Runs on both splits can be compared on the same test images.

    Args:
        split: The `schema.SPLIT` frame to grow from.
        audit: The `schema.AUDIT` frame with the labels of today, at least `split.USED_COLUMNS`.
        class_folders: SHA-256 → the class folder that people named, where that of an added image
            says nothing of what it is.

    Returns:
        The grown split and what became of which image.

    Raises:
        SplitError: If nothing would change, or the result can't be learned from or leaks.

    Example:
        >>> grown = grow_split(split, audit)                              # doctest: +SKIP
        >>> grown.split[grown.split["split"] == "test"].equals(           # doctest: +SKIP
        ...     split[split["split"] == "test"]
        ... )
        True
    """
    known = split.set_index("pathname")
    images = usable_images(audit)
    now = images.set_index("pathname")
    held = split[split["split"] != "train"]
    learnt = split[split["split"] == "train"]
    asked = images[~images.pathname.isin(set(held.pathname))]
    # Former train images keep side and group, unless they are other images by now.
    same = (asked.pathname.map(known.sha256) == asked.sha256).to_numpy(bool)
    free = same.copy()
    free[~same] = ~_tied(asked[~same], held, audit)
    group = asked.group.where(~same, asked.pathname.map(known.group))
    named = [(class_folders or {}).get(sha256, "") for sha256 in asked.sha256]
    unknown = asked.pathname.isin(set(known.index)) | (np.array(named, object) == "")
    folder = asked.class_folder.where(unknown, named)
    train = asked.assign(split="train", group=group, class_folder=folder)[free]
    grown = pd.concat([held, train.reindex(columns=list(SPLIT.columns))], ignore_index=True)
    grown = check_table(grown.sort_values("pathname"), SPLIT)
    before = learnt.set_index("pathname").label
    kept = before.index[before.index.isin(train.pathname)]
    labels = train.set_index("pathname").label
    relabelled = kept[(before[kept] != labels[kept]).to_numpy(bool)]
    corrected = held[held.pathname.isin(now.index)]
    corrected = corrected.assign(now=now.label[corrected.pathname].astype("int64").to_numpy())
    corrected = corrected[corrected.now != corrected.label]
    growth = SplitGrowth(
        split=grown,
        added=tuple(sorted(set(train.pathname) - set(before.index))),
        relabelled=tuple(sorted(relabelled)),
        left_out=tuple(sorted(set(asked.pathname) - set(train.pathname) - set(before.index))),
        dropped=tuple(sorted(set(before.index) - set(train.pathname))),
        corrected=corrected[["pathname", "split", "label", "now"]].reset_index(drop=True),
    )
    if not (growth.added or growth.relabelled or growth.dropped):
        raise SplitError(
            "A split must have something to grow by. Received: no label that its train side doesn't"
            f" have ({len(growth.left_out)} new images are tied to val or test). Merge labels and"
            " audit again: photoclf label --merge, photoclf audit."
        )
    check_split(grown)
    return growth


def _tied(asked: pd.DataFrame, held: pd.DataFrame, audit: pd.DataFrame) -> np.ndarray:
    """Tell which images belong together with one of val or test: by bytes, looks or group."""
    both = pd.concat([held, asked], ignore_index=True)
    # As the audit groups images today, where it knows them.
    today = both.pathname.map(audit.set_index("pathname").group).fillna("")
    images = Fingerprints([both], groups="group")
    links = [images.copies, images.near(), images.grouped(), links_of_equal(Names(today))]
    group = connected_groups(len(both), np.concatenate(links))
    return np.isin(group, group[: len(held)])[len(held) :]
