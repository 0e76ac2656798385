"""The training loop on images: samples a second, against a bare PyTorch loop, and against loading alone.

    python benchmarks/training_pixels.py            JPEGs of 160 x 128, views of 64, a small ResNet, in one process
    python benchmarks/training_pixels.py --gpu 12   of 500 x 375, views of 224, a ViT-B/32 in bfloat16, 12 loaders

All read the same JPEGs (made here), cut random squares and train the same tower and heads with InfoNCE and AdamW,
batches of 128. Ours is `pipelines.train.train` itself, without validation. Times are differences of a long and a short
run, over their difference in epochs; runs are interleaved. "our loader alone" is ours without the towers, "bare
DataLoader alone" the loop's without them, "towers alone" the loop on pixels that are there: where loading takes about
as long as the towers, decoding is what bounds a run, and --workers helps. On a GPU the bare loop pins its memory too.
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

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

TEXT_SIZE, DIMENSION, BATCH, TAU = 64, 128, 128, 0.07
MADE = 512  # different pictures


class Setting(NamedTuple):
    """What is trained, and where."""

    media: int
    picture: tuple[int, int]
    size: int
    tower: dict[str, Any]
    epochs: tuple[int, int]  # of the short and the long runs
    repeats: int
    device: str = "cpu"
    workers: int = 0

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """Bfloat16 on a GPU, as ``--precision bf16-mixed``."""
        return torch.autocast("cuda", torch.bfloat16) if self.device == "cuda" else contextlib.nullcontext()


RESNET = {"model_type": "resnet", "embedding_size": 32, "hidden_sizes": [32, 64, 128, 256], "layer_type": "basic"}
SMALL = Setting(1024, (160, 128), 64, {**RESNET, "image_size": 64, "depths": [1, 1, 1, 1]}, (1, 4), 3)
LARGE = Setting(4096, (500, 375), 224, {"model_type": "vit", "image_size": 224, "patch_size": 32}, (1, 3), 2, "cuda")


def write_data(folder: Path, setting: Setting) -> dict[str, Path]:
    random = np.random.default_rng(0)
    (folder / "images").mkdir()
    ids = [f"m{row}.jpg" for row in range(setting.media)]
    for row, name in enumerate(ids):
        if row < MADE:
            coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            coarse.resize(setting.picture, Image.Resampling.BICUBIC).save(folder / "images" / name)
        else:
            (folder / "images" / name).hardlink_to(folder / "images" / ids[row % MADE])
    text_nd = random.standard_normal((setting.media, TEXT_SIZE), dtype=np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(text_nd.ravel(), type=vector_type(TEXT_SIZE))
    pq.write_table(pa.table({"sample_id": ids, "text": ids, "media_id": ids}), folder / "annotations.parquet")
    pq.write_table(pa.table({"sample_id": ids, "embedding": vectors}), folder / "text.parquet")
    (folder / "tower").mkdir()
    (folder / "tower" / "config.json").write_text(json.dumps(setting.tower))
    return {name: folder / f"{name}.parquet" for name in ("annotations", "text")} | {"media": folder / "images"}


class Pictures(torch.utils.data.Dataset):
    """JPEGs as random squares, as short as one writes it."""

    def __init__(self, folder: Path, setting: Setting) -> None:
        self.files = [folder / f"m{row}.jpg" for row in range(setting.media)]
        self.size = setting.size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        image = Image.open(self.files[row]).convert("RGB")
        side = min(image.size)
        cut = round(side * np.random.uniform(0.95, 1.0))
        left, top = np.random.randint(image.size[0] - cut + 1), np.random.randint(image.size[1] - cut + 1)
        box = (left, top, left + cut, top + cut)
        square = image.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box)
        return torch.from_numpy(np.array(square).transpose(2, 0, 1)), row


Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


def bare_loader(files: dict[str, Path], setting: Setting) -> Batches:
    pictures, pinned = Pictures(files["media"], setting), setting.device == "cuda"
    return torch.utils.data.DataLoader(
        pictures, BATCH, shuffle=True, drop_last=True, num_workers=setting.workers, pin_memory=pinned
    )


def bare(files: dict[str, Path], setting: Setting, text_nd: torch.Tensor, loader: Batches, epochs: int) -> None:
    torch.manual_seed(0)
    tower, device = load_vision_tower(str(files["media"].parent / "tower")), setting.device
    model = nn.ModuleList([tower, nn.Linear(tower.dimension, DIMENSION), nn.Linear(TEXT_SIZE, DIMENSION)]).train()
    optimizer = torch.optim.AdamW(model.to(device).parameters(), lr=1e-3)
    labels = torch.arange(BATCH, device=device)
    for _ in range(epochs):
        for pixels, rows in loader:
            pixels, texts = (each.to(device, non_blocking=True) for each in (pixels, text_nd[rows]))
            with setting.autocast():
                media = functional.normalize(model[1](tower(pixels)), dim=1)
                text = functional.normalize(model[2](texts), dim=1)
                scores = media @ text.T / TAU
                loss = (functional.cross_entropy(scores, labels) + functional.cross_entropy(scores.T, labels)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    if device == "cuda":
        torch.cuda.synchronize()


def only_bare_loading(files: dict[str, Path], setting: Setting, epochs: int) -> None:
    loader = bare_loader(files, setting)
    for _ in range(epochs):
        for _ in loader:
            pass


def ours(files: dict[str, Path], setting: Setting, epochs: int) -> None:
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
            device=setting.device,
            workers=setting.workers,
            precision="bf16-mixed" if setting.device == "cuda" else "32",
        ),
        force=True,
    )


def loading(files: dict[str, Path], setting: Setting, epochs: int) -> None:
    listed = media_list(read_annotations(files["annotations"]))
    source = open_media(files["media"], listed, view=View(setting.size, ranges=RANGES["crop"]))
    plan = [
        PlannedBatch(epoch, step, rows)
        for epoch in range(epochs)
        for step, rows in enumerate(torch.split(torch.randperm(setting.media), BATCH))
    ]
    for _ in batches(source, plan, workers=setting.workers, seed=0):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu", type=int, metavar="WORKERS", help="on a GPU, with so many processes that load")
    gpu = parser.parse_args().gpu
    setting = SMALL if gpu is None else LARGE._replace(workers=gpu)
    warnings.simplefilter("ignore")  # the files have no footer of ours
    with tempfile.TemporaryDirectory() as name:
        files = write_data(Path(name), setting)
        vectors = pq.read_table(files["text"])["embedding"].combine_chunks().flatten().to_numpy()
        text_nd = torch.from_numpy(vectors.reshape(setting.media, TEXT_SIZE).copy())
        ready = list(bare_loader(files, setting))
        runs: dict[str, Callable[[int], None]] = {
            "bare PyTorch loop": lambda epochs: bare(files, setting, text_nd, bare_loader(files, setting), epochs),
            "`mmts train`": lambda epochs: ours(files, setting, epochs),
            "our loader alone": lambda epochs: loading(files, setting, epochs),
            "bare DataLoader alone": lambda epochs: only_bare_loading(files, setting, epochs),
            "towers alone": lambda epochs: bare(files, setting, text_nd, ready, epochs),
        }
        taken: dict[str, list[float]] = {label: [] for label in runs}
        for run in runs.values():
            run(1)
        short, long = setting.epochs
        for _ in range(setting.repeats):
            for label, run in runs.items():
                seconds = []
                for epochs in (short, long):
                    start = time.perf_counter()
                    run(epochs)
                    seconds.append(time.perf_counter() - start)
                taken[label].append((seconds[1] - seconds[0]) / (long - short))
    base = statistics.median(taken["bare PyTorch loop"])
    where = f", {torch.cuda.get_device_name()}, {gpu} loading processes" if gpu is not None else ""
    print(f"{'':22} {'samples/s':>10}   (medians of {setting.repeats} interleaved runs{where})")
    for label, values in taken.items():
        print(f"{label:22} {setting.media / statistics.median(values):10.0f}")
    trained = "128-pixel JPEGs, a small ResNet" if gpu is None else "500 x 375 JPEGs, a ViT-B/32 on a GPU"
    for label, values in taken.items():
        if label != "bare PyTorch loop":
            what = f"training on {trained}: {label}"
            figure(what, "a bare PyTorch loop, same towers", statistics.median(values) / base)


if __name__ == "__main__":
    main()
