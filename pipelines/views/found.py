"""Which queries found their own."""

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

FOUND_WITHIN = 10  # a query counts as found where its rank is this or better


def query_ranks(
    ranks: pa.Table, direction: Literal["text_to_media", "media_to_text"], ids: pa.ChunkedArray
) -> NDArray[np.float64]:
    """The rank of each of n samples or media as a query ``(n,)``, NaN for what was not scored.

    Args:
        ranks: The rows of ``ranks.parquet``.
        direction: What is searched for.
        ids: ``sample_id`` of texts, ``media_id`` of media ``(n,)``.
    """
    queries = ranks.filter(pc.equal(ranks.column("direction"), direction))
    places = pc.index_in(ids, value_set=queries.column("query_id"))
    rank_n: NDArray[np.float64] = queries.column("rank").cast(pa.float64()).take(places).to_numpy()
    return rank_n
