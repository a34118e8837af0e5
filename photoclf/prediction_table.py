"""Predictions as frames, and as Parquet."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from photoclf.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

# pandas takes as long to load as twenty images to score; the command line needs none of it.


def is_parquet(path: Path) -> bool:
    """Tell whether a file's name asks for Parquet."""
    return path.suffix.lower() == ".parquet"


def check_format(path: Path) -> None:
    """Check that predictions can be written in the format that a file's name asks for.

    Raises:
        ConfigError: If the name ends otherwise than `.csv` or `.parquet`, or Parquet is wanted and
            pyarrow isn't installed.
    """
    if not is_parquet(path) and path.suffix.lower() != ".csv":
        raise ConfigError(
            f"A file for predictions must end in .csv or .parquet. Received: {path}. Name it so."
        )
    if is_parquet(path) and importlib.util.find_spec("pyarrow") is None:
        raise ConfigError(
            f"Parquet needs pyarrow. Received: {path}, and pyarrow isn't installed. Install it (pip"
            " install 'photoclf[parquet]'), or give a name that ends in .csv."
        )


def read_predictions(path: Path) -> "pd.DataFrame":
    """Read predictions, `;`-separated or Parquet, as a `schema.PREDICTIONS` frame.

    Raises:
        TableError: If they are no such table.
    """
    import pandas as pd

    return pd.concat(read_prediction_chunks(path), ignore_index=True)


def read_prediction_chunks(path: Path) -> Iterator["pd.DataFrame"]:
    """Read predictions some rows at a time, see `read_predictions`."""
    from photoclf.schema import PREDICTIONS, check_table
    from photoclf.tables import CHUNK_ROWS, read_chunks

    if not is_parquet(path):
        yield from read_chunks(path, PREDICTIONS)
        return
    from pyarrow import parquet

    from photoclf.escaping import unescape_pathname

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(CHUNK_ROWS):
            frame = check_table(batch.to_pandas(), PREDICTIONS, origin=str(path))
            yield frame.assign(pathname=frame.pathname.map(unescape_pathname))


def to_parquet(table: Path, place: Path) -> Path:
    """Write `;`-separated predictions as Parquet; return where.

    Pathnames are escaped as in the table: Parquet's texts are UTF-8, too.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from photoclf.escaping import escape_pathname
    from photoclf.schema import PREDICTIONS
    from photoclf.tables import read_chunks

    types = {"str": pa.string(), "float64": pa.float64()}
    schema = pa.schema([(name, types[dtype]) for name, dtype in PREDICTIONS.columns.items()])
    with parquet.ParquetWriter(place, schema, compression="zstd") as writer:
        for frame in read_chunks(table, PREDICTIONS):
            frame["pathname"] = frame.pathname.map(escape_pathname)
            columns = [
                pa.array(frame[name], schema.field(name).type, from_pandas=True) for name in frame
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return place
