"""A dual encoder as a folder: safetensors and JSON, each tower as its own library saves it."""

import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from pipelines.artifacts.files import read_json, require_file
from pipelines.errors import InputError
from pipelines.model_files import DUAL_ENCODER, digest, model_manifest, require_as_trained
from pipelines.models.dual_encoder import DualEncoder
from pipelines.models.loading import model_errors
from pipelines.models.lora import merged
from pipelines.models.text import load_text_tower
from pipelines.models.vision import load_vision_tower

_HEADS = "heads.safetensors"
_TOWERS = ("media_tower", "text_tower")


def save_model(model: DualEncoder, folder: Path) -> str:
    """Write a dual encoder to a folder, adapters merged into the weights they adapt.

    ``dual_encoder.json`` holds its settings and the digests of the other files, ``heads.safetensors`` what is no
    tower's. ``media_tower/`` loads with transformers alone, ``text_tower/`` with sentence-transformers or transformers
    alone: the settings say which.

    Returns:
        The digest of ``dual_encoder.json``, which stands for all of the model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    heads = {
        name: value.detach().cpu().contiguous()
        for name, value in model.state_dict().items()
        if name.split(".")[0] not in _TOWERS
    }
    save_file(heads, folder / _HEADS)
    media, text = model.media_tower, model.text_tower
    for name, tower in zip(_TOWERS, (media, text), strict=True):
        if tower is not None:
            merged(tower).save(folder / name)
    settings = {
        **model.settings,
        "media_tower": None if media is None else "transformers",
        "text_tower": None if text is None else text.kind,
        "image_size": None if media is None else media.image_size,
        "files": model_manifest(folder),
    }
    (folder / DUAL_ENCODER).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return digest(folder / DUAL_ENCODER)


def load_model(folder: Path, *, trust_remote_code: bool = False) -> DualEncoder:
    """Read a dual encoder that ``save_model`` wrote, in evaluation mode.

    Args:
        folder: Its folder.
        trust_remote_code: Whether code that came with a tower may run.

    Raises:
        InputError: The folder isn't one, or isn't as its training left it.
    """
    settings = read_json(folder / DUAL_ENCODER)
    require_file(folder / _HEADS)
    require_as_trained(folder)
    with model_errors(str(folder), "a trained model"):
        model = _model(settings, folder, trust_remote_code)
        heads = load_file(folder / _HEADS)
        missing, unexpected = model.load_state_dict(heads, strict=False)
        if unexpected or any(name.split(".")[0] not in _TOWERS for name in missing):
            raise InputError(f"{_HEADS} holds other weights than {DUAL_ENCODER} says; train again")
    return model.eval()


def _model(settings: dict[str, Any], folder: Path, trust_remote_code: bool) -> DualEncoder:
    known = dict(settings)
    known.pop("files", None)
    if "pixels" in known:  # as version 0.1.0 wrote it
        known["media_tower"] = "transformers" if known.pop("pixels") else None
    if "head" in known:  # as it was called once
        known["projection"] = known.pop("head")
    image_size, kinds = known.pop("image_size", None), [known.pop(name, None) for name in _TOWERS]
    for name, kind in zip(_TOWERS, kinds, strict=True):
        if kind is not None and not (folder / name).is_dir():
            raise InputError(f"no folder {name}, but {DUAL_ENCODER} names this tower; train again")
    towers: list[Any] = [
        None if kind is None else load(os.fspath(folder / name), trust_remote_code=trust_remote_code, name=name)
        for name, kind, load in zip(_TOWERS, kinds, (load_vision_tower, load_text_tower), strict=True)
    ]
    media, text = towers
    if media is not None and image_size is not None:
        media.image_size = image_size
    return DualEncoder(**known, media_tower=media, text_tower=text)
