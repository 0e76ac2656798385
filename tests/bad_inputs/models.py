"""Models, run folders and what is exported of them: damaged, hostile, absurd or of the wrong kind."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_inputs.case import BadInput, good

_TRAIN = "train {good}/annotations.parquet -o out --temperature fixed --epochs 1 --batch-size 16 --device cpu -q"
FEATURES = "--media {good}/media.parquet --text {good}/text.parquet"
MEDIA = f"{_TRAIN} --media {{good}}/images --text {{good}}/text.parquet --media-model m"
TEXT = f"{_TRAIN} --media {{good}}/media.parquet --text-model m"
BOTH = f"{_TRAIN} --media {{good}}/images --media-model m --text-model m --projection none"
EMBED = "embed {good}/annotations.parquet -o out.parquet --device cpu --model m"
EMBED_MEDIA = f"{EMBED} --media {{good}}/images"
EVAL = "eval r -o out --resamples 0 --device cpu"
EXPORT = "export r -o out"

# How a message ends where a run's model isn't as trained.
RESTORE = "restore the run's folder `model`, or train again"


def config(**changes: Any) -> Callable[[Path], None]:
    """A folder ``m`` with the good vision model's configuration, changed; None takes a key out."""

    def make(folder: Path) -> None:
        content = {**json.loads((good(folder) / "vit" / "config.json").read_text()), **changes}
        (folder / "m").mkdir()
        (folder / "m" / "config.json").write_text(
            json.dumps({name: value for name, value in content.items() if value is not None})
        )

    return make


def text(name: str, content: str) -> Callable[[Path], None]:
    """A file with this text, its folder made."""

    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    return make


def copied(source: str, to: str, *changes: Callable[[Path], None]) -> Callable[[Path], None]:
    """A copy of something good, then changed."""

    def make(folder: Path) -> None:
        shutil.copytree(good(folder) / source, folder / to)
        for change in changes:
            change(folder / to)

    return make


def written(name: str, content: str) -> Callable[[Path], None]:
    """A file holds this text."""

    def change(folder: Path) -> None:
        (folder / name).write_text(content)

    return change


def flipped(name: str) -> Callable[[Path], None]:
    """One bit in the middle of a file is another."""

    def change(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    return change


def cut(name: str) -> Callable[[Path], None]:
    """A file ends early."""

    def change(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:-20])

    return change


