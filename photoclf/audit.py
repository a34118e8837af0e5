"""One row a file of the archive: readable or why not, hashes, quality, duplicates; the ledger."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from photoclf.decode import MAX_MEMORY, MAX_SECONDS
from photoclf.duplicates import MAX_DISTANCE, connected_groups
from photoclf.errors import TableError
from photoclf.files import full_disk_told
from photoclf.fingerprints import Fingerprints
from photoclf.known_rows import KnownRows, noting
from photoclf.manifest import IGNORED_FOLDERS
from photoclf.placing import InStep, place_files
from photoclf.quality import examine_file, image_sizes, lost_file, odd_size_scores, usual_sizes
from photoclf.schema import AUDIT, STATUSES, check_table
from photoclf.spool import Spool
from photoclf.tables import CHUNK_ROWS, write_chunks
from photoclf.workers import Lost, isolated_map


def audit_images(
    archive: Path,
    manifest: pd.DataFrame | None = None,
    *,
    out: Path,
    ignored_folders: Collection[str] = IGNORED_FOLDERS,
    previous: Path | None = None,
    journal: Path | None = None,
    max_distance: int = MAX_DISTANCE,
    workers: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Examine every file of an archive once, and write one row a file.

    Rows wait on the disk of `out`; memory holds what duplicates are told by, some 150 bytes a file.

    Args:
        archive: The archive's folder. Nothing in it is changed.
        manifest: The labelled files, a `schema.MANIFEST` frame; files that it doesn't name are
            `ignored`. Without one, every file is examined and none has a label.
        out: Where the `schema.AUDIT` table is written, sorted by pathname, one row a file; until
            all is done it stays what it was.
        ignored_folders: Class folders whose files are `ignored`.
        previous: An earlier audit's table, which may be `out`; files with the same path, size and
            time of change aren't read again, unless another version of the decoder or of the
            scores measured them.
        journal: A file to which finished rows are added, so that a killed audit goes on where it
            was. The caller removes it once the audit is written.
        max_distance: Bits by which the perceptual hashes of near duplicates may differ, 0 to 64.
        workers: Processes, see `workers.isolated_map`; one a processor core by default.
        progress: Whether to show a progress bar.

    Returns:
        The ledger, see `ledger`.

    Raises:
        TableError: If the manifest or the archive's groups file names files that are gone, or the
            disk of `out` is full.
    """
    labels = None
    if manifest is not None:
        labels = InStep(manifest.pathname, manifest.label, "the manifest")
    del manifest  # 100 bytes a file, where nobody else holds it
    with (
        full_disk_told(partial(_disk_is_full, out.parent)),
        Spool(out.parent) as placed,
        Spool(out.parent) as measured,
    ):
        files = todo = 0
        with closing(KnownRows(previous, journal)) as known:
            for row in place_files(archive, labels, ignored_folders, known.find):
                placed.append(row)
                files += 1
                todo += row["status"] == ""
        del labels
        for found in _examined(archive, placed, todo, journal, workers, progress):
            measured.append(found)
        images, usual = _looked_over(_frames(placed, measured))
        counts: list[pd.DataFrame] = []
        finished = _finished(_frames(placed, measured), images, usual, max_distance)
        write_chunks(_counted(finished, files, counts), out, AUDIT)
    return _sum_of(counts)


def ledger(audit: pd.DataFrame) -> pd.DataFrame:
    """Count the files by status and reason.

    Returns:
        A frame `status;reason;files`, the statuses in `schema.STATUSES` order. The files add up
        to the rows of the audit.
    """
    return _sum_of([audit[["status", "reason"]].assign(files=1)])


def check_ledger(counts: pd.DataFrame, n_files: int) -> None:
    """Check that a ledger gives each file one known status.

    Raises:
        TableError: If files are missing, are too many, or have another status.
    """
    known = counts.status.isin(STATUSES)
    if not known.all() or counts.files.sum() != n_files:
        raise TableError(
            f"The ledger must give each of {n_files} files one status of {STATUSES}. Received:"
            f" {counts.files.sum()} rows, {counts.files[~known].sum()} with another status."
            " Audit again."
        )


