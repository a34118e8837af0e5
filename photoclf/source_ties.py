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
        why: What joins them: the name of a told family, or how many groups; empty for a single
            source.
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
        images: `pathname`, `class_folder`, `source` and `group`, one row an image.
        told: Families that somebody knows of: name → sources, as `split.source_folders` names them.

    Returns:
        Every source once, those without ties as families of one.

    Raises:
        SplitError: If a told family names an unknown source, or one that another family has.
    """
    folders = source_folders(images)
    sizes = folders.value_counts()
    by_name = _told_ties(told or {}, sizes)
    families = []
    for sources in _connected(list(sizes.index), [*by_name.values(), *_group_ties(images)]):
        names = [f"told as {name!r}" for name, members in by_name.items() if members[0] in sources]
        groups = _spanning_groups(images[folders.isin(sources)])
        families.append(Family(sources, "; ".join([*names, *groups]) if len(sources) > 1 else ""))
    return sorted(families, key=lambda f: (-int(sizes[list(f.sources)].sum()), f.sources))


def _told_ties(told: Mapping[str, Collection[str]], sizes: pd.Series) -> dict[str, tuple[str, ...]]:
    taken: dict[str, str] = {}
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
    return {family: tuple(members) for family, members in told.items() if members}


def _group_ties(images: pd.DataFrame) -> list[tuple[str, str]]:
    folders = source_folders(images)
    counts = pd.crosstab(images.group, folders)
    # Of the images of each source (row), the share that is in a group with each other source.
    shared = (counts.T @ (counts > 0).astype(int)).div(folders.value_counts(), axis=0)
    tied = shared >= TIED_SHARE
    return [(a, b) for a in tied.index for b in tied.columns if a != b and tied.loc[a, b]]


def _spanning_groups(images: pd.DataFrame) -> list[str]:
    """Tell how many groups lie in several of the sources, and name one."""
    folders = source_folders(images)
    spanning = folders.groupby(images.group).nunique().loc[lambda sources: sources > 1]
    if spanning.empty:
        return []
    group = images[images.group == spanning.index[0]]
    first = group.pathname.iloc[0]
    second = group.pathname[folders[group.index] != folders[group.index[0]]].iloc[0]
    return [f"{len(spanning)} groups lie in several of them, such as {first!r} and {second!r}"]


def _connected(sources: list[str], ties: Collection[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Join what is tied, directly or through others."""
    of = {source: {source} for source in sources}
    for tied in ties:
        joined = set().union(*(of[source] for source in tied))
        of.update(dict.fromkeys(joined, joined))
    return list(dict.fromkeys(tuple(sorted(members)) for members in of.values()))
