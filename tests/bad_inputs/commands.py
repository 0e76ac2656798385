"""Options, TOML, JSON, footers, run folders and recipes that are wrong."""

from bad_inputs.case import BadInput

CASES = [
    BadInput("shifts-out-of-order", "shifts {good}/clusters.parquet -o o --min 0.3 --max 0.1", ("0.3", "0.1")),
]
