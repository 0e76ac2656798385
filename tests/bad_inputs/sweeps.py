"""Sweeps that can't be made or shown, and fronts of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bad_inputs.case import BadInput, good
from bad_inputs.commands import copied, cut, text, without

_PAIRS = "{good}/annotations.parquet --media {good}/media.parquet --text {good}/text.parquet"
_FILES = f"{_PAIRS} --clusters {{good}}/clusters.parquet"
_SWEEP = f"sweep {_FILES} -o out --epochs 1 --batch-size 16 --dimension 8 --device cpu"
_LONG = "x" * 300
_TRIAL = "runs/fixed-infonce-trial-1"


def _rewritten(name: str, change: Callable[[Any], object]) -> Callable[[Path], None]:
    """Change a JSON file of a folder."""

    def rewrite(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(change(content)))

    return rewrite


def _with_scores(**changes: object) -> Callable[[Path], None]:
    """Change what a trial scored."""
    return _rewritten(f"{_TRIAL}/metrics.json", lambda metrics: {**metrics, "run": {**metrics["run"], **changes}})


def _edited(name: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    """Change a table of a folder, and leave its footer."""

    def edit(folder: Path) -> None:
        table, footer = pq.read_table(folder / name), pq.read_metadata(folder / name).metadata[b"mmts"]
        pq.write_table(change(table).replace_schema_metadata({"mmts": footer}), folder / name)

    return edit


def _without_ranks(table: pa.Table) -> pa.Table:
    """The scores of queries by another measure than their ranks."""
    ranks = table.column_names.index("rank")
    table = table.set_column(ranks, "rank", pa.nulls(len(table), pa.int64()))
    return table.append_column("ap", pa.array([0.5] * len(table)))


def _table_of_another_stage(folder: Path) -> None:
    shutil.copyfile(good(folder.parent) / "clusters.parquet", folder / "sweep.parquet")


CASES = [
    BadInput("sweep-no-output", f"sweep {_FILES}", ("--output", "missing")),
    BadInput(
        "sweep-no-media", "sweep {good}/annotations.parquet -o out --text {good}/text.parquet", ("--media", "missing")
    ),
    BadInput(
        "sweep-no-text",
        "sweep {good}/annotations.parquet -o out --media {good}/media.parquet --strategies fixed",
        ("--text",),
    ),
    BadInput("sweep-no-clusters", f"sweep {_PAIRS} -o out", ("shifts needs cluster sizes", "--clusters")),
    BadInput("sweep-swapped", f"{_SWEEP}".replace("{good}/media", "{good}/text"), ("missing there", "swapped")),
    BadInput("sweep-no-annotations", f"{_SWEEP}".replace("{good}/annotations", "nowhere"), ("nowhere", "no such file")),
    BadInput("sweep-strategy", f"{_SWEEP} --strategies fixd", ("--strategies fixd", "'fixed'")),
    BadInput("sweep-balance", f"{_SWEEP} --strategies fixed+weights", ("weights", "'weight'")),
    BadInput("sweep-none", f"{_SWEEP} --strategies ,", ("--strategies", "empty")),
    BadInput("sweep-loss", f"{_SWEEP} --losses info", ("--losses info", "'infonce'")),
    BadInput("sweep-no-loss-fits", f"{_SWEEP} --strategies tempnet --losses sigmoid", ("tempnet", "sigmoid")),
    BadInput("sweep-levels", f"{_SWEEP} --levels 1000000000000", ("--levels 1000000000000", "1,000")),
    BadInput("sweep-seeds", f"{_SWEEP} --seeds 0", ("--seeds 0", "1,000")),
    BadInput("sweep-jobs", f"{_SWEEP} --jobs 1000000000000", ("--jobs 1000000000000", "256")),
    BadInput("sweep-budget", f"{_SWEEP} --budget 3", ("--budget 3", "raise it")),
    BadInput("sweep-search", f"{_SWEEP} --search levle=1,2", ("levle", "'level'")),
    BadInput("sweep-search-words", f"{_SWEEP} --search level", ("--search level", "OPTION=")),
    BadInput("sweep-search-range", f"{_SWEEP} --search level=2,1", ("level", "lowest first")),
    BadInput("sweep-search-unused", f"{_SWEEP} --strategies fixed --search rho=1,2", ("rho", "none of the strategies")),
    BadInput("sweep-metric", f"{_SWEEP} --metric recal_sum", ("--metric recal_sum", "'recall_sum'")),
    BadInput("sweep-test-split", f"{_SWEEP} --test-split val", ("--test-split val", "another")),
    BadInput("sweep-no-test-split", f"{_SWEEP} --test-split tset --levels 1 --seeds 1", ("tset",)),
    BadInput("sweep-frequency", f"{_SWEEP} --frequency kinds", ("--frequency kinds", "neither")),
    BadInput("sweep-folder", "sweep {good}", ("sweep.json", "no such file")),
    BadInput("sweep-long-output", f"{_SWEEP}".replace("-o out", f"-o {_LONG}"), ("can't be read or written",)),
    BadInput("sweep-toml", "sweep s.toml -o out", ("s.toml", "annotations"), text("s.toml", "levels = 3")),
    BadInput("sweep-toml-flag", "sweep s.toml -o out", ("s.toml", "'levels'"), text("s.toml", "level = 3")),
    BadInput("sweep-toml-broken", "sweep s.toml -o out", ("s.toml", "TOML"), text("s.toml", "levels = [")),
    BadInput("sweep-toml-missing", "sweep s.toml -o out", ("s.toml", "no such file")),
    BadInput("frontier-of-nothing", "frontier", ("'sweep'",)),
    BadInput("frontier-nowhere", "frontier nowhere", ("nowhere", "no such file", "mmts sweep")),
    BadInput("frontier-of-a-file", "frontier {good}/text.parquet", ("text.parquet", "no such file")),
    BadInput("frontier-of-scores", "frontier {good}/scores", ("sweep.parquet", "mmts sweep")),
    BadInput("frontier-prefer", "frontier {good}/sweep --prefer tial", ("tial", "'tail'")),
    BadInput("frontier-force", "frontier {good}/sweep --force", ("--force", "--output")),
    BadInput("frontier-picture", "frontier {good}/sweep --picture p.gif", ("p.gif", ".png")),
    BadInput("frontier-over-a-run", f"frontier {{good}}/sweep -o {{good}}/sweep/{_TRIAL}/ranks.parquet", ("both",)),
    BadInput("frontier-over-the-table", "frontier {good}/sweep -o {good}/sweep/sweep.parquet --force", ("both",)),
    BadInput("frontier-over-others", "frontier {good}/sweep -o mine", ("mine", "--force"), text("mine", "mine")),
    BadInput("frontier-one-file", "frontier {good}/sweep -o f.png --picture f.png", ("f.png", "both")),
    BadInput("frontier-long-output", f"frontier {{good}}/sweep -o {_LONG}", ("can't be read or written",)),
    *[
        BadInput(f"frontier-{name}", "frontier sweep --prefer tail", ("sweep", *says), copied("sweep", change))
        for name, change, says in (
            ("unfinished", without("sweep.parquet"), ("search isn't complete", "go on")),
            ("cut", cut("sweep.parquet"), ("sweep.parquet", "damaged")),
            ("other-table", _table_of_another_stage, ("sweep.parquet", "is not what `mmts sweep` writes")),
            (
                "older-table",
                _edited("sweep.parquet", lambda table: table.drop_columns(["settings"])),
                ("sweep.parquet", "no column settings", "without training"),
            ),
            ("rankless", _edited(f"{_TRIAL}/ranks.parquet", _without_ranks), (_TRIAL, "no rank", "go on")),
            ("no-run", without(_TRIAL), (_TRIAL, "no such folder", "go on")),
            ("no-ranks", without(f"{_TRIAL}/ranks.parquet"), (_TRIAL, "ranks.parquet")),
            ("no-metrics", without(f"{_TRIAL}/metrics.json"), (_TRIAL, "metrics.json", "no such file")),
            ("cut-ranks", cut(f"{_TRIAL}/ranks.parquet"), (_TRIAL, "damaged")),
            ("cut-metrics", cut(f"{_TRIAL}/metrics.json"), (_TRIAL, "not valid JSON")),
            ("other-metrics", _rewritten(f"{_TRIAL}/metrics.json", lambda metrics: [metrics]), (_TRIAL, "go on")),
            ("no-scores", _with_scores(scores=None), (_TRIAL, "is not that of a sweep's run")),
            ("no-options", _with_scores(options=3), (_TRIAL, "is not that of a sweep's run")),
            ("other-scores", _with_scores(scores={"recall_sum": 1.0}), (_TRIAL, "has changed since sweep.parquet")),
            ("odd-summary", _rewritten("sweep.json", lambda found: {"candidates": [3]}), ("sweep.json", "is not what")),
            ("cut-summary", cut("sweep.json"), ("sweep.json", "not valid JSON")),
        )
    ],
]
