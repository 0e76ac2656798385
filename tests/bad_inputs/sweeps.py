"""Sweeps that can't be made, or shown."""

from bad_inputs.case import BadInput
from bad_inputs.commands import text

_PAIRS = "{good}/annotations.parquet --media {good}/media.parquet --text {good}/text.parquet"
_FILES = f"{_PAIRS} --clusters {{good}}/clusters.parquet"
_SWEEP = f"sweep {_FILES} -o out --epochs 1 --batch-size 16 --dimension 8 --device cpu"
_LONG = "x" * 300

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
]
