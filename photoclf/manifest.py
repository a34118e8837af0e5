"""Archive folder → every file in it, and the `pathname;label` table of the labelled ones."""

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path, PureWindowsPath

import pandas as pd

from photoclf.errors import ArchiveError, TableError, did_you_mean
from photoclf.schema import MANIFEST, check_table
from photoclf.tables import read_raw, unescape_pathname

POSITIVE_FOLDER = "Photo"
IGNORED_FOLDERS = ("Dataset_L2", "Photo_2")

_SYSTEM_NAMES = {"thumbs.db", "desktop.ini", "ehthumbs.db"}


def walk_files(archive: Path) -> Iterator[tuple[str, int, int, str]]:
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


def list_files(archive: Path) -> pd.DataFrame:
    """List every file below a folder as a frame, see `walk_files`."""
    return pd.DataFrame(walk_files(archive), columns=["pathname", "bytes", "mtime_ns", "problem"])


def scan_archive(
    archive: Path,
    *,
    positive_folder: str = POSITIVE_FOLDER,
    ignored_folders: Collection[str] = IGNORED_FOLDERS,
) -> pd.DataFrame:
    """Label the files of an archive by their class folder.

    Args:
        archive: A folder that holds one folder a class.
        positive_folder: The class folder whose images are labelled 1; every other class is 0.
        ignored_folders: Class folders that aren't labelled.

    Returns:
        A `schema.MANIFEST` frame sorted by pathname.

    Raises:
        ArchiveError: If the archive holds no file, no positive folder, or one class only.
    """
    names, listed = [], 0
    for name, _, _, problem in walk_files(archive):
        if name == ".":
            raise _no_archive(archive, "a folder that can't be listed")
        listed += 1
        if problem in ("", "vanished") and not why_ignored(name, ignored_folders):
            names.append(name)
    if not listed:
        raise _no_archive(archive, "no file")
    classes = {class_folder(name) for name in names}
    _check_classes(sorted(classes), positive_folder, ignored_folders, str(archive))
    labels = [int(class_folder(name) == positive_folder) for name in names]
    return check_table(pd.DataFrame({"pathname": names, "label": labels}), MANIFEST)


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


def source_folder(pathname: str) -> str:
    """Return the folders between the class folder and the file, such as `box_12/recto`."""
    return "/".join(pathname.split("/")[1:-1])


def read_manifest(path: Path, archive: Path | None = None) -> pd.DataFrame:
    """Read a manifest, also in the older form with absolute Windows paths.

    Args:
        path: A `;`-separated UTF-8 file `pathname;label`.
        archive: When given, each file must exist below it, and the older form's absolute paths
            are cut to what is relative to it.

    Returns:
        A `schema.MANIFEST` frame in the file's order.

    Raises:
        TableError: If columns are missing or unknown, a label isn't 0 or 1, a pathname stands
            twice or leads out of the archive, or a file is gone.
    """
    frame = check_table(read_raw(path, "manifest"), MANIFEST, origin=str(path))
    frame["pathname"] = frame.pathname.map(unescape_pathname)
    bad = sorted(set(frame.label) - {0, 1})
    if bad:
        raise TableError(
            f"A label must be 0 (other) or 1 (photo). Received: {bad[0]} in {path}. Correct it."
        )
    if frame.pathname.map(_is_absolute_windows).any():
        frame["pathname"] = _relative_to_archive(frame.pathname, archive, path)
    _check_pathnames(frame.pathname, path)
    if archive is not None:
        check_files_exist(frame.pathname, archive, str(path))
    return frame


def check_files_exist(pathnames: pd.Series, archive: Path, origin: str) -> None:
    """Check that the files that a table names are there, as the file system spells them.

    Raises:
        TableError: Naming the first file that is gone, and how many are.
    """
    gone = [name for name in pathnames if not os.path.lexists(archive / name)]
    if gone:
        raise files_gone(gone[0], len(gone), len(pathnames), archive, origin)


def files_gone(first: str, gone: int, named: int, archive: Path, origin: str) -> TableError:
    """Make the error that tells of files that a table names and the archive doesn't have."""
    return TableError(
        f"Each file that {origin} names must exist below {archive}. Received: {gone} of"
        f" {named} gone, first {first!r}. Put them back, or move"
        " the table away and scan again: photoclf scan --archive DIR."
    )


def _names_in(root: str, folder: str) -> Iterator[str]:
    with os.scandir(root + folder) as entries:
        for entry in entries:
            inner = "/" if entry.is_dir(follow_symlinks=False) else ""
            yield f"{folder}{entry.name}{inner}"


def _facts(pathname: str, place: str) -> tuple[str, int, int, str]:
    try:
        facts = os.stat(place)
    except OSError:  # a broken link, or a file that went while we looked
        return pathname, 0, 0, "vanished"
    if stat.S_ISREG(facts.st_mode):
        return pathname, facts.st_size, facts.st_mtime_ns, ""
    if stat.S_ISDIR(facts.st_mode):
        return pathname, 0, 0, "link_to_folder"
    return pathname, facts.st_size, facts.st_mtime_ns, "special_file"


def _no_archive(archive: Path, what: str) -> ArchiveError:
    return ArchiveError(
        f"An archive must hold files. Received: {archive}, {what}. Check the folder's name."
    )


def _check_classes(
    folders: list[str], positive: str, ignored: Collection[str], origin: str
) -> None:
    if positive not in folders:
        raise ArchiveError(
            f"An archive must have the positive folder {positive!r}. Received: {origin} with the"
            f" class folders {folders or 'none'} (ignored: {sorted(ignored)})."
            f"{did_you_mean(positive, folders)} Name it with --positive-folder."
        )
    if len(folders) < 2:
        raise ArchiveError(
            "An archive must have at least two class folders to learn from. Received: only"
            f" {folders[0]!r} in {origin}. Add a folder of images that aren't photographs."
        )


def _is_absolute_windows(pathname: str) -> bool:
    return PureWindowsPath(pathname).is_absolute() and "\\" in pathname


def _relative_to_archive(pathnames: pd.Series, archive: Path | None, path: Path) -> list[str]:
    parts = [PureWindowsPath(name).parts for name in pathnames]
    if archive is None:
        raise TableError(
            f"The archive must be known to read absolute paths. Received: {path} with"
            f" {pathnames.iloc[0]!r}. Give --archive DIR."
        )
    # The first file that is found below the archive tells how many leading folders to cut.
    for names in parts:
        for cut in range(1, len(names)):
            if os.path.lexists(archive.joinpath(*names[cut:])):
                return ["/".join(other[cut:]) for other in parts]
    raise TableError(
        f"Some file of the manifest must exist below {archive}. Received: {path}, whose first is"
        f" {pathnames.iloc[0]!r}. Check --archive DIR."
    )


def _check_pathnames(pathnames: pd.Series, path: Path) -> None:
    twice = pathnames[pathnames.duplicated()]
    if len(twice):
        raise TableError(
            f"A pathname must stand once. Received: {twice.iloc[0]!r} twice in {path}."
            " Remove one of the rows."
        )
    outside = [n for n in pathnames if not n or n.startswith("/") or ".." in n.split("/")]
    if outside:
        raise TableError(
            f"A pathname must be relative to the archive and inside it. Received: {outside[0]!r}"
            f" in {path}. Correct it, or scan again: photoclf scan --archive DIR."
        )