def removed(name: str) -> Callable[[Path], None]:
    """A file or folder is gone."""

    def change(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def edited(name: str, **changes: Any) -> Callable[[Path], None]:
    """Keys of a JSON object have other values."""

    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def pickled(name: str) -> Callable[[Path], None]:
    """Weights are a pickle in place of safetensors."""

    def change(folder: Path) -> None:
        (folder / name).rename((folder / name).parent / "pytorch_model.bin")

    return change


def module(kind: str) -> Callable[[Path], None]:
    """The second module of a sentence-transformers model is of another class."""

    def change(folder: Path) -> None:
        listed = json.loads((folder / "modules.json").read_text())
        listed[1]["type"] = kind
        (folder / "modules.json").write_text(json.dumps(listed))

    return change


CODE = "comes with code of its own, which is not run; --trust-remote-code"
PICKLE = ("pytorch_model.bin is a pickle", "weights_only=True", "model.safetensors")
AUTO_MAP = {"AutoConfig": "own.C", "AutoModel": "own.M"}
run, pixels = "run", "run-pixels"

CASES = [
    # A vision model's configuration.
    BadInput("vision-missing", MEDIA, ("--media-model m: no such folder", "give the folder of a model")),
    BadInput("vision-bad-id", MEDIA.replace(" m", " ./m"), ("--media-model ./m: no such folder, and not a hub id",)),
    BadInput("vision-empty-folder", MEDIA, ("m: holds no model", "config.json"), text("m/notes.txt", "x")),
    BadInput("vision-not-json", MEDIA, ("m/config.json: not valid JSON",), text("m/config.json", "{")),
    BadInput("vision-empty-config", MEDIA, ("m/config.json: the file is empty",), text("m/config.json", "")),
    BadInput("vision-list", MEDIA, ("--media-model m: not a vision model that loads",), text("m/config.json", "[]")),
    BadInput("vision-null", MEDIA, ("--media-model m: not a vision model that loads",), text("m/config.json", "null")),
    BadInput("vision-brackets", MEDIA, ("m/config.json: not valid JSON",), text("m/config.json", "[" * 20_000)),
    BadInput("vision-no-type", MEDIA, ("--media-model m: not a vision model",), config(model_type=None)),
    BadInput("vision-unknown-type", MEDIA, ("--media-model m: not a vision model",), config(model_type="nosuch")),
    BadInput("vision-number-type", MEDIA, ("--media-model m: not a vision model",), config(model_type=3)),
    BadInput("vision-patch-0", MEDIA, ("--media-model m: not a vision model",), config(patch_size=0)),
    BadInput("vision-size-text", MEDIA, ("--media-model m: not a vision model",), config(hidden_size="x")),
    BadInput("vision-size-negative", MEDIA, ("--media-model m: not a vision model",), config(hidden_size=-8)),
    BadInput("vision-layers-negative", MEDIA, ("sets num_hidden_layers to -1",), config(num_hidden_layers=-1)),
    BadInput(
        "vision-layers-many", MEDIA, ("num_hidden_layers to 1e+08", "0 to 2,000"), config(num_hidden_layers=10**8)
    ),
    BadInput("vision-layers-text", MEDIA, ("--media-model m: not a vision model",), config(num_hidden_layers="many")),
    BadInput("vision-labels-many", MEDIA, ("num_labels to 1e+10", "0 to 1,000,000"), config(num_labels=10**10)),
    BadInput("vision-hidden-huge", MEDIA, ("parameters, which take", "GiB of memory"), config(hidden_size=4_000_000)),
    BadInput("vision-image-huge", MEDIA, ("images of 8e+03 pixels", "1 to 4,096"), config(image_size=8000)),
    BadInput("vision-image-negative", MEDIA, ("--media-model m",), config(image_size=-16)),
    BadInput("vision-channels", MEDIA, ("--media-model m: not a vision model",), config(num_channels=4)),
    BadInput("vision-own-code", MEDIA, (f"--media-model m: {CODE}",), config(model_type="own", auto_map=AUTO_MAP)),
    BadInput("vision-kernel", MEDIA, ("names the code a/b", "--trust-remote-code"), config(attn_implementation="a/b")),
    BadInput(
        "vision-is-text", MEDIA.replace(" m", " {good}/sentence"), ("--media-model", "takes input_ids, not pixels")
    ),
    BadInput(
        "vision-processor",
        MEDIA,
        ("preprocessor_config.json",),
        copied("vit", "m", written("preprocessor_config.json", "{")),
    ),
    BadInput("vision-pickle", MEDIA, PICKLE, copied("clip", "m", pickled("model.safetensors"))),
    BadInput(
        "vision-cut-weights",
        MEDIA,
        ("--media-model m: not a vision model",),
        copied("clip", "m", cut("model.safetensors")),
    ),
    BadInput(
        "vision-adapter",
        MEDIA,
        ("adapter_config.json says it is an adapter",),
        copied("clip", "m", written("adapter_config.json", "{}")),
    ),
    BadInput(
        "dimension-huge", f"{_TRAIN} {FEATURES} --dimension {10**10}", ("--dimension 10000000000", "GiB of memory")
    ),
    BadInput("lora-rank-huge", f"{MEDIA} --lora-rank {10**9}", ("--lora-rank 1000000000", "units at most"), config()),
    *(
        BadInput(f"augment {flags}", f"{MEDIA} --augment crop {flags}", (told,), config())
        for flags, told in (
            ("--crop-scale 2,1", "--crop-scale 2,1: expected"),
            ("--crop-scale 0.5", "0.5,1.0"),
            ("--flip 2", "--flip"),
            ("--color -1", "--color"),
        )
    ),
    # A text model.
    BadInput("text-missing", TEXT, ("--text-model m: no such folder",)),
    BadInput("text-is-vision", TEXT.replace(" m", " {good}/vit"), ("--text-model",)),
    BadInput(
        "text-own-module",
        TEXT,
        ("needs code of its own, own.Module", "--trust-remote-code"),
        copied("sentence", "m", module("own.Module")),
    ),
    BadInput(
        "text-no-module",
        TEXT,
        ("--text-model m: not a text model",),
        copied("sentence", "m", module("sentence_transformers.nosuch.X")),
    ),
    BadInput(
        "text-modules-nonsense",
        TEXT,
        ("--text-model m",),
        copied("sentence", "m", written("modules.json", "{}")),
    ),
    BadInput("text-pickle", TEXT, PICKLE, copied("sentence", "m", pickled("model.safetensors"))),
    BadInput(
        "text-no-tokenizer",
        TEXT,
        ("has no tokenizer", "tokenizer.json beside the weights"),
        copied("clip", "m", removed("tokenizer.json")),
    ),
    BadInput(
        "both-own-code",
        BOTH,
        (f"--media-model and --text-model m: {CODE}",),
        config(model_type="own", auto_map=AUTO_MAP),
    ),
    BadInput("both-pickle", BOTH, PICKLE, copied("clip", "m", pickled("model.safetensors"))),
    # embed --model.
    BadInput("embed-missing", EMBED, ("--model m: no such folder",)),
    BadInput("embed-empty-folder", EMBED, ("m: holds no model",), text("m/notes.txt", "x")),
    BadInput(
        "embed-own-module",
        EMBED,
        ("--model m", "own.Module", "--trust-remote-code"),
        copied("sentence", "m", module("own.Module")),
    ),
    BadInput("embed-pickle", EMBED, ("--model m", *PICKLE), copied("clip", "m", pickled("model.safetensors"))),
    BadInput("embed-vision", EMBED, ("--model m",), copied("vit", "m")),
    BadInput(
        "embed-media-no-weights", EMBED_MEDIA, ("--model m: is a configuration without weights",), copied("vit", "m")
    ),
    BadInput("embed-media-layers", EMBED_MEDIA, ("--model m", "num_hidden_layers"), config(num_hidden_layers=10**8)),
    BadInput(
        "embed-run-flipped",
        EMBED_MEDIA,
        ("m/model/media_tower/model.safetensors: changed", RESTORE),
        copied(pixels, "m", flipped("model/media_tower/model.safetensors")),
    ),
    BadInput(
        "embed-run-no-model",
        EMBED_MEDIA,
        ("m: has no folder model", "train again"),
        copied(pixels, "m", removed("model")),
    ),
    BadInput("embed-run-on-features", EMBED, ("m: was trained on", "--text"), copied(run, "m")),
    # eval of a run.
    BadInput(
        "eval-heads-flipped",
        EVAL,
        ("heads.safetensors: changed", RESTORE),
        copied(run, "r", flipped("model/heads.safetensors")),
    ),
    BadInput(
        "eval-heads-gone",
        EVAL,
        ("heads.safetensors: is not there any more", RESTORE),
        copied(run, "r", removed("model/heads.safetensors")),
    ),
    BadInput(
        "eval-settings-edited",
        EVAL,
        ("dual_encoder.json", RESTORE),
        copied(run, "r", edited("model/dual_encoder.json", dimension=4)),
    ),
    BadInput(
        "eval-settings-nonsense",
        EVAL,
        ("dual_encoder.json: is not what", RESTORE),
        copied(run, "r", written("model/dual_encoder.json", "[]")),
    ),
    BadInput(
        "eval-settings-not-json",
        EVAL,
        ("dual_encoder.json: not valid JSON",),
        copied(run, "r", flipped("model/dual_encoder.json"), cut("model/dual_encoder.json")),
    ),
    BadInput(
        "eval-tower-config",
        EVAL,
        ("media_tower/config.json: changed", RESTORE),
        copied(pixels, "r", edited("model/media_tower/config.json", hidden_act="relu")),
    ),
    BadInput(
        "eval-tower-code",
        EVAL,
        ("own.py: was not there when the run was trained",),
        copied(pixels, "r", written("model/media_tower/own.py", "x")),
    ),
    BadInput(
        "eval-no-digests-dimension",
        EVAL,
        ("r/model/dual_encoder.json: is not the model that steps.parquet records",),
        copied(run, "r", edited("model/dual_encoder.json", files={}, dimension=10**9)),
    ),
    BadInput("eval-no-model", EVAL, ("r: has no folder model",), copied(run, "r", removed("model"))),
    # export of a run.
    BadInput(
        "export-heads-cut",
        EXPORT,
        ("heads.safetensors: changed", RESTORE),
        copied(run, "r", cut("model/heads.safetensors")),
    ),
    BadInput(
        "export-no-steps",
        EXPORT,
        ("r: is not the folder of a complete run",),
        copied(run, "r", removed("steps.parquet")),
    ),
    BadInput(
        "export-config-nonsense",
        EXPORT,
        ("config.json", "train again"),
        copied(run, "r", edited("config.json", parameters=3)),
    ),
    BadInput(
        "export-metrics-nonsense",
        EXPORT,
        ("metrics.json", "train again"),
        copied(run, "r", written("metrics.json", "[]")),
    ),
    BadInput(
        "export-scores-nonsense",
        "export {good}/run -o out --scores s",
        ("--scores s",),
        copied("scores", "s", written("metrics.json", "[]")),
    ),
    BadInput("export-unknown-target", "export {good}/run -o out --to keras", ("keras",)),
    BadInput(
        "export-over-files",
        "export {good}/run -o mine",
        ("mine: holds files that `mmts export` did not write", "--force"),
        text("mine/thesis.tex", "x"),
    ),
    BadInput(
        "export-record-nonsense",
        "export {good}/run -o mine",
        ("mmts_export.json: is not what",),
        text("mine/mmts_export.json", "[]"),
    ),
    BadInput("export-features", "export {good}/run --to sentence-transformers -o out", ("--to transformers",)),
    BadInput("export-into-itself", "export r -o r --force", ("r: holds the run",), copied(run, "r")),
]
