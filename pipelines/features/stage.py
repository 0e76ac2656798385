"""Entry point of ``prepare features``."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.artifacts import StagePlan, StageResult, require_unique, vector_schema, with_vectors
from pipelines.artifacts.ids import ID_COLUMNS
from pipelines.artifacts.writers import one_writer
from pipelines.errors import InputError
from pipelines.features.ids import read_ids
from pipelines.features.readers import read_features
from pipelines.remote import as_path, located

_ROWS = 25_000  # rows in memory at a time, where the file is read piece by piece


@one_writer
def prepare_features(
    source: Path | str,
    output: Path | str,
    *,
    ids: Path | str | None = None,
    vectors: str | None = None,
    id_column: str = "media_id",
    force: bool = False,
) -> StageResult:
    """Write vectors that another tool extracted as a features file.

    Args:
        source: ``.npy`` (a matrix), ``.npz`` or ``.safetensors`` (a matrix, or a vector under each id), or Parquet, a
            file or parts, with ids and vectors.
        output: Features file to write: ``media_id`` (or ``id_column``) and ``embedding``, float16 where the source is,
            else float32.
        ids: The id of each row in order, where the source has none: a text file with one a line, a JSON list, or
            ``.npy``.
        vectors: Name of the array or column of vectors, where the source has several.
        id_column: ``media_id``, or ``sample_id`` for embeddings of texts.
        force: Write even if the output is up to date.

    Raises:
        InputError: A file can't be used or is a pickle, ids and rows differ in number, ids repeat, or vectors are all
            zeros, NaN or infinite.
    """
    source, output = located(source), located(output)
    if id_column not in ID_COLUMNS:
        raise InputError(f"--id-column {id_column}: expected {' or '.join(ID_COLUMNS)}")
    inputs = {"features": source} | ({} if ids is None else {"ids": located(ids)})
    plan = StagePlan(
        "prepare features",
        output,
        {"id_column": id_column, "vectors": vectors},
        inputs,
        libraries=("numpy", "safetensors", "pyarrow"),
        foreign=tuple(inputs),
    )
    if done := plan.finished(force=force):
        return done
    own_ids, matrix_nd = read_features(source, vectors)
    if ids is not None and own_ids is not None:
        raise InputError(f"--ids {ids}: {source} has ids of its own; leave it out")
    if ids is not None:
        own_ids = read_ids(as_path(ids))
    if own_ids is None:
        raise InputError(f"{source}: has no ids; give --ids FILE with the id of each row, one a line")
    if len(own_ids) != len(matrix_nd):
        raise InputError(
            f"{ids or source}: has {len(own_ids):,} ids, but {source} has {len(matrix_nd):,} vectors; one id a row is "
            "needed"
        )
    names = pa.chunked_array([own_ids], pa.string())
    require_unique(names, f"id of {id_column}", as_path(ids or source))
    dtype = "float16" if matrix_nd.dtype == np.float16 else "float32"
    schema = vector_schema(id_column, matrix_nd.shape[1], dtype, split=False)
    table = pa.table({id_column: names})
    with plan.writer(schema) as writer:
        for start in range(0, len(matrix_nd), _ROWS):
            with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, and is refused
                block_nd = np.ascontiguousarray(matrix_nd[start : start + _ROWS], dtype=dtype)
            writer.write(with_vectors(table.slice(start, _ROWS), block_nd, str(source)))
        writer.summary = {"rows": len(matrix_nd), "dimension": matrix_nd.shape[1]}
    return StageResult(output, False, writer.summary)
