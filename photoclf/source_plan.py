"""Leave one source out: several splits, so that each source is once what the network never saw."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd
import yaml

from photoclf.errors import SplitError, did_you_mean
from photoclf.split import VAL_FRACTION, source_folders, split_without, usable_images


def plan_source_splits(
    audit: pd.DataFrame,
    families: Mapping[str, Collection[str]] | None = None,
    *,
    val_fraction: float = VAL_FRACTION,
    seed: int = 42,
) -> dict[str, pd.DataFrame]:
    """Plan splits in whose tests each source stands at least once, and each class loses one.

    In each split every class folder with several sources lends one of them, or one family, to the
    test. A class folder with one source only can't be tested on another and lends none.

    Args:
        audit: A `schema.AUDIT` frame.
        families: Name → sources that go together (the same collection under several classes, say),
            each as class folder and sub-folders, such as `Photo/box_12`.
        val_fraction: Share of the other images for validation, over 0 and under 1.
        seed: Draws the order of equal groups, 0 or more.

    Returns:
        `without_1`, `without_2`, … → a `schema.SPLIT` frame each. Its test holds the sources that
        were left out, and what is grouped with them.

    Raises:
        SplitError: If a family names an unknown source, or one that another family has, no class
            has two sources, or a split would lack a class on a side.
    """
    folders = source_folders(usable_images(audit))
    classes = usable_images(audit).class_folder
    class_of = dict(zip(folders, classes, strict=True))
    units = _units(folders, families or {})
    return {
        f"without_{i}": split_without(audit, sources, val_fraction=val_fraction, seed=seed)
        for i, sources in enumerate(_rounds(units, class_of), 1)
    }


def read_families(path: Path) -> dict[str, list[str]]:
    """Read families of sources from a YAML or JSON file: a mapping of names to lists of folders.

    Raises:
        SplitError: If the file isn't such a mapping.
    """
    try:
        told = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SplitError(
            f"A families file must be YAML or JSON. Received: {path} ({error})"
        ) from error
    lists = isinstance(told, dict) and all(
        isinstance(folders, list) and all(isinstance(f, str) for f in folders)
        for folders in told.values()
    )
    if not lists:
        raise SplitError(
            "A families file must map names to lists of folders, such as `album: [Photo/box_12,"
            f" Text/box_12]`. Received: {path}. Correct it."
        )
    return {str(name): folders for name, folders in told.items()}


def _units(folders: pd.Series, families: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    sizes = folders.value_counts()
    taken: dict[str, str] = {}
    for family, members in families.items():
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
    units = [tuple(sorted(members)) for members in families.values() if members]
    units += [(folder,) for folder in sizes.index if folder not in taken]
    return sorted(units, key=lambda unit: (-int(sizes[list(unit)].sum()), unit))


def _rounds(units: list[tuple[str, ...]], class_of: Mapping[str, str]) -> list[list[str]]:
    """Combine units, each class at most once a round, until each unit has had its round."""
    classes = {unit: {class_of[source] for source in unit} for unit in units}
    lenders = [unit for unit in units if all(_others(unit, c, classes) for c in classes[unit])]
    if not lenders:
        raise SplitError(
            "To leave a source out, a class folder must have two sources. Received: none with"
            " two. Sort its images into sub-folders by where they come from."
        )
    uses = dict.fromkeys(lenders, 0)
    rounds = []
    while not all(uses.values()):
        chosen: list[tuple[str, ...]] = []
        for unit in sorted(lenders, key=uses.__getitem__):  # those that still wait come first
            if not classes[unit] & {c for other in chosen for c in classes[other]}:
                chosen.append(unit)
                uses[unit] += 1
        rounds.append(sorted(source for unit in chosen for source in unit))
    return rounds


def _others(
    unit: tuple[str, ...], class_folder: str, classes: Mapping[tuple[str, ...], set[str]]
) -> bool:
    return any(class_folder in held for other, held in classes.items() if other != unit)
