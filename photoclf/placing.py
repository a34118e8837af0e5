"""Each listed file's place in an archive: label, named group, and whether it has to be read."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from photoclf.errors import TableError
from photoclf.escaping import unescape_pathname
from photoclf.listing import class_folder, walk_files, why_ignored
from photoclf.manifest import files_gone, source_folder
from photoclf.names import Names
from photoclf.tables import read_raw

GROUPS_FILE = "groups.csv"
"""A file at the archive's root, `pathname;group`, that says which images belong together."""

_PROBLEMS = {  # what listing found → status and reason
    "special_file": ("not_an_image", "special_file"),
    "link_to_folder": ("ignored", "link_to_folder"),
    "folder_no_permission": ("unreadable", "folder_no_permission"),
    "vanished": ("unreadable", "vanished"),
}


class InStep:
    """What a table says of files, asked for while an archive's files are listed in their order.

    The names take little memory, and those that the archive doesn't have are noticed.

    Args:
        pathnames: The files that the table names.
        values: What it says of each, numbers or texts.
        origin: The table, for the error.
    """

    def __init__(self, pathnames: pd.Series, values: pd.Series, origin: str) -> None:
        if not pathnames.is_monotonic_increasing:
            pathnames = pathnames.sort_values()
            values = values[pathnames.index]
        self._names = Names(pathnames)
        texts = not pd.api.types.is_numeric_dtype(values)
        self._values = Names(values) if texts else values.to_numpy()
        self._origin = origin
        self._at = self._gone = 0
        self._first_gone = ""

    def find(self, name: str) -> Any:
        """Return what the table says of a file, None when it doesn't name it."""
        while self._at < len(self._names) and (here := self._names[self._at]) <= name:
            self._at += 1
            if here == name:
                return self._values[self._at - 1]
            self._first_gone = self._first_gone or here
            self._gone += 1
        return None

    def check_all_found(self, archive: Path) -> None:
        """Check, after the last file, that the archive has all that the table names.

        Raises:
            TableError: Naming the first file that is gone, and how many are.
        """
        left = len(self._names) - self._at
        if self._gone + left:
            first = self._first_gone or self._names[self._at]
            raise files_gone(first, self._gone + left, len(self._names), archive, self._origin)


def named_groups(archive: Path) -> InStep | None:
    """Read the groups that an archive names itself, None when it names none.

    Raises:
        TableError: If the file lacks a column, or names a file twice.
    """
    path = archive / GROUPS_FILE
    if not path.is_file():
        return None
    groups = read_raw(path, "groups file")
    if not {"pathname", "group"} <= set(groups.columns):
        raise TableError(
            f"A groups file must have the columns pathname;group. Received: {path} with"
            f" {list(groups.columns)}. Correct or rename it."
        )
    names = groups.pathname.map(unescape_pathname)
    if names.duplicated().any():
        raise TableError(
            f"A groups file must name a file once. Received: {names[names.duplicated()].iloc[0]!r}"
            f" twice in {path}. Remove one of the rows."
        )
    return InStep(names, groups.group, str(path))


def place_files(
    archive: Path,
    labels: InStep | None,
    ignored_folders: Collection[str],
    known: Callable[[tuple[str, int, int]], dict[str, Any] | None],
) -> Iterator[dict[str, Any]]:
    """List an archive's files, and tell of each all that needn't be read from it.

    Args:
        archive: The archive's folder.
        labels: The manifest; files that it doesn't name are `ignored`. Without one all are to be
            read, save system files and those in ignored folders.
        ignored_folders: Class folders whose files are `ignored`.
        known: Gives what was measured of a file before, by pathname, bytes and time of change.

    Yields:
        Columns of a `schema.AUDIT` row, in the order of the pathnames. A file that has to be read
        has an empty status.

    Raises:
        TableError: After the last file, if the manifest or the groups file names files that are
            gone; at the first, if the groups file can't be understood.
    """
    groups = named_groups(archive)
    for name, size, mtime_ns, problem in walk_files(archive):
        label = labels.find(name) if labels is not None else None
        status, reason = _PROBLEMS.get(problem) or _status_by_name(
            name, labels is not None, label is not None, ignored_folders
        )
        row = {
            "pathname": name,
            "status": status,
            "reason": reason,
            "class_folder": class_folder(name),
            "source": source_folder(name),
            "label": None if label is None else int(label),
            "bytes": size,
            "mtime_ns": mtime_ns,
            "named_group": groups.find(name) or "" if groups is not None else "",
            "label_conflict": False,
        }
        yield row if status else row | (known((name, size, mtime_ns)) or {})
    for table in (labels, groups):
        if table is not None:
            table.check_all_found(archive)


def _status_by_name(
    name: str, labelled: bool, has_label: bool, ignored_folders: Collection[str]
) -> tuple[str, str]:
    if has_label:
        return "", ""
    ignored = why_ignored(name, ignored_folders)
    if not labelled:  # without labels the folders mean nothing: only system files are left out
        ignored = "" if ignored == "no_class_folder" else ignored
        return ("ignored", ignored) if ignored else ("", "")
    return "ignored", ignored or "not_in_manifest"
