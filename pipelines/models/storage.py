"""A dual encoder as a folder: safetensors and JSON, the vision tower as transformers saves it."""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file

from pipelines.artifacts.files import read_json, require_file
from pipelines.errors import InputError
from pipelines.models.dual_encoder import DualEncoder
from pipelines.models.vision import load_vision_tower

_HEADS = "heads.safetensors"
_SETTINGS = "dual_encoder.json"
_TOWER = "media_tower"


def save_model(model: DualEncoder, folder: Path) -> None:
    """Write a dual encoder to a folder: ``dual_encoder.json``, ``heads.safetensors`` and, for pixels, ``media_tower/``.

    The tower's folder loads with ``transformers.AutoModel.from_pretrained`` alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    heads = {
        name: value.detach().cpu().contiguous()
        for name, value in model.state_dict().items()
        if not name.startswith("media_tower.")
    }
    save_file(heads, folder / _HEADS)
    if model.media_tower is not None:
        model.media_tower.save(folder / _TOWER)
    settings = {**model.settings, "pixels": model.media_tower is not None}
    (folder / _SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def load_model(folder: Path) -> DualEncoder:
    """Read a dual encoder that ``save_model`` wrote; nothing in the folder is unpickled.

    Raises:
        InputError: The folder isn't one, or is damaged.
    """
    settings = read_json(folder / _SETTINGS)
    require_file(folder / _HEADS)
    try:
        pixels = settings.pop("pixels")
        model = DualEncoder(**settings, media_tower=load_vision_tower(str(folder / _TOWER)) if pixels else None)
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{folder / _SETTINGS}: is not what `mmts train` writes ({error}); train again") from error
    try:
        heads = load_file(folder / _HEADS)
        missing, unexpected = model.load_state_dict(heads, strict=False)
    except Exception as error:  # safetensors has an error class of its own for a damaged file
        raise InputError(f"{folder / _HEADS}: damaged ({' '.join(str(error).split())[:120]})") from error
    if unexpected or any(not name.startswith("media_tower.") for name in missing):
        raise InputError(f"{folder / _HEADS}: holds other weights than {_SETTINGS} says; train again")
    return model.eval()
