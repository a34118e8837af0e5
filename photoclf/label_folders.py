"""Labels that name a class folder: which folders there are, and which labels are mistyped."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from photoclf.errors import ArchiveError, ConfigError, TableError, did_you_mean
from photoclf.files import read_json, write_json
from photoclf.label_journal import OTHER, PHOTO, UNSURE
from photoclf.label_names import RESERVED
from photoclf.listing import class_folder
from photoclf.manifest import POSITIVE_FOLDER
from photoclf.paths import Workspace, resolve_archive
from photoclf.schema import AUDIT, MANIFEST
from photoclf.tables import read_chunks

UNKNOWN = ("label", "decisions", "hint")


def known_folders(
    workspace: Workspace,
    archive: str | Path | None = None,
    *,
    positive_folder: str = POSITIVE_FOLDER,
) -> set[str]:
    """Return the class folders that a label may name.

    Args:
        workspace: Its manifest and audit name some, and a person may have named new ones, see
            `name_folders`.
        archive: The archive, whose own folders count too; where it isn't known, they don't.
        positive_folder: The class folder that holds photographs.

    Raises:
        TableError: If a table is spoilt.
    """
    known = {positive_folder, *_named(workspace)}
    if workspace.manifest.is_file():
        for rows in read_chunks(workspace.manifest, MANIFEST, ("pathname",)):
            known.update(rows.pathname.map(class_folder))
    if workspace.audit.is_file():
        for rows in read_chunks(workspace.audit, AUDIT, ("class_folder",)):
            known.update(rows.class_folder)
    try:
        place = resolve_archive(archive, workspace)
        known.update(path.name for path in place.iterdir() if path.is_dir())
    except (ArchiveError, OSError):  # it isn't needed to say what people labelled
        pass
    return {name for name in known if name and not name.startswith(".")}


def name_folders(workspace: Workspace, names: Iterable[str]) -> None:
    """Remember class folders that the archive doesn't have, but labels may name.

    Args:
        workspace: Keeps them in `data/class_folders.json`.
        names: The new ones.

    Raises:
        ConfigError: If one can't be a class folder's name.
    """
    new = [name.strip() for name in names]
    for name in new:
        if not name or not name.isprintable() or "/" in name or name in RESERVED:
            raise ConfigError(
                "A class folder's name must be a word or more without `/`, and none of"
                f" {', '.join(RESERVED)}. Received: {name!r}."
            )
    if new:
        write_json(workspace.class_folders, sorted({*_named(workspace), *new}))


def unknown_labels(rows: pd.DataFrame, known: Iterable[str]) -> pd.DataFrame:
    """List the labels that are neither plain nor a class folder's name: somebody mistyped them.

    Args:
        rows: A `schema.JOURNAL` frame of decisions that hold.
        known: See `known_folders`.

    Returns:
        One row a label: `label`, how many `decisions` it stands in, and the nearest right name as a
        `hint`, which may be empty.
    """
    right = sorted({PHOTO, OTHER, UNSURE, *known})
    counts = rows.label[_is_unknown(rows.label, known)].value_counts()
    table = [(label, int(n), _nearest(str(label), right)) for label, n in counts.items()]
    return pd.DataFrame(table, columns=list(UNKNOWN))


def understood(rows: pd.DataFrame, known: Iterable[str]) -> pd.DataFrame:
    """Take labels that say nothing for what nobody is sure of.

    A mistyped label would count as `other`, and the decision before it no longer holds.

    Args:
        rows: A `schema.JOURNAL` frame.
        known: See `known_folders`.

    Returns:
        The same rows, with `unsure` in the place of labels that `unknown_labels` would list.
    """
    return rows.assign(label=rows.label.mask(_is_unknown(rows.label, known), UNSURE))


def _is_unknown(labels: pd.Series, known: Iterable[str]) -> pd.Series:
    return ~labels.isin({*RESERVED, *known})


def _nearest(label: str, right: list[str]) -> str:
    same = [name for name in right if name.casefold() == label.casefold()]
    return f" Did you mean {same[0]!r}?" if same else did_you_mean(label, right)


def _named(workspace: Workspace) -> list[str]:
    names: Any
    try:
        names = read_json(workspace.class_folders)
    except FileNotFoundError:
        return []
    except ValueError as error:
        names = error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TableError(
            "Class folders that were named must be a JSON list of names. Received:"
            f" {workspace.class_folders} ({names!r}). Correct or remove it."
        )
    return names
