"""Classes as clusters: a column of the annotations, or several, whose combinations are the clusters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cluster.method import Method, Option, Samples, Values
from pipelines.engines import LOCAL, Engine

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from pipelines.cluster.clustering import Clustering

_PART_ROWS = 2**20


@dataclass(frozen=True, eq=False)
class ClassColumns:
    """The classes of n samples.

    Attributes:
        table: A column for each way to tell classes apart, without nulls, n rows.
    """

    table: "pa.Table"

    def __len__(self) -> int:
        """Number of samples."""
        return int(self.table.num_rows)


def class_columns(table: "pa.Table", columns: Sequence[str], path: Path) -> ClassColumns:
    """The classes in some columns of annotations.

    Raises:
        InputError: A class is null; says how many and which samples first.
    """
    import pyarrow as pa

    from pipelines.artifacts import class_column

    return ClassColumns(pa.table([class_column(table, name, path) for name in columns], names=list(columns)))


def class_clusters(classes: ClassColumns, engine: Engine = LOCAL) -> "NDArray[np.int64]":
    """The classes ``(n,)`` of samples, which are their clusters.

    A single column of whole numbers, 0 or larger, keeps its numbers. Strings, and combinations of several columns, are
    numbered in sorted order.

    Args:
        classes: The classes.
        engine: Where combinations are told apart.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    table = classes.table
    if table.num_columns == 1 and pa.types.is_integer(table.column(0).type):
        bounds = pc.min_max(table.column(0)).as_py()
        if bounds["min"] >= 0 and bounds["max"] <= np.iinfo(np.int32).max:
            numbers: NDArray[np.int64] = table.column(0).to_numpy().astype(np.int64)
            return numbers
    ranges = (np.arange(start, min(start + _PART_ROWS, len(classes))) for start in range(0, len(classes), _PART_ROWS))
    parts = (table.take(rows) for rows in ranges)  # a slice would be sent with all of the table
    with engine.workers(_TellingApart) as workers:
        found = list(workers.map(parts))
    distinct = pa.concat_tables(combinations for combinations, _ in found)
    codes = [np.unique(column.to_numpy(), return_inverse=True)[1] for column in distinct.columns]
    number = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    starts = np.cumsum([0, *(combinations.num_rows for combinations, _ in found)])
    return np.concatenate([number[start:][which_n] for start, (_, which_n) in zip(starts, found, strict=False)])


class _TellingApart:
    """Finds the combinations of classes in a part of the samples."""

    about = None

    def __call__(self, part: "pa.Table") -> "Iterator[tuple[pa.Table, NDArray[np.int64]]]":
        """The distinct rows of a table of n rows, and which of them each row is ``(n,)``."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        which_n = np.zeros(part.num_rows, dtype=np.int64)
        for column in part.columns:
            is_encoded = pa.types.is_dictionary(column.type)
            plain = column.cast(column.type.value_type) if is_encoded else column
            encoded = pc.dictionary_encode(plain).combine_chunks()
            which_n = which_n * len(encoded.dictionary) + encoded.indices.to_numpy()
            _, first, which_n = np.unique(which_n, return_index=True, return_inverse=True)
        yield part.take(first), which_n


def _read(source: Path, options: Values, scratch: Path | None) -> Samples:
    from pipelines.artifacts import read_class_columns

    columns = list(dict.fromkeys(options["columns"]))
    table = read_class_columns(source, columns)
    split = table.column("split") if "split" in table.column_names else None
    return Samples(table.column("sample_id"), split, class_columns(table, columns, source))


def _as_they_are(
    classes: ClassColumns, count_n: "NDArray[np.int64]", columns: Sequence[str], engine: Engine = LOCAL
) -> "Clustering":
    from pipelines.cluster.clustering import Clustering

    return Clustering(class_clusters(classes, engine))


METHOD = Method(
    "class",
    "a column of the annotations, or the combinations of several",
    (
        Option(
            "columns",
            list[str],
            "column that holds the class; repeat it for combinations of several columns",
            required=True,
            flag="--column",
        ),
    ),
    _as_they_are,
    read=_read,
    source="annotations",
    has_engines=True,
)
