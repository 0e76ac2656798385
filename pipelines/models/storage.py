"""A dual encoder as a folder: safetensors and JSON, each tower as its own library saves it."""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from pipelines.artifacts.files import read_json, require_file
from pipelines.errors import InputError
from pipelines.models.dual_encoder import DualEncoder
from pipelines.models.lora import merged
from pipelines.models.text import load_text_tower
from pipelines.models.vision import load_vision_tower

_HEADS = "heads.safetensors"
_SETTINGS = "dual_encoder.json"
_TOWERS = ("media_tower", "text_tower")


def save_model(model: DualEncoder, folder: Path) -> None:
    """Write a dual encoder to a folder, adapters merged into the weights they adapt.

    ``dual_encoder.json`` holds its settings and ``heads.safetensors`` what is no tower's. ``media_tower/`` loads with
    transformers alone, ``text_tower/`` with sentence-transformers or transformers alone: the settings say which.
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
    }
    (folder / _SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def load_model(folder: Path) -> DualEncoder:
    """Read a dual encoder that ``save_model`` wrote, in evaluation mode; nothing in the folder is unpickled.

    Raises:
        InputError: The folder isn't one, or is damaged.
    """
    settings = read_json(folder / _SETTINGS)
    require_file(folder / _HEADS)
    try:
        model = _model(settings, folder)
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{folder / _SETTINGS}: is not what `mmts train` writes ({error}); train again") from error
    try:
        heads = load_file(folder / _HEADS)
        missing, unexpected = model.load_state_dict(heads, strict=False)
    except Exception as error:  # safetensors has an error class of its own for a damaged file
        raise InputError(f"{folder / _HEADS}: damaged ({' '.join(str(error).split())[:120]})") from error
    if unexpected or any(name.split(".")[0] not in _TOWERS for name in missing):
        raise InputError(f"{folder / _HEADS}: holds other weights than {_SETTINGS} says; train again")
    return model.eval()


def _model(settings: dict[str, Any], folder: Path) -> DualEncoder:
    known = dict(settings)
    if "pixels" in known:  # as version 0.1.0 wrote it
        known["media_tower"] = "transformers" if known.pop("pixels") else None
    if "head" in known:  # as it was called once
        known["projection"] = known.pop("head")
    image_size, kinds = known.pop("image_size", None), [known.pop(name, None) for name in _TOWERS]
    for name, kind in zip(_TOWERS, kinds, strict=True):
        if kind is not None and not (folder / name).is_dir():
            raise InputError(f"{folder / name}: no such folder, but {_SETTINGS} names this tower; train again")
    media = None if kinds[0] is None else _tower(load_vision_tower, folder / _TOWERS[0], "media")
    text = None if kinds[1] is None else _tower(load_text_tower, folder / _TOWERS[1], "text")
    if media is not None and image_size is not None:
        media.image_size = image_size
    return DualEncoder(**known, media_tower=media, text_tower=text)


def _tower(load: Any, folder: Path, side: str) -> Any:
    try:
        return load(str(folder))
    except InputError as error:
        raise InputError(str(error).removeprefix(f"--{side}-model ")) from error
