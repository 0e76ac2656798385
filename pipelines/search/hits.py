"""What is known of the media or texts that were found."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import frequency_file, read_clusters, read_labels
from pipelines.runs.sizes import Sizes, find_sizes
from pipelines.runs.sources import Sources
from pipelines.scores.thirds import THIRDS, frequency_edges, frequency_third, media_sizes
from pipelines.search.collection import Collection


@dataclass(frozen=True)
class Hit:
    """A medium or a text that was found.

    Attributes:
        rank: From 1.
        similarity: Cosine to the query, from -1 to 1.
        media_id: The medium; of a text that of its first sample.
        sample_id: The first sample of the text; None where media are searched.
        texts: The medium's texts, each once; or the text.
        samples: How many samples of the split have the medium or the text.
        place: Path or URI of the medium, where the annotations have it.
        cluster_size: Training samples in its cluster, the mean over its samples; None where it isn't known.
        third: ``head``, ``middle`` or ``tail`` by that size, as ``eval`` divides the split.
        cluster_words: Distinguishing words of the cluster of its first sample, where a clusters file has labels.
    """

    rank: int
    similarity: float
    media_id: str
    sample_id: str | None
    texts: list[str]
    samples: int
    place: str | None
    cluster_size: float | None
    third: str | None
    cluster_words: list[str]


class Known:
    """What is known of a collection's items.

    Args:
        collection: The collection.
        sources: The files, which may say how frequent each kind is in training.

    Attributes:
        said: Where cluster sizes come from, or why there are none.

    Raises:
        InputError: The file of frequencies can't be used, or lacks samples of the split.
    """

    def __init__(self, collection: Collection, sources: Sources) -> None:
        self._collection = collection
        self._row_of = {each: row for row, each in enumerate(collection.ids.to_pylist())}
        sizes = find_sizes(sources, collection.samples.column("sample_id"))
        self.said = sizes.said
        self._size_n, self._third_n = self._frequencies(sizes)
        self._words_of = {} if sizes.size_n is None else _cluster_words(sources)

    def hits(self, ids: list[str], similarities: NDArray[np.float64]) -> list[Hit]:
        """The items of some ids ``(k,)``, nearest first, with their similarities ``(k,)``."""
        return [
            self._hit(rank, each, float(similarity))
            for rank, (each, similarity) in enumerate(zip(ids, similarities, strict=True), 1)
        ]

    def _frequencies(self, sizes: Sizes) -> tuple[NDArray[np.float64] | None, NDArray[np.int8] | None]:
        """Mean size ``(n,)`` and third ``(n,)`` of each item, where sizes are known."""
        if sizes.size_n is None:
            return None, None
        size_n = media_sizes(sizes.size_n, self._collection.item_of_sample, len(self._collection.ids))
        return size_n, frequency_third(size_n, frequency_edges(sizes.size_n))

    def _hit(self, rank: int, item_id: str, similarity: float) -> Hit:
        item = self._row_of[item_id]
        samples = self._collection.samples
        rows = samples.take(pa.array(np.flatnonzero(self._collection.item_of_sample == item)))
        of_media = self._collection.among == "media"
        return Hit(
            rank,
            similarity,
            rows.column("media_id")[0].as_py(),
            None if of_media else item_id,
            rows.column("text").unique().to_pylist(),
            rows.num_rows,
            rows.column("media")[0].as_py() if "media" in rows.column_names else None,
            None if self._size_n is None else float(self._size_n[item]),
            None if self._third_n is None else THIRDS[self._third_n[item]],
            self._words_of.get(rows.column("sample_id")[0].as_py(), []),
        )


def _cluster_words(sources: Sources) -> dict[str, list[str]]:
    """The words of each sample's cluster, where sizes come from a clusters file that has labels."""
    assert sources.frequency is not None
    path = frequency_file(sources.frequency, sources.annotations)
    if path is None or (labels := read_labels(path)) is None:
        return {}
    clusters = read_clusters(path)
    words_of = dict(zip(labels.column("cluster").to_pylist(), labels.column("words").to_pylist(), strict=True))
    pairs = zip(clusters.column("sample_id").to_pylist(), clusters.column("cluster").to_pylist(), strict=True)
    return {sample_id: words_of.get(cluster, []) for sample_id, cluster in pairs}
