"""Entry point of ``embed``."""

import contextlib
import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
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
from pipelines.artifacts.needs import Need, announce
from pipelines.artifacts.writers import one_writer
from pipelines.embed.parts import disk_of, parts_of, remove_parts
from pipelines.encoders.sentences import SentenceEncoder
from pipelines.encoders.towers import MappedTexts, TowerTexts, load_mapped_texts, load_text_encoder
from pipelines.encoding import Encoding, Precision
from pipelines.engines import LOCAL, Engine
from pipelines.errors import InputError
from pipelines.model_files import DEFAULT_MODEL, model_identity
from pipelines.progress import SILENT, Progress
from pipelines.remote import as_path, located

# Rows between two writes. Texts are sorted by length within a window, so that batches are even; vectors of a window are
# on disk before the next begins.
WINDOW_ROWS = 100_000
_BATCHES_IN_A_PART = 8
_BASE, _PER_ROW, _PER_BYTE, _PER_TEXT = 0.6 * 2**30, 20, 2, 200  # bytes of memory, as measured; the model is left out


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
    engine: Engine = LOCAL,
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
        engine: Where to encode; the vectors are the same but for rounding.
        force: Encode even if the output is up to date.
        progress: Where to report.

    Raises:
        InputError: An input is unusable, the model can't be loaded, or texts are empty (names the rows).
        Interrupted: It was asked to stop; what was made is kept.
    """
    annotations, output = located(annotations), located(output)
    if dtype not in ("float32", "float16"):
        raise InputError(f"--dtype {dtype}: expected float32 or float16")
    if batch_size < 1:
        raise InputError(f"--batch-size {batch_size}: expected at least 1")
    if text is not None and engine.name != "local":
        raise InputError(f"--engine {engine.name}: has no effect with --text, which is quick; leave it out")
    encoding = Encoding(device, precision, batch_size, trust_remote_code=trust_remote_code)
    plan = StagePlan(
        "embed",
        output,
        {**model_identity(model), "dtype": dtype, **encoding.record()},
        {"annotations": annotations, **({} if text is None else {"text": located(text)})},
        libraries=("sentence-transformers", "torch", "pyarrow"),
    )
    if done := plan.finished(force=force):
        remove_parts(output)  # of a run that was killed as it was done
        return done
    with contextlib.ExitStack() as opened:
        opened.enter_context(engine.connected(device=device, progress=progress))
        table = read_table(annotations, ANNOTATIONS, columns=_columns(annotations))
        if text is not None:
            mapped = load_mapped_texts(model, as_path(text), table.column("sample_id"), encoding, output.parent)
            return _embed_mapped(plan, table, model, mapped, dtype, progress)
        require_texts(table, annotations)

        distinct_total = len(table.column("text").unique())
        settings = {"batch_size": batch_size, "device": device}
        load = partial(_TextWork, model, encoding)
        workers = opened.enter_context(engine.workers(load, device=device, libraries=plan.libraries, progress=progress))
        need = Need(
            memory=_BASE + _PER_ROW * table.num_rows + _PER_BYTE * table.nbytes + _PER_TEXT * distinct_total,
            disk=disk_of(output, distinct_total, table.num_rows, workers.about.dimension, dtype),
        )
        announce(progress.note, need, output.parent)
        with (
            parts_of(plan, dtype, workers.about.dimension, force=force, **settings) as parts,
            progress.task("embedding", distinct_total, "texts") as task,
            plan.writer(_schema(table, workers.about.dimension, dtype)) as writer,
        ):
            # The same texts make the same parts in the same order.
            texts = _DistinctTexts(table, batch_size * _BATCHES_IN_A_PART, made=len(parts.found))
            truncated = sum(part["truncated"] for part in parts.found)
            if parts.rows:
                task.advance(parts.rows)
            encoded = workers.map(texts.parts())
            for window in texts.windows():
                for part, (vectors_nd, truncated_here) in zip(window.parts, encoded, strict=False):
                    parts.append(vectors_nd, truncated=truncated_here)
                    truncated += truncated_here
                    task.advance(len(part))
                writer.write(with_vectors(window.samples, np.asarray(parts.read()[window.vector_n]), model))
            writer.summary = {
                "model": model,
                "rows": table.num_rows,
                "distinct_texts": texts.count,
                "dimension": workers.about.dimension,
                "truncated_texts": truncated,
                "max_tokens": workers.about.max_tokens,
            }
    return StageResult(output, False, writer.summary)


def _embed_mapped(
    plan: StagePlan, table: pa.Table, model: str, texts: MappedTexts, dtype: str, progress: Progress
) -> StageResult:
    """Write embeddings that a run's head maps from others."""
    schema = _schema(table, texts.dimension, dtype)
    with progress.task("mapping", table.num_rows, "embeddings") as task, plan.writer(schema) as writer:
        for number, window in enumerate(_windows(table)):
            start = number * WINDOW_ROWS
            vectors_nd = texts.vectors(slice(start, start + window.num_rows), dtype)
            writer.write(with_vectors(window.drop_columns("text"), vectors_nd, str(plan.output)))
            task.advance(window.num_rows)
        writer.summary = {"model": model, "rows": table.num_rows, "dimension": texts.dimension}
    return StageResult(plan.output, False, writer.summary)


