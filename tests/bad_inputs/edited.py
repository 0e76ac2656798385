"""Records that were edited: a run's ``config.json``, the footers of artifacts, weights, recipes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bad_inputs.case import BadInput, good
from bad_inputs.commands import cut, text

_RUN = "config.json"


def run_with(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """The good run as ``r``, its ``config.json`` changed: to text, or to another value."""

    def make(folder: Path) -> None:
        shutil.copytree(good(folder) / "run", folder / "r")
        path = folder / "r" / _RUN
        new = change(json.loads(path.read_text()))
        path.write_text(new if isinstance(new, str) else json.dumps(new))

    return make


def run_without(*names: str) -> Callable[[Path], None]:
    """The good run as ``r`` without some parameters."""
    return run_with(
        lambda config: {
            **config,
            "parameters": {name: value for name, value in config["parameters"].items() if name not in names},
        }
    )


def run_of(**parameters: Any) -> Callable[[Path], None]:
    """The good run as ``r`` with other parameters."""
    return run_with(lambda config: {**config, "parameters": {**config["parameters"], **parameters}})


def cut_weights(folder: Path) -> None:
    """The good run as ``r``, half of its weights gone."""
    shutil.copytree(good(folder) / "run", folder / "r")
    (weights,) = (folder / "r" / "model").rglob("*.safetensors")
    cut(weights.name)(weights.parent)


def with_footer(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """A good artifact as ``f.parquet``, its footer changed: to text, or to another value; its data are as they were."""

    def make(folder: Path) -> None:
        table = pq.read_table(good(folder) / name)
        footer = change(json.loads(pq.read_metadata(good(folder) / name).metadata[b"mmts"]))
        text = footer if isinstance(footer, str) else json.dumps(footer)
        pq.write_table(table.replace_schema_metadata({"mmts": text}), folder / "f.parquet")

    return make


FOOTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "not-json": lambda footer: "{",
    "a-list": lambda footer: [],
    "deep": lambda footer: "[" * 20_000,
    "wrong-types": lambda footer: {**footer, "inputs": 3, "parameters": "x", "libraries": [1]},
    "missing-keys": lambda footer: {"stage": "shifts"},
    "unknown-key": lambda footer: {**footer, "later": 1},
    "other-stage": lambda footer: {**footer, "stage": "prepare"},
    "huge": lambda footer: {**footer, "summary": {"x": "y" * 1_000_000}},
    "fingerprint-a-number": lambda footer: {**footer, "fingerprint": 3},
    "digest-a-list": lambda footer: {**footer, "data_digest": [3]},
    "inputs-of-other-kinds": lambda footer: {**footer, "inputs": {"clusters": [1]}},
}

CASES = [
    *[
        BadInput(f"{verb}-config-{name}", f"{verb} r -o out", ("r", says), make)
        for verb in ("eval", "export")
        for name, says, make in (
            ("not-json", _RUN, run_with(lambda config: "{")),
            ("a-list", _RUN, run_with(lambda config: [])),
            ("deep", _RUN, run_with(lambda config: "[" * 20_000)),
            ("no-parameters", _RUN, run_with(lambda config: {"command": "train"})),
            ("parameters-a-list", _RUN, run_with(lambda config: {**config, "parameters": [1]})),
            ("without-annotations", "annotations", run_without("annotations")),
            ("without-output-and-media", "media", run_without("media", "output")),
            ("annotations-a-number", "annotations", run_of(annotations=3)),
            ("media-a-list", "media", run_of(media=["x"])),
            ("command-eval", _RUN, run_with(lambda config: {**config, "command": "eval"})),
        )
    ],
    *[
        BadInput(f"{verb}-cut-weights", f"{verb} r -o out", ("safetensors",), cut_weights)
        for verb in ("eval", "export")
    ],
    *[
        BadInput(
            f"shifts-over-footer-{name}",
            "shifts {good}/clusters.parquet -o f.parquet --min 0.1 --max 0.2",
            ("f.parquet", "--force"),
            with_footer("shifts.parquet", change),
        )
        for name, change in FOOTERS.items()
    ],
    BadInput("export-loss-unknown", "export r -o out", (_RUN, "loss"), run_of(loss="triplet")),
    BadInput("eval-media-nowhere", "eval r -o out", ("nowhere.parquet", "--media"), run_of(media="nowhere.parquet")),
    BadInput("recipe-empty", "run r.toml --root {dir} -o out", ("r.toml", "empty"), text("r.toml", "")),
    BadInput("recipe-blank", "run r.toml --root {dir} -o out", ("r.toml", "about"), text("r.toml", "\n\n# none\n")),
]
