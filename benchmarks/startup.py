"""Start-up: ``mmts --help`` against ``python -c "import typer, rich"``, which any Typer program pays.

python benchmarks/startup.py
"""

import os
import statistics
import subprocess
import sys
import time

from figures import figure

REPEATS = 30
# Installed programs have their byte code beside them; some containers forbid Python to write it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
LINES = {
    "import typer, rich": "import typer, rich",
    "mmts --help": "import sys; sys.argv[1:] = ['--help']; from mmts_cli.__main__ import main; main()",
}


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    return time.perf_counter() - start


def main() -> None:
    for code in LINES.values():  # byte code is compiled
        seconds(code)
    taken: dict[str, list[float]] = {name: [] for name in LINES}
    for _ in range(REPEATS):
        for name, code in LINES.items():
            taken[name].append(seconds(code))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    base = medians["import typer, rich"]
    print(f"{'':20} {'median ms':>10} {'ratio':>7}   (of {REPEATS} interleaved runs)")
    for name, median in medians.items():
        print(f"{name:20} {1e3 * median:10.0f} {median / base:7.2f}")
    figure("`mmts --help`", "`python -c 'import typer, rich'`", medians["mmts --help"] / base)


if __name__ == "__main__":
    main()
