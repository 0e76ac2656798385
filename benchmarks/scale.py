"""Rows against time and peak resident memory, stage by stage, each in a process of its own.

Makes embeddings of 384 float16 around 2,000 directions of a Zipf distribution, in a folder that goes away at the end:
10 million rows take 8 GB, and as much again while they are clustered.

    python benchmarks/scale.py [--rows 100000 1000000] [--folder FOLDER]
                               [--stages cluster shifts knn inspect eval embed train sweep]

`embed` has a static model, so that what is measured is what goes on around a model; no two of its texts are the same.
`sweep` trains two strategies twice, with projections to 64 numbers: to be chosen by validation, and to be scored on
2,500 media. `train` and `sweep` read what `cluster` and `shifts` made.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.artifacts import ArtifactWriter, Provenance, vector_schema

DIMENSION, DIRECTIONS, ROWS_AT_ONCE = 384, 2_000, 100_000
TESTED = 5_000  # texts of the many, and media, that are scored
TRAINING = "--media features.parquet --text embeddings.parquet --epochs 1 --batch-size 4096"
STAGES = {
    "cluster": "cluster embeddings.parquet -o clusters.parquet --k 200",
    "shifts": "shifts clusters.parquet -o shifts.parquet --min 0.05 --max 0.2",
    "knn": "cluster embeddings.parquet -o neighbors.parquet --method knn",
    "inspect": "inspect embeddings.parquet",
    "eval": "eval -o scores --media gallery.parquet --text embeddings.parquet --annotations tested.parquet",
    "embed": "embed annotations.parquet -o made.parquet --model ./static --dtype float16",
    "train": f"train annotations.parquet -o run --shifts shifts.parquet --val-split none {TRAINING}",
    "sweep": "sweep split.parquet -o swept --clusters clusters.parquet --strategies fixed,mmts --levels 1 --seeds 1 "
    + f"--dimension 64 {TRAINING}",
}


# A process's own peak, as the system counts that of its parent in where it starts.
_TELLING = """
import re, sys
from pathlib import Path
from mmts_cli.app import app
from mmts_cli.command import run_app
code = run_app(app, sys.argv[1:])
print(re.search("VmHWM.*", Path("/proc/self/status").read_text())[0], file=sys.stderr)
sys.exit(code)
"""


def blocks(rows: int, seed: int) -> Iterator[tuple[int, np.ndarray]]:
    """First rows of blocks, and vectors: those of the first block with their elements shifted by one in each other."""
    random = np.random.default_rng(seed)
    centres_kd = random.standard_normal((DIRECTIONS, DIMENSION), np.float32)
    share_k = 1 / np.arange(1, DIRECTIONS + 1)
    kind_n = random.choice(DIRECTIONS, min(rows, ROWS_AT_ONCE), p=share_k / share_k.sum())
    vectors_nd = centres_kd[kind_n] + random.standard_normal((len(kind_n), DIMENSION), np.float32)
    vectors_nd = vectors_nd.astype(np.float16)
    for start in range(0, rows, ROWS_AT_ONCE):
        yield start, np.roll(vectors_nd, start // ROWS_AT_ONCE, axis=1)[: rows - start]


def write_vectors(path: Path, key: str, rows: int, seed: int) -> None:
    schema = vector_schema(key, DIMENSION, "float16", split=False)
    with ArtifactWriter(path, schema, Provenance("benchmark", f"{key} of {rows}", {}, {})) as writer:
        for start, vectors_nd in blocks(rows, seed):
            ids = [f"{key[0]}{row:08d}" for row in range(start, start + len(vectors_nd))]
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(vectors_nd.reshape(-1)), DIMENSION)
            writer.write(pa.table({key: ids, "embedding": vectors}))


def write_annotations(path: Path, rows: int, held_out: int = 0) -> None:
    """Write rows of their own texts and media; with ``held_out`` the last of them are for validation and testing."""
    names = ["sample_id", "text", "media_id", *(["split"] if held_out else [])]
    schema = pa.schema([(name, pa.string()) for name in names])
    split_n = np.repeat(["train", "val", "test"], [rows - held_out, held_out - held_out // 2, held_out // 2])
    with ArtifactWriter(path, schema, Provenance("benchmark", f"annotations of {rows}", {}, {})) as writer:
        for start in range(0, rows, ROWS_AT_ONCE):
            ids = [f"{row:08d}" for row in range(start, min(start + ROWS_AT_ONCE, rows))]
            columns = {"sample_id": [f"s{each}" for each in ids], "text": [f"text {each}" for each in ids]}
            columns |= {"media_id": [f"m{each}" for each in ids], "split": split_n[start : start + len(ids)]}
            writer.write(pa.table({name: columns[name] for name in names}))


def write_static_model(folder: Path) -> None:
    """Write a model that looks up vectors of tokens, here digits, and takes their mean."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    digits = [str(digit) for digit in range(10)]
    pieces = ["[UNK]", "text", *digits, *(f"##{digit}" for digit in digits)]
    tokenizer = Tokenizer(models.WordPiece({piece: row for row, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    modules = [StaticEmbedding(tokenizer, embedding_dim=DIMENSION)]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)


def write_inputs(folder: Path, rows: int, stages: Collection[str]) -> None:
    """Write what some stages read, but for what other stages make."""
    if set(stages) - {"embed"}:
        write_vectors(folder / "embeddings.parquet", "sample_id", rows, seed=0)
    if "eval" in stages:
        write_vectors(folder / "gallery.parquet", "media_id", TESTED, seed=1)
        write_annotations(folder / "tested.parquet", TESTED)
    if not {"embed", "train"}.isdisjoint(stages):
        write_annotations(folder / "annotations.parquet", rows)
    if not {"train", "sweep"}.isdisjoint(stages):
        write_vectors(folder / "features.parquet", "media_id", rows, seed=1)
    if "sweep" in stages:
        write_annotations(folder / "split.parquet", rows, held_out=TESTED)
    if "embed" in stages:
        write_static_model(folder / "static")


def measured(folder: Path, line: str) -> tuple[float, float, float, str]:
    """Seconds, those of all its cores, and peak resident GiB of a command, and what it says before it starts."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", _TELLING, *line.split()],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: mmts {line}\n{said}")
    notes = [note for note in said.splitlines() if note.startswith("needs ")]
    of_cores, peak = usage.ru_utime + usage.ru_stime, int(said.split()[-2]) / 2**20
    return time.perf_counter() - start, of_cores, peak, notes[0] if notes else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="100,000 1,000,000 by default"
    )
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES), help="all by default")
    parser.add_argument("--folder", type=Path, help="where to make the data (default: the system's temporary folder)")
    given = parser.parse_args()
    print("| rows | stage | seconds | of all cores | peak GiB | said before |\n|---|---|---|---|---|---|")
    for rows in given.rows:
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            folder = Path(name)
            write_inputs(folder, rows, given.stages)
            for stage in given.stages:
                seconds, of_cores, peak, note = measured(folder, STAGES[stage])
                print(
                    f"| {rows:,} | {stage} | {seconds:,.0f} | {of_cores:,.0f} | {peak:.2f} | {note or '-'} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
