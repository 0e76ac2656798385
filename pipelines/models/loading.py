"""The one place where models, tokenizers and processors are loaded, by transformers and sentence-transformers.

Their files come from whoever made them. Weights are safetensors alone, and code that lies beside them runs only where
``trust_remote_code`` says so; without it the libraries would ask on the terminal.
"""

import contextlib
import copy
import os
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.model_files import resolve_model
from pipelines.modeling import register_models
from pipelines.models.admission import TRUST_FLAG, require_admissible, require_memory
from pipelines.remote import as_path

_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]
_NOT_FROM_HUB = ["onnx/*", "openvino/*"]
_NAMED = ("WithProjection", "TextModel", "VideoModel")
# One of these holds a tokenizer's words; without them transformers makes an empty tokenizer of the model's kind.
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model")


@contextlib.contextmanager
def model_errors(name: str, kind: str) -> Iterator[None]:
    """Turn whatever goes wrong inside, where libraries read a model's files, into one line.

    What libraries, or a model's own code, print goes to stderr.

    Args:
        name: What was asked for, such as ``--media-model vit``.
        kind: What it ought to be, such as ``a vision model``.

    Raises:
        InputError: Anything went wrong inside.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except Exception as error:  # odd files make libraries raise anything, ZeroDivisionError or classes of their own
        said = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, ValueError) and "trust_remote_code" in said:
            raise InputError(f"{name}: comes with code of its own, which is not run; {TRUST_FLAG}") from error
        raise InputError(f"{name}: not {kind} that loads ({said[:120]})") from error


def model_folder(source: str, *, trust_remote_code: bool) -> Path:
    """The folder of a model, downloaded where it is a hub id; the hub is asked only for what isn't here.

    Raises:
        InputError: It is neither on disk nor on the hub, or may not be loaded.
    """
    path = as_path(resolve_model(source))
    folder = path.parent if path.is_file() else path if path.exists() else _from_hub(source, trust_remote_code)
    require_admissible(folder, trust_remote_code=trust_remote_code)
    return Path(os.fspath(folder))


def load_config(source: str, *, trust_remote_code: bool = False) -> Any:
    """The transformers configuration of a model.

    Args:
        source: A ``config.json``, a folder with one, or a hub id.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        InputError: The model is nowhere, or may not be loaded.
        Exception: Of transformers: the configuration can't be read.
    """
    from transformers import AutoConfig

    register_models()
    folder = model_folder(source, trust_remote_code=trust_remote_code)
    path = as_path(resolve_model(source))
    path = Path(os.fspath(path)) if path.is_file() else folder
    return AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)


def load_transformers(source: str, *, trust_remote_code: bool = False) -> Any:
    """Load a transformers model in float32; without weights it starts from torch's random state.

    A pooling layer whose weights are not among those stored is left out: it would be random.

    Args:
        source: A folder with ``config.json`` and weights, or a hub id; or a ``config.json``, or a folder with one and
            no weights, for a model from scratch.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        InputError: The model is nowhere, may not be loaded, or weights are missing.
        Exception: Of the libraries: it can't be loaded.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    trust: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    config = load_config(source, **trust)
    architecture = (getattr(config, "architectures", None) or [""])[0]
    # AutoModel would leave out the head that leads into the shared space, and does not know every text model.
    named = str(architecture).endswith(_NAMED) and hasattr(transformers, architecture)
    model_class = getattr(transformers, architecture) if named else transformers.AutoModel
    build = model_class if named else partial(model_class.from_config, **trust)
    require_memory(partial(build, copy.deepcopy(config)))  # building may leave its marks in a configuration
    if is_config_alone(source):
        return build(config).float()
    folder = model_folder(source, **trust)
    model, found = model_class.from_pretrained(
        folder, config=config, output_loading_info=True, use_safetensors=True, **trust
    )
    missing = sorted(found["missing_keys"])
    if missing and all(name.startswith("pooler.") for name in missing):
        model.pooler = None
    elif missing:
        raise InputError(f"{len(missing)} of its weights are missing, first: {missing[0]}")
    return model.float()


