"""Which sources belong together: those whose images share groups are one family."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from photoclf.errors import SplitError, did_you_mean
from photoclf.split import source_folders

# A few look-alikes follow the source that is left out and cost nothing. Where this share of a
# source would follow, leaving it in would leave little of it, and that little is no other source.
TIED_SHARE = 0.1


@dataclass(frozen=True)
class Family:
    """Sources that are left out together.

    Args:
        sources: As `split.source_folders` names them, sorted.
        why: What joins them, such as `told (album)` or `groups (…)`; empty for a single source.
    """

    sources: tuple[str, ...]
    why: str = ""

    def __str__(self) -> str:
        return " + ".join(self.sources)


def source_families(
    images: pd.DataFrame, told: Mapping[str, Collection[str]] | None = None
) -> list[Family]:
    """Sort sources into families, the largest first.

    Two sources are tied when at least `TIED_SHARE` of the images of one of them share a group with
    the other: copies, look-alikes, pages of one album, renderings of one original. What is tied
    directly or through others is one family.

    Args:
        images: `class_folder`, `source` and `group`, one row an image.
        told: Families that somebody knows of: name → sources, as `split.source_folders` names them.

    Returns:
        Every source once, those without ties as families of one.

    Raises:
        SplitError: If a told family names an unknown source, or one that another family has.
    """
    folders = source_folders(images)
    sizes = folders.value_counts()
    ties = [*_told_ties(told or {}, sizes), *_group_ties(folders, images.group)]
    families = []
    for sources in _connected(list(sizes.index), ties):
        why = [reason for first, _, reason in ties if first in sources]
        families.append(Family(sources, "; ".join(dict.fromkeys(why))))
    return sorted(families, key=lambda f: (-int(sizes[list(f.sources)].sum()), f.sources))


_Tie = tuple[str, str, str]


def _told_ties(told: Mapping[str, Collection[str]], sizes: pd.Series) -> list[_Tie]:
    taken: dict[str, str] = {}
    ties = []
    for family, members in told.items():
        for folder in members:
            if folder not in sizes.index:
                raise SplitError(
                    f"A family's source must hold used images. Received: {folder!r} in"
                    f" {family!r}.{did_you_mean(folder, list(sizes.index))}"
                )
            if folder in taken:
                raise SplitError(
                    f"A source must be in one family. Received: {folder!r} in {taken[folder]!r}"
                    f" and {family!r}. Remove it from one."
                )
            taken[folder] = family
        ties += [(first, next(iter(members)), f"told ({family})") for first in members]
    return ties


def _group_ties(folders: pd.Series, groups: pd.Series) -> list[_Tie]:
    counts = pd.crosstab(groups, folders)
    counts = counts[(counts > 0).sum(axis=1) > 1]  # the groups that lie in several sources
    sizes = folders.value_counts()
    # Of the images of each source (row), how many share a group with each other source (column).
    shared = counts.T @ (counts > 0).astype(int)
    ties = []
    for first in shared.index:
        for second in shared.columns:
            share = shared.loc[first, second] / sizes[first]
            if first != second and share >= TIED_SHARE:
                told = f"{shared.loc[first, second]} of {sizes[first]} images of {first}"
                ties.append((str(first), str(second), f"groups ({told} with {second})"))
    return ties


def _connected(sources: list[str], ties: list[_Tie]) -> list[tuple[str, ...]]:
    """Join what is tied, directly or through others."""
    of = {source: {source} for source in sources}
    for first, second, _ in ties:
        if of[first] is not of[second]:
            joined = of[first] | of[second]
            of.update(dict.fromkeys(joined, joined))
    return list(dict.fromkeys(tuple(sorted(members)) for members in of.values()))
