"""A run of a sweep against the bare loops inside it, and runs an hour with one process or one a core.

python benchmarks/sweep.py [--runs 3] [--prepared FOLDER]

Between two runs of ``mmts sweep`` a plain PyTorch loop does the same arithmetic with one thread: linear heads, dense
InfoNCE, AdamW, ranks of both directions on validation after each epoch and on test at the end, by a float32 product.
Compared is the processor's time, which other processes disturb less than the clock. Aim: at most 1.2. Runs an hour are
by the clock, without the seconds in which processes start and read the data.

Data are random and of Flickr8K's size; or ``--prepared``: annotations.parquet, features.parquet and texts.parquet.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional

from pipelines.artifacts import read_annotations, read_vectors, vector_type
from pipelines.device import usable_cores
from pipelines.sweep import SweepConfig, sweep

SPLITS = {"train": 6000, "val": 1000, "test": 1000}
CAPTIONS, MEDIA_SIZE, TEXT_SIZE, DIMENSION = 5, 1280, 384, 512
BATCH, EPOCHS, TAU, LEARNING_RATE = 512, 30, 0.07, 1e-3


def write_random(folder: Path) -> None:
    """Files of Flickr8K's size."""
    random = np.random.default_rng(0)
    media = [f"{split}{row}" for split, count in SPLITS.items() for row in range(count)]
    sample_ids = [f"{medium}-{caption}" for medium in media for caption in range(CAPTIONS)]
    splits = np.repeat(list(SPLITS), [count * CAPTIONS for count in SPLITS.values()])

    def vectors(count: int, size: int) -> pa.Array:
        drawn = random.standard_normal(count * size, dtype=np.float32)
        return pa.FixedSizeListArray.from_arrays(drawn, type=vector_type(size))

    tables: dict[str, dict[str, Any]] = {
        "annotations": {
            "sample_id": sample_ids,
            "text": sample_ids,
            "media_id": np.repeat(media, CAPTIONS),
            "split": splits,
        },
        "features": {"media_id": media, "embedding": vectors(len(media), MEDIA_SIZE)},
        "texts": {"sample_id": sample_ids, "embedding": vectors(len(sample_ids), TEXT_SIZE)},
    }
    for name, table in tables.items():
        pq.write_table(pa.table(table), folder / f"{name}.parquet")


@dataclass(frozen=True)
class Split:
    """Features ``[m, d]``, texts ``[n, e]``, and the row of each text's medium ``[n]``."""

    media_md: Tensor
    text_ne: Tensor
    media_of_text_n: Tensor


def read_splits(folder: Path) -> dict[str, Split]:
    annotations = read_annotations(folder / "annotations.parquet").to_pandas()
    features, texts = (read_vectors(folder / f"{name}.parquet") for name in ("features", "texts"))
    row_of_media = {name: row for row, name in enumerate(features.ids.to_pylist())}
    row_of_text = {name: row for row, name in enumerate(texts.ids.to_pylist())}
    splits = {}
    for name, rows in annotations.groupby("split"):
        media = rows["media_id"].unique()
        place = {medium: row for row, medium in enumerate(media)}
        splits[str(name)] = Split(
            torch.from_numpy(features.matrix_nd[[row_of_media[medium] for medium in media]]),
            torch.from_numpy(texts.matrix_nd[[row_of_text[sample] for sample in rows["sample_id"]]]),
            torch.tensor([place[medium] for medium in rows["media_id"]]),
        )
    return splits


def embed(heads: nn.ModuleList, media_md: Tensor, text_ne: Tensor) -> tuple[Tensor, Tensor]:
    return functional.normalize(heads[0](media_md), dim=1), functional.normalize(heads[1](text_ne), dim=1)


@torch.no_grad()
def recalls(heads: nn.ModuleList, split: Split) -> list[float]:
    """Recall at 1, 5 and 10 of both directions."""
    media_nd, text_md = embed(heads, split.media_md, split.text_ne)
    scores_nm = media_nd @ text_md.T
    own_m = scores_nm[split.media_of_text_n, torch.arange(len(text_md))]
    best_n = torch.full((len(media_nd),), -1.0).scatter_reduce(0, split.media_of_text_n, own_m, "amax")
    ranks = (scores_nm > own_m).sum(0), (scores_nm > best_n[:, None]).sum(1)
    return [float((rank < k).float().mean()) for rank in ranks for k in (1, 5, 10)]


