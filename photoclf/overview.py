"""What an audit says of an archive: tables that fit on a page, and images worth looking at."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from photoclf.decode import decode_image
from photoclf.duplicates import near_links
from photoclf.quality import quality_flags
from photoclf.schema import STATUSES


def class_table(audit: pd.DataFrame) -> pd.DataFrame:
    """Describe each class folder by its used images.

    Args:
        audit: A `schema.AUDIT` frame.

    Returns:
        One row a class folder with a label, with `class_folder`, `label`, `images`, `share` (of
        all used images), `sources` (sub-folders), `groups`, `median_side_px` (of the longer side)
        and `mib` (of the files).
    """
    used = _used(audit).assign(side=lambda a: a[["width", "height"]].max(axis=1))
    table = used.groupby("class_folder", sort=True).agg(
        label=("label", "first"),
        images=("pathname", "size"),
        sources=("source", "nunique"),
        groups=("group", "nunique"),
        median_side_px=("side", "median"),
        mib=("bytes", lambda sizes: sizes.sum() / 2**20),
    )
    table.insert(2, "share", table.images / max(len(used), 1))
    return table.astype({"median_side_px": "float64"}).reset_index()


def status_table(audit: pd.DataFrame) -> pd.DataFrame:
    """Count the files by folder and status, with totals.

    Returns:
        One row a top folder (`(root)` for files in none), one column a status, and `total`.
    """
    folders = audit.class_folder.where(audit.class_folder != "", "(root)")
    counts = pd.crosstab(folders, audit.status).reindex(columns=list(STATUSES), fill_value=0)
    counts = counts.rename_axis(index="folder", columns=None)
    counts.loc["total"] = counts.sum()
    return counts.assign(total=counts.sum(axis=1))


def lost_files(audit: pd.DataFrame) -> pd.DataFrame:
    """List the files that should have been images to learn from, and aren't, with the reason.

    Returns:
        `pathname`, `status`, `reason` and `bytes` of the unreadable files and of those that are no
        images.
    """
    lost = audit[audit.status.isin(["unreadable", "not_an_image"])]
    return lost[["pathname", "status", "reason", "bytes"]].reset_index(drop=True)


def group_table(audit: pd.DataFrame) -> pd.DataFrame:
    """Count the groups of images that must stay on one side of a split, by their size.

    Returns:
        One row a size, with `images_in_group`, `groups` and `images`.
    """
    sizes = _used(audit).groupby("group").size().value_counts().sort_index()
    table = sizes.rename_axis("images_in_group").rename("groups").reset_index()
    return table.assign(images=table.images_in_group * table.groups)


def alike_pairs(audit: pd.DataFrame, most: int) -> pd.DataFrame:
    """Pick pairs of images that count as one, to be looked at: exact copies, then look-alikes.

    One pair a group, of each class folder in turn: many scans of one page would show no other.

    Returns:
        `pathname_a`, `pathname_b` and `kind` (`same_bytes` or `look_alike`), `most` rows of each
        kind at most.
    """
    copies = audit[(audit.status == "duplicate") & (audit.duplicate_of != "")].head(most)
    used = _used(audit)
    links = np.array(near_links(list(used.phash), list(used.detail_hash)), np.int64).reshape(-1, 2)
    first, second = (used.iloc[links[:, side]].reset_index(drop=True) for side in (0, 1))
    once = first.drop_duplicates("group")
    turn = once.groupby("class_folder").cumcount().sort_values(kind="stable").index[:most]
    return pd.DataFrame(
        {
            "pathname_a": [*copies.duplicate_of, *first.pathname[turn]],
            "pathname_b": [*copies.pathname, *second.pathname[turn]],
            "kind": ["same_bytes"] * len(copies) + ["look_alike"] * len(turn),
        }
    )


def issue_table(audit: pd.DataFrame) -> pd.DataFrame:
    """Count the used images by class folder and quality issue, see `quality.quality_flags`."""
    used = _used(audit)
    return quality_flags(used).groupby(used.class_folder).sum()


def extreme_images(
    audit: pd.DataFrame, measure: str, count: int, *, of_a_source: int = 2
) -> list[str]:
    """Pick the used images with the lowest, then those with the highest value of a measure.

    Args:
        audit: A `schema.AUDIT` frame.
        measure: One of its columns, such as `blurry`.
        count: Images of each end.
        of_a_source: Images of one sub-folder at most, while others have any: one odd source would
            show nothing else.

    Returns:
        2 × `count` pathnames.
    """
    ordered = _used(audit).sort_values([measure, "pathname"])
    return [
        *_spread(ordered, count, of_a_source),
        *_spread(ordered[::-1], count, of_a_source)[::-1],
    ]


def _spread(ordered: pd.DataFrame, count: int, of_a_source: int) -> list[str]:
    beyond = ordered.groupby(["class_folder", "source"]).cumcount() >= of_a_source
    return [*ordered.pathname[~beyond], *ordered.pathname[beyond]][:count]


def sample_images(audit: pd.DataFrame, per_class: int, seed: int) -> pd.DataFrame:
    """Draw used images of each class folder at random.

    Args:
        audit: A `schema.AUDIT` frame.
        per_class: Images a class folder, or all that it has.
        seed: Seed of the drawing; the same gives the same images.

    Returns:
        Rows of the audit, by class folder.
    """
    shuffled = _used(audit).sample(frac=1, random_state=seed)
    picked = shuffled.groupby("class_folder", sort=True).head(per_class)
    return picked.sort_values("class_folder", kind="stable").reset_index(drop=True)


def pick_photo(audit: pd.DataFrame) -> str:
    """Pick the used photograph that is sharpest and richest at once, in colour, as an example."""
    photos = audit[(audit.status == "used") & (audit.label == 1)]
    in_colour = photos[photos.grayscale == 1]
    photos = photos if in_colour.empty else in_colour
    richness = photos[["blurry", "low_information"]].rank().min(axis=1)
    return str(photos.pathname.iloc[int(np.argmax(richness))])


def load_thumbnails(
    folder: Path, pathnames: Iterable[str], size: int = 160, fit: str = "letterbox"
) -> list[np.ndarray]:
    """Decode images small, to be looked at.

    Args:
        folder: What the pathnames are relative to.
        pathnames: Images that decode.
        size: Side of the square in px.
        fit: How an image fills it, see `decode.decode_image`; by default whole and in proportion.

    Returns:
        uint8 arrays (size, size, 3).

    Raises:
        DecodeError: If an image doesn't decode.
    """
    return [decode_image(folder / name, size, fit) for name in pathnames]


def _used(audit: pd.DataFrame) -> pd.DataFrame:
    return audit[(audit.status == "used") & audit.label.notna()]
