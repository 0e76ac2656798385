"""What is searched for: texts, image or clip files, and samples or media of the annotations."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import first_few, shortened
from pipelines.errors import InputError
from pipelines.remote import as_path
from pipelines.runs.sources import Sources
from pipelines.search.collection import Collection

if TYPE_CHECKING:  # brings torch
    from pipelines.runs.encoder import RunEncoder


@dataclass(frozen=True)
class Query:
    """One thing to search for.

    Attributes:
        kind: A new ``text``, a new ``image`` (or clip), or what the annotations have: a ``sample``, by its text, or a
            ``medium``.
        value: The text, the file, or the id.
        text: The text of a sample, and one of a medium.
        media_id: The medium, of a sample too.
    """

    kind: Literal["text", "image", "sample", "medium"]
    value: str
    text: str | None = None
    media_id: str | None = None

    @property
    def said(self) -> str:
        """It in words."""
        if self.kind == "text":
            return f'"{self.value}"'
        return f"{self.kind} {self.value}" + ("" if self.text is None else f': "{self.text}"')

    def own_item(self, collection: Collection) -> str | None:
        """The item of a collection that it is itself, if it is one."""
        if self.kind == "medium" and collection.among == "media":
            return self.value
        if self.kind != "sample" or collection.among != "text":
            return None
        same = pc.index(collection.samples.column("text"), self.text).as_py()
        item: str | None = None if same < 0 else collection.ids[collection.item_of_sample[same]].as_py()
        return item


def find_like(name: str, annotations: pa.Table, path: Path) -> Query:
    """The sample of an id, or if there is none the medium.

    Raises:
        InputError: There is neither.
    """
    kinds: list[tuple[Literal["sample", "medium"], str]] = [("sample", "sample_id"), ("medium", "media_id")]
    for kind, column in kinds:
        row = pc.index(annotations.column(column), name).as_py()
        if row >= 0:
            return Query(
                kind, name, annotations.column("text")[row].as_py(), annotations.column("media_id")[row].as_py()
            )
    there = first_few(annotations.column("sample_id").slice(0, 2).to_pylist())
    raise InputError(f"--like {shortened(name)}: {path} has no such sample_id or media_id; it has {there}, ...")


def encode_queries(
    encoder: "RunEncoder", queries: list[Query], annotations: pa.Table, sources: Sources
) -> NDArray[np.float32]:
    """Vectors of queries ``(q, d)``, in their order.

    Raises:
        InputError: One can't be encoded.
    """
    from pipelines.runs.encoded import encode_annotated_texts, media_batches, open_annotated_media

    def media(ids: list[str]) -> NDArray[Any]:
        source = open_annotated_media(encoder, sources, annotations, pa.array(ids, pa.string()))
        return np.concatenate([batch.vectors_nd.cpu().numpy() for batch in media_batches(encoder, source, {})])

    encode = {
        "text": encoder.texts,
        "image": lambda files: encoder.media([as_path(file) for file in files]),
        "sample": lambda ids: encode_annotated_texts(encoder, sources, annotations, pa.chunked_array([ids])).numpy(),
        "medium": media,
    }
    vector_of: dict[Query, NDArray[np.float32]] = {}
    for kind, vectors in encode.items():
        wanted = [query for query in dict.fromkeys(queries) if query.kind == kind]
        if wanted:
            vector_of |= dict(zip(wanted, vectors([query.value for query in wanted]), strict=True))
    return np.stack([vector_of[query] for query in queries])