@dataclass(frozen=True)
class _About:
    """What there is to know of a text model: the size of its vectors, and how many tokens it reads."""

    dimension: int
    max_tokens: int | None


class _TextWork:
    """A text model that encodes parts of the texts."""

    def __init__(self, model: str, encoding: Encoding) -> None:
        encoder: SentenceEncoder | TowerTexts | None = load_text_encoder(model, encoding)
        if encoder is None:
            if encoding.precision != "32":
                raise InputError(
                    f"--precision {encoding.precision}: is for runs and CLIP-like models; leave it out with {model}"
                )
            assert encoding.batch_size is not None
            encoder = SentenceEncoder(
                model,
                device=encoding.device,
                batch_size=encoding.batch_size,
                trust_remote_code=encoding.trust_remote_code,
            )
        self._encoder = encoder
        self.about = _About(encoder.dimension, encoder.max_length)

    def __call__(self, texts: list[str]) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Vectors ``(n, d)`` of some texts, and how many are longer than the model reads."""
        truncated = self._encoder.count_truncated(texts)
        yield self._encoder.encode(texts), truncated


@dataclass(frozen=True)
class _Window:
    """Some samples.

    Attributes:
        samples: Their rows, without texts.
        vector_n: Which of all vectors each has ``(n,)``.
        parts: Texts that no window before had, in parts, shortest first; those aside that are encoded already.
    """

    samples: pa.Table
    vector_n: NDArray[np.int64]
    parts: list[list[str]]


class _DistinctTexts:
    """Texts in the order in which they are encoded, told apart by hash.

    Workers take parts ahead of the windows that are written: windows are read as either needs one.

    Args:
        table: The samples, with their texts.
        part_size: Texts in a part.
        made: Parts that are encoded already.

    Attributes:
        count: How many distinct texts there are in the windows so far.
    """

    def __init__(self, table: pa.Table, part_size: int, made: int) -> None:
        self._unread = _windows(table)
        self._part_size, self._made = part_size, made
        self._vector_of: dict[bytes, int] = {}
        self._parts: deque[list[str]] = deque()
        self._windows: deque[_Window] = deque()

    @property
    def count(self) -> int:
        return len(self._vector_of)

    def parts(self) -> Iterator[list[str]]:
        """The parts of all windows."""
        while self._parts or self._read():
            if self._parts:
                yield self._parts.popleft()

    def windows(self) -> Iterator[_Window]:
        """The windows."""
        while self._windows or self._read():
            yield self._windows.popleft()

    def _read(self) -> bool:
        """Read a window; False where there is none."""
        table = next(self._unread, None)
        if table is None:
            return False
        texts = table.column("text").to_pylist()
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._vector_of}
        order = sorted(fresh, key=lambda key: len(fresh[key]))
        for key in order:
            self._vector_of[key] = len(self._vector_of)
        parts = [
            [fresh[key] for key in order[start : start + self._part_size]]
            for start in range(0, len(order), self._part_size)
        ]
        made = min(self._made, len(parts))
        self._made -= made
        window = _Window(
            table.drop_columns("text"), np.array([self._vector_of[key] for key in keys], dtype=np.int64), parts[made:]
        )
        self._parts.extend(window.parts)
        self._windows.append(window)
        return True


def _schema(table: pa.Table, dimension: int, dtype: str) -> pa.Schema:
    return vector_schema("sample_id", dimension, dtype, split="split" in table.column_names)


def _columns(annotations: Path) -> list[str]:
    with open_parquet(annotations) as file:
        return ["sample_id", "text"] + (["split"] if "split" in file.schema_arrow.names else [])


def _windows(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, WINDOW_ROWS):
        yield table.slice(start, WINDOW_ROWS)
