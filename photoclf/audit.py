"""One row a file of the archive: readable or why not, hashes, quality, duplicates; the ledger."""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from photoclf.decode import MAX_MEMORY, MAX_SECONDS
from photoclf.duplicates import MAX_DISTANCE, connected_groups, links_of_equal, near_links
from photoclf.errors import TableError
from photoclf.manifest import (
    GROUPS_FILE,
    IGNORED_FOLDERS,
    check_files_exist,
    class_folder,
    list_files,
    source_folder,
    why_ignored,
)
from photoclf.quality import MEASURED_BY, QUALITY, examine_file, lost_file, odd_size_scores
from photoclf.schema import AUDIT, STATUSES, check_table, read_raw, unescape_pathname
from photoclf.workers import Lost, isolated_map

# What `examine_file` says of a file, beside its status.
_MEASURED = (
    *("measured_by", "sha256", "format", "mode", "width", "height", "exif_orientation", "exif"),
    *("phash", "detail_hash", *QUALITY),
)
_PROBLEMS = {  # what listing found → status and reason
    "special_file": ("not_an_image", "special_file"),
    "link_to_folder": ("ignored", "link_to_folder"),
    "folder_no_permission": ("unreadable", "folder_no_permission"),
    "vanished": ("unreadable", "vanished"),
}


