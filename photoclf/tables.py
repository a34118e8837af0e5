"""Tables as files: written and read whole or in chunks, `;`-separated UTF-8, names of any bytes."""

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from photoclf.errors import TableError
from photoclf.escaping import escape_pathname, unescape_pathname
from photoclf.files import replacing
from photoclf.schema import Table, check_columns, check_table

# Rows of a long table that are read or written at a time: some 10 MB of an audit.
CHUNK_ROWS = 5_000


def write_table(frame: pd.DataFrame, path: Path, table: Table) -> None:
    """Write a checked table as `;`-separated UTF-8, atomically.

    Raises:
        TableError: If the frame isn't that table.
    """
    starts = range(0, max(len(frame), 1), CHUNK_ROWS)
    write_chunks((frame.iloc[i : i + CHUNK_ROWS] for i in starts), path, table)


def write_chunks(frames: Iterable[pd.DataFrame], path: Path, table: Table) -> None:
    """Write one table whose rows come as several frames; memory holds one of them at a time.

    Raises:
        TableError: If a frame isn't that table.
    """
    with replacing(Path(path)) as file:
        wrapper = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        header = True
        for frame in frames:
            checked = check_table(frame, table, origin=f"for {path.name}")
            for name in table.pathnames:
                checked[name] = checked[name].map(escape_pathname)
            checked.to_csv(wrapper, sep=";", index=False, lineterminator="\n", header=header)
            header = False
        wrapper.detach()


def read_table(path: Path, table: Table) -> pd.DataFrame:
    """Read and check a `;`-separated UTF-8 table.

    Raises:
        TableError: If the file is missing, isn't such a table, or a value isn't of its dtype.
    """
    return _checked(read_raw(path, table.name), table, path)


def read_chunks(
    path: Path, table: Table, columns: Sequence[str] | None = None
) -> Iterator[pd.DataFrame]:
    """Read a table as `read_table` does, some of its rows at a time; memory holds no more of them.

    Args:
        path: The file.
        table: What it must be.
        columns: Those that are wanted, in their order; all by default.

    Yields:
        Frames with the wanted columns, together all rows; at least one, which may be empty.

    Raises:
        TableError: As `read_table`, when the rows in question are reached.
    """
    names = table.columns if columns is None else columns
    wanted = Table(
        table.name,
        {name: table.columns[name] for name in names},
        tuple(name for name in table.pathnames if name in names),
    )
    for raw in _raw_chunks(path, table.name, CHUNK_ROWS):
        check_columns(raw, table, str(path))
        yield _checked(raw[list(names)], wanted, path)


def read_raw(path: Path, name: str) -> pd.DataFrame:
    """Read a `;`-separated UTF-8 file as text, every value a string, none taken for missing.

    Raises:
        TableError: If the file is missing, or isn't UTF-8 or `;`-separated.
    """
    return next(_raw_chunks(path, name, sys.maxsize))


def _raw_chunks(path: Path, name: str, rows: int) -> Iterator[pd.DataFrame]:
    try:
        with pd.read_csv(
            path,
            sep=";",
            dtype=str,
            keep_default_na=False,
            encoding="utf-8",
            engine="c",
            chunksize=rows,
        ) as frames:
            for frame in frames:
                # pandas takes surplus first values for an index.
                if not isinstance(frame.index, pd.RangeIndex):
                    raise TableError(
                        f"The {name} must have as many values a row as columns. Received: {path},"
                        " with more. Put values that hold `;` in double quotes."
                    )
                yield frame
    except FileNotFoundError as error:
        raise TableError(f"The {name} must exist. Received: {path}, which does not.") from error
    except (OSError, ValueError) as error:
        # pandas's parser and decoding errors are ValueErrors, an unreadable file is an OSError.
        raise TableError(
            f"The {name} must be `;`-separated UTF-8 text. Received: {path} ({error})"
        ) from error


def _checked(raw: pd.DataFrame, table: Table, path: Path) -> pd.DataFrame:
    frame = check_table(raw, table, origin=str(path))
    for name in table.pathnames:
        frame[name] = frame[name].map(unescape_pathname)
    return frame
