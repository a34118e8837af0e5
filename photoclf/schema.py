"""Every table's column names and dtypes, and the check that a frame has them."""

from dataclasses import dataclass

import pandas as pd

from photoclf.errors import TableError, did_you_mean

# With pyarrow installed pandas would keep texts in it, which takes UTF-8 alone; file names may hold
# any bytes.
pd.set_option("mode.string_storage", "python")

LABELS = {0: "other", 1: "photo"}
SPLITS = ("train", "val", "test")
DECISIONS = ("photo", "other", "review")
STATUSES = ("used", "unreadable", "duplicate", "not_an_image", "ignored")


@dataclass(frozen=True)
class Table:
    """A table's name and its columns.

    Args:
        name: What errors call it.
        columns: Column name → pandas dtype. Nullable integers are `Int64`, times and sizes carry
            their unit in the name.
        pathnames: The columns that hold file names, which are escaped in the file, see
            `escaping.escape_pathname`.
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

STRESS = Table(
    "stress",
    {
        "change": "str",
        "level": "float64",
        "threshold": "float64",
        "temperature": "float64",
        "images": "int64",
        "photos": "int64",
        **{
            f"{name}{part}": "float64"
            for name in ("recall", "precision")
            for part in ("", "_low", "_high")
        },
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

# A person fills in `label`; text editors and spreadsheets may do as they like with the rest.
CHECK_SHEET = Table(
    "check sheet", {"pathname": "str", "score": "float64", "decision": "str", "label": "str"}
)

# One row a decision of a person, appended and never changed.
JOURNAL = Table(
    "labels journal",
    {
        "who": "str",
        "when": "str",
        "pathname": "str",
        "sha256": "str",
        "label": "str",
        "source": "str",
    },
)

QUEUE = Table("labelling queue", {"pathname": "str", "score": "float64", "source": "str"})

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
        "triage": "str",
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

NEIGHBOURS = Table(
    "neighbours in training",
    {
        "pathname": "str",
        "rank": "int64",
        "neighbour": "str",
        "label": "int64",
        "class_folder": "str",
        "similarity": "float64",
        "of_images": "int64",
    },
    pathnames=("pathname", "neighbour", "class_folder"),
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
    check_columns(frame, table, origin)
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


def check_columns(frame: pd.DataFrame, table: Table, origin: str) -> None:
    """Check that a frame has a table's columns and no others, in any order.

    Raises:
        TableError: Naming the missing and the unknown ones, and the nearest right names.
    """
    missing = [c for c in table.columns if c not in frame.columns]
    unknown = [str(c) for c in frame.columns if c not in table.columns]
    if missing or unknown:
        hint = "".join(did_you_mean(c, missing) for c in unknown)
        raise TableError(
            f"The {table.name}{f' {origin}' if origin else ''} must have the columns"
            f" {';'.join(table.columns)}."
            f" Missing: {missing or 'none'}. Unknown: {unknown or 'none'}.{hint}"
        )


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
