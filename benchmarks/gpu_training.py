"""The training loop on a GPU: mixed precision, resuming, speed beside a bare loop, and waits for the device.

    python benchmarks/gpu_training.py               40,000 pairs on a GPU; 3,000 without one
    python benchmarks/gpu_training.py --quick       3,000 pairs

All train linear heads (512 and 384 to 512) on made features with `pipelines.train.train` itself.

1. Recall after training in float32 and in both mixed precisions, for every loss with MM-TS: it should hardly differ.
2. A run that SIGTERM stops in its second epoch, and that is resumed: its weights should be those of the run that was
   never stopped, bit for bit. So should those of a second run, which tells resuming from operations that a GPU orders
   as it likes.
3. Samples a second against a bare loop of plain torch with the dense losses, in float32; once with the features on the
   device, once gathered on the host as ours are. Runs are interleaved; reading and writing files doesn't count.
4. How often the host waits for the device in 50 steps, for every loss and strategy, and in which lines. Figures are
   fetched every 10 steps, which takes 5.

The script fails where recall is off by more than 3 %, or a run is not the same bit for bit.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from contrast_losses import dense_info_nce, dense_max_margin, dense_sigmoid
from safetensors.torch import load_file
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also without the package installed

from pipelines.artifacts import vector_type
from pipelines.contrast import LOSSES, STRATEGIES
from pipelines.contrast.losses.sigmoid import FIRST_BIAS
from pipelines.encoding import Precision
from pipelines.errors import Interrupted
from pipelines.train import TrainConfig, loop, train

MEDIA_SIZE, TEXT_SIZE, DIMENSION, LATENT, NOISE = 512, 384, 512, 32, 3.0
PRECISIONS: tuple[Precision, ...] = ("32", "bf16-mixed", "16-mixed")
RECALL_TOLERANCE = 0.03
# Strategies that learn, remember samples or drop units at random have more to bring back than weights.
RESUMED = [
    ("mmts", "infonce", "32"),
    ("mmts", "max-margin", "bf16-mixed"),
    ("learned", "sigmoid", "16-mixed"),
    ("isogclr", "infonce", "32"),
    ("tempnet", "infonce", "bf16-mixed"),
]
WARM_STEPS, COUNTED_STEPS, REPEATS = 10, 50, 3
DENSE = {"infonce": dense_info_nce, "max-margin": dense_max_margin, "sigmoid": dense_sigmoid}


class World(NamedTuple):
    """The files of made pairs in two splits, one caption a medium, and the training features."""

    folder: Path
    pairs: int
    media_nd: Tensor
    text_nd: Tensor
    device: torch.device

    def config(self, run: str, **options: object) -> TrainConfig:
        """The settings of a run on these files, with the shifts where its strategy takes them."""
        if "shifts" in STRATEGIES[str(options["temperature"])].options:
            options["shifts"] = self.folder / "shifts.parquet"
        files = {name: self.folder / f"{name}.parquet" for name in ("annotations", "media", "text")}
        return TrainConfig(**files, output=self.folder / run, device=str(self.device), dimension=DIMENSION, **options)


def make_world(folder: Path, pairs: int, device: torch.device) -> World:
    """Media and texts that come from common latent vectors, with noise; an eighth of them validate."""
    random = np.random.default_rng(0)
    validating = min(pairs // 8, 2000)
    latent_nl = random.standard_normal((pairs, LATENT), dtype=np.float32)

    def seen(size: int) -> np.ndarray:
        through = random.standard_normal((LATENT, size), dtype=np.float32) / LATENT**0.5
        return latent_nl @ through + NOISE * random.standard_normal((pairs, size), dtype=np.float32)

    media_nd, text_nd = seen(MEDIA_SIZE), seen(TEXT_SIZE)
    ids = [f"s{row}" for row in range(pairs)]
    split = ["val"] * validating + ["train"] * (pairs - validating)
    shift = random.choice(np.array([0.05, 0.0625, 0.08, 0.125], np.float32), pairs)

    def vectors(matrix_nd: np.ndarray) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(matrix_nd.ravel(), type=vector_type(matrix_nd.shape[1]))

    tables = {
        "annotations": {"sample_id": ids, "text": ids, "media_id": ids, "split": split},
        "media": {"media_id": ids, "embedding": vectors(media_nd)},
        "text": {"sample_id": ids, "embedding": vectors(text_nd)},
        "shifts": {"sample_id": ids, "shift": shift, "cluster_size": np.rint(shift * 1000).astype(np.int64)},
    }
    for name, table in tables.items():
        pq.write_table(pa.table(table), folder / f"{name}.parquet")
    kept = [torch.from_numpy(matrix_nd[validating:]) for matrix_nd in (media_nd, text_nd)]
    return World(folder, pairs - validating, *kept, device)


@contextmanager
def before_each_step(act: Callable[[int], None]) -> Iterator[None]:
    """Call something with the number of steps done before each step of `train`."""
    take_step = loop.take_step

    def watched(session, batch, step):
        act(step)
        return take_step(session, batch, step)

    loop.take_step = watched
    try:
        yield
    finally:
        loop.take_step = take_step


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def compare_precisions(world: World, epochs: int) -> bool:
    print(f"\n1. recall_sum after {epochs} epochs\n{'':14}" + "".join(f"{name:>12}" for name in PRECISIONS))
    close = True
    for loss in LOSSES:
        sums = []
        for precision in PRECISIONS:
            config = world.config(
                "run", temperature="mmts", loss=loss, precision=precision, epochs=epochs, val_every=epochs
            )
            sums.append(train(config, force=True).summary["validation"]["recall_sum"])
        good = all(abs(each - sums[0]) <= RECALL_TOLERANCE * sums[0] for each in sums)
        close &= good
        print(f"{loss:14}" + "".join(f"{each:12.1f}" for each in sums) + ("" if good else "  too far apart"))
    return close


def stopped_and_resumed(config: TrainConfig, at_step: int) -> None:
    def stop(step: int) -> None:
        if step == at_step:
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        with before_each_step(stop):
            train(config, force=True)
    except Interrupted:
        train(config, resume=True)
        return
    raise RuntimeError(f"SIGTERM before step {at_step} did not stop the run")


def largest_difference(folder: Path, other: Path) -> float:
    """The largest difference of a weight in two runs' best checkpoints, the strategy's state included."""
    ours, theirs = (load_file(run / "checkpoints" / "best.safetensors") for run in (folder, other))
    if ours.keys() != theirs.keys():
        raise RuntimeError(f"the checkpoints hold other tensors: {sorted(ours.keys() ^ theirs.keys())}")
    return max(float((ours[name].double() - theirs[name].double()).abs().max()) for name in ours)


def compare_resumed(world: World, batch_size: int) -> bool:
    print("\n2. largest difference of a weight from the run never stopped")
    print(f"{'':36}{'stopped and resumed':>22}{'run again':>12}")
    same = True
    for temperature, loss, precision in RESUMED:
        options = {"temperature": temperature, "loss": loss, "precision": precision, "val_split": "none"}
        options |= {"epochs": 2, "batch_size": batch_size}
        for run in ("whole", "again"):
            train(world.config(run, **options), force=True)
        stopped_and_resumed(world.config("resumed", **options), at_step=world.pairs // batch_size + 3)
        found = [largest_difference(world.folder / "whole", world.folder / run) for run in ("resumed", "again")]
        same &= not any(found)
        resumed, again = ("none" if each == 0 else f"{each:.1e}" for each in found)
        print(f"{temperature:10}{loss:14}{precision:12}{resumed:>22}{again:>12}")
    return same


def bare(world: World, loss: str, batch_size: int, epochs: int, home: torch.device) -> float:
    """Train with plain torch, features lying at ``home``; return samples a second."""
    torch.manual_seed(0)
    media_nd, text_nd = world.media_nd.to(home), world.text_nd.to(home)
    heads = nn.ModuleList([nn.Linear(MEDIA_SIZE, DIMENSION), nn.Linear(TEXT_SIZE, DIMENSION)]).to(world.device)
    bias = [nn.Parameter(torch.tensor(FIRST_BIAS, device=world.device))] if loss == "sigmoid" else []
    level_n = torch.full((batch_size,), LOSSES[loss].default_level, device=world.device)
    optimizer = torch.optim.AdamW([*heads.parameters(), *bias], lr=1e-3)
    steps, done = world.pairs // batch_size, 0
    for _ in range(epochs):
        order = torch.randperm(world.pairs).to(home)
        for step in range(steps):
            if done == WARM_STEPS:
                synchronize(world.device)
                start = time.perf_counter()
            rows = order[step * batch_size : (step + 1) * batch_size]
            media, text = (
                head(side[rows].to(world.device)) for head, side in zip(heads, (media_nd, text_nd), strict=True)
            )
            optimizer.zero_grad()
            DENSE[loss](media, text, level_n, *bias).backward()
            optimizer.step()
            done += 1
    synchronize(world.device)
    return (done - WARM_STEPS) * batch_size / (time.perf_counter() - start)


def ours(world: World, loss: str, batch_size: int, epochs: int) -> float:
    """Train with `train`; return samples a second."""
    times: dict[int, float] = {}
    last = world.pairs // batch_size * epochs - 1

    def look(step: int) -> None:
        if step in (WARM_STEPS, last):
            synchronize(world.device)
            times[step] = time.perf_counter()

    options = {"temperature": "fixed", "loss": loss, "batch_size": batch_size, "epochs": epochs, "val_split": "none"}
    with before_each_step(look):
        train(world.config("run", **options), force=True)
    return (last - WARM_STEPS) * batch_size / (times[last] - times[WARM_STEPS])


def compare_speed(world: World, batch_sizes: tuple[int, ...], steps: int) -> None:
    print(f"\n3. samples/s in float32, medians of {REPEATS} interleaved runs, and ours over theirs")
    print(f"{'':14}{'batch':>7}{'ours':>12}{'bare, on device':>24}{'bare, on host':>24}")
    for loss in LOSSES:
        for batch_size in batch_sizes:
            epochs = -(-steps // (world.pairs // batch_size))
            runs = {
                "ours": partial(ours, world, loss, batch_size, epochs),
                "device": partial(bare, world, loss, batch_size, epochs, world.device),
                "host": partial(bare, world, loss, batch_size, epochs, torch.device("cpu")),
            }
            taken: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(REPEATS):
                for name, run in runs.items():
                    taken[name].append(run())
            mine, *others = (statistics.median(each) for each in taken.values())
            shown = "".join(f"{each:15.0f} ({mine / each:6.2f})" for each in others)
            print(f"{loss:14}{batch_size:7}{mine:12.0f}{shown}")


def count_waits(world: World, batch_size: int) -> None:
    """Print how often PyTorch says that an operation made the host wait."""
    print(f"\n4. waits of the host for the device in {COUNTED_STEPS} steps")
    if world.device.type != "cuda":
        print("no GPU: not counted")
        return

    def count(step: int) -> None:
        if step in (WARM_STEPS, WARM_STEPS + COUNTED_STEPS):
            torch.cuda.set_sync_debug_mode("warn" if step == WARM_STEPS else "default")

    epochs = -(-(WARM_STEPS + COUNTED_STEPS + 1) // (world.pairs // batch_size))
    for temperature, kind in STRATEGIES.items():
        for loss in kind.losses:
            options = {"temperature": temperature, "loss": loss, "batch_size": batch_size, "epochs": epochs}
            with warnings.catch_warnings(record=True) as found, before_each_step(count):
                warnings.simplefilter("always")
                train(world.config("run", val_split="none", **options), force=True)
            places = Counter(
                f"{Path(each.filename).name}:{each.lineno}"
                for each in found
                if "synchronizing CUDA operation" in str(each.message)
            )
            lines = ", ".join(f"{place} {times}" for place, times in places.most_common(6))
            print(f"{temperature:14}{loss:12}{places.total():6}  {lines}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, as without a GPU")
    parser.add_argument("--device", help="default: a GPU if there is one")
    arguments = parser.parse_args()
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    quick = arguments.quick or device.type == "cpu"
    pairs, small, batch = (3000, 800, 128) if quick else (40_000, 8000, 512)
    print(f"torch {torch.__version__}, {name}, {pairs} pairs")
    warnings.simplefilter("ignore")  # the files have no footer of ours
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as small_folder:
        world = make_world(Path(folder), pairs, device)
        small_world = make_world(Path(small_folder), small, device)
        close = compare_precisions(world, epochs=4)
        same = compare_resumed(small_world, batch)
        compare_speed(world, (batch, 4 * batch), steps=30 if quick else 150)
        count_waits(small_world, batch)
    problems = [
        *([] if close else ["recall differs between precisions"]),
        *([] if same else ["a run is not the same bit for bit"]),
    ]
    print("\n" + ("; ".join(problems) or "recall agrees between precisions, and runs are the same bit for bit"))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
