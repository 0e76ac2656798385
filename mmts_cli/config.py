"""Flags from a file: a TOML file, or the ``config.json`` of a run."""

import inspect
import tomllib
from pathlib import Path
from typing import Any, get_args

import pydantic

from pipelines.artifacts.files import nearest, read_json, require_file
from pipelines.errors import InputError


def read_flags(path: Path, command: str, parameters: list[inspect.Parameter]) -> dict[str, Any]:
    """Read the flags of ``command`` from a file and check them against the command's own parameters.

    A TOML file holds flags as keys (``batch-size = 512``), at the top level or in a table named after the command. The
    ``config.json`` of a run folder holds them under ``parameters``.

    Raises:
        InputError: The file can't be read, a key is no flag of the command, or a value is of the wrong type.
    """
    flags = _load(path, command)
    known = {parameter.name: parameter for parameter in parameters}
    flags = {key.replace("-", "_"): value for key, value in flags.items()}
    for key in flags:
        if key not in known:
            names = [name.replace("_", "-") for name in known]
            raise InputError(
                f"{path}: '{key.replace('_', '-')}' is no flag of mmts {command}{nearest(key.replace('_', '-'), names)}"
            )
    fields: dict[str, Any] = {
        name: (_value_type(parameter) | None, None) for name, parameter in known.items() if name in flags
    }
    model = pydantic.create_model("Flags", __config__=pydantic.ConfigDict(extra="forbid"), **fields)
    try:
        checked = model(**flags)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: {first['loc'][0]} = {first['input']!r}: {first['msg']}") from error
    return {name: value for name in fields if (value := getattr(checked, name)) is not None}


def _value_type(parameter: inspect.Parameter) -> Any:
    return get_args(parameter.annotation)[0]


def _load(path: Path, command: str) -> dict[str, Any]:
    if path.suffix == ".json":
        content = read_json(path)
        if not isinstance(content, dict) or content.get("command") != command:
            raise InputError(f"{path}: is not the config.json of a run of mmts {command}")
        return dict(content["parameters"])
    require_file(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML ({error})") from error
    section = content.get(command)
    return section if isinstance(section, dict) else content
