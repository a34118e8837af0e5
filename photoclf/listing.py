"""Every file below a folder, or that a table names, without opening any; no table is loaded."""

import csv
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from photoclf.errors import TableError
from photoclf.escaping import unescape_pathname

_SYSTEM_NAMES = {"thumbs.db", "desktop.ini", "ehthumbs.db"}

# `pathname`, `bytes`, `mtime_ns` and `problem`, see `walk_files`.
FileFacts = tuple[str, int, int, str]


def walk_files(archive: Path) -> Iterator[FileFacts]:
    """List every file below a folder in the order of the pathnames, without opening any.

    Links to folders aren't followed, so that no loop is endless and no file counted twice. Memory
    holds the names in the folders on the way alone, however many files there are.

    Args:
        archive: The folder.

    Yields:
        `pathname` (relative, with `/`), `bytes`, `mtime_ns` and `problem`: empty, `special_file` (a
        pipe, socket or device), `link_to_folder`, `folder_no_permission` (a folder whose files
        can't be listed; its name ends with `/`, and the archive's own is `.`) or `vanished`.
    """
    root = os.path.join(archive, "")
    # Names with the first to come last. A folder's ends with `/`, so that it sorts as its files do.
    waiting = [[""]]
    while waiting:
        if not waiting[-1]:
            waiting.pop()
            continue
        name = waiting[-1].pop()
        if name and not name.endswith("/"):
            yield _facts(name, root + name)
            continue
        try:
            # A set: a folder that changes while it is read may list a name twice.
            waiting.append(sorted(set(_names_in(root, name)), reverse=True))
        except OSError:
            yield name or ".", 0, 0, "folder_no_permission"


def read_listed(table: Path, archive: Path) -> Iterator[FileFacts]:
    """List the files that a table names, in its order, a row at a time.

    Args:
        table: A `;`-separated UTF-8 file with a column `pathname`, such as a manifest; other
            columns are passed over.
        archive: What the pathnames are relative to.

    Yields:
        As `walk_files` does; a file that is gone has the problem `vanished`, a folder `folder`.

    Raises:
        TableError: If it isn't such a table, or a pathname leads out of the archive.
    """
    root = os.path.join(archive, "")
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, delimiter=";", strict=True)
            if "pathname" not in (rows.fieldnames or ()):
                raise TableError(
                    "A table of files must have the column `pathname`. Received:"
                    f" {table} with {';'.join(rows.fieldnames or ()) or 'nothing'}. Name it in the"
                    " first row; columns are separated by `;`."
                )
            for row in rows:
                name = unescape_pathname(row["pathname"] or "")
                check_inside(name, f"row {rows.line_num} of {table}")
                is_folder = name.endswith("/")
                yield (
                    (name, 0, 0, _why_no_files(root + name))
                    if is_folder
                    else _facts(name, root + name)
                )
    except FileNotFoundError as error:
        raise TableError(f"The table must exist. Received: {table}, which does not.") from error
    except (csv.Error, UnicodeError) as error:
        raise TableError(
            f"A table of files must be `;`-separated UTF-8 text. Received: {table} ({error})."
        ) from error


def check_inside(pathname: str, origin: str) -> None:
    """Check that a pathname is relative, in its shortest form, and leads nowhere outside.

    Raises:
        TableError: If it is empty, absolute, leads out, or has parts that say nothing.
    """
    parts = pathname.removesuffix("/").split("/")
    if "" in parts or ".." in parts or "\0" in pathname:
        raise TableError(
            "A pathname must be relative to the archive and inside it. Received:"
            f" {pathname!r} in {origin}. Correct it."
        )
    if "." in parts:
        raise TableError(
            f"A pathname must be in its shortest form, as a/b.jpg. Received: {pathname!r} in"
            f" {origin}. Leave out `.`; find . -printf '%P\\n' lists files so."
        )


def is_own_name(pathname: str) -> bool:
    """Tell whether a pathname leads to something inside, and is spelt as `walk_files` spells it.

    Example:
        >>> [is_own_name(name) for name in ("a/1.png", "./a/1.png", "a//1.png", "../1.png", "/1")]
        [True, False, False, False, False]
    """
    return not {"", ".", ".."} & set(pathname.split("/"))


def why_ignored(pathname: str, ignored_folders: Collection[str] = ()) -> str:
    """Tell why a file has no label by its name alone.

    Returns:
        `system_file`, `ignored_folder`, `no_class_folder`, or an empty text.
    """
    name = pathname.rsplit("/", 1)[-1]
    hidden = any(part.startswith(".") for part in pathname.split("/"))
    if hidden or name.lower() in _SYSTEM_NAMES or name.lower().endswith(".ini"):
        return "system_file"
    folder = class_folder(pathname)
    if folder in ignored_folders:
        return "ignored_folder"
    return "" if folder else "no_class_folder"


def class_folder(pathname: str) -> str:
    """Return a pathname's first folder, empty for a file at the archive's root."""
    return pathname.split("/", 1)[0] if "/" in pathname else ""


def _names_in(root: str, folder: str) -> Iterator[str]:
    with os.scandir(root + folder) as entries:
        for entry in entries:
            inner = "/" if entry.is_dir(follow_symlinks=False) else ""
            yield f"{folder}{entry.name}{inner}"


def _why_no_files(place: str) -> str:
    """Tell why a folder that is named in the place of a file has none, see `walk_files`."""
    try:
        os.scandir(place).close()
    except OSError:
        return "folder_no_permission"
    return "folder"


def _facts(pathname: str, place: str) -> FileFacts:
    try:
        facts = os.stat(place)
    except OSError:  # a broken link, or a file that went while we looked
        return pathname, 0, 0, "vanished"
    if stat.S_ISREG(facts.st_mode):
        return pathname, facts.st_size, facts.st_mtime_ns, ""
    if stat.S_ISDIR(facts.st_mode):
        return pathname, 0, 0, "link_to_folder" if os.path.islink(place) else "folder"
    return pathname, facts.st_size, facts.st_mtime_ns, "special_file"
