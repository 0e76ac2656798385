"""What worst queries found instead, as the rows of ``misses.parquet``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import MISSES
from pipelines.evaluate.query_table import Ids
from pipelines.scores.eccv import Positives
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.misses import found_instead, worst_queries
from pipelines.scores.queries import DIRECTIONS
from pipelines.scores.relevancy import Relevancy
from pipelines.scores.similarity import EmbeddingMatrix, EmbeddingScores, IntArray


@dataclass(frozen=True, eq=False)
class Compared:
    """The embeddings that were scored, and which belong together.

    Attributes:
        media_nd: Embeddings of the media ``(n, d)``.
        text_md: Embeddings of the texts ``(m, d)``.
        media_of_text: Medium of each text ``(m,)``.
        relevancy: Where relevancy is graded, that of media and texts: what has a relevancy of 1 is right.
        positives: Where ground truths list them, what else is right, by direction.
    """

    media_nd: EmbeddingMatrix
    text_md: EmbeddingMatrix
    media_of_text: IntArray
    relevancy: Relevancy | None = None
    positives: Mapping[str, Sequence[Positives]] = field(default_factory=dict)


def miss_table(evaluation: Evaluation, ids: Ids, compared: Compared, block_bytes: int) -> pa.Table:
    """One row for each of the worst queries of each direction, see `worst_queries`; columns of `MISSES`.

    Args:
        evaluation: The scores.
        ids: What media and texts are called.
        compared: What was scored.
        block_bytes: Memory bound of the blocks of similarities in bytes.
    """
    tables = [_direction(name, evaluation, ids, compared, block_bytes) for name in DIRECTIONS]
    return pa.concat_tables(tables)


def _direction(direction: str, evaluation: Evaluation, ids: Ids, compared: Compared, block_bytes: int) -> pa.Table:
    queries = evaluation.queries[direction]
    worst = worst_queries(queries)
    schema = pa.schema(MISSES.columns)
    if not len(worst):
        return schema.empty_table()
    query, fold_q = queries.query[worst], queries.fold[worst]
    media_rows = np.arange(len(compared.media_nd))
    # A medium's fold is that of its texts, so the folds of one side follow from those of the other.
    fold_n = np.zeros(len(media_rows), dtype=np.int64)
    for each in evaluation.queries.values():
        fold_n[each.group] = each.fold
    if direction == "text_to_media":
        names, item_names = ids.texts, ids.media
        source = EmbeddingScores(compared.text_md[query], compared.media_nd)
        of_query, of_item = compared.media_of_text[query], media_rows
        relevancy = None if compared.relevancy is None else compared.relevancy.transposed()
    else:
        names, item_names = ids.media, ids.texts
        source = EmbeddingScores(compared.media_nd[query], compared.text_md)
        of_query, of_item = query, compared.media_of_text
        relevancy = compared.relevancy
    fold_i = fold_n[of_item]
    listed = [_of_queries(each, query) for each in compared.positives.get(direction, ())]

    def is_right(columns: slice) -> NDArray[np.bool_]:
        if relevancy is None:
            own_qb: NDArray[np.bool_] = of_query[:, None] == of_item[columns]
            for row_p, item_p in listed:
                inside_p = (item_p >= columns.start) & (item_p < columns.stop)
                own_qb[row_p[inside_p], item_p[inside_p] - columns.start] = True
            return own_qb
        code_qb = relevancy.codes[relevancy.row_key[query]].take(relevancy.column_key[columns], axis=1)
        right_qb: NDArray[np.bool_] = relevancy.grades[code_qb] == 1
        return right_qb

    def is_item(columns: slice) -> NDArray[np.bool_]:
        inside_qb: NDArray[np.bool_] = fold_q[:, None] == fold_i[columns]
        return inside_qb

    found = found_instead(source, is_right, is_item, block_bytes=block_bytes)
    there_qk = found.item_qk >= 0
    columns = {
        "query_id": names.take(pa.array(query)),
        "direction": pa.array([direction] * len(query)),
        "right": item_names.take(pa.array(found.right_q)),
        "similarity": found.similarity_q,
        "retrieved": [
            item_names.take(pa.array(items[there])).to_pylist()
            for items, there in zip(found.item_qk, there_qk, strict=True)
        ],
        "similarities": [scores[there].tolist() for scores, there in zip(found.similarity_qk, there_qk, strict=True)],
    }
    return pa.table(columns, schema=schema)


def _of_queries(positives: Positives, query: IntArray) -> tuple[IntArray, IntArray]:
    """The positives of some queries, which ascend: the place of each one's query among these, and its item."""
    kept_p = np.isin(positives.query, query)
    return np.searchsorted(query, positives.query[kept_p]), positives.item[kept_p]
