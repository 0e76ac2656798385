"""Flags from a file: a TOML file, or the ``config.json`` of a run."""

import inspect
import json
import tomllib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pydantic

from pipelines.artifacts.files import nearest, read_json, require_file
from pipelines.errors import InputError

_TRUST = "trust-remote-code"


def read_flags(path: Path, command: Sequence[str], known: dict[str, inspect.Parameter]) -> dict[str, Any]:
    """Read the flags of ``command`` from a file and check them against ``known``, its parameters by flag.

    A TOML file holds flags as keys (``batch-size = 512``), at the top level or in a table named after the command
    (``[embed]``, ``[prepare.table]``). The ``config.json`` of a run folder holds them under ``parameters``.

    Returns:
        The values by the names of the parameters, as Typer's ``default_map`` wants them.

    Raises:
        InputError: The file can't be read, a key is not a flag of the command, or a value is of the wrong type.
    """
    flags = {key.replace("_", "-"): value for key, value in _load(path, command).items()}
    return check_flags(flags, command, known, str(path))


def renamed_flags(command: Sequence[str]) -> dict[str, str]:
    """Flags of ``command`` that once had another name: from the old name to the new."""
    if list(command) == ["eval"]:
        return {"clusters": "frequency"}
    if list(command) != ["train"]:
        return {}
    from pipelines.train.settings import RENAMED

    return RENAMED


def current_names(flags: dict[str, Any], command: Sequence[str]) -> dict[str, Any]:
    """Flags of ``command`` by the names they have now; a new name wins over an old one."""
    renamed = renamed_flags(command)
    old = {renamed[flag]: value for flag, value in flags.items() if flag in renamed}
    return old | {flag: value for flag, value in flags.items() if flag not in renamed}


def check_flags(
    flags: dict[str, Any], command: Sequence[str], known: dict[str, inspect.Parameter], where: str
) -> dict[str, Any]:
    """Check flags of ``command`` and their values against ``known``, its parameters by flag.

    Returns:
        The values by the names of the parameters.

    Raises:
        InputError: A key is not a flag of the command, or a value is of the wrong type; begins with ``where``.
    """
    renamed = renamed_flags(command)
    for old in sorted(flags.keys() & renamed.keys()):
        warnings.warn(f"{where}: '{old}' is now called '{renamed[old]}'; read as that", stacklevel=2)
    flags = current_names(flags, command)
    for flag in flags:
        if flag == _TRUST:
            raise InputError(f"{where}: {_TRUST} runs code of others; give it on the command line, not in a file")
        if flag not in known:
            raise InputError(f"{where}: '{flag}' is not a flag of mmts {' '.join(command)}{nearest(flag, list(known))}")
    types = {flag: get_args(known[flag].annotation)[0] for flag in flags}
    flags = {flag: _as_choice(value, types[flag]) for flag, value in flags.items()}
    fields: dict[str, Any] = {known[flag].name: (types[flag], pydantic.Field(alias=flag)) for flag in flags}
    model = pydantic.create_model("Flags", **fields)
    try:
        # As JSON, since there strict means the types that a file can hold: a path is a string, a 5 may be a float.
        checked = model.model_validate_json(json.dumps(flags, default=str), strict=True)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{where}: {first['loc'][0]} = {first['input']!r}: {first['msg']}") from error
    return {name: getattr(checked, name) for name in fields}


def _as_choice(value: object, kind: Any) -> object:
    """A number as the word that it is among a flag's choices: ``precision = 32``."""
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    return str(value) if type(value) is int and str(value) in choices else value


def _load(path: Path, command: Sequence[str]) -> dict[str, Any]:
    if path.suffix == ".json":
        content = read_json(path)
        if not isinstance(content, dict) or content.get("command") != " ".join(command):
            raise InputError(f"{path}: is not the config.json of a run of mmts {' '.join(command)}")
        recorded = content.get("parameters")
        if not isinstance(recorded, dict):
            raise InputError(f"{path}: has no parameters; it is not what mmts {' '.join(command)} wrote")
        # What a folder of others records is no reason to run their code: models that need it say so.
        return {name: value for name, value in recorded.items() if name.replace("_", "-") != _TRUST}
    content = read_toml(path)
    section: Any = content
    for name in command:
        section = section.get(name) if isinstance(section, dict) else None
    return section if isinstance(section, dict) else content


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InputError: It can't be read, or isn't TOML.
    """
    require_file(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows editors begin a file with a mark
    except RecursionError as error:
        raise InputError(f"{path}: not valid TOML (nested too deeply)") from error
    except ValueError as error:  # no TOML, no UTF-8, a number of thousands of digits
        raise InputError(f"{path}: not valid TOML ({error})") from error
