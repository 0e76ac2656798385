"""Reading annotations, by split."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts.parquet import read_table
from pipelines.artifacts.schemas import ANNOTATIONS
from pipelines.errors import InputError


def read_annotations(path: Path) -> pa.Table:
    """Annotations with the column ``media_id``: the sample's own id where samples don't share media.

    Raises:
        InputError: The file can't be used, or some rows have no medium.
    """
    table = read_table(path, ANNOTATIONS)
    if "media_id" not in table.column_names:
        return table.append_column("media_id", table.column("sample_id"))
    if table.column("media_id").null_count:
        raise InputError(f"{path}: {table.column('media_id').null_count} rows have no media_id")
    return table


def rows_of_split(table: pa.Table, split: str, path: Path) -> pa.Table:
    """The rows of a split; all rows where the annotations have no splits.

    Raises:
        InputError: No row is of that split.
    """
    if "split" not in table.column_names:
        return table
    column = table.column("split")
    rows = table.filter(pc.equal(column, split))
    if not rows.num_rows:
        present = ", ".join(sorted(str(name) for name in column.unique().to_pylist()))
        raise InputError(f"{path}: no rows of split '{split}'; splits there: {present}")
    return rows
