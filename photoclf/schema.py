"""Every table's column names and dtypes, and how tables are written, read and checked."""

import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from photoclf.errors import TableError, did_you_mean
from photoclf.files import replacing

LABELS = {0: "other", 1: "photo"}
SPLITS = ("train", "val", "test")
DECISIONS = ("photo", "other", "review")
# Rows of a long table that are read or written at a time: some 10 MB of an audit.
CHUNK_ROWS = 5_000
STATUSES = ("used", "unreadable", "duplicate", "not_an_image", "ignored")


@dataclass(frozen=True)
class Table:
    """A table's name and its columns.

    Args:
        name: What errors call it.
        columns: Column name → pandas dtype. Nullable integers are `Int64`, times and sizes carry
            their unit in the name.
        pathnames: The columns that hold file names, escaped in the file (see `escape_pathname`).
    """

    name: str
    columns: dict[str, str]
    pathnames: tuple[str, ...] = ("pathname",)


MANIFEST = Table("manifest", {"pathname": "str", "label": "int64"})

AUDIT = Table(
    "audit",
    {
        "pathname": "str",
        "status": "str",
        "reason": "str",
        "class_folder": "str",
        "source": "str",
        "label": "Int64",
        "bytes": "int64",
        "mtime_ns": "int64",
        "measured_by": "str",
        "sha256": "str",
        "format": "str",
        "mode": "str",
        "width": "Int64",
        "height": "Int64",
        "exif_orientation": "Int64",
        "exif": "Int64",
        "phash": "str",
        "detail_hash": "str",
        "dark": "float64",
        "bright": "float64",
        "blurry": "float64",
        "low_information": "float64",
        "odd_aspect_ratio": "float64",
        "odd_size": "float64",
        "grayscale": "float64",
        "duplicate_of": "str",
        "named_group": "str",
        "group": "str",
        "label_conflict": "bool",
    },
    pathnames=("pathname", "class_folder", "source", "duplicate_of", "named_group", "group"),
)

LEDGER = Table("ledger", {"status": "str", "reason": "str", "files": "int64"}, pathnames=())

CONFLICTS = Table(
    "label conflicts",
    {
        "pathname_a": "str",
        "pathname_b": "str",
        "label_a": "int64",
        "label_b": "int64",
        "kind": "str",
    },
    pathnames=("pathname_a", "pathname_b"),
)

SPLIT = Table(
    "split",
    {
        "pathname": "str",
        "label": "int64",
        "class_folder": "str",
        "source": "str",
        "group": "str",
        "sha256": "str",
        "phash": "str",
        "detail_hash": "str",
        "split": "str",
    },
    pathnames=("pathname", "class_folder", "source", "group"),
)

HISTORY = Table(
    "history",
    {
        "epoch": "int64",
        "loss": "float64",
        "accuracy": "float64",
        "val_loss": "float64",
        "val_accuracy": "float64",
        "learning_rate": "float64",
        "duration_s": "float64",
    },
    pathnames=(),
)

VAL_SCORES = Table(
    "val scores",
    {"pathname": "str", "label": "int64", "score": "float64", "group": "str"},
    pathnames=("pathname", "group"),
)

ABLATION = Table(
    "ablation",
    {
        "recipe": "str",
        "recipe_hash": "str",
        "split": "str",
        "split_hash": "str",
        "images": "int64",
        "photos": "int64",
        "threshold": "float64",
        "f1": "float64",
        "recall": "float64",
        "precision": "float64",
        "roc_auc": "float64",
        "f1_half": "float64",
        "ece": "float64",
        "val_f1": "float64",
        "features": "int64",
        "views": "int64",
        "fit_s": "float64",
    },
    pathnames=(),
)

PREDICTIONS = Table(
    "predictions",
    {
        "pathname": "str",
        "score": "float64",
        "decision": "str",
        "status": "str",
        "reason": "str",
    },
)

EVALUATION = Table(
    "evaluation predictions",
    {
        "pathname": "str",
        "split": "str",
        "label": "int64",
        "class_folder": "str",
        "source": "str",
        "group": "str",
        "score": "float64",
        "decision": "str",
    },
    pathnames=("pathname", "class_folder", "source", "group"),
)

