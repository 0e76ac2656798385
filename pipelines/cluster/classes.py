"""Classes as clusters: a column of the annotations, or several, whose combinations are the clusters."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.cluster.clustering import Clustering
from pipelines.errors import InputError


def class_clusters(table: pa.Table, columns: list[str], path: Path) -> Clustering:
    """Take the classes of samples as their clusters.

    A single column of whole numbers, 0 or larger, keeps its numbers. Strings, and combinations of several columns, are
    numbered in sorted order.

    Raises:
        InputError: A class is null; says how many and which samples first.
    """
    codes = []
    for name in columns:
        column = table.column(name).combine_chunks()
        if column.null_count:
            first = table.column("sample_id").filter(pc.is_null(column)).slice(0, 3).to_pylist()
            raise InputError(f"{path}: {column.null_count} rows have no {name}, first: {', '.join(first)}")
        if pa.types.is_nested(column.type):
            column = pa.array([str(value) for value in column.to_pylist()])
        if len(columns) == 1 and pa.types.is_integer(column.type):
            classes = column.to_numpy().astype(np.int64)
            if classes.min() >= 0 and classes.max() <= np.iinfo(np.int32).max:
                return Clustering(classes)
        codes.append(np.unique(column.to_numpy(zero_copy_only=False), return_inverse=True)[1])
    combinations = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1]
    return Clustering(combinations.reshape(-1).astype(np.int64))
