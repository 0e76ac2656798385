"""Entry point of ``embed``."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import (
    ANNOTATIONS,
    StagePlan,
    StageResult,
    open_parquet,
    read_table,
    require_texts,
    vector_schema,
    with_vectors,
)
from pipelines.artifacts.writers import one_writer
from pipelines.embed.parts import Parts, parts_of, remove_parts
from pipelines.encoders.sentences import SentenceEncoder
from pipelines.encoders.towers import MappedTexts, TowerTexts, load_mapped_texts, load_text_encoder
from pipelines.encoding import Encoding, Precision
from pipelines.errors import InputError
from pipelines.model_files import DEFAULT_MODEL, model_identity
from pipelines.progress import SILENT, Progress, Task

# Rows between two writes. Texts are sorted by length within a window, so that batches are even; vectors of a window are
# on disk before the next begins.
WINDOW_ROWS = 100_000
_BATCHES_PER_REPORT = 8


@one_writer
def embed(
    annotations: Path | str,
    output: Path | str,
    *,
    model: str = DEFAULT_MODEL,
    text: Path | str | None = None,
    batch_size: int = 64,
    device: str | None = None,
    precision: Precision = "32",
    dtype: str = "float32",
    trust_remote_code: bool = False,
    force: bool = False,
    progress: Progress = SILENT,
) -> StageResult:
    """Encode the texts of an annotations file with a text model, or with the text side of a run.

    Each distinct text is encoded once, however often it occurs. Vectors go to disk as they are made: memory holds one
    window of rows and a 16-byte hash of each distinct text, not the vectors. A run that was stopped or killed goes on
    from the folder ``OUTPUT.parts``, and ends with the same bytes as an unbroken one.

    Args:
        annotations: Annotations file, with ``sample_id`` and ``text``.
        output: Embeddings file to write: ``sample_id``, ``embedding``, ``split`` where there is one. A sentence-
            transformers model's vectors are L2-normalised, others are as the model gives them.
        model: Hub id or folder of any sentence-transformers or CLIP-like model; or a run folder.
        text: Embeddings file that a run on embeddings maps; no other model takes one.
        batch_size: Texts in one forward pass; does not change the result beyond float error.
        device: Torch device; a GPU if available if None.
        precision: Precision of the forward pass; ``32`` alone for a sentence-transformers model.
        dtype: ``float32`` or ``float16``, of the stored vectors.
        trust_remote_code: Whether code that comes with the model may run; the footer says so.
        force: Encode even if the output is up to date.
        progress: Where to report.

    Raises:
        InputError: An input is unusable, the model can't be loaded, or texts are empty (names the rows).
        Interrupted: It was asked to stop; what was made is kept.
    """
    annotations, output = Path(annotations), Path(output)
    if dtype not in ("float32", "float16"):
        raise InputError(f"--dtype {dtype}: expected float32 or float16")
    if batch_size < 1:
        raise InputError(f"--batch-size {batch_size}: expected at least 1")
    encoding = Encoding(device, precision, batch_size, trust_remote_code=trust_remote_code)
    plan = StagePlan(
        "embed",
        output,
        {**model_identity(model), "dtype": dtype, **encoding.record()},
        {"annotations": annotations, **({} if text is None else {"text": Path(text)})},
        libraries=("sentence-transformers", "torch", "pyarrow"),
    )
    if done := plan.finished(force=force):
        remove_parts(output)  # of a run that was killed as it was done
        return done
    table = read_table(annotations, ANNOTATIONS, columns=_columns(annotations))
    if text is not None:
        return _embed_mapped(plan, table, model, load_mapped_texts(model, Path(text), table, encoding), dtype, progress)
    require_texts(table, annotations)
    encoder: SentenceEncoder | TowerTexts | None = load_text_encoder(model, encoding)
    if encoder is None:
        if precision != "32":
            raise InputError(f"--precision {precision}: is for runs and CLIP-like models; leave it out with {model}")
        encoder = SentenceEncoder(model, device=device, batch_size=batch_size, trust_remote_code=trust_remote_code)
    schema = vector_schema("sample_id", encoder.dimension, dtype, split="split" in table.column_names)

    distinct_total = len(table.column("text").unique())
    settings = {"batch_size": batch_size, "device": device}
    with (
        parts_of(plan, dtype, encoder.dimension, force=force, **settings) as parts,
        progress.task("embedding", distinct_total, "texts") as task,
        plan.writer(schema) as writer,
    ):
        store = _VectorStore(encoder, parts)
        for window in _windows(table):
            vectors_nd = store.vectors(window.column("text").to_pylist(), task, batch_size)
            writer.write(with_vectors(window.drop_columns("text"), vectors_nd, model))
        writer.summary = {
            "model": model,
            "rows": table.num_rows,
            "distinct_texts": store.distinct,
            "dimension": encoder.dimension,
            "truncated_texts": store.truncated,
            "max_tokens": encoder.max_length,
        }
    return StageResult(output, False, writer.summary)


def _embed_mapped(
    plan: StagePlan, table: pa.Table, model: str, texts: MappedTexts, dtype: str, progress: Progress
) -> StageResult:
    """Write embeddings that a run's head maps from others."""
    schema = vector_schema("sample_id", texts.dimension, dtype, split="split" in table.column_names)
    with progress.task("mapping", table.num_rows, "embeddings") as task, plan.writer(schema) as writer:
        for window in _windows(table):
            writer.write(with_vectors(window.drop_columns("text"), texts.vectors(window, dtype), str(plan.output)))
            task.advance(window.num_rows)
        writer.summary = {"model": model, "rows": table.num_rows, "dimension": texts.dimension}
    return StageResult(plan.output, False, writer.summary)


class _VectorStore:
    """Vectors of distinct texts, on disk in the order in which they are encoded; texts are looked up by hash."""

    def __init__(self, encoder: SentenceEncoder | TowerTexts, parts: Parts) -> None:
        self._encoder = encoder
        self._parts = parts
        self._found = iter(parts.found)
        self._row_of: dict[bytes, int] = {}
        self.truncated = 0

    @property
    def distinct(self) -> int:
        return len(self._row_of)

    def vectors(self, texts: list[str], task: Task, batch_size: int) -> NDArray[np.floating]:
        """(n, d) vectors of the texts; those not seen before are encoded, shortest first."""
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._row_of}
        order = sorted(fresh, key=lambda key: len(fresh[key]))
        step = batch_size * _BATCHES_PER_REPORT
        for start in range(0, len(order), step):
            chunk = order[start : start + step]
            part = next(self._found, None)  # the same texts make the same parts in the same order
            self.truncated += self._encode([fresh[key] for key in chunk]) if part is None else part["truncated"]
            for key in chunk:
                self._row_of[key] = len(self._row_of)
            task.advance(len(chunk))
        return np.asarray(self._parts.read()[[self._row_of[key] for key in keys]])

    def _encode(self, texts: list[str]) -> int:
        """Encode texts; gives how many are longer than the model reads."""
        truncated = self._encoder.count_truncated(texts)
        self._parts.append(self._encoder.encode(texts), truncated=truncated)
        return truncated


def _columns(annotations: Path) -> list[str]:
    with open_parquet(annotations) as file:
        return ["sample_id", "text"] + (["split"] if "split" in file.schema_arrow.names else [])


def _windows(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, WINDOW_ROWS):
        yield table.slice(start, WINDOW_ROWS)