def load_tokenizer(source: str, *, trust_remote_code: bool = False) -> Any:
    """Load the tokenizer beside a model.

    Raises:
        InputError: There is none.
        Exception: Of transformers: it can't be loaded.
    """
    from transformers import AutoTokenizer

    folder = model_folder(source, trust_remote_code=trust_remote_code)
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise InputError(f"has no tokenizer; put its {_VOCABULARIES[0]} beside the weights")
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)


def load_pickled(path: Path) -> Any:
    """Load what torch saved: tensors, arrays, numbers, names, paths, a training's arguments; no code of it runs.

    Raises:
        pickle.UnpicklingError: It holds something else.
        Exception: Of torch: it is damaged.
    """
    import argparse
    import pathlib
    import zipfile

    import numpy as np
    import torch

    numbers = [type(np.dtype(name)) for name in ("float64", "float32", "float16", "int64", "int32", "uint8", "bool")]
    # What scalars and arrays are made by was in numpy.core before version 2, paths are elsewhere in Python 3.13.
    scalar, array = np.float64(0).__reduce__()[0], np.zeros(0).__reduce__()[0]
    allowed: list[Any] = [argparse.Namespace, np.dtype, np.ndarray, *numbers]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed += [(scalar, f"{module}.scalar"), (array, f"{module}._reconstruct")]
    for module in ("pathlib", "pathlib._local"):
        for system, kind in (("Posix", pathlib.PurePosixPath), ("Windows", pathlib.PureWindowsPath)):
            allowed += [(kind, f"{module}.{system}Path"), (kind, f"{module}.Pure{system}Path")]
    with torch.serialization.safe_globals(allowed):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def load_processor(folder: Path) -> Any:
    """Load the processor of images and texts in a folder that mmts wrote."""
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(os.fspath(folder), trust_remote_code=False)


def load_sentence_transformer(source: str, device: str | None, *, trust_remote_code: bool = False) -> Any:
    """Load a sentence-transformers model.

    Args:
        source: Folder or hub id.
        device: Torch device; chosen by the library if None.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        InputError: The model is nowhere, or may not be loaded.
        Exception: Of the libraries: it can't be loaded.
    """
    from sentence_transformers import SentenceTransformer

    folder = model_folder(source, trust_remote_code=trust_remote_code)
    return SentenceTransformer(
        os.fspath(folder),
        device=device,
        trust_remote_code=trust_remote_code,
        model_kwargs={"use_safetensors": True},
    )


def load_sentence_module(folder: Path, *, trust_remote_code: bool = False, **options: Any) -> Any:
    """Load a transformers model that mmts wrote as the first module of a sentence-transformers model.

    Raises:
        ValueError: The library doesn't know models of this kind.
    """
    from sentence_transformers.sentence_transformer.modules import Transformer

    trust = {"trust_remote_code": trust_remote_code}
    return Transformer(
        os.fspath(folder),
        model_kwargs={"use_safetensors": True, **trust},
        processor_kwargs=trust,
        config_kwargs=trust,
        **options,
    )


def is_config_alone(source: str) -> bool:
    """Whether a source on disk is a configuration without weights, whose model starts from torch's random state."""
    path = as_path(resolve_model(source))
    return path.is_file() or (path.is_dir() and not any(path.glob("*.safetensors")))


def _from_hub(source: str, trust_remote_code: bool) -> Path:
    from huggingface_hub import model_info, snapshot_download

    if not _HUB_ID.fullmatch(source):
        raise InputError("no such folder, and not a hub id, which looks like owner/name")
    files: Any = {"allow_patterns": _HUB_FILES + ["*.py"] * trust_remote_code, "ignore_patterns": _NOT_FROM_HUB}
    with contextlib.suppress(OSError):
        return Path(snapshot_download(source, local_files_only=True, **files))
    try:
        model_info(source, timeout=10)  # one question: without a connection the download asks for more than a minute
        return Path(snapshot_download(source, **files))
    except Exception as error:  # of whichever HTTP library the hub's client uses
        said = " ".join(str(error).split())[:80]
        raise InputError(
            f"no such folder, and it can't be downloaded from the hub ({said}); give the folder of a model"
        ) from error
