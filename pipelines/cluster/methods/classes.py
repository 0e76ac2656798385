"""Classes as clusters: a column of the annotations, or several, whose combinations are the clusters."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cluster.method import Method, Option, Samples, Values

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

    from pipelines.artifacts import class_column

    codes = []
    for name in columns:
        column = class_column(table, name, path)
        if len(columns) == 1 and pa.types.is_integer(column.type):
            classes: NDArray[np.int64] = column.to_numpy().astype(np.int64)
            if classes.min() >= 0 and classes.max() <= np.iinfo(np.int32).max:
                return classes
        codes.append(np.unique(column.to_numpy(zero_copy_only=False), return_inverse=True)[1])
    combinations = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1]
    numbers: NDArray[np.int64] = combinations.reshape(-1).astype(np.int64)
    return numbers


def _read(source: Path, options: Values, scratch: Path | None) -> Samples:
    from pipelines.artifacts import read_class_columns

    columns = list(dict.fromkeys(options["columns"]))
    table = read_class_columns(source, columns)
    split = table.column("split") if "split" in table.column_names else None
    return Samples(table.column("sample_id"), split, class_clusters(table, columns, source))


def _as_they_are(classes_n: "NDArray[np.int64]", count_n: "NDArray[np.int64]", columns: Sequence[str]) -> "Clustering":
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
