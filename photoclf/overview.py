"""What an audit says of an archive: tables that fit on a page, and images worth looking at."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from photoclf.decode import decode_image
from photoclf.quality import QUALITY
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


def format_table(audit: pd.DataFrame) -> pd.DataFrame:
    """Count the used images by class folder and by the format that their bytes have.

    Returns:
        One row a class folder, one column a format and mode such as `JPEG RGB`.
    """
    used = _used(audit)
    counts = pd.crosstab(used.class_folder, used.format + " " + used["mode"])
    return counts.rename_axis(columns=None)


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


def largest_groups(audit: pd.DataFrame, images: int, groups: int = 2) -> list[str]:
    """Pick images of the largest groups, to be looked at.

    Args:
        audit: A `schema.AUDIT` frame.
        images: Images at most of each group.
        groups: How many groups.

    Returns:
        Pathnames, the largest group first; empty when every group is a single image.
    """
    used = _used(audit)
    sizes = used.groupby("group").size()
    largest = sizes[sizes > 1].sort_values(ascending=False, kind="stable").index[:groups]
    picked = [used.pathname[used.group == group].head(images) for group in largest]
    return [name for names in picked for name in names]


def quality_table(audit: pd.DataFrame) -> pd.DataFrame:
    """Give the median of each quality measure by class folder."""
    return _used(audit).groupby("class_folder")[list(QUALITY)].median()


def extreme_images(audit: pd.DataFrame, measure: str, count: int) -> list[str]:
    """Pick the used images with the lowest, then those with the highest value of a measure.

    Returns:
        2 × `count` pathnames.
    """
    ordered = _used(audit).sort_values([measure, "pathname"]).pathname
    return [*ordered.head(count), *ordered.tail(count)]


def separation_table(audit: pd.DataFrame) -> pd.DataFrame:
    """Measure how well single numbers that see no content tell photographs from the rest.

    Args:
        audit: A `schema.AUDIT` frame.

    Returns:
        `measure`, `auc` and `photos_are` (`higher` or `lower`), the most telling first. `auc` is
        the chance that the number alone ranks a photograph and another image rightly: 0.5 is a
        coin, 1 is a file property that gives the class away.
    """
    used = _used(audit)
    measures = used[list(QUALITY)].assign(
        bytes=used.bytes,
        pixels=used.width * used.height,
        bytes_per_pixel=used.bytes / (used.width * used.height),
        elongation=used[["width", "height"]].max(axis=1) / used[["width", "height"]].min(axis=1),
        is_jpeg=used.format == "JPEG",
    )
    rows = []
    for name, values in measures.items():
        auc = float(roc_auc_score(used.label.astype(int), values.astype(float)))
        side = "higher" if auc >= 0.5 else "lower"
        rows.append({"measure": name, "auc": max(auc, 1 - auc), "photos_are": side})
    table = pd.DataFrame(rows).sort_values("auc", ascending=False, kind="stable")
    return table.reset_index(drop=True)


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
    """Pick the used photograph that is richest in both contrast and colour, as an example."""
    photos = audit[(audit.status == "used") & (audit.label == 1)]
    richness = photos[["contrast", "colourfulness"]].rank().min(axis=1)
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