def _disk_is_full(place: Path, said: str) -> TableError:
    return TableError(
        f"The disk must take the audit, some 2 kB a file while it is made. Received: {said} in"
        f" {place}. What was measured is kept; free some space and run the same command again."
    )


def _sum_of(counts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    files = pd.concat(counts).groupby(["status", "reason"]).files.sum().reset_index()
    order = files.status.map({status: place for place, status in enumerate(STATUSES)})
    return files.iloc[np.lexsort((files.reason, order))].reset_index(drop=True)


def _examined(
    archive: Path,
    placed: Iterable[dict[str, Any]],
    todo: int,
    journal: Path | None,
    workers: int | None,
    progress: bool,
) -> Iterator[dict[str, Any]]:
    def waiting() -> Iterator[dict[str, Any]]:
        return (row for row in placed if row["status"] == "")

    examined = isolated_map(
        examine_file,
        (archive / row["pathname"] for row in waiting()),
        workers=workers,
        seconds=MAX_SECONDS,
        memory=MAX_MEMORY,
    )
    with closing(examined), noting(journal) as note:
        results = tqdm(examined, desc="audit", total=todo, unit="file", disable=not progress)
        for row, measured in zip(waiting(), results, strict=True):
            if isinstance(measured, Lost):
                measured = lost_file(archive / row["pathname"], measured.reason)
            note((row["pathname"], row["bytes"], row["mtime_ns"]), measured)
            yield measured


def _frames(
    placed: Iterable[dict[str, Any]], measured: Iterable[dict[str, Any]]
) -> Iterator[pd.DataFrame]:
    found = iter(measured)
    rows = (row if row["status"] else row | next(found) for row in placed)
    first = True
    while (batch := list(islice(rows, CHUNK_ROWS))) or first:
        yield check_table(pd.DataFrame(batch, columns=list(AUDIT.columns)), AUDIT)
        first = False


def _looked_over(frames: Iterable[pd.DataFrame]) -> tuple[Fingerprints, tuple[float, float]]:
    sizes = []

    def used() -> Iterator[pd.DataFrame]:
        for frame in frames:
            sizes.append(image_sizes(frame).to_numpy())
            yield frame[frame.status == "used"]

    images = Fingerprints(used())
    return images, usual_sizes(np.concatenate(sizes))


def _finished(
    frames: Iterable[pd.DataFrame],
    images: Fingerprints,
    usual: tuple[float, float],
    max_distance: int,
) -> Iterator[pd.DataFrame]:
    links = [images.near(max_distance), images.copies, images.grouped()]
    groups = connected_groups(len(images.first), np.concatenate(links))
    conflicts = images.conflicts()
    done = 0
    for frame in frames:
        used = frame.index[frame.status == "used"]
        here = np.arange(done, done + len(used))
        done += len(used)
        frame.loc[used, "group"] = [images.pathnames[i] for i in groups[here]]
        frame.loc[used, "label_conflict"] = conflicts[here]
        copies = images.first[here] != here
        frame.loc[used[copies], ["status", "reason"]] = ["duplicate", "same_bytes"]
        originals = [images.pathnames[i] for i in images.first[here[copies]]]
        frame.loc[used[copies], "duplicate_of"] = originals
        frame["odd_size"] = odd_size_scores(frame, usual)
        yield frame


def _counted(
    frames: Iterable[pd.DataFrame], n_files: int, counts: list[pd.DataFrame]
) -> Iterator[pd.DataFrame]:
    for frame in frames:
        counts.append(ledger(frame))
        yield frame
    check_ledger(_sum_of(counts), n_files)  # before the table takes the earlier one's place
