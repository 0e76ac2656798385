"""Print what sweeps found as Markdown.

python table.py OUT/flickr8k/infonce OUT/openclipart/infonce ...
"""

import json
import sys
from pathlib import Path
from typing import Any

SEGMENTS = ("overall", "head", "middle", "tail")


def main(folders: list[str]) -> None:
    for folder in folders:
        found = json.loads(Path(folder, "sweep.json").read_text())
        print(f"\n### {Path(folder).parent.name}, {Path(folder).name}\n")
        print(f"| strategy | setting | {found['val_split']} | {' | '.join(SEGMENTS)} |")
        print(f"|---|---|---{'|---' * len(SEGMENTS)}|")
        for candidate in found["candidates"]:
            cells = (cell(candidate, segment) for segment in SEGMENTS)
            best = "**" if candidate["name"] == found["best"] else ""
            options = ", ".join(f"{name} {value}" for name, value in candidate["options"].items())
            edge = " (edge)" if candidate["at_edge"] else ""
            print(
                f"| {best}{candidate['name']}{best} | {options}{edge} | {validation(candidate)} | {' | '.join(cells)} |"
            )
        minutes = found["seconds"] / found["jobs"] / 60
        print(f"\n{found['runs']} runs, {found['jobs']} at once, {minutes:.0f} minutes. Thirds: {found['frequency']}.")


def validation(candidate: dict[str, Any]) -> str:
    return f"{candidate['validation']['tests']:.1f}"


def cell(candidate: dict[str, Any], segment: str) -> str:
    score = candidate["scores"][segment]["mean"]["mean_recall"]
    if "differences" not in candidate:
        return f"{score['value']:.1f} ± {(score['high'] - score['low']) / 2:.1f}"
    difference = candidate["differences"][segment]["mean"]["mean_recall"]
    star = "*" if difference["verdict"] in ("better", "worse") else ""
    return (
        f"{score['value']:.1f} ({difference['value']:+.1f} ± {(difference['high'] - difference['low']) / 2:.1f}{star})"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
