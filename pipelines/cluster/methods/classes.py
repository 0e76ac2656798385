"""Classes as clusters: a column of the annotations, or several, whose combinations are the clusters."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cluster.method import Method, Option, Samples, Values
from pipelines.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from pipelines.cluster.clustering import Clustering


def class_clusters(table: "pa.Table", columns: list[str], path: Path) -> "NDArray[np.int64]":
    """The classes ``(n,)`` of samples, which are their clusters.

    A single column of whole numbers, 0 or larger, keeps its numbers. Strings, and combinations of several columns, are
    numbered in sorted order.

    Raises:
        InputError: A class is null; says how many and which samples first.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = []
    for name in columns:
        column = table.column(name).combine_chunks()
        if column.null_count:
            first = table.column("sample_id").filter(pc.is_null(column)).slice(0, 3).to_pylist()
            raise InputError(f"{path}: {column.null_count} rows have no {name}, first: {', '.join(first)}")
        if pa.types.is_nested(column.type):
            column = pa.array([str(value) for value in column.to_pylist()])
        if len(columns) == 1 and pa.types.is_integer(column.type):
            classes: NDArray[np.int64] = column.to_numpy().astype(np.int64)
            if classes.min() >= 0 and classes.max() <= np.iinfo(np.int32).max:
                return classes
        codes.append(np.unique(column.to_numpy(zero_copy_only=False), return_inverse=True)[1])
    combinations = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1]
    numbers: NDArray[np.int64] = combinations.reshape(-1).astype(np.int64)
    return numbers


def _read(source: Path, options: Values) -> Samples:
    import pyarrow as pa

    from pipelines.artifacts import Kind, open_parquet, read_table

    columns = list(dict.fromkeys(options["columns"]))
    with open_parquet(source) as file:
        has_split = "split" in file.schema_arrow.names
    kind = Kind("annotations", "sample_id", {"sample_id": pa.string()}, {"split": pa.string()})
    table = read_table(source, kind, columns=list(dict.fromkeys(["sample_id", *columns, *["split"] * has_split])))
    split = table.column("split") if has_split else None
    return Samples(table.column("sample_id"), split, class_clusters(table, columns, source))


def _as_they_are(classes_n: "NDArray[np.int64]", fitted_n: "NDArray[np.bool_]", columns: Sequence[str]) -> "Clustering":
    from pipelines.cluster.clustering import Clustering

    return Clustering(classes_n)


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
)
