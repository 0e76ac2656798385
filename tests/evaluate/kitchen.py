"""A small EPIC-KITCHENS-100: files in mixed orders, and the scores that their arrays give."""

import numpy as np
import pyarrow as pa

from pipelines.artifacts import vector_type
from pipelines.scores import EmbeddingScores, class_relevancy, score_ek100

CLIPS, SENTENCES, DIMENSION = 30, 12, 5


class Kitchen:
    """Thirty test clips, twelve of them with a retrieval sentence, among rows of training; files in mixed orders."""

    def __init__(self, folder, write) -> None:
        self.folder, self.write = folder, write
        random = np.random.default_rng(0)
        self.clips = [f"P01_{row}" for row in range(CLIPS)]
        self.verb = random.integers(0, 3, CLIPS)
        self.nouns = [sorted({int(noun) for noun in random.integers(0, 4, 2)}) for _ in range(CLIPS)]
        self.sentence = np.zeros(CLIPS, dtype=bool)
        self.sentence[random.permutation(CLIPS)[:SENTENCES]] = True
        self.size = random.integers(1, 9, CLIPS)
        self.media = random.standard_normal((CLIPS, DIMENSION)).astype(np.float32)
        self.text = random.standard_normal((CLIPS, DIMENSION)).astype(np.float32)
        self.order = random.permutation(CLIPS)
        self.annotate()
        write(folder / "media.parquet", self.vectors("media_id", self.media))
        write(folder / "text.parquet", self.vectors("sample_id", self.text))
        ids = [self.clips[row] for row in self.order]
        write(folder / "sizes.parquet", {"sample_id": ids, "cluster_size": self.size[self.order]})
        (folder / "tail.csv").write_text("noun\n2\n3\n")

    def annotate(self, **changes) -> None:
        """Write the annotations, some columns changed; None leaves one out."""
        columns = {
            "sample_id": [*self.clips, "P09_train"],
            "media_id": [f"clip {name}" for name in [*self.clips, "P09_train"]],
            "text": ["take plate"] * (CLIPS + 1),
            "split": ["test"] * CLIPS + ["train"],
            "verb_class": pa.array([*self.verb.tolist(), None], pa.int32()),
            "noun_class": pa.array([*(nouns[0] for nouns in self.nouns), None], pa.int32()),
            "all_noun_classes": pa.array([*self.nouns, None], pa.list_(pa.int32())),
            "retrieval_sentence": [*self.sentence.tolist(), None],
            **changes,
        }
        self.write(self.folder / "annotations.parquet", {n: c for n, c in columns.items() if c is not None})

    def vectors(self, column, x_nd):
        ids = [("clip " if column == "media_id" else "") + self.clips[row] for row in self.order]
        return {column: ids, "embedding": pa.array(x_nd[self.order].tolist(), vector_type(DIMENSION))}

    def files(self):
        return {role: self.folder / f"{role}.parquet" for role in ("annotations", "media", "text")}

    def flags(self, output="scores"):
        files = [part for role, path in self.files().items() for part in (f"--{role}", path)]
        return ["eval", *files, "-o", self.folder / output, "--protocol", "ek100", "--resamples", 20]

    def expected(self, *, thirds=True):
        index_m = np.flatnonzero(self.sentence)
        return score_ek100(
            EmbeddingScores(self.media, self.text[index_m]),
            class_relevancy(self.verb, self.nouns, index_m),
            index_m,
            cluster_size=self.size if thirds else None,
            tail_class=np.array([nouns[0] in (2, 3) for nouns in self.nouns]) if thirds else None,
            resamples=20,
        )
