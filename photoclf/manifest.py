"""Archive folder → every file in it, and the `pathname;label` table of the labelled ones."""

import os
import stat
from collections.abc import Collection
from pathlib import Path, PureWindowsPath

import pandas as pd

from photoclf.errors import ArchiveError, TableError, did_you_mean
from photoclf.schema import MANIFEST, check_table, read_raw, unescape_pathname

POSITIVE_FOLDER = "Photo"
IGNORED_FOLDERS = ("Dataset_L2", "Photo_2")

GROUPS_FILE = "groups.csv"
"""A file at the archive's root, `pathname;group`, that says which images belong together."""

_SYSTEM_NAMES = {"thumbs.db", "desktop.ini", "ehthumbs.db"}


def list_files(archive: Path) -> pd.DataFrame:
    """List every file below a folder, without opening any.

    Links to folders aren't followed, so that no loop is endless and no file counted twice.

    Args:
        archive: The folder.

    Returns:
        A frame sorted by `pathname` (relative, with `/`), with `bytes` and `mtime_ns` (int64) and
        `problem`: empty, `special_file` (a pipe, socket or device), `link_to_folder`,
        `folder_no_permission` (a folder whose files can't be listed) or `vanished`.
    """
    rows: list[tuple[str, int, int, str]] = []
    folders = [("", os.fspath(archive))]
    while folders:
        prefix, place = folders.pop()
        try:
            entries = list(os.scandir(place))
        except OSError:
            rows.append((prefix.rstrip("/") or ".", 0, 0, "folder_no_permission"))
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append((f"{prefix}{entry.name}/", entry.path))
            else:
                rows.append(_row(prefix + entry.name, entry))
    rows.sort()
    return pd.DataFrame(rows, columns=["pathname", "bytes", "mtime_ns", "problem"])


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
    return label_files(
        list_files(archive),
        positive_folder=positive_folder,
        ignored_folders=ignored_folders,
        origin=str(archive),
    )


def label_files(
    files: pd.DataFrame,
    *,
    positive_folder: str,
    ignored_folders: Collection[str],
    origin: str,
) -> pd.DataFrame:
    """Do `scan_archive`'s work on a list of files that is already there."""
    if files.empty or list(files.pathname) == ["."]:
        what = "no file" if files.empty else "a folder that can't be listed"
        raise ArchiveError(
            f"An archive must hold files. Received: {origin}, {what}. Check the folder's name."
        )
    reasons = files.pathname.map(lambda name: why_ignored(name, ignored_folders))
    kept = files[(reasons == "") & files.problem.isin(["", "vanished"])]
    folders = kept.pathname.map(class_folder)
    _check_classes(sorted(set(folders)), positive_folder, ignored_folders, origin)
    labels = (folders == positive_folder).astype("int64")
    return check_table(pd.DataFrame({"pathname": kept.pathname, "label": labels}), MANIFEST)


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


def check_files_exist(
    pathnames: pd.Series, archive: Path, origin: str, listed: Collection[str] | None = None
) -> None:
    """Check that files named by a table are there.

    Args:
        pathnames: The names.
        archive: The folder below which they must exist.
        origin: The table, for the error.
        listed: The names that `list_files` found, spelt as it spells them; without them the file
            system is asked, which on Windows and macOS takes other spellings too.

    Raises:
        TableError: Naming the first files that are gone and their number.
    """
    if listed is None:
        gone = [name for name in pathnames if not os.path.lexists(archive / name)]
    else:
        gone = sorted(set(pathnames) - set(listed))
    if gone:
        raise TableError(
            f"Each file that {origin} names must exist below {archive}. Received: {len(gone)} of"
            f" {len(pathnames)} gone, first {gone[0]!r}. Put them back, or move"
            " the table away and scan again: photoclf scan --archive DIR."
        )


def _row(pathname: str, entry: os.DirEntry) -> tuple[str, int, int, str]:
    try:
        facts = entry.stat()
    except OSError:  # a broken link, or a file that went while we looked
        return pathname, 0, 0, "vanished"
    if stat.S_ISREG(facts.st_mode):
        return pathname, facts.st_size, facts.st_mtime_ns, ""
    if stat.S_ISDIR(facts.st_mode):
        return pathname, 0, 0, "link_to_folder"
    return pathname, facts.st_size, facts.st_mtime_ns, "special_file"


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
