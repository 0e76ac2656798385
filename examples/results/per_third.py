"""Is there more to be had with a level of its own for each third? A random search, which the sweep's shifts can't do.

Tail, middle and head are thirds of the training samples by the mean of four clusterings, each with one of six
temperatures. Of the trials that lose next to nothing overall on validation the one with the highest tail recall is
tested with five seeds, against the best fixed temperature.

python per_third.py annotations.parquet texts.parquet features.parquet OUT FREQUENCY clusters.parquet...
FREQUENCY, a column or "clusters", is what is scored as head, middle and tail.
"""

import random
import sys
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.artifacts import mean_frequency, read_annotations
from pipelines.artifacts.files import read_json
from pipelines.compare import compare
from pipelines.evaluate import evaluate
from pipelines.train import TrainConfig, train

LEVELS = (0.0233, 0.0362, 0.0562, 0.0872, 0.135, 0.21)
TRIALS, SEEDS = 18, 5
TOLERANCE = 0.5  # points that a trial may lose overall on validation, which is about the noise of one seed

warnings.filterwarnings("ignore", message=".*no mmts footer")  # of the shifts files written here


def main(annotations: str, texts: str, media: str, out: str, frequency: str, *clusters: str) -> None:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = mean_frequency([Path(path) for path in clusters])
    table = read_annotations(Path(annotations))
    is_train = np.isin(
        sizes.sample_ids.to_numpy(), table.filter(pa.compute.equal(table["split"], "train"))["sample_id"]
    )
    edges = np.quantile(sizes.size_n[is_train], [1 / 3, 2 / 3])
    third_n = np.searchsorted(edges, sizes.size_n)
    whole_n = pa.array(np.rint(sizes.size_n), pa.int64())
    if frequency == "clusters":
        frequency = str(folder / "frequency.parquet")
        pq.write_table(pa.table({"sample_id": sizes.sample_ids, "cluster_size": whole_n}), frequency)

    def scored(levels: tuple[float, ...], seed: int, split: str) -> Path:
        """Train one setting, unless it is there, and score it."""
        name = "-".join(map(str, levels))
        run = folder / f"{name}-{seed}"
        options = {"temperature": "fixed", "tau": levels[0]}
        if len(levels) > 1:
            path = folder / f"{name}.parquet"
            shift_n = pa.array(np.array(levels)[third_n], pa.float32())
            pq.write_table(pa.table({"sample_id": sizes.sample_ids, "shift": shift_n, "cluster_size": whole_n}), path)
            options = {"temperature": "mmts", "alpha": 0.0, "shifts": path}
        train(
            TrainConfig(
                annotations=annotations,
                output=run,
                media=media,
                text=texts,
                epochs=30,
                batch_size=512,
                val_every=3,
                warmup_epochs=1,
                seed=seed,
                frequency=frequency,
                **options,
            ),
            resume=True,
        )
        evaluate(run / split, run=run, split=split, frequency=frequency, resamples=0)
        return run / split

    def recall(scores: Path, segment: str) -> float:
        found = read_json(scores / "metrics.json")["scores"][segment]["mean"]
        return float(np.mean([found[f"recall@{k}"]["value"] for k in (1, 5, 10)]))

    combinations = [levels for levels in product(LEVELS, repeat=3) if len(set(levels)) > 1]
    tried = [*((level,) for level in LEVELS), *random.Random(0).sample(combinations, TRIALS)]
    on_val = {}
    for levels in tried:
        scores = scored(levels, 0, "val")
        on_val[levels] = recall(scores, "overall"), recall(scores, "tail")
        print(levels, "overall {:.1f} tail {:.1f}".format(*on_val[levels]), flush=True)
    fixed = max((levels for levels in tried if len(levels) == 1), key=lambda levels: on_val[levels][0])
    least = on_val[fixed][0] - TOLERANCE
    free = [levels for levels in tried if len(levels) > 1 and on_val[levels][0] >= least]
    if not free:
        print(f"none of {TRIALS} loses less than {TOLERANCE} points overall against {fixed}")
        return
    chosen = max(free, key=lambda levels: on_val[levels][1])
    print("chosen", chosen, on_val[chosen], "fixed", fixed, on_val[fixed])
    tests = [[scored(levels, seed, "test") for seed in range(1, SEEDS + 1)] for levels in (fixed, chosen)]
    found = compare([*tests[0], *tests[1]])["comparisons"][0]["differences"]
    for segment in ("overall", "head", "middle", "tail"):
        for metric in ("recall@1", "recall@10"):
            each = found[segment]["mean"][metric]
            print(segment, metric, "{value:+.1f} ({low:.1f} to {high:.1f}) {verdict}".format(**each))


if __name__ == "__main__":
    main(*sys.argv[1:])