def audit_images(
    archive: Path,
    manifest: pd.DataFrame | None = None,
    *,
    ignored_folders: Collection[str] = IGNORED_FOLDERS,
    previous: pd.DataFrame | None = None,
    journal: Path | None = None,
    max_distance: int = MAX_DISTANCE,
    workers: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Examine every file of an archive once.

    Args:
        archive: The archive's folder. Nothing in it is changed.
        manifest: The labelled files, a `schema.MANIFEST` frame; files that it doesn't name are
            `ignored`. Without one, every file is examined and none has a label.
        ignored_folders: Class folders whose files are `ignored`.
        previous: An earlier audit; files with the same path, size and time of change aren't read
            again, unless another version of the decoder or of the scores measured them.
        journal: A file to which finished rows are added, so that a killed audit goes on where it
            was. The caller removes it once the audit is written.
        max_distance: Bits by which the perceptual hashes of near duplicates may differ, 0 to 64.
        workers: Processes, see `workers.isolated_map`; one a processor core by default.
        progress: Whether to show a progress bar.

    Returns:
        A `schema.AUDIT` frame sorted by pathname, one row a file.

    Raises:
        TableError: If the manifest or the archive's groups file names files that are gone.
    """
    files = list_files(archive)
    if manifest is not None:
        check_files_exist(manifest.pathname, archive, "the manifest", files.pathname)
    named_groups = _named_groups(archive, files)
    rows = _placed(files, manifest, ignored_folders)
    known = _known_rows(previous, journal)
    todo = [i for i, row in enumerate(rows) if row["status"] == "" and not _recall(row, known)]
    for i, measured in _examined(archive, rows, todo, journal, workers, progress):
        rows[i] |= measured
    audit = check_table(pd.DataFrame(rows, columns=list(AUDIT.columns)), AUDIT)
    audit["odd_size"] = odd_size_scores(audit)
    named = [named_groups.get(name, "") for name in audit.pathname]
    audit["named_group"] = pd.Series(named, audit.index, dtype="str")
    audit = _with_duplicates(audit, max_distance)
    check_ledger(audit, len(files))
    return audit


def ledger(audit: pd.DataFrame) -> pd.DataFrame:
    """Count the files by status and reason.

    Returns:
        A frame `status;reason;files`, the statuses in `schema.STATUSES` order. The files add up
        to the rows of the audit.
    """
    counts = audit.groupby(["status", "reason"], sort=True).size().rename("files").reset_index()
    order = counts.status.map(STATUSES.index)
    return counts.iloc[np.lexsort((counts.reason, order))].reset_index(drop=True)


def check_ledger(audit: pd.DataFrame, n_files: int) -> None:
    """Check that each file has one known status.

    Raises:
        TableError: If files are missing, stand twice, or have another status.
    """
    known = audit.status.isin(STATUSES)
    if not known.all() or len(audit) != n_files or audit.pathname.duplicated().any():
        raise TableError(
            f"The ledger must give each of {n_files} files one status of {STATUSES}. Received:"
            f" {len(audit)} rows, {int((~known).sum())} with another status. Audit again."
        )


def _placed(
    files: pd.DataFrame, manifest: pd.DataFrame | None, ignored_folders: Collection[str]
) -> list[dict[str, Any]]:
    labels = None if manifest is None else dict(zip(manifest.pathname, manifest.label, strict=True))
    rows = []
    for name, size, mtime, problem in files.itertuples(index=False):
        status, reason = _PROBLEMS.get(problem, ("", ""))
        if not status:
            status, reason = _status_by_name(name, labels, ignored_folders)
        rows.append(
            dict.fromkeys(AUDIT.columns, "")
            | dict.fromkeys(QUALITY, np.nan)
            | {"pathname": name, "status": status, "reason": reason}
            | {"class_folder": class_folder(name), "source": source_folder(name)}
            | {"label": labels.get(name) if labels else None, "bytes": size, "mtime_ns": mtime}
            | {"label_conflict": False}
        )
    return rows


def _status_by_name(
    name: str, labels: dict[str, int] | None, ignored_folders: Collection[str]
) -> tuple[str, str]:
    if labels is not None and name in labels:
        return "", ""
    ignored = why_ignored(name, ignored_folders)
    if labels is None:  # without labels the folders mean nothing: only system files are left out
        ignored = "" if ignored == "no_class_folder" else ignored
        return ("ignored", ignored) if ignored else ("", "")
    return "ignored", ignored or "not_in_manifest"


def _known_rows(previous: pd.DataFrame | None, journal: Path | None) -> dict[tuple, dict]:
    known = {}
    if previous is not None:
        columns = ["status", "reason", *_MEASURED]
        done = previous[(previous.sha256 != "") & (previous.measured_by == MEASURED_BY)]
        # A duplicate was readable; whether it is a duplicate is decided anew each time.
        done = done.assign(
            status=done.status.replace("duplicate", "used"),
            reason=done.reason.where(done.status != "duplicate", ""),
        )
        keys = zip(done.pathname, done.bytes, done.mtime_ns, strict=True)
        known = dict(zip(keys, done[columns].to_dict("records"), strict=True))
    if journal is not None and journal.is_file():
        for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                key, measured = json.loads(line)
            except ValueError:  # the line that was being written when the audit was killed
                continue
            if measured.get("measured_by") == MEASURED_BY:
                known[tuple(key)] = measured
    return known


def _recall(row: dict[str, Any], known: dict[tuple, dict]) -> bool:
    measured = known.get((row["pathname"], row["bytes"], row["mtime_ns"]))
    row |= measured or {}
    return measured is not None


def _examined(
    archive: Path,
    rows: list[dict[str, Any]],
    todo: list[int],
    journal: Path | None,
    workers: int | None,
    progress: bool,
) -> Iterator[tuple[int, dict[str, Any]]]:
    if journal is not None:
        journal.parent.mkdir(parents=True, exist_ok=True)
    paths = [archive / rows[i]["pathname"] for i in todo]
    examined = isolated_map(
        examine_file, paths, workers=workers, seconds=MAX_SECONDS, memory=MAX_MEMORY
    )
    with (
        closing(examined),
        # Line by line, so that a kill loses the files in hand and no more.
        open(journal or os.devnull, "a", encoding="utf-8", buffering=1) as notes,
    ):
        notes.write("\n")  # ends the half line that a kill may have left
        results = tqdm(
            examined,
            total=len(todo),
            desc="audit",
            unit="file",
            disable=not progress,
        )
        for i, measured in zip(todo, results, strict=True):
            if isinstance(measured, Lost):
                measured = lost_file(archive / rows[i]["pathname"], measured.reason)
            key = [rows[i]["pathname"], rows[i]["bytes"], rows[i]["mtime_ns"]]
            notes.write(json.dumps([key, measured]) + "\n")
            yield i, measured


def _named_groups(archive: Path, files: pd.DataFrame) -> dict[str, str]:
    path = archive / GROUPS_FILE
    if not path.is_file():
        return {}
    groups = read_raw(path, "groups file")
    if not {"pathname", "group"} <= set(groups.columns):
        raise TableError(
            f"A groups file must have the columns pathname;group. Received: {path} with"
            f" {list(groups.columns)}. Correct or rename it."
        )
    names = groups.pathname.map(unescape_pathname)
    check_files_exist(names, archive, str(path), files.pathname)
    if names.duplicated().any():
        raise TableError(
            f"A groups file must name a file once. Received: {names[names.duplicated()].iloc[0]!r}"
            f" twice in {path}. Remove one of the rows."
        )
    return dict(zip(names, groups.group, strict=True))


def _with_duplicates(audit: pd.DataFrame, max_distance: int) -> pd.DataFrame:
    used = audit[audit.status == "used"]
    first = used.groupby("sha256", sort=False).pathname.transform("first")
    copies = used.index[first != used.pathname]
    audit.loc[copies, ["status", "reason"]] = ["duplicate", "same_bytes"]
    audit.loc[copies, "duplicate_of"] = first[copies]
    conflict = used.groupby("sha256", sort=False).label.transform("nunique") > 1
    audit.loc[used.index, "label_conflict"] = conflict
    links = [
        *near_links(list(used.phash), list(used.detail_hash), max_distance),
        *links_of_equal(list(used.sha256)),
        *links_of_equal(list(used.named_group)),
    ]
    roots = connected_groups(len(used), links)
    audit.loc[used.index, "group"] = used.pathname.to_numpy()[roots]
    return audit