def bare(splits: dict[str, Split], seed: int) -> list[float]:
    """Train and choose by validation; recalls on the test split."""
    torch.manual_seed(seed)
    train = splits["train"]
    media_count = len(train.media_md)
    texts = torch.argsort(train.media_of_text_n, stable=True)
    count_m = torch.bincount(train.media_of_text_n)
    first_m = count_m.cumsum(0) - count_m
    heads = nn.ModuleList(nn.Linear(matrix.shape[1], DIMENSION) for matrix in (train.media_md, train.text_ne))
    optimizer = torch.optim.AdamW(heads.parameters(), lr=LEARNING_RATE)
    labels = torch.arange(BATCH)
    best, kept = -1.0, {}
    for _ in range(EPOCHS):
        order = torch.randperm(media_count)
        samples = texts[first_m[order] + (torch.rand(media_count) * count_m[order]).long()]
        for start in range(0, media_count - BATCH + 1, BATCH):
            part = slice(start, start + BATCH)
            media, text = embed(heads, train.media_md[order[part]], train.text_ne[samples[part]])
            scores = media @ text.T / TAU
            loss = (functional.cross_entropy(scores, labels) + functional.cross_entropy(scores.T, labels)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        score = sum(recalls(heads, splits["val"]))
        if score > best:
            best, kept = score, {name: value.clone() for name, value in heads.state_dict().items()}
    heads.load_state_dict(kept)
    return recalls(heads, splits["test"])


def config_of(folder: Path, output: Path, trials: int, seeds: int) -> SweepConfig:
    """A sweep of one setting: so many trials, all of one level, and so many seeds."""
    shared = {
        "annotations": folder / "annotations.parquet",
        "media": folder / "features.parquet",
        "text": folder / "texts.parquet",
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "dimension": DIMENSION,
        "lr": LEARNING_RATE,
        "device": "cpu",
    }
    search = {"level": [TAU, TAU]}
    return SweepConfig(output, shared, strategies=["fixed"], levels=trials, seeds=seeds, search=search)


def compare(folder: Path, output: Path, runs: int) -> None:
    """Print the ratio of a run of a sweep and of the loops inside it."""
    splits = read_splits(folder)
    taken: dict[str, list[float]] = {"bare PyTorch": [], "mmts sweep": []}
    mark = time.process_time()

    def after_a_run(line: str) -> None:
        nonlocal mark
        taken["mmts sweep"].append(time.process_time() - mark)
        start = time.process_time()
        bare(splits, seed=len(taken["bare PyTorch"]))
        mark = time.process_time()
        taken["bare PyTorch"].append(mark - start)

    with threadpool_limits(1):
        torch.set_num_threads(1)
        sweep(config_of(folder, output, 1, runs), tell=after_a_run)
        torch.set_num_threads(usable_cores())
    middle = {label: statistics.median(values[1:]) for label, values in taken.items()}  # the first read the data
    print(f"{'':14} {'median processor s a run':>26} {'ratio':>7}   (of {runs} interleaved runs, one thread)")
    for label, seconds in middle.items():
        print(f"{label:14} {seconds:26.2f} {seconds / middle['bare PyTorch']:7.2f}")


def runs_an_hour(folder: Path, output: Path) -> None:
    """Print how many runs there are in an hour, with one process and with one a core, when data have been read."""
    cores = usable_cores()
    for jobs in sorted({1, cores}):
        sweep(config_of(folder, output / str(jobs), cores, cores), jobs=jobs)
        seconds = statistics.median(pq.read_table(output / str(jobs) / "sweep.parquet")["seconds"].to_pylist())
        print(
            f"--jobs {jobs}, threads {cores // jobs}: {seconds:.1f} s a run, {3600 * jobs / seconds:,.0f} runs an hour"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--prepared", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # the files have no footer of ours
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        if arguments.prepared is None:
            write_random(made)
        folder = arguments.prepared or made
        compare(folder, made / "compared", arguments.runs)
        runs_an_hour(folder, made / "counted")


if __name__ == "__main__":
    main()
