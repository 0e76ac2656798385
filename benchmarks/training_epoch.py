"""A feature-training epoch of ours against a bare PyTorch loop: same heads, batches of 512, data of Flickr8K's size.

python benchmarks/training_epoch.py

Both train linear heads (1280 and 384 to 512) with InfoNCE in both directions and AdamW on 6,000 media, without
validation. Ours is `pipelines.train.train` itself; an epoch is the difference of a long and a short run, over their
difference in epochs, so that reading files and writing the run don't count. Runs are interleaved. Aim: at most 1.25.
"""

import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from figures import figure
from torch import nn
from torch.nn import functional

from pipelines.artifacts import vector_type
from pipelines.train import TrainConfig, train

MEDIA, CAPTIONS, MEDIA_SIZE, TEXT_SIZE, DIMENSION, BATCH = 6000, 5, 1280, 384, 512, 512
SHORT, LONG, REPEATS, TAU = 1, 9, 5, 0.07


def write_data(folder: Path, media_nd: np.ndarray, text_nd: np.ndarray) -> dict[str, Path]:
    media_ids = [f"m{row}" for row in range(MEDIA)]
    sample_ids = [f"s{row}" for row in range(MEDIA * CAPTIONS)]

    def vectors(matrix_nd: np.ndarray) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(matrix_nd.ravel(), type=vector_type(matrix_nd.shape[1]))

    tables = {
        "annotations": {"sample_id": sample_ids, "text": sample_ids, "media_id": np.repeat(media_ids, CAPTIONS)},
        "media": {"media_id": media_ids, "embedding": vectors(media_nd)},
        "text": {"sample_id": sample_ids, "embedding": vectors(text_nd)},
    }
    for name, table in tables.items():
        pq.write_table(pa.table(table), folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in tables}


def bare(media_nd: torch.Tensor, text_nd: torch.Tensor, epochs: int) -> None:
    torch.manual_seed(0)
    heads = nn.ModuleList([nn.Linear(MEDIA_SIZE, DIMENSION), nn.Linear(TEXT_SIZE, DIMENSION)])
    optimizer = torch.optim.AdamW(heads.parameters(), lr=1e-3)
    labels = torch.arange(BATCH)
    for _ in range(epochs):
        order = torch.randperm(MEDIA)
        samples = order * CAPTIONS + torch.randint(CAPTIONS, (MEDIA,))
        for step in range(MEDIA // BATCH):
            part = slice(step * BATCH, (step + 1) * BATCH)
            media = functional.normalize(heads[0](media_nd[order[part]]), dim=1)
            text = functional.normalize(heads[1](text_nd[samples[part]]), dim=1)
            scores = media @ text.T / TAU
            loss = (functional.cross_entropy(scores, labels) + functional.cross_entropy(scores.T, labels)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def main() -> None:
    warnings.simplefilter("ignore")  # the files have no footer of ours
    random = np.random.default_rng(0)
    media_nd = random.standard_normal((MEDIA, MEDIA_SIZE), dtype=np.float32)
    text_nd = random.standard_normal((MEDIA * CAPTIONS, TEXT_SIZE), dtype=np.float32)
    taken: dict[str, list[float]] = {"bare PyTorch": [], "mmts": []}
    with tempfile.TemporaryDirectory() as name:
        files = write_data(Path(name), media_nd, text_nd)

        def ours(epochs: int) -> None:
            options = {"temperature": "fixed", "tau": TAU, "batch_size": BATCH, "dimension": DIMENSION}
            config = TrainConfig(
                **files, output=Path(name) / "run", epochs=epochs, val_split="none", device="cpu", **options
            )
            train(config, force=True)

        def theirs(epochs: int) -> None:
            bare(torch.from_numpy(media_nd), torch.from_numpy(text_nd), epochs)

        for run in (ours, theirs):
            run(1)
        for _ in range(REPEATS):
            for label, run in (("bare PyTorch", theirs), ("mmts", ours)):
                seconds = []
                for epochs in (SHORT, LONG):
                    start = time.perf_counter()
                    run(epochs)
                    seconds.append(time.perf_counter() - start)
                taken[label].append((seconds[1] - seconds[0]) / (LONG - SHORT))
    base = statistics.median(taken["bare PyTorch"])
    print(f"{'':14} {'median s an epoch':>18} {'ratio':>7}   (of {REPEATS} interleaved runs)")
    for label, values in taken.items():
        print(f"{label:14} {statistics.median(values):18.3f} {statistics.median(values) / base:7.2f}")
    ratio = statistics.median(taken["mmts"]) / base
    figure("a training epoch on features", "a bare PyTorch loop, same projections", ratio)


if __name__ == "__main__":
    main()
