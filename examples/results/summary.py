"""Print what InfoNCE sweeps of several data sets found, a row each.

python summary.py OUT/flickr8k OUT/openclipart ...
"""

import json
import sys
from pathlib import Path
from typing import Any

SHOWN = ("shifts", "mmts", "fixed+sampling", "fixed+adjust", "fixed+weight", "isogclr", "tempnet")


def main(folders: list[str]) -> None:
    print(f"| data | fixed, overall / tail | {' | '.join(SHOWN)} | best by validation |")
    print(f"|---|---|{'---|' * (len(SHOWN) + 1)}")
    for folder in folders:
        found = json.loads(Path(folder, "infonce", "sweep.json").read_text())
        candidates = {each["name"]: each for each in found["candidates"]}
        fixed = " / ".join(
            f"{of(candidates['fixed'], 'scores', segment)['value']:.1f}" for segment in ("overall", "tail")
        )
        cells = (difference(candidates[name]) for name in SHOWN)
        print(f"| {Path(folder).name} | {fixed} | {' | '.join(cells)} | {found['best']} |")


def of(candidate: dict[str, Any], what: str, segment: str) -> dict[str, Any]:
    return candidate[what][segment]["mean"]["mean_recall"]


def difference(candidate: dict[str, Any]) -> str:
    parts = []
    for segment in ("overall", "tail"):
        found = of(candidate, "differences", segment)
        parts.append(f"{found['value']:+.1f}{'*' if found['verdict'] in ('better', 'worse') else ''}")
    return " / ".join(parts)


if __name__ == "__main__":
    main(sys.argv[1:])
