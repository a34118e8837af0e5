"""Archive folder → every file in it, and the `pathname;label` table of the labelled ones."""

import os
from collections.abc import Collection
from pathlib import Path, PureWindowsPath

import pandas as pd

from photoclf.errors import ArchiveError, TableError, did_you_mean
from photoclf.escaping import unescape_pathname
from photoclf.listing import check_inside, class_folder, walk_files, why_ignored
from photoclf.schema import MANIFEST, check_table
from photoclf.tables import read_raw

POSITIVE_FOLDER = "Photo"
IGNORED_FOLDERS = ("Dataset_L2", "Photo_2")


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
    for name in pathnames:
        check_inside(name, str(path))
