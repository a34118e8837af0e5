"""Leave one source out: several splits, so that each source is once what the network never saw."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from photoclf.errors import SplitError
from photoclf.source_ties import Family, source_families
from photoclf.split import VAL_FRACTION, source_folders, split_without, usable_images
from photoclf.yaml_file import read_mapping

_REMEDY = (
    "Add images of another source, or sort those of a class folder into sub-folders by where they"
    " come from. `photoclf split` without --plan keeps groups whole all the same."
)


@dataclass(frozen=True)
class SourcePlan:
    """Splits that each leave sources out.

    Args:
        splits: `without_1`, `without_2`, … → a `schema.SPLIT` frame each. Its test holds the
            sources that were left out, and what is grouped with them.
        left_out: The same names → the families that are left out.
        families: All families of the archive's sources, the largest first.
        always_trained: Those that no split can leave out, since a class folder has no other.
    """

    splits: dict[str, pd.DataFrame]
    left_out: dict[str, list[Family]]
    families: list[Family]
    always_trained: list[Family]


def plan_source_splits(
    audit: pd.DataFrame,
    families: Mapping[str, Collection[str]] | None = None,
    *,
    val_fraction: float = VAL_FRACTION,
    seed: int = 42,
) -> SourcePlan:
    """Plan splits in whose tests each source stands at least once, and each class loses one.

    Sources that share groups, or that `families` joins, are left out together. In each split every
    class folder with several families lends one of them to the test, as far as families that span
    classes leave room; a class folder with one family only can't be tested on another and lends
    none. Every class folder keeps images to learn from.

    Args:
        audit: A `schema.AUDIT` frame.
        families: Name → sources that go together (the same collection under several classes, say),
            each as class folder and sub-folders, such as `Photo/box_12`.
        val_fraction: Share of the other images for validation, over 0 and under 1.
        seed: Draws the order of equal groups, 0 or more.

    Returns:
        The plan.

    Raises:
        SplitError: If a family names an unknown source, or one that another family has; no
            photographs or no other images can be left out; or a split would lack a class on a
            side. The error says which sources are tied, and by what.
    """
    images = usable_images(audit)
    classes = images.class_folder.groupby(source_folders(images)).first()
    labels = images.label.groupby(source_folders(images)).agg(set)
    joined = source_families(images, families)
    units = [
        _Unit(
            family,
            frozenset(classes[list(family.sources)]),
            frozenset().union(*labels[list(family.sources)]),
        )
        for family in joined
    ]
    lenders = [unit for unit in units if all(_others(units, unit, c) for c in unit.classes)]
    _check_lenders(lenders, units)
    rounds = _rounds(lenders, units)
    if not rounds:
        raise SplitError(
            "A split must be able to leave photographs and others out at once. Received:"
            f" {_told([unit.family for unit in lenders])}. {_REMEDY}"
        )
    left_out = {f"without_{i}": sent for i, sent in enumerate(rounds, 1)}
    splits = {}
    for name, sent in left_out.items():
        sources = [source for family in sent for source in family.sources]
        splits[name] = split_without(audit, sources, val_fraction=val_fraction, seed=seed)
        _check_classes_kept(splits[name], name)
    lent = {family for sent in left_out.values() for family in sent}
    return SourcePlan(splits, left_out, joined, [f for f in joined if f not in lent])


def read_families(path: Path) -> dict[str, list[str]]:
    """Read families of sources from a YAML or JSON file: a mapping of names to lists of folders.

    Raises:
        ConfigError: If the file can't be read or isn't a mapping.
        SplitError: If what it maps to isn't lists of folders.
    """
    told = read_mapping(path, "A families file")
    lists = all(
        isinstance(folders, list) and all(isinstance(f, str) for f in folders)
        for folders in told.values()
    )
    if not lists:
        raise SplitError(
            "A families file must map names to lists of folders, such as `album: [Photo/box_12,"
            f" Text/box_12]`. Received: {path}. Correct it."
        )
    return {str(name): folders for name, folders in told.items()}


@dataclass(frozen=True)
class _Unit:
    family: Family
    classes: frozenset[str]
    labels: frozenset[int]


def _others(units: list[_Unit], unit: _Unit, class_folder: str) -> list[_Unit]:
    return [other for other in units if other != unit and class_folder in other.classes]


def _check_lenders(lenders: list[_Unit], units: list[_Unit]) -> None:
    lent = frozenset[int]().union(*(unit.labels for unit in lenders))
    for label, kind in ((1, "photographs"), (0, "images that are no photographs")):
        if label not in lent:
            held = [unit.family for unit in units if label in unit.labels]
            raise SplitError(
                f"To leave a source of {kind} out, its class folder must keep another. Received:"
                f" {_told(held)}. {_REMEDY}"
            )


def _told(families: list[Family]) -> str:
    shown = []
    for family in families:
        if len(family.sources) == 1:
            shown.append(f"only {family}")
        else:
            shown.append(f"{family}, which belong together ({family.why})")
    return "; ".join(shown) or "none"


def _rounds(lenders: list[_Unit], units: list[_Unit]) -> list[list[Family]]:
    """Combine units, each class at most once a round, until each unit has had its round."""
    uses = dict.fromkeys(lenders, 0)
    rounds = []
    while not all(uses.values()):
        waiting = sorted(lenders, key=uses.__getitem__)  # those that still wait come first
        chosen: list[_Unit] = []
        for unit in waiting:
            if not any(unit.classes & other.classes for other in chosen):
                chosen.append(unit)
        # A family of several classes may have kept every photograph, or every other image, out of
        # the test. Then a class lends twice, if it keeps a family.
        for unit in waiting:
            lacking = len(_labels(chosen)) < 2 and unit.labels - _labels(chosen)
            if lacking and _keeps_all_classes([*chosen, unit], units):
                chosen.append(unit)
        if len(_labels(chosen)) < 2:  # nothing else can go to the test with it
            uses[chosen[0]] += 1
            continue
        for unit in chosen:
            uses[unit] += 1
        rounds.append([unit.family for unit in chosen])
    return rounds


def _labels(units: list[_Unit]) -> frozenset[int]:
    return frozenset[int]().union(*(unit.labels for unit in units))


def _keeps_all_classes(chosen: list[_Unit], units: list[_Unit]) -> bool:
    kept = frozenset[str]().union(*(unit.classes for unit in units if unit not in chosen))
    return all(unit.classes <= kept for unit in chosen)


def _check_classes_kept(split: pd.DataFrame, name: str) -> None:
    lost = set(split.class_folder) - set(split.class_folder[split.split == "train"])
    if lost:
        raise SplitError(
            f"Every class folder must keep images to learn from. Received: {name}, whose test and"
            f" val took all of {', '.join(sorted(lost))}: its groups lie in what was left out."
            " Join its sources with --families, so that they aren't split, or correct groups.csv."
        )
