"""Reading back the ``config.json`` of a run folder, which its owner may have edited."""

from pathlib import Path
from typing import Any

from pipelines.artifacts.files import read_json
from pipelines.errors import InputError

_REMEDY = "restore it, or train again"
_NEEDED = ("annotations", "media")
_TEXTS = (*_NEEDED, "text", "shifts", "clusters", "frequency", "media_model", "text_model", "loss", "val_split")


def read_run_parameters(run: Path) -> dict[str, Any]:
    """The settings that a run was trained with, of which those that later stages read are as training wrote them.

    Raises:
        InputError: ``config.json`` isn't there or isn't what ``mmts train`` writes.
    """
    path = run / "config.json"
    recorded = read_json(path)
    if not isinstance(recorded, dict) or recorded.get("command") != "train":
        raise InputError(f"{path}: is not what `mmts train` writes; {_REMEDY}")
    parameters = recorded.get("parameters")
    if not isinstance(parameters, dict):
        raise InputError(f"{path}: has no object 'parameters'; {_REMEDY}")
    for name in _NEEDED:
        if name not in parameters:
            raise InputError(f"{path}: 'parameters' lacks '{name}'; {_REMEDY}")
    for name in _TEXTS:
        if name in parameters and not isinstance(parameters[name], str):
            raise InputError(f"{path}: parameter '{name}' is not text; {_REMEDY}")
    return parameters
