"""Scores of single queries as the rows of ``ranks.parquet``."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.artifacts import RANKS
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.queries import DIRECTIONS, QueryScores
from pipelines.scores.thirds import THIRDS


@dataclass(frozen=True)
class Ids:
    """What the rows of the similarities are called.

    Attributes:
        media: Id of each medium.
        texts: Id of each text.
    """

    media: pa.Array
    texts: pa.Array


def query_table(evaluation: Evaluation, ids: Ids) -> pa.Table:
    """One row a query and direction.

    Beside the columns of `RANKS`: ``media_id``, the medium that the query belongs to (the bootstrap draws media),
    ``tied`` and ``fold``; ``tail_class`` where a data set names such classes; and one column a metric where queries
    are not scored by a rank, which is null then.
    """
    names = dict(zip(DIRECTIONS, (ids.texts, ids.media), strict=True))
    parts = (_direction(name, queries, names[name], ids.media) for name, queries in evaluation.queries.items())
    return pa.concat_tables(parts)


def _direction(direction: str, queries: QueryScores, names: pa.Array, media_ids: pa.Array) -> pa.Table:
    rows = len(queries)
    size, third = pa.nulls(rows, pa.float64()), pa.nulls(rows, pa.string())
    if queries.cluster_size is not None and queries.third is not None:
        size, third = pa.array(queries.cluster_size), pa.array(np.array(THIRDS)[queries.third])
    columns = {
        "query_id": names.take(pa.array(queries.query)),
        "direction": pa.array([direction] * rows),
        "rank": queries.values.get("rank", pa.nulls(rows, pa.int64())),
        "cluster_size": size,
        "third": third,
        "media_id": media_ids.take(pa.array(queries.group)),
        "tied": queries.tied,
        "fold": queries.fold,
    }
    if queries.tail_class is not None:
        columns["tail_class"] = queries.tail_class
    types = {**RANKS.columns, **RANKS.optional}
    for name, value in queries.values.items():
        if name != "rank":
            types[name] = pa.float64()
            columns[name] = pa.array(value, pa.float64(), from_pandas=True)  # a query left out of a metric is null
    return pa.table(columns, schema=pa.schema([(name, types[name]) for name in columns]))
