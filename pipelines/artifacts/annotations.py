"""Reading annotations, by split."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts.ids import first_few, shortened
from pipelines.artifacts.parquet import read_table
from pipelines.artifacts.schemas import ANNOTATIONS
from pipelines.artifacts.splits import canonical_split
from pipelines.errors import InputError


def read_annotations(path: Path, *, texts: bool = True) -> pa.Table:
    """Annotations with the column ``media_id``: the sample's own id where samples don't share media.

    Args:
        path: The file.
        texts: Whether to read the texts, which take more memory than all else.

    Raises:
        InputError: The file can't be used, or some rows have no medium.
    """
    return with_media_ids(read_table(path, ANNOTATIONS, without=() if texts else ("text",)), path)


def with_media_ids(table: pa.Table, path: Path) -> pa.Table:
    """The table with the column ``media_id``, as `read_annotations` gives it.

    Raises:
        InputError: Some rows have no medium.
    """
    if "media_id" not in table.column_names:
        return table.append_column("media_id", table.column("sample_id"))
    lacking = table.filter(pc.is_null(table.column("media_id"))).column("sample_id")
    if len(lacking):
        first = first_few(lacking[:3].to_pylist())
        raise InputError(f"{path}: {len(lacking)} rows have no media_id, first: {first}; fill it in, or leave them out")
    return table


def rows_of_split(table: pa.Table, split: str, path: Path) -> pa.Table:
    """The rows of a split; all rows where the annotations have no splits.

    ``read_table`` has given the usual spellings of splits their plain names, and so it is for ``split``.

    Raises:
        InputError: No row is of that split.
    """
    if "split" not in table.column_names:
        return table
    column = table.column("split")
    rows = table.filter(pc.equal(column, canonical_split(split)))
    if not rows.num_rows:
        present = first_few(sorted(str(name) for name in column.unique().to_pylist()))
        raise InputError(f"{path}: no rows of split '{split}'; splits there: {present}")
    return rows


def require_texts(table: pa.Table, path: Path) -> None:
    """Check that each sample has a text.

    Raises:
        InputError: Texts are empty or null; names the rows.
    """
    text = table.column("text")
    blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(text), ""), True)
    rows = np.flatnonzero(blank.to_numpy())
    if len(rows):
        first = table.column("sample_id").take(pa.array(rows[:3])).to_pylist()
        named = (f"row {row + 1} ({shortened(sample_id)})" for row, sample_id in zip(rows[:3], first, strict=True))
        raise InputError(
            f"{path}: {len(rows)} texts are empty or null, first: {', '.join(named)}; "
            "`mmts prepare` with --allow-partial leaves such rows out"
        )
