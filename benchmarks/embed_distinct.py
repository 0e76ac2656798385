"""``mmts embed`` of the EK-100 training segments' narrations against one ``SentenceTransformer.encode`` over all rows.

MMTS_DATA_DIR=... python benchmarks/embed_distinct.py
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from figures import figure
from sentence_transformers import SentenceTransformer

from pipelines.annotations import prepare_table
from pipelines.artifacts import read_vectors
from pipelines.embed import embed
from pipelines.model_files import DEFAULT_MODEL, resolve_model

REPEATS = 3
BATCH_SIZE = 64


def main() -> None:
    data = os.environ.get("MMTS_DATA_DIR")
    if data is None:
        print("left out: MMTS_DATA_DIR is not set")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = Path(data) / "ek100" / "EPIC_100_uda_source_train.csv"
        prepare_table(source, folder / "a.parquet", text_column="narration", id_column="narration_id")
        texts = pq.read_table(folder / "a.parquet").column("text").to_pylist()
        taken: dict[str, list[float]] = {"one encode call": [], "mmts embed": []}
        difference = 0.0
        for _ in range(REPEATS):
            start = time.perf_counter()
            model = SentenceTransformer(resolve_model(DEFAULT_MODEL), device="cpu")
            expected_nd = model.encode(texts, batch_size=BATCH_SIZE, normalize_embeddings=True, show_progress_bar=False)
            np.save(folder / "e.npy", expected_nd)
            taken["one encode call"].append(time.perf_counter() - start)
            start = time.perf_counter()
            embed(folder / "a.parquet", folder / "e.parquet", batch_size=BATCH_SIZE, device="cpu", force=True)
            taken["mmts embed"].append(time.perf_counter() - start)
            difference = float(np.abs(read_vectors(folder / "e.parquet").matrix_nd - expected_nd).max())
    base = statistics.median(taken["one encode call"])
    print(f"{len(texts):,} rows, {len(set(texts)):,} distinct texts; both load the model and write a file")
    print(f"{'':16} {'median s':>9} {'ratio':>7}   (of {REPEATS} interleaved runs)")
    for name, values in taken.items():
        print(f"{name:16} {statistics.median(values):9.1f} {statistics.median(values) / base:7.2f}")
    figure(
        f"`mmts embed`, {len(texts):,} narrations, {len(set(texts)):,} distinct",
        "one `SentenceTransformer.encode` over all rows",
        statistics.median(taken["mmts embed"]) / base,
    )
    print(f"largest difference of an element: {difference:.1e}")


if __name__ == "__main__":
    main()
