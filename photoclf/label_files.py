"""The archive's files that hold a labelled content, whatever they are called."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from photoclf.files import sha256_file
from photoclf.listing import is_own_name
from photoclf.schema import AUDIT
from photoclf.tables import read_chunks


@dataclass(frozen=True)
class LabelledFiles:
    """Where contents are that people decided about.

    Args:
        files: Pathname → SHA-256 of each file that holds one of them.
        gone: The last names of contents that the archive doesn't have.
        changed: Files whose bytes aren't those that were seen under their name.
        misnamed: Pathnames that no file of the archive can have: they lead out of it, or aren't
            spelt as it spells them. None of them was looked at.
    """

    files: dict[str, str]
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    misnamed: tuple[str, ...]


def labelled_files(
    contents: Collection[str], rows: pd.DataFrame, audit: Path, archive: Path
) -> LabelledFiles:
    """Find the files of an archive that hold some contents.

    Args:
        contents: SHA-256 of each.
        rows: A `schema.JOURNAL` frame: the names under which people saw them.
        audit: The audit, which may know other names of them; it needn't be there.
        archive: The archive's folder.

    Returns:
        What was found. A file is read only if it isn't as the audit saw it.
    """
    wanted = set(contents)
    named = rows[rows.sha256.isin(wanted)]
    own = named.pathname.map(is_own_name).astype(bool)
    misnamed, named = named[~own], named[own]
    seen = dict(zip(named.pathname, named.sha256, strict=True))
    files: dict[str, str] = {}
    changed: list[str] = []
    for pathname, sha256, unread in _candidates(seen, wanted, audit, archive):
        now = sha256 if unread else _hash(archive / pathname)
        if now == sha256:
            files[pathname] = sha256
        elif now:
            changed.append(pathname)
    met = set(files.values())
    last = dict(zip(named.sha256, named.pathname, strict=True))
    gone = {name for sha256, name in last.items() if sha256 not in met} - set(changed)
    return LabelledFiles(
        files, *(tuple(sorted(set(names))) for names in (gone, changed, misnamed.pathname))
    )


def _candidates(
    seen: dict[str, str], wanted: set[str], audit: Path, archive: Path
) -> Iterator[tuple[str, str, bool]]:
    """List files that have, or had, a labelled content, and whether they needn't be read again."""
    listed = set()
    for name, sha256, size, mtime_ns in _audited(audit):
        if sha256 in wanted:
            facts = _facts(archive / name)
            if facts is not None:
                listed.add((name, sha256))
                yield name, sha256, facts == (size, mtime_ns)
    for name, sha256 in seen.items():
        if (name, sha256) not in listed:
            yield name, sha256, False


def _audited(audit: Path) -> Iterator[Iterable]:
    if audit.is_file():
        columns = ["pathname", "sha256", "bytes", "mtime_ns"]
        for rows in read_chunks(audit, AUDIT, columns):
            yield from rows[columns].itertuples(index=False)


def _facts(path: Path) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


def _hash(path: Path) -> str:
    try:
        return sha256_file(path) if path.is_file() else ""
    except OSError:  # unreadable: nothing is known of it
        return ""
