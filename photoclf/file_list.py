"""What is predicted, listed before it is: so the number is known, and changes are noticed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from photoclf.errors import ArchiveError
from photoclf.listing import FileFacts, read_listed, walk_files
from photoclf.prediction_file import Checkpoint, as_hashed
from photoclf.spool import Spool


@dataclass(frozen=True)
class Source:
    """What is predicted: every file below a folder, or those that a table names.

    Args:
        folder: The folder, with or without class folders. Nothing in it is changed.
        table: A `;`-separated table with a column `pathname`, relative to the folder.
    """

    folder: Path
    table: Path | None = None

    def files(self) -> Iterator[FileFacts]:
        """List the files, see `listing`: a folder's in the order of their names.

        Raises:
            ArchiveError: If the folder is missing.
            TableError: If the table is no such table.
        """
        if not self.folder.is_dir():
            raise ArchiveError(f"What is predicted must be a folder. Received: {self.folder}.")
        return (
            walk_files(self.folder) if self.table is None else read_listed(self.table, self.folder)
        )


def list_into(
    listed: Spool, source: Source, begun: list[Checkpoint], progress: bool
) -> tuple[list[Checkpoint], str]:
    """List the files that are to be predicted, as they are now.

    Args:
        listed: What they are put into.
        source: Where they are.
        begun: How far an earlier prediction came, see `read_checkpoints`.
        progress: Whether to show a progress bar.

    Returns:
        The checkpoints before which nothing has changed, and the hash of all that was listed.

    Raises:
        ArchiveError: If there is none, or the folder can't be read.
    """
    digest, points, waiting = hashlib.sha256(), begun[:1], begun[:0:-1]
    files = tqdm(source.files(), desc="list", unit="file", disable=not progress, leave=False)
    for number, facts in enumerate(files, 1):
        if facts[0] == ".":
            raise ArchiveError(f"A folder must be readable. Received: {source.folder}, {facts[3]}.")
        listed.append(facts)
        digest.update(as_hashed(facts))
        while waiting and waiting[-1].rows == number:
            point = waiting.pop()
            if point.listing == digest.hexdigest():
                points.append(point)
    if not len(listed):
        raise ArchiveError(
            f"What is predicted must hold files. Received: {source.table or source.folder}, empty."
        )
    return points, digest.hexdigest()
