"""The training loop on images: samples a second, against a bare PyTorch loop, and against loading alone.

    python benchmarks/training_pixels.py

All read the same JPEGs (128 px, made here), cut random squares of 64 px and train the same ResNet and heads with
InfoNCE and AdamW, batches of 128, in one process. Ours is `pipelines.train.train` itself, without validation. Times are
differences of a long and a short run, over their difference in epochs; runs are interleaved. "our loader alone" is ours
without the towers, "bare DataLoader alone" the loop's without them, "towers alone" the loop on pixels that are there:
where loading takes about as long as the towers, decoding is what bounds a run, and --workers helps.
"""

import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from figures import figure
from PIL import Image
from torch import nn
from torch.nn import functional

from pipelines.artifacts import read_annotations, vector_type
from pipelines.augmentation import RANGES
from pipelines.media import PlannedBatch, View, batches, media_list, open_media
from pipelines.models import load_vision_tower
from pipelines.train import TrainConfig, train

MEDIA, SIZE, SIDE, TEXT_SIZE, DIMENSION, BATCH = 1024, 64, 128, 64, 128, 128
SHORT, LONG, REPEATS, TAU = 1, 4, 3, 0.07
TOWER = {
    "model_type": "resnet",
    "image_size": SIZE,
    "embedding_size": 32,
    "hidden_sizes": [32, 64, 128, 256],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
}


def write_data(folder: Path) -> dict[str, Path]:
    random = np.random.default_rng(0)
    (folder / "images").mkdir()
    ids = [f"m{row}.jpg" for row in range(MEDIA)]
    for name in ids:
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((SIDE + 32, SIDE), Image.Resampling.BICUBIC).save(folder / "images" / name)
    text_nd = random.standard_normal((MEDIA, TEXT_SIZE), dtype=np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(text_nd.ravel(), type=vector_type(TEXT_SIZE))
    pq.write_table(pa.table({"sample_id": ids, "text": ids, "media_id": ids}), folder / "annotations.parquet")
    pq.write_table(pa.table({"sample_id": ids, "embedding": vectors}), folder / "text.parquet")
    (folder / "tower").mkdir()
    (folder / "tower" / "config.json").write_text(json.dumps(TOWER))
    return {name: folder / f"{name}.parquet" for name in ("annotations", "text")} | {"media": folder / "images"}


class Pictures(torch.utils.data.Dataset):
    """JPEGs as random squares, as short as one writes it."""

    def __init__(self, folder: Path) -> None:
        self.files = [folder / f"m{row}.jpg" for row in range(MEDIA)]

    def __len__(self) -> int:
        return MEDIA

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        image = Image.open(self.files[row]).convert("RGB")
        side = min(image.size)
        cut = round(side * np.random.uniform(0.95, 1.0))
        left, top = np.random.randint(image.size[0] - cut + 1), np.random.randint(image.size[1] - cut + 1)
        box = (left, top, left + cut, top + cut)
        square = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)
        return torch.from_numpy(np.array(square).transpose(2, 0, 1)), row


Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


def bare_loader(files: dict[str, Path]) -> Batches:
    return torch.utils.data.DataLoader(Pictures(files["media"]), BATCH, shuffle=True, drop_last=True)


def bare(files: dict[str, Path], text_nd: torch.Tensor, loader: Batches, epochs: int) -> None:
    torch.manual_seed(0)
    tower = load_vision_tower(str(files["media"].parent / "tower"))
    model = nn.ModuleList([tower, nn.Linear(tower.dimension, DIMENSION), nn.Linear(TEXT_SIZE, DIMENSION)]).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    labels = torch.arange(BATCH)
    for _ in range(epochs):
        for pixels, rows in loader:
            media = functional.normalize(model[1](tower(pixels)), dim=1)
            text = functional.normalize(model[2](text_nd[rows]), dim=1)
            scores = media @ text.T / TAU
            loss = (functional.cross_entropy(scores, labels) + functional.cross_entropy(scores.T, labels)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def only_bare_loading(files: dict[str, Path], epochs: int) -> None:
    for _ in range(epochs):
        for _ in bare_loader(files):
            pass


def ours(files: dict[str, Path], epochs: int) -> None:
    train(
        TrainConfig(
            **files,
            output=files["media"].parent / "run",
            media_model=str(files["media"].parent / "tower"),
            temperature="fixed",
            tau=TAU,
            augment="crop",
            batch_size=BATCH,
            dimension=DIMENSION,
            epochs=epochs,
            val_split="none",
            device="cpu",
        ),
        force=True,
    )


def loading(files: dict[str, Path], epochs: int) -> None:
    listed = media_list(read_annotations(files["annotations"]))
    source = open_media(files["media"], listed, view=View(SIZE, ranges=RANGES["crop"]))
    for epoch in range(epochs):
        order = torch.randperm(MEDIA)
        plan = [PlannedBatch(epoch, step, rows) for step, rows in enumerate(torch.split(order, BATCH))]
        for _ in batches(source, plan, workers=0, seed=0):
            pass


def main() -> None:
    warnings.simplefilter("ignore")  # the files have no footer of ours
    with tempfile.TemporaryDirectory() as name:
        files = write_data(Path(name))
        vectors = pq.read_table(files["text"])["embedding"].combine_chunks().flatten().to_numpy()
        text_nd = torch.from_numpy(vectors.reshape(MEDIA, TEXT_SIZE).copy())
        ready = list(bare_loader(files))
        runs: dict[str, Callable[[int], None]] = {
            "bare PyTorch loop": lambda epochs: bare(files, text_nd, bare_loader(files), epochs),
            "`mmts train`": lambda epochs: ours(files, epochs),
            "our loader alone": lambda epochs: loading(files, epochs),
            "bare DataLoader alone": lambda epochs: only_bare_loading(files, epochs),
            "towers alone": lambda epochs: bare(files, text_nd, ready, epochs),
        }
        taken: dict[str, list[float]] = {label: [] for label in runs}
        for run in runs.values():
            run(1)
        for _ in range(REPEATS):
            for label, run in runs.items():
                seconds = []
                for epochs in (SHORT, LONG):
                    start = time.perf_counter()
                    run(epochs)
                    seconds.append(time.perf_counter() - start)
                taken[label].append((seconds[1] - seconds[0]) / (LONG - SHORT))
    base = statistics.median(taken["bare PyTorch loop"])
    print(f"{'':22} {'samples/s':>10}   (medians of {REPEATS} interleaved runs)")
    for label, values in taken.items():
        print(f"{label:22} {MEDIA / statistics.median(values):10.0f}")
    for label, values in taken.items():
        if label != "bare PyTorch loop":
            what = f"training on 128-pixel JPEGs, a small ResNet: {label}"
            figure(what, "a bare PyTorch loop, same towers", statistics.median(values) / base)


if __name__ == "__main__":
    main()
