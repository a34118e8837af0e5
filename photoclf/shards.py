"""Predicting beyond one machine: shards of the files on a Dask cluster, merged at the end."""

import csv
import io
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from photoclf.cluster import open_cluster
from photoclf.errors import check_whole
from photoclf.escaping import escape_pathname
from photoclf.exported import ExportedModel
from photoclf.file_list import Source, list_into
from photoclf.files import replacing, write_json
from photoclf.locks import wait_until_free
from photoclf.predict import Predicted, made_with, predict_files
from photoclf.prediction_file import Checkpoint
from photoclf.prediction_note import check_made_with, finished_counts, put_in_place
from photoclf.prediction_places import MADE_WITH, Places, PredictionError, claimed, room_needed
from photoclf.prediction_table import check_format, is_parquet, to_parquet
from photoclf.run_folder import RunFolder
from photoclf.spool import Spool
from photoclf.workers import available_threads

if TYPE_CHECKING:
    from distributed import Client

# Two or three minutes of a core with the release: a lost worker costs little.
SHARD_FILES = 10_000
_BUSY_SECONDS = 3600.0  # a shard's worker that only seemed lost may still be at it


@dataclass(frozen=True)
class Shard:
    """Some of the files, one after the other.

    Args:
        names: A table of their pathnames.
        out: Their predictions.
        files: How many they are.
    """

    names: Path
    out: Path
    files: int


def predict_sharded(
    source: Source,
    run: RunFolder,
    out: Path,
    *,
    scheduler: str = "",
    jobs: int | None = None,
    shard_files: int = SHARD_FILES,
    anew: bool = False,
    progress: bool = False,
) -> Predicted:
    """Predict files as `predict.predict_files` does, shard by shard on a Dask cluster.

    Each shard has a file of its own in `<out>.shards/`, written as predictions are: killed and
    called again, finished shards are left as they are, begun ones go on. A shard whose worker is
    lost is done by another. In the end they are merged, file by file against what was listed, and
    the bytes are those that one machine alone would have written.

    Args:
        source: What is predicted. Workers must see the folder under the same path, as well as
            those of the run and of `out`.
        run: The run whose exported model predicts.
        out: See `predict.predict_files`.
        scheduler: Address of a cluster that is there, such as `tcp://10.0.0.5:8786`; a cluster on
            this machine when empty.
        jobs: Workers of a cluster on this machine; one a processor core by default.
        shard_files: Files a shard, 1 or more.
        anew: See `predict.predict_files`.
        progress: Whether to show a progress bar.

    Returns:
        What it came to.

    Raises:
        ClusterError: If the scheduler doesn't answer, or a worker lacks the package or a disk.
        ArchiveError: As `predict_files`, as for `RunError`, `InTheWayError`, `PredictionError`,
            `ConfigError`.
    """
    check_format(out)
    check_whole("shard_files", shard_files, 1, 10**9)
    facts = made_with(run, ExportedModel.of(run))
    with claimed(out) as places, Spool(places.out.parent) as listed:
        _, listing = list_into(listed, source, [Checkpoint()], progress)
        if os.path.lexists(places.out):
            counts = finished_counts(places, facts, listing, anew=anew)
            if counts is not None:
                return Predicted(places.out, counts, sum(counts.values()))
        folder = places.shards.absolute()
        see = [source.folder.absolute(), run.folder.absolute(), folder.parent]
        with room_needed(out):
            write_json(folder / MADE_WITH, {"made_with": facts})
            shards = list(_lay_shards(listed, folder, shard_files))
        with open_cluster(jobs or available_threads(), scheduler, see) as client:
            kept = _work(client, shards, *see[:2], progress=progress)
        with room_needed(out):
            whole, merged = _merged(shards, facts, listed, folder / "merged.csv")
            whole = to_parquet(whole, places.converted) if is_parquet(out) else whole
        put_in_place(places, facts, listing, merged, whole, anew=anew)
        return Predicted(places.out, merged, kept)


def predict_shard(folder: Path, run: Path, shard: Shard) -> int:
    """Predict a shard's files, on a worker; return how many of them were done before."""
    wait_until_free(Places(shard.out).lock, seconds=_BUSY_SECONDS)
    source = Source(folder, shard.names)
    # One process: the worker next to this one has the next core.
    return predict_files(source, RunFolder(run), shard.out, workers=1, anew=True).kept


def _lay_shards(listed: Spool, folder: Path, shard_files: int) -> Iterator[Shard]:
    files = iter(listed)
    for number in range(-(-len(listed) // shard_files)):
        names = folder / f"{number:05d}.names.csv"
        rows = [(escape_pathname(facts[0]),) for facts in islice(files, shard_files)]
        with replacing(names) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
            csv.writer(text, delimiter=";", lineterminator="\n").writerows([("pathname",), *rows])
            text.detach()
        yield Shard(names, folder / f"{number:05d}.csv", len(rows))


def _work(client: "Client", shards: list[Shard], folder: Path, run: Path, *, progress: bool) -> int:
    from distributed import as_completed

    bar = tqdm(
        total=sum(shard.files for shard in shards),
        desc="predict",
        unit="image",
        disable=not progress,
    )
    # Names of this call alone: others may share the scheduler, and an earlier call's results.
    call = uuid.uuid4().hex
    futures = {
        client.submit(
            predict_shard, folder, run, shard, pure=False, key=f"{shard.out.stem}-{call}"
        ): shard
        for shard in shards
    }
    kept = 0
    with bar:
        for future in as_completed(futures):
            kept += future.result()
            bar.update(futures[future].files)
    return kept


def _merged(
    shards: list[Shard], facts: Mapping[str, Any], listed: Spool, place: Path
) -> tuple[Path, dict[str, int]]:
    """Lay the shards' rows one after the other; each must be that of the next file listed."""
    names = (facts[0] for facts in listed)
    counts: Counter[str] = Counter()
    with open(place, "wb") as whole:
        for number, shard in enumerate(shards):
            check_made_with(Places(shard.out), facts)
            with open(shard.out, encoding="utf-8", newline="") as file:
                rows = csv.DictReader(file, delimiter=";")
                found = 0
                # Names first: at their end `zip` must not have taken a row already.
                for name, row in zip(islice(names, shard.files), rows, strict=False):
                    if row["pathname"] != escape_pathname(name):
                        break
                    counts[row["decision"] or row["status"]] += 1
                    found += 1
                if found != shard.files or next(rows, None) is not None:
                    raise PredictionError(
                        f"A shard must hold the rows of its {shard.files} files. Received:"
                        f" {shard.out}, which departs from them after {found}. Delete it, and run"
                        " the same command again."
                    )
            with open(shard.out, "rb") as file:
                header = file.readline()
                whole.write(header if number == 0 else b"")
                shutil.copyfileobj(file, whole)
    return place, dict(sorted(counts.items()))
