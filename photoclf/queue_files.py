"""The files that a labelling queue draws on: where they are listed, and which hold the same."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from photoclf.errors import TableError
from photoclf.manifest import walk_files, why_ignored
from photoclf.names import Names
from photoclf.placing import InStep
from photoclf.prediction_table import read_prediction_chunks
from photoclf.schema import AUDIT
from photoclf.tables import read_chunks

# Why a file wasn't examined that may be an image all the same: nobody has labelled it.
_UNLABELLED = ("ignored_folder", "no_class_folder", "not_in_manifest")
# What nobody names an image; whatever else a name ends with may be one.
_NO_IMAGE = (
    ".csv", ".tsv", ".txt", ".md", ".json", ".xml", ".yaml", ".yml", ".log", ".ini", ".url", ".lnk",
    ".pdf", ".doc", ".docx", ".odt", ".rtf", ".xls", ".xlsx", ".ods", ".ppt", ".pptx",
    ".htm", ".html", ".css", ".js", ".py", ".ipynb", ".db", ".exe",
    ".zip", ".rar", ".7z", ".gz", ".tar", ".mp3", ".wav", ".mp4", ".mov", ".avi", ".mkv",
)  # fmt: skip


@dataclass(frozen=True)
class QueueFiles:
    """Files by name, with what is known of them. A million take some 100 MB.

    Args:
        names: Their pathnames, in the order of the table that they come from.
        scores: P(photo) of each, NaN where there is none, float64 (n,).
        decisions: What the model made of each, str (n,); empty where it has no score.
        labelled: Whether each has a label, bool (n,).
    """

    names: Names
    scores: np.ndarray
    decisions: np.ndarray
    labelled: np.ndarray

    def first_of_content(self, audits: Iterable[Path]) -> np.ndarray:
        """Tell which files to look at, when of files with equal bytes one is enough.

        Args:
            audits: Tables that may know the bytes; the first that knows every file is believed. A
                table of another folder, whose files happen to have the same names, doesn't.

        Returns:
            bool (n,); all True where no table knows.
        """
        for path in audits:
            digests = self._digests(path)
            if digests is not None:
                return ~pd.Series(digests).duplicated().to_numpy() | (digests == 0)
        return np.ones(len(self.names), bool)

    def _digests(self, audit: Path) -> np.ndarray | None:
        places = pd.Series(np.arange(len(self.names)))
        wanted = InStep(pd.Series(self.names, dtype="str"), places, "the queue")
        digests, found = np.zeros(len(self.names), np.uint64), 0
        for rows in read_chunks(audit, AUDIT, ("pathname", "sha256")):
            for name, sha256 in zip(rows.pathname, rows.sha256, strict=True):
                place = wanted.find(name)
                if place is not None:
                    found += 1
                    digests[place] = int(sha256[:16] or "0", 16)
        return digests if found == len(self.names) else None


def predicted_files(path: Path) -> QueueFiles:
    """List the readable files of a predictions table.

    Raises:
        TableError: If the file is missing or isn't such a table.
    """
    frames = read_prediction_chunks(path)
    return _files(rows[rows.status == "used"].assign(label=None) for rows in frames)


def audited_files(path: Path) -> QueueFiles:
    """List the files of an audit that are images, or may be: readable, or not yet examined.

    One that wasn't examined and is called `notes.txt` or the like is none.

    Raises:
        TableError: If the file is missing or isn't an audit.
    """
    frames = read_chunks(path, AUDIT, ("pathname", "status", "reason", "label"))
    return _files(rows[_may_be_images(rows)].assign(score=np.nan, decision="") for rows in frames)


def listed_files(archive: Path) -> QueueFiles:
    """List the files below a folder that nobody has examined and whose names may be an image's.

    Raises:
        TableError: If there is none.
    """
    names = Names(
        name
        for name, _, _, problem in walk_files(archive)
        if not problem and why_ignored(name) != "system_file" and not _is_no_image(name)
    )
    if not len(names):
        raise TableError(
            f"A queue needs files. Received: {archive}, which has none that may be an image."
            " Check the folder's name."
        )
    n = len(names)
    return QueueFiles(names, np.full(n, np.nan), np.full(n, ""), np.zeros(n, bool))


def _may_be_images(rows: pd.DataFrame) -> pd.Series:
    readable = rows.status.isin(["used", "duplicate"])
    unknown = (rows.status == "ignored") & rows.reason.isin(_UNLABELLED)
    return readable | (unknown & ~rows.pathname.map(_is_no_image).astype(bool))


def _is_no_image(pathname: str) -> bool:
    return pathname.lower().endswith(_NO_IMAGE)


def _files(frames: Iterator[pd.DataFrame]) -> QueueFiles:
    names, scores, labelled = Names(), array("d"), bytearray()
    decisions: list[np.ndarray] = []
    for rows in frames:
        names.extend(rows.pathname)
        scores.extend(rows.score)
        labelled.extend(rows.label.notna())
        decisions.append(rows.decision.to_numpy().astype("U6"))
    return QueueFiles(
        names, np.array(scores), np.concatenate(decisions), np.array(labelled).astype(bool)
    )
