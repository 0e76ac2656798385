"""How often a verdict is false, and how small a difference it finds: runs of one setting compared with each other.

MMTS_DATA_DIR=FOLDER python benchmarks/verdicts.py [--runs 40] [--keep FOLDER]

Trains linear projections on openclipart's features with as many seeds of one setting as are asked for, scores them on
the test split, and draws disjoint groups of seeds, 400 times for each size of group. None of them differ in truth, so
every "better" or "worse" is false; at most 5% may be. Power is read off the same draws: a true difference d added to
all scores of one group is found where the interval moved by d leaves out 0; printed is the smallest d found 80% of the
time. For comparison, one run a side by a paired bootstrap over queries, which knows nothing of seeds. ``--keep`` keeps
the runs, and goes on with those it holds.
"""

import argparse
import contextlib
import itertools
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from pipelines.annotations import prepare_table
from pipelines.cluster import cluster
from pipelines.compare import read_queries
from pipelines.embed import embed
from pipelines.evaluate import evaluate
from pipelines.scores import bootstrap, judge
from pipelines.train import TrainConfig, train

GROUPS, DRAWS, PAIRS = (2, 3, 5, 10), 400, 200
SCORES = tuple(itertools.product(("overall", "tail"), ("mean",), ("recall@1", "recall@10")))


def train_runs(data: Path, folder: Path, count: int) -> list[Path]:
    """Folders of scores of one setting, a seed each."""
    annotations, text, sizes = (folder / f"{name}.parquet" for name in ("annotations", "text", "clusters"))
    prepare_table(
        data / "captions.csv", annotations, text_column="caption", media_id_column="media_id", split_column="split"
    )
    embed(annotations, text)
    cluster(annotations, sizes, method="class", columns=["folder"])
    scores = []
    for seed in range(count):
        run = folder / f"run{seed}"
        config = TrainConfig(
            annotations=annotations,
            output=run,
            media=data / "features_efficientnet_lite2.parquet",
            text=text,
            temperature="fixed",
            tau=0.1,
            seed=seed,
        )
        train(config)
        evaluate(folder / f"scores{seed}", run=run, frequency=sizes, resamples=0)
        scores.append(folder / f"scores{seed}")
        print(f"run {seed + 1} of {count}", file=sys.stderr, flush=True)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    if "MMTS_DATA_DIR" not in os.environ:
        print("skipped: set MMTS_DATA_DIR to the folder of the real data")
        return
    data = Path(os.environ["MMTS_DATA_DIR"]) / "openclipart"
    with contextlib.ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        runs = read_queries(train_runs(data, folder, arguments.runs))
    generator = np.random.default_rng(0)

    print(f"{len(runs)} runs of one setting; false verdicts in % of {DRAWS} comparisons, and the smallest difference")
    print("in points that is found 80% of the time; mean of both directions")
    print(f"{'seeds a side':20s}" + "".join(f"{segment + ' ' + metric:>22s}" for segment, _, metric in SCORES))
    false = dict.fromkeys(SCORES, 0)
    for _ in range(PAIRS):
        one, other = generator.choice(len(runs), 2, replace=False)
        found = bootstrap.compare(runs[one], runs[other], resamples=1000)
        for segment, direction, metric in SCORES:
            entry = found[segment][direction][metric]
            false[segment, direction, metric] += entry["low"] > 0 or entry["high"] < 0
    print(f"{'1, queries alone':20s}" + "".join(f"{100 * false[key] / PAIRS:20.1f} %" for key in SCORES))
    for size in GROUPS:
        if 2 * size > len(runs):
            continue
        verdicts = []
        for _ in range(DRAWS):
            drawn = generator.choice(len(runs), 2 * size, replace=False)
            verdicts.append(judge([runs[row] for row in drawn[:size]], [runs[row] for row in drawn[size:]]))
        cells = []
        for segment, direction, metric in SCORES:
            each = [verdict[segment][direction][metric] for verdict in verdicts]
            wrong = 100 * np.mean([one.word in ("better", "worse") for one in each])
            needed = np.quantile([-one.low for one in each], 0.8)
            cells.append(f"{wrong:8.1f} %, {needed:5.1f} points")
        print(f"{size:<20d}" + "".join(f"{cell:>22s}" for cell in cells))


if __name__ == "__main__":
    main()
