"""Errors by what an image is like: folder, format, size, quality, colour."""

from typing import Any

import numpy as np
import pandas as pd

from photoclf.intervals import clustered_interval
from photoclf.quality import quality_flags

# Below this many images an exact 95 % interval spans 25 points and more: too wide to conclude.
SMALL_GROUP = 30
# A group collapses when, as far as its images tell, it has at least this many errors in 100, and
# more than all images together.
COLLAPSE = 0.2

GROUPINGS = ("class_folder", "source", "format", "size", "flag", "colour")

# Longest side in px, over which a size begins.
_SIZES = {"up_to_256": 0, "up_to_512": 256, "up_to_1024": 512, "over_1024": 1024}
_FLAGS = ("dark", "bright", "blurry", "low_information", "odd_aspect_ratio", "odd_size")


def subgroup_rates(test: pd.DataFrame, audit: pd.DataFrame) -> list[dict[str, Any]]:
    """Count errors in each group of test images.

    Args:
        test: `schema.EVALUATION` rows with `decision` `photo` or `other`.
        audit: The `schema.AUDIT` frame of their archive; images that it lacks are in no group but
            their folders'.

    Returns:
        One dict a group, by `by` (one of `GROUPINGS`) and `name`: `images`, `errors`, `rate` with
        its interval `low` and `high` (see `intervals.clustered_interval`), `photos` and `missed`,
        `others` and `false`, and `small`.
    """
    wrong = ((test.decision == "photo") != (test.label == 1)).to_numpy()
    rows = []
    for by, names in _memberships(test, audit).items():
        found = set(names.dropna())
        for name in [size for size in _SIZES if size in found] or sorted(found):
            rows.append(
                {"by": by, "name": name} | _counted(test, wrong, (names == name).to_numpy())
            )
    for flag, holds in _flags(test, audit).items():
        if holds.any():
            rows.append({"by": "flag", "name": flag} | _counted(test, wrong, holds))
    return rows


def collapsed(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the groups in which the model fails, the worst first."""
    overall = [row for row in groups if row["by"] == "class_folder"]
    images = sum(row["images"] for row in overall)
    rate = sum(row["errors"] for row in overall) / max(images, 1)
    failing = [
        row for row in groups if not row["small"] and row["low"] >= COLLAPSE and row["low"] > rate
    ]
    return sorted(failing, key=lambda row: (-row["low"], row["by"], row["name"]))


def _counted(test: pd.DataFrame, wrong: np.ndarray, inside: np.ndarray) -> dict[str, Any]:
    label = test.label.to_numpy()[inside]
    images, errors = int(inside.sum()), int(wrong[inside].sum())
    low, high = clustered_interval(wrong[inside], test.group.to_numpy()[inside])
    return {
        "images": images,
        "errors": errors,
        "rate": errors / images,
        "low": low,
        "high": high,
        "photos": int(label.sum()),
        "missed": int((wrong[inside] & (label == 1)).sum()),
        "others": int((1 - label).sum()),
        "false": int((wrong[inside] & (label == 0)).sum()),
        "small": images < SMALL_GROUP,
    }


def _memberships(test: pd.DataFrame, audit: pd.DataFrame) -> dict[str, pd.Series]:
    known = audit.set_index("pathname").reindex(test.pathname).reset_index()
    longest = known[["width", "height"]].max(axis=1).astype("float64")
    over = [longest > least for least in reversed(_SIZES.values())]
    sizes = pd.Series(np.select(over, list(reversed(_SIZES)), ""))
    grey = known.grayscale.map({0.0: "grey", 1.0: "colour"})
    source = test.class_folder + "/" + test.source
    return {
        "class_folder": test.class_folder.reset_index(drop=True),
        "source": source.where(test.source != "").reset_index(drop=True),
        "format": known.format.where(known.format != ""),
        "size": sizes.where(sizes != ""),
        "colour": grey,
    }


def _flags(test: pd.DataFrame, audit: pd.DataFrame) -> dict[str, np.ndarray]:
    flags = quality_flags(audit).set_axis(audit.pathname)
    held = flags.reindex(test.pathname, fill_value=False)
    return {name: held[name].to_numpy() for name in _FLAGS}
