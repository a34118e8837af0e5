"""Groups kept together → train, val and test, frozen, hashed and proved free of leaks."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from photoclf.duplicates import near_pairs
from photoclf.errors import ConfigError, SplitError, did_you_mean
from photoclf.files import sha256_text
from photoclf.schema import SPLIT, SPLITS, check_table, read_table

TEST_FRACTION = 0.3
VAL_FRACTION = 0.15


def make_split(
    audit: pd.DataFrame,
    *,
    val_fraction: float = VAL_FRACTION,
    test_fraction: float = TEST_FRACTION,
    hold_out: Collection[str] = (),
    seed: int = 42,
) -> pd.DataFrame:
    """Split the used images of an audit, groups whole, class folders in proportion.

    The largest groups are placed first, each where its class folders are missing most; equal
    groups in an order that the seed draws.

    Args:
        audit: A `schema.AUDIT` frame.
        val_fraction: Share of the images for validation, over 0 and under 1.
        test_fraction: Share of the images for the test, over 0 and under 1.
        hold_out: Folders such as `Photo/box_12` that go to the test whole, with their groups.
        seed: Draws the order of equal groups, 0 or more.

    Returns:
        A `schema.SPLIT` frame sorted by pathname.

    Raises:
        SplitError: If a fraction is out of range, a folder to hold out has no used image, a side
            lacks photographs or others, or the result leaks.
    """
    check_fractions(val_fraction, test_fraction)
    # A label conflict means that one of the labels is wrong: such images teach and measure nothing.
    usable = (audit.status == "used") & audit.label.notna() & ~audit.label_conflict
    images = audit[usable].sort_values("pathname")
    held_out = _held_out_groups(images, hold_out)
    free = images[~images.group.isin(held_out)]
    sides = dict.fromkeys(held_out, "test")
    shares = {"train": 1 - val_fraction - test_fraction, "val": val_fraction, "test": test_fraction}
    if held_out:  # the test is what was held out; the rest is shared by train and val
        shares = {"train": 1 - val_fraction, "val": val_fraction}
    sides |= _place_groups(free, shares, np.random.default_rng(seed))
    split = check_table(
        images.assign(split=images.group.map(sides)).reindex(columns=list(SPLIT.columns)), SPLIT
    )
    check_split(split)
    return split


def check_split(split: pd.DataFrame) -> None:
    """Prove that a split doesn't leak and can be learned from.

    Raises:
        SplitError: If a side lacks a class, or an image stands twice, or equal bytes, one group or
            images that look alike stand on two sides; the images are named.
    """
    unknown = sorted(set(split.split) - set(SPLITS))
    if unknown:
        raise SplitError(
            f"`split` must be one of {SPLITS}. Received: {unknown[0]!r}."
            f"{did_you_mean(unknown[0], SPLITS)} Make the split again: photoclf split."
        )
    for side in SPLITS:
        labels = set(split.label[split.split == side])
        if labels != {0, 1}:
            missing = " and ".join({0: "other", 1: "photo"}[v] for v in sorted({0, 1} - labels))
            raise SplitError(
                f"Each side must hold photographs and others. Received: {side} without {missing}."
                " Use more images, smaller groups, or other fractions."
            )
    for column in ("pathname", "sha256", "group"):
        _check_on_one_side(split, column)
    _check_no_near_pair(split)


def split_hash(split: pd.DataFrame) -> str:
    """Return 64 hexadecimal digits that change when any image, label or side changes."""
    rows = split.sort_values("pathname")
    lines = rows.sha256 + ";" + rows.label.astype(str) + ";" + rows.split + ";" + rows.pathname
    return sha256_text("\n".join(lines))


def read_split(path: Path) -> pd.DataFrame:
    """Read a split and prove again that it doesn't leak.

    Raises:
        TableError: If the file isn't a split table.
        SplitError: If it leaks or lacks a class on a side.
    """
    split = read_table(path, SPLIT)
    check_split(split)
    return split


def check_fractions(val_fraction: float, test_fraction: float) -> None:
    """Check the shares of a split before anything long is done.

    Raises:
        ConfigError: If one isn't over 0 and under 1, or both leave nothing to train.
    """
    for name, value in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
        if not 0 < value < 1:
            raise ConfigError(f"`{name}` must be over 0 and under 1. Received: {value}.")
    if val_fraction + test_fraction >= 1:
        raise ConfigError(
            "`val_fraction` + `test_fraction` must be under 1, so that images are left to train."
            f" Received: {val_fraction} + {test_fraction}."
        )


def _held_out_groups(images: pd.DataFrame, hold_out: Collection[str]) -> list[str]:
    folders = (images.class_folder + "/" + images.source).where(
        images.source != "", images.class_folder
    )
    held = pd.Series(False, index=images.index)
    for folder in hold_out:
        name = folder.rstrip("/")
        inside = (folders == name) | folders.str.startswith(name + "/")
        if not inside.any():
            raise SplitError(
                f"A folder to hold out must hold used images. Received: {folder!r}."
                f"{did_you_mean(name, set(folders))}"
            )
        held |= inside
    return sorted(set(images.group[held]))


def _place_groups(
    images: pd.DataFrame, shares: dict[str, float], rng: np.random.Generator
) -> dict[str, str]:
    counts = pd.crosstab(images.group, images.class_folder)
    if counts.empty:
        return {}
    sides = list(shares)
    groups = counts.to_numpy()
    targets = np.outer(list(shares.values()), groups.sum(axis=0))
    filled = np.zeros_like(targets)
    order = np.lexsort((rng.permutation(len(groups)), -groups.sum(axis=1)))
    placed = {}
    for i in order:
        group = groups[i]
        # How much Σ (filled - target)² / target grows on each side: the emptiest one, relative to
        # its target, takes the group.
        growth = (2 * (filled - targets) * group + group**2) / targets
        cost = growth.sum(axis=1)
        side = int(np.argmin(cost))
        filled[side] += group
        placed[str(counts.index[i])] = sides[side]
    return placed


def _check_on_one_side(split: pd.DataFrame, column: str) -> None:
    sides = split.groupby(column, sort=True).split.nunique()
    leaking = sides[sides > 1]
    if len(leaking):
        rows = split[split[column] == leaking.index[0]]
        raise _leak(rows.iloc[0], rows[rows.split != rows.split.iloc[0]].iloc[0], f"one {column}")
    if column == "pathname" and split.pathname.duplicated().any():
        name = split.pathname[split.pathname.duplicated()].iloc[0]
        raise SplitError(f"An image must stand once in a split. Received: {name!r} twice.")


def _check_no_near_pair(split: pd.DataFrame) -> None:
    hashed = split[split.phash != ""].reset_index(drop=True)
    pairs = near_pairs([int(h, 16) for h in hashed.phash])
    sides = hashed.split.to_numpy()
    leaking = pairs[sides[pairs[:, 0]] != sides[pairs[:, 1]]]
    if len(leaking):
        first, second = leaking[0]
        raise _leak(hashed.iloc[first], hashed.iloc[second], "images that look alike")


def _leak(first: pd.Series, second: pd.Series, what: str) -> SplitError:
    return SplitError(
        f"No {what} may stand on two sides. Received: {first.pathname!r} in {first.split} and"
        f" {second.pathname!r} in {second.split}. Make the split again: photoclf split."
    )