OPENINGS = Table(
    "test openings", {"opened_at": "str", "split_hash": "str", "images": "int64"}, pathnames=()
)

SUSPECTS = Table(
    "suspected labels",
    {
        "pathname": "str",
        "label": "int64",
        "class_folder": "str",
        "source": "str",
        "score": "float64",
        "label_quality": "float64",
        "scored_by": "str",
    },
    pathnames=("pathname", "class_folder", "source"),
)

EVENTS = Table(
    "events",
    {"run": "str", "tag": "str", "step": "int64", "wall_time_s": "float64", "value": "float64"},
    pathnames=(),
)


def check_table(frame: pd.DataFrame, table: Table, *, origin: str = "") -> pd.DataFrame:
    """Check that a frame has a table's columns, and cast them to its dtypes.

    Args:
        frame: The frame to check.
        table: The table it must be.
        origin: Where it came from, for the error.

    Returns:
        A frame with exactly the table's columns, in its order and dtypes.

    Raises:
        TableError: If a column is missing or unknown, or a value isn't of its dtype.

    Example:
        >>> import pandas as pd
        >>> check_table(pd.DataFrame({"pathname": ["a.png"], "label": ["1"]}), MANIFEST).label[0]
        np.int64(1)
    """
    _check_columns(frame, table, origin)
    frame = frame.reset_index(drop=True)
    columns = {}
    for name, dtype in table.columns.items():
        try:
            columns[name] = _cast(frame[name], dtype)
        except (ValueError, TypeError, OverflowError, LookupError) as error:
            where = f" {origin}" if origin else ""
            raise TableError(
                f"The {table.name}{where} must have {dtype} values in the column `{name}`."
                f" Received: {error}"
            ) from error
    return pd.DataFrame(columns)


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
        _check_columns(raw, table, str(path))
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


def escape_pathname(name: str) -> str:
    r"""Write a file name as valid UTF-8 that a CSV file can hold.

    A byte that isn't UTF-8 is, in Python, a lone surrogate; it becomes the text `\udcXX`. A
    carriage return, which would end the row, becomes `\u000d`; a backslash that already begins
    such a text becomes `\u005c`, so that nothing is ambiguous.
    """
    return _TO_ESCAPE.sub(lambda m: f"\\u{ord(m[0]):04x}", name)


def unescape_pathname(text: str) -> str:
    """Turn back what `escape_pathname` wrote."""
    return _ESCAPED.sub(lambda m: chr(int(m[1], 16)), text)


def _check_columns(frame: pd.DataFrame, table: Table, origin: str) -> None:
    missing = [c for c in table.columns if c not in frame.columns]
    unknown = [str(c) for c in frame.columns if c not in table.columns]
    if missing or unknown:
        hint = "".join(did_you_mean(c, missing) for c in unknown)
        raise TableError(
            f"The {table.name}{f' {origin}' if origin else ''} must have the columns"
            f" {';'.join(table.columns)}."
            f" Missing: {missing or 'none'}. Unknown: {unknown or 'none'}.{hint}"
        )


_ESCAPED = re.compile(r"\\u(000d|005c|d[89a-f][0-9a-f]{2})")
_TO_ESCAPE = re.compile(rf"[\r\ud800-\udfff]|\\(?={_ESCAPED.pattern[2:]})")


def _cast(values: pd.Series, dtype: str) -> pd.Series:
    if dtype == "str":
        if values.dtype == "str" and not values.hasnans:
            return values.copy()
        texts = values.astype(object)
        return texts.mask(texts.isna(), "").map(str).astype("str")
    if dtype == "bool":
        return values.map(_BOOLEANS.__getitem__).astype(bool)
    if values.dtype == object or str(values.dtype) in ("str", "string"):
        values = values.replace("", None) if dtype in ("Int64", "float64") else values
    numbers = pd.to_numeric(values)
    if dtype == "int64" and (numbers.isna().any() or (numbers != numbers.round()).any()):
        raise ValueError("a value that is not a whole number")
    return numbers.astype(pd.api.types.pandas_dtype(dtype))


_BOOLEANS = {True: True, False: False, "True": True, "False": False}
