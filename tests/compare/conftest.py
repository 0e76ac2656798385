"""Captions of some media, and the scores of models of different strength on them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import vector_type
from pipelines.evaluate import evaluate
from pipelines.scores import score_retrieval

MEDIA, CAPTIONS, DIMENSION = 24, 2, 6
SAMPLES = MEDIA * CAPTIONS


class Gallery:
    """Captions of some media, and the scores of models of different strength on them."""

    def __init__(self, folder, write) -> None:
        self.folder, self.write = folder, write
        random = np.random.default_rng(0)
        self.media_ids = [f"m{row:02d}" for row in random.permutation(MEDIA)]
        self.sample_ids = [f"{media}#{caption}" for media in self.media_ids for caption in range(CAPTIONS)]
        self.size = np.repeat(random.integers(1, 6, MEDIA), CAPTIONS)
        self.index_m = np.repeat(np.arange(MEDIA), CAPTIONS)
        self.annotate("annotations", np.arange(SAMPLES))
        self.sizes("sizes", self.size)

    def annotate(self, name, rows, **changes) -> None:
        samples = [self.sample_ids[row] for row in rows]
        columns = {"sample_id": samples, "text": samples, "media_id": [sample[:3] for sample in samples], **changes}
        self.write(self.folder / f"{name}.parquet", columns)

    def sizes(self, name, size_m) -> None:
        self.write(self.folder / f"{name}.parquet", {"sample_id": self.sample_ids, "cluster_size": size_m})

    def vectors(self, seed, noise):
        random = np.random.default_rng(seed)
        latent = np.random.default_rng(1).standard_normal((MEDIA, DIMENSION))
        text = latent[self.index_m] + noise * random.standard_normal((SAMPLES, DIMENSION))
        return latent.astype(np.float32), text.astype(np.float32)

    def scored(self, name, seed=0, noise=0.5, *, annotations="annotations", sizes="sizes", **options):
        """Score a model into the folder of this name."""
        media, text = self.vectors(seed, noise)
        for role, column, ids, x_nd in (
            ("media", "media_id", self.media_ids, media),
            ("text", "sample_id", self.sample_ids, text),
        ):
            vectors = {column: ids, "embedding": pa.array(x_nd.tolist(), vector_type(DIMENSION))}
            self.write(self.folder / f"{role}.parquet", vectors)
        evaluate(
            self.folder / name,
            media=self.folder / "media.parquet",
            text=self.folder / "text.parquet",
            annotations=self.folder / f"{annotations}.parquet",
            frequency=None if sizes is None else self.folder / f"{sizes}.parquet",
            resamples=0,
            **options,
        )
        return self.folder / name

    def evaluation(self, seed, noise):
        media, text = self.vectors(seed, noise)
        return score_retrieval(media, text, self.index_m, cluster_size=self.size, resamples=0)

    def rewrite(self, folder, change) -> None:
        table = change(pq.read_table(folder / "ranks.parquet").replace_schema_metadata())
        self.write(folder / "ranks.parquet", table)


@pytest.fixture
def gallery(tmp_path, write_artifact) -> Gallery:
    return Gallery(tmp_path, write_artifact)
