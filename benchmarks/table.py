"""The table of docs/speed.md, from several runs of each benchmark.

    python benchmarks/table.py [--runs 3] [--only startup losses ...]

Runs go round over the benchmarks, so that those of one are apart in time. Of each figure the table shows the lowest
and highest of the runs, and beside it their number, the threads, the processor, the BLAS libraries, and the load of the
machine (processes that wait for or have a core, for each core, before a run began). Rows of other processors stay, and
with --only those of other benchmarks.
"""

import argparse
import os
import platform
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np  # noqa: F401  its BLAS is listed
import torch
from figures import MARK
from threadpoolctl import threadpool_info

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "speed.md"
BEGIN, END = "<!-- benchmarks/table.py writes from here -->", "<!-- to here -->"
HEAD = (
    "| what | against | ratio | of | processor | runs | threads unless said | load a core | BLAS |\n" + "|---" * 9 + "|"
)
SCRIPTS = {
    "losses": ["contrast_losses.py", "--quick", "--repeats", "5"],
    "ek100": ["ek100_evaluation.py", "--repeats", "1"],
    "gallery": ["big_gallery.py", "--quick"],
    "embed": ["embed_distinct.py"],
    "overhead": ["embed_overhead.py"],
    "epoch": ["training_epoch.py"],
    "files": ["vector_files.py"],
    "pixels": ["training_pixels.py"],
    "video": ["video_decoding.py"],
    "kmeans": ["kmeans.py", "--quick"],
    "startup": ["startup.py"],
}


def libraries() -> str:
    """The BLAS of NumPy with its kernels, and that of torch."""
    found = {f"{each['internal_api']} {each.get('architecture') or each.get('version')}" for each in threadpool_info()}
    found = {name for name in found if not name.startswith("openmp")}
    return ", ".join(sorted(found | ({"mkl"} if torch.backends.mkl.is_available() else set())))


def processor() -> str:
    """The processor's name, as Linux has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def run(name: str) -> list[tuple[str, str, float, str]]:
    """Run a benchmark; what it measured, against what, the ratio, and of what."""
    script, *options = SCRIPTS[name]
    done = subprocess.run([sys.executable, str(HERE / script), *options], stdout=subprocess.PIPE, text=True, check=True)
    print(done.stdout, flush=True)
    cells = [line.removeprefix(MARK).split(" | ") for line in done.stdout.splitlines() if line.startswith(MARK)]
    return [(what, against, float(ratio), unit) for what, against, ratio, unit in cells]


def span(values: list[float], form: str) -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


def measure(names: list[str], runs: int) -> dict[tuple[str, ...], str]:
    """Rows of the table, by what was measured against what, and on which processor."""
    ratios, loads = defaultdict(list), defaultdict(list)
    for _ in range(runs):
        for name in names:
            load = os.getloadavg()[0] / (os.cpu_count() or 1)
            for what, against, ratio, unit in run(name):
                ratios[what, against, unit].append(ratio)
                loads[what, against, unit].append(load)
    name, told = processor(), f"{torch.get_num_threads()} | {{load}} | {libraries()} |"
    return {
        (what, against, name): f"| {what} | {against} | {span(values, '.2f')} | {unit} | {name} | {len(values)} | "
        + told.format(load=span(loads[what, against, unit], ".1f"))
        for (what, against, unit), values in ratios.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of each benchmark (default: 3)")
    parser.add_argument("--only", nargs="+", choices=list(SCRIPTS), default=list(SCRIPTS), help="these benchmarks")
    arguments = parser.parse_args()
    measured = measure(arguments.only, arguments.runs)
    before, rest = PAGE.read_text().split(BEGIN)
    table, after = rest.split(END)
    cells = {line: [cell.strip() for cell in line.split("|")[1:6]] for line in table.strip().splitlines()[2:]}
    rows = {(what, against, name): line for line, (what, against, _, _, name) in cells.items()} | measured
    first = {key[:2]: place for place, key in reversed(list(enumerate(rows)))}
    ordered = sorted(rows, key=lambda key: first[key[:2]])  # what was measured on several processors together
    PAGE.write_text("\n".join([before + BEGIN, "", HEAD, *(rows[key] for key in ordered), "", END + after]))


if __name__ == "__main__":
    main()
