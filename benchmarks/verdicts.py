"""How often a verdict is false, and how small a difference it finds: runs of one setting compared with each other.

MMTS_DATA_DIR=FOLDER python benchmarks/verdicts.py [--runs 40] [--jobs N] [--keep FOLDER]
python benchmarks/verdicts.py --prepared FOLDER --runs 400

A sweep of one setting trains linear projections on openclipart's features with as many seeds as are asked for, and
scores them on the test split. Disjoint groups of seeds are drawn, 400 times for each size of group. None of them differ
in truth, so every "better" or "worse" is false; at most 5% may be. Power is read off the same draws: a true difference
d added to all scores of one group is found where the interval moved by d leaves out 0; printed is the smallest d found
80% of the time. For comparison, one run a side by a paired bootstrap over queries, which knows nothing of seeds.

Draws share runs, so their rates are less certain than 400 independent ones: of 40 runs, only two comparisons of ten
seeds a side have no run in common (the column "disjoint"). Enough to see a rule that is far off, as queries alone are;
to tell 5% from 8% at ten seeds takes some hundreds of runs.

``--keep`` keeps files and runs, and goes on with the runs it holds. ``--prepared`` takes annotations.parquet,
features.parquet, texts.parquet and clusters.parquet from a folder, such as one that was kept; nothing else is needed.
"""

import argparse
import contextlib
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.annotations import prepare_table
from pipelines.cluster import cluster
from pipelines.compare import read_queries
from pipelines.device import usable_cores
from pipelines.embed import embed
from pipelines.scores import bootstrap, judge
from pipelines.sweep import SweepConfig, sweep

GROUPS, DRAWS, PAIRS = (2, 3, 5, 10), 400, 200
SCORES = tuple(itertools.product(("overall", "tail"), ("mean",), ("recall@1", "recall@10")))
LEVEL = 0.1


def prepare(data: Path, folder: Path) -> None:
    """The files of a sweep; those that are there are left as they are."""
    annotations = folder / "annotations.parquet"
    prepare_table(
        data / "captions.csv", annotations, text_column="caption", media_id_column="media_id", split_column="split"
    )
    embed(annotations, folder / "texts.parquet")
    cluster(annotations, folder / "clusters.parquet", method="class", columns=["folder"])
    shutil.copyfile(data / "features_efficientnet_lite2.parquet", folder / "features.parquet")


def perform_runs(prepared: Path, output: Path, count: int, jobs: int) -> list[Path]:
    """Folders of scores of one setting, a seed each."""
    config = SweepConfig(
        output=output,
        shared={
            "annotations": prepared / "annotations.parquet",
            "media": prepared / "features.parquet",
            "text": prepared / "texts.parquet",
        },
        frequency=str(prepared / "clusters.parquet"),
        strategies=["fixed"],
        levels=1,
        search={"level": [LEVEL, LEVEL]},
        seeds=count,
    )
    sweep(config, jobs=jobs, tell=lambda line: print(line, file=sys.stderr, flush=True))
    return [output / "runs" / f"fixed-infonce-seed-{seed}" for seed in range(1, count + 1)]


def cell(false: Sequence[bool], lows: Sequence[float]) -> str:
    """How many of some comparisons found a difference, and the difference that 80% of them would have found."""
    return f"{100 * np.mean(false):8.1f} %, {np.quantile(-np.array(lows), 0.8):5.1f} points"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=usable_cores())
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--prepared", type=Path)
    arguments = parser.parse_args()
    if "MMTS_DATA_DIR" not in os.environ and not arguments.prepared:
        print("skipped: set MMTS_DATA_DIR to the folder of the real data, or give --prepared")
        return
    with contextlib.ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        if not arguments.prepared:
            prepare(Path(os.environ["MMTS_DATA_DIR"]) / "openclipart", folder)
        folders = perform_runs(arguments.prepared or folder, folder / "sweep", arguments.runs, arguments.jobs)
        runs = read_queries(folders)
    generator = np.random.default_rng(0)

    print(f"{len(runs)} runs of one setting; false verdicts in % of {DRAWS} comparisons, and the smallest difference")
    print("in points that is found 80% of the time; mean of both directions")
    print(f"{'seeds a side':18s}{'disjoint':>9s}" + "".join(f"{f'{part} {metric}':>22s}" for part, _, metric in SCORES))
    drawn = [generator.choice(len(runs), 2, replace=False) for _ in range(PAIRS)]
    paired = [bootstrap.compare(runs[one], runs[other], resamples=1000) for one, other in drawn]
    cells = []
    for segment, direction, metric in SCORES:
        found = [scores[segment][direction][metric] for scores in paired]
        cells.append(cell([each["low"] > 0 or each["high"] < 0 for each in found], [each["low"] for each in found]))
    print(f"{'1, queries alone':18s}{len(runs) // 2:9d}" + "".join(f"{text:>22s}" for text in cells))
    for size in GROUPS:
        if 2 * size > len(runs):
            continue
        verdicts = []
        for _ in range(DRAWS):
            rows = generator.choice(len(runs), 2 * size, replace=False)
            verdicts.append(judge([runs[row] for row in rows[:size]], [runs[row] for row in rows[size:]]))
        cells = []
        for segment, direction, metric in SCORES:
            each = [verdict[segment][direction][metric] for verdict in verdicts]
            cells.append(cell([one.word in ("better", "worse") for one in each], [one.low for one in each]))
        print(f"{size:<18d}{len(runs) // (2 * size):9d}" + "".join(f"{text:>22s}" for text in cells))


if __name__ == "__main__":
    main()
