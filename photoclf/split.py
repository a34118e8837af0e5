"""Groups kept together → train, val and test, frozen, hashed and proved free of leaks."""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from photoclf.duplicates import links_of_equal
from photoclf.errors import ConfigError, SplitError, did_you_mean
from photoclf.fingerprints import Fingerprints
from photoclf.schema import SPLIT, SPLITS, check_table
from photoclf.tables import read_table

PROOF_COLUMNS = ("pathname", "label", "group", "sha256", "phash", "detail_hash", "split")
"""Those of a split by which `check_split` proves that it doesn't leak."""

USED_COLUMNS = (
    *("pathname", "status", "label", "class_folder", "source"),
    *("group", "sha256", "phash", "detail_hash", "label_conflict"),
)
"""Those of an audit that splits are made of."""

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
    images = usable_images(audit)
    asked = _inside(images, hold_out)
    shares = {"train": 1 - val_fraction - test_fraction, "val": val_fraction, "test": test_fraction}
    if asked.any():  # the test is what was held out; the rest is shared by train and val
        shares = {"train": 1 - val_fraction, "val": val_fraction}
    return _split_of(images, asked, shares, seed)


def usable_images(audit: pd.DataFrame) -> pd.DataFrame:
    """Pick the audit's images that can be learned from, in the order of their pathnames.

    A label conflict means that one of the labels is wrong: such images teach and measure nothing.
    """
    usable = (audit.status == "used") & audit.label.notna() & ~audit.label_conflict
    return audit[usable].sort_values("pathname")


def source_folders(images: pd.DataFrame) -> pd.Series:
    """Name each image's source with its class folder, such as `Photo/box_12`."""
    inside = images.class_folder + "/" + images.source
    return inside.where(images.source != "", images.class_folder)


def split_without(
    audit: pd.DataFrame,
    sources: Collection[str],
    *,
    val_fraction: float = VAL_FRACTION,
    seed: int = 42,
) -> pd.DataFrame:
    """Split the used images with exactly these sources, and their groups, as the test.

    Args:
        audit: A `schema.AUDIT` frame.
        sources: Folders as `source_folders` names them; what is deeper isn't meant.
        val_fraction: Share of the other images for validation, over 0 and under 1.
        seed: Draws the order of equal groups, 0 or more.

    Returns:
        A `schema.SPLIT` frame sorted by pathname.

    Raises:
        SplitError: If the fraction is out of range, a side lacks a class, or the result leaks.
    """
    check_fractions(val_fraction, TEST_FRACTION)
    images = usable_images(audit)
    asked = source_folders(images).isin(set(sources))
    return _split_of(images, asked, {"train": 1 - val_fraction, "val": val_fraction}, seed)


def sources_in_test(split: pd.DataFrame) -> pd.DataFrame:
    """Count what the test holds of each source, of those it holds any of.

    Returns:
        One row a source, those that the test holds most of first, with the columns `source` (as
        `source_folders` names it), `tested` and `images` (of the source in all).
    """
    test = (split.split == "test").groupby(source_folders(split))
    table = test.agg(tested="sum", images="size").rename_axis("source").reset_index()
    share = -table.tested / table.images
    return table.loc[share.sort_values(kind="stable").index].query("tested > 0")


def check_split(split: pd.DataFrame | Iterable[pd.DataFrame]) -> None:
    """Prove that a split doesn't leak and can be learned from.

    Args:
        split: A `schema.SPLIT` frame, or its rows as `tables.read_chunks` gives them, with at least
            `PROOF_COLUMNS`.

    Raises:
        SplitError: If a side lacks a class, or an image stands twice, or equal bytes, one group or
            images that look alike stand on two sides; the images are named.
    """
    sides: list[np.ndarray] = []

    def noted() -> Iterator[pd.DataFrame]:
        for frame in [split] if isinstance(split, pd.DataFrame) else split:
            sides.append(_numbered(frame.split))
            yield frame

    images = Fingerprints(noted(), groups="group")
    side = np.concatenate(sides)
    _check_classes(images.labels, side)
    twice = links_of_equal(images.pathnames)
    if len(twice):
        name = images.pathnames[twice[0, 0]]
        raise SplitError(f"An image must stand once in a split. Received: {name!r} twice.")
    _check_on_one_side(images, side, images.copies, "one sha256")
    _check_on_one_side(images, side, images.grouped(), "one group")
    _check_on_one_side(images, side, images.near(), "images that look alike")


def split_hash(split: pd.DataFrame) -> str:
    """Return 64 hexadecimal digits that change when any image, label or side changes."""
    rows = split.sort_values("pathname")
    columns = rows.sha256, rows.label, rows.split, rows.pathname
    digest, between = hashlib.sha256(), ""
    for row in zip(*columns, strict=True):
        digest.update(f"{between}{';'.join(map(str, row))}".encode("utf-8", "surrogatepass"))
        between = "\n"
    return digest.hexdigest()


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


def _inside(images: pd.DataFrame, hold_out: Collection[str]) -> pd.Series:
    folders = source_folders(images)
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
    return held


def _split_of(
    images: pd.DataFrame, asked: pd.Series, shares: dict[str, float], seed: int
) -> pd.DataFrame:
    held_out = set(images.group[asked])
    free = images[~images.group.isin(held_out)]
    sides = dict.fromkeys(held_out, "test")
    sides |= _place_groups(free, shares, np.random.default_rng(seed))
    split = check_table(
        images.assign(split=images.group.map(sides)).reindex(columns=list(SPLIT.columns)), SPLIT
    )
    try:
        check_split(split)
    except SplitError as error:
        taken = sources_in_test(split[split.group.isin(held_out).to_numpy() & ~asked.to_numpy()])
        if taken.empty:
            raise
        told = ", ".join(f"{row.tested} images of {row.source}" for row in taken.itertuples())
        raise SplitError(
            f"{error} What was held out took all along that shares a group with it: {told}."
        ) from error
    return split


def _place_groups(
    images: pd.DataFrame, shares: dict[str, float], rng: np.random.Generator
) -> dict[str, str]:
    # In a folder that holds both, photographs and others are each shared out in proportion.
    counts = pd.crosstab(images.group, [images.class_folder, images.label])
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


def _numbered(sides: pd.Series) -> np.ndarray:
    unknown = sorted(set(sides) - set(SPLITS))
    if unknown:
        raise SplitError(
            f"`split` must be one of {SPLITS}. Received: {unknown[0]!r}."
            f"{did_you_mean(unknown[0], SPLITS)} Make the split again: photoclf split."
        )
    return sides.map(SPLITS.index).to_numpy(np.int8)


def _check_classes(labels: np.ndarray, sides: np.ndarray) -> None:
    for number, side in enumerate(SPLITS):
        missing = {0, 1} - set(labels[sides == number].tolist())
        if missing:
            names = " and ".join({0: "other", 1: "photo"}[label] for label in sorted(missing))
            raise SplitError(
                f"Each side must hold photographs and others. Received: {side} without {names}."
                " Use more images or smaller groups; when folders are held out, hold out some of"
                " the other label too, and leave some to train."
            )


def _check_on_one_side(
    images: Fingerprints, sides: np.ndarray, links: np.ndarray, what: str
) -> None:
    leaking = links[sides[links[:, 0]] != sides[links[:, 1]]]
    if len(leaking):
        first, second = (f"{images.pathnames[i]!r} in {SPLITS[sides[i]]}" for i in leaking[0])
        raise SplitError(
            f"No {what} may stand on two sides. Received: {first} and {second}."
            " Make the split again: photoclf split."
        )
