"""What is clustered: the embeddings of texts, the features of media, or the two joined."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts import Vectors, open_parquet, read_annotations, read_vectors
from pipelines.artifacts.matrix import take
from pipelines.artifacts.needs import Extent, Need, extent_of
from pipelines.cluster.geometry import FIT_BYTES, joined
from pipelines.cluster.method import Method, Samples, Values
from pipelines.errors import InputError
from pipelines.remote import located

DEFAULT_MEDIA_WEIGHT = 0.5
_BASE, _PER_ROW, _PER_ID_BYTE = 0.3 * 2**30, 30, 1  # bytes, measured by benchmarks/scale.py
_PER_TEXT_BYTE = 6  # that labels are made of: the texts twice, and counts of their words
_ON_DEVICE = 2**30  # for torch, CUDA, and blocks of more rows at a time: reckoned, not measured
BY = ("text", "media", "joint")


class What(TypedDict, total=False):
    """What of a source is clustered: the keyword arguments of all that cluster, see `pipelines.cluster.cluster`."""

    by: str
    annotations: Path | str | None
    media: Path | str | None
    media_weight: float | None
    fit_split: str | None


@dataclass(frozen=True)
class Subject:
    """What a clustering is of, and the files that it is read from.

    Attributes:
        method: The clustering method.
        source: Embeddings of texts (of media if ``by`` is ``media``), or what else the method reads.
        by: ``text``, ``media`` or ``joint``.
        annotations: Annotations, which say which medium is whose, and hold the texts that label the clusters; for
            ``text`` only that, where they are given.
        media: Features of media; for ``joint`` only.
        media_weight: Share of the media in the similarity, 0 to 1; for ``joint`` only.
    """

    method: Method
    source: Path
    by: str = "text"
    annotations: Path | None = None
    media: Path | None = None
    media_weight: float | None = None

    def __post_init__(self) -> None:
        """Check that what was given fits together.

        Raises:
            InputError: Something is missing, without effect or out of range.
        """
        if self.by not in BY:
            raise InputError(f"--by {self.by}: expected one of {', '.join(BY)}")
        if self.by != "text" and self.method.source != "embeddings":
            raise InputError(f"--by {self.by}: has no effect with --method {self.method.name}; leave it out")
        if self.by != "text" and self.annotations is None:
            raise InputError(f"--by {self.by} needs --annotations, which say which medium each sample has")
        if self.by == "joint" and self.media is None:
            raise InputError("--by joint needs --media, the features of the media")
        if self.annotations is not None and self.method.source == "annotations":
            raise InputError(f"--annotations: --method {self.method.name} reads them already; leave it out")
        if self.annotations is not None and self.by == "text" and not self.method.has_labels:
            raise InputError(f"--annotations: --method {self.method.name} has no clusters to label; leave it out")
        for flag, value, needs in (
            ("--media", self.media, ("joint",)),
            ("--media-weight", self.media_weight, ("joint",)),
        ):
            if value is not None and self.by not in needs:
                raise InputError(f"{flag}: needs --by {' or '.join(needs)}; add it, or leave {flag} out")
        if self.media_weight is not None and not 0 <= self.media_weight <= 1:
            raise InputError(f"--media-weight {self.media_weight:g}: expected 0 to 1")

    @property
    def weight(self) -> float:
        """The media's share of the similarity of a joint clustering."""
        return DEFAULT_MEDIA_WEIGHT if self.media_weight is None else self.media_weight

    @property
    def parameters(self) -> dict[str, Any]:
        """What shapes the output: nothing for ``text``, so that files from before this choice stay up to date."""
        if self.by == "text":
            return {}
        return {"by": self.by} | ({"media_weight": self.weight} if self.by == "joint" else {})

    @property
    def inputs(self) -> dict[str, Path]:
        """The input files by role."""
        if self.by == "text":
            return {self.method.source: self.source}
        assert self.annotations is not None
        if self.by == "media":
            return {"features": self.source, "annotations": self.annotations}
        assert self.media is not None
        return {"embeddings": self.source, "features": self.media, "annotations": self.annotations}

    @property
    def split_file(self) -> Path:
        """The file that says which split a sample is of."""
        return self.source if self.by == "text" or self.annotations is None else self.annotations

    @property
    def text_file(self) -> Path | None:
        """The annotations whose texts label the clusters; None where none are known, or there is nothing to label."""
        if not self.method.has_labels:
            return None
        if self.annotations is None and self.method.source == "annotations":
            with open_parquet(self.source) as file:
                return self.source if "text" in file.schema_arrow.names else None
        return self.annotations

    def needs(self, options: Values, clusterings: int = 1, device: str = "cpu") -> Need:
        """What clustering takes, as it was measured.

        Args:
            options: Those of the method.
            clusterings: How many are made at a time.
            device: Where products are made, see `products_on`.
        """
        vectors = [extent_of(path) for role, path in self.inputs.items() if role in ("embeddings", "features")]
        joint = sum(each.dimension for each in vectors)
        clustered = Extent(vectors[0].rows, joint, 4, 0) if self.by == "joint" else None
        of_samples = extent_of(self.annotations or self.source)
        fitted = 4 * joint * (vectors[0].rows if vectors else 0)
        held = [*vectors, *([clustered] if clustered else [])]
        memory = _BASE + _PER_ROW * of_samples.rows + _PER_ID_BYTE * of_samples.id_bytes
        memory += 0 if device == "cpu" else _ON_DEVICE
        if self.text_file is not None:
            memory += _PER_TEXT_BYTE * extent_of(self.text_file).text_bytes
        memory += self.method.state_bytes(options, of_samples.rows, joint, clusterings)
        if not self.method.is_bounded:
            memory += sum(each.vector_bytes for each in held) + self.method.fitted_copies * fitted
            return Need(memory, advice="--method kmeans and knn take less")
        memory += sum(each.memory for each in held) + self.method.fitted_copies * min(fitted, FIT_BYTES)
        return Need(memory, sum(each.disk for each in held))

    def read(self, options: Values, scratch: Path | None = None) -> Samples:
        """Read the samples: those of the source, or of the annotations where media are clustered.

        Args:
            options: Those of the method.
            scratch: A folder for vectors that are too large for memory.

        Raises:
            InputError: A file can't be used, or a sample has no text vector, no medium or no features.
        """
        scratch = scratch if self.method.is_bounded else None
        if self.by == "text":
            if self.method.source == "embeddings":
                self._require_key(self.source, "sample_id")
            return self.method.read(self.source, options, scratch)
        assert self.annotations is not None
        table = read_annotations(self.annotations, texts=False)
        split = table.column("split") if "split" in table.column_names else None
        ids, media_ids = table.column("sample_id"), table.column("media_id")
        if self.by == "media":
            features = self._vectors(self.source, "media_id", scratch)
            distinct = pc.unique(media_ids)
            rows = features.rows_of(pa.chunked_array([distinct]), "media")
            item_n = pc.index_in(media_ids, distinct).to_numpy().astype(np.int64)
            return Samples(ids, split, take(features.matrix_nd, rows), item_n)
        assert self.media is not None
        texts = self._vectors(self.source, "sample_id", scratch)
        features = self._vectors(self.media, "media_id", scratch)
        text_rows, media_rows = texts.rows_of(ids, "samples"), features.rows_of(media_ids, "media")
        content = joined(texts.matrix_nd, text_rows, features.matrix_nd, media_rows, self.weight, scratch)
        return Samples(ids, split, content)

    def _vectors(self, path: Path, key: str, scratch: Path | None) -> Vectors:
        self._require_key(path, key)
        return read_vectors(path, id_column=key, scratch=scratch)

    def _require_key(self, path: Path, key: str) -> None:
        """Say what to do where features are given for embeddings, or the other way round."""
        with open_parquet(path) as file:
            names = file.schema_arrow.names
        if key == "sample_id" and key not in names and "media_id" in names:
            remedy = "give embeddings" if self.by == "joint" else "add --by media --annotations annotations.parquet"
            raise InputError(f"{path}: has media_id, as features of media have, not sample_id; {remedy}")
        if key == "media_id" and key not in names and "sample_id" in names:
            remedy = "give features" if self.by == "joint" else "give features, or leave out --by media"
            raise InputError(f"{path}: has sample_id, as embeddings of texts have, not media_id; {remedy}")


def subject_of(method: Method, source: Path | str, what: What) -> Subject:
    """The subject that keyword arguments name; what isn't given is the default.

    Raises:
        InputError: They don't fit together.
    """
    annotations, media = what.get("annotations"), what.get("media")
    return Subject(
        method,
        located(source),
        what.get("by", "text"),
        annotations=None if annotations is None else located(annotations),
        media=None if media is None else located(media),
        media_weight=what.get("media_weight"),
    )
