"""What stages write on any machine: digests of their columns, seen on processors of two makers.

They were the same on 2 cores of an AMD EPYC with NumPy 2.4 and Arrow 26, and on 16 of an Intel Xeon with NumPy 2.5 and
Arrow 25. The bytes of files also hold the versions of libraries, so columns are compared.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import vector_type

SEEN = {
    "prepare": "403cb84b622c2685",
    "kmeans": "ab9c5902238b4be6",
    "levels": "6f158eda17aad53c",
    "knn": "16d2feca09e63b25",
    "shifts": "31c3835af157d248",
    "eval": "7016cebcefb8aee6",
}
ROWS, DIMENSION, CENTRES, SCORED = 60_000, 64, 300, 5_000
WORDS = ["red", "dog", "runs", "cut", "onion", "two", "sea", "door", "pan", "wash"]


def digest(path: Path) -> str:
    """Of the names and values of all columns."""
    table, seen = pq.read_table(path).replace_schema_metadata(), hashlib.sha256()
    for name in table.column_names:
        seen.update(name.encode())
        seen.update(json.dumps(table[name].to_pylist(), default=str).encode())
    return seen.hexdigest()[:16]


def vectors(matrix_nd: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix_nd.ravel()), type=vector_type(matrix_nd.shape[1]))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder of embeddings of a long tail, and a gallery and annotations of the first of them, in 1024ths."""
    random = np.random.Generator(np.random.PCG64(3))
    centre_kd = random.integers(-1000, 1000, (CENTRES, DIMENSION))
    kind_n = (CENTRES * random.random(ROWS) ** 3).astype(int)
    text_nd = ((centre_kd[kind_n] + random.integers(-900, 900, (ROWS, DIMENSION))) / 1024).astype(np.float32)
    media_nd = text_nd[:SCORED] * 1024 + random.integers(-1500, 1500, (SCORED, DIMENSION))
    ids, media_ids = ([f"{kind}{row}" for row in range(ROWS)] for kind in "sm")
    texts = [f"{WORDS[row % 10]} {WORDS[(row // 7) % 10]} {row % 4001}" for row in range(ROWS)]
    columns = {"sample_id": ids, "text": texts, "media_id": media_ids}
    lines = ["sample_id,text,media_id", *(",".join(row) for row in zip(*columns.values(), strict=True))]
    (tmp_path / "samples.csv").write_text("\n".join(lines) + "\n")
    files = {
        "embeddings": {"sample_id": ids, "embedding": vectors(text_nd)},
        "text": {"sample_id": ids[:SCORED], "embedding": vectors(text_nd[:SCORED])},
        "media": {"media_id": media_ids[:SCORED], "embedding": vectors((media_nd / 1024).astype(np.float32))},
        "scored": {name: column[:SCORED] for name, column in columns.items()},
    }
    for name, table in files.items():
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    return tmp_path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the files have no footer of ours
def test_columns_are_those_of_other_machines(made, mmts, monkeypatch) -> None:
    monkeypatch.chdir(made)

    def written(line: str, output: str) -> str:
        ran = mmts(*line.split(), "-o", output)
        assert ran.code == 0, ran.err
        return digest(made / output)

    found = {
        "prepare": written("prepare table samples.csv --text-column text", "annotations.parquet"),
        "kmeans": written("cluster embeddings.parquet --k 200", "clusters.parquet"),
        "levels": written("cluster embeddings.parquet --k 900 --levels 2", "levels.parquet"),
        "knn": written("cluster embeddings.parquet --method knn", "knn.parquet"),
        "shifts": written("shifts clusters.parquet --min 0.05 --max 0.2", "shifts.parquet"),
    }
    ran = mmts(
        *[
            "eval",
            "-o",
            "scores",
            "--media",
            "media.parquet",
            "--text",
            "text.parquet",
            "--annotations",
            "scored.parquet",
        ]
    )
    assert ran.code == 0, ran.err
    scores = json.loads((made / "scores" / "metrics.json").read_text())["scores"]
    found["eval"] = hashlib.sha256(json.dumps(scores, sort_keys=True).encode()).hexdigest()[:16]
    assert found == SEEN
