"""The reference of every command and flag, made from the command line itself: ``python -m mmts_cli.reference``."""

import sys
from collections.abc import Iterator
from typing import Any

import typer.main

_HEAD = """\
# Commands and flags

Made from the command line by `make docs-reference`; `mmts COMMAND --help` shows the same. The flags that every command
has are at the [end](#every-command).
"""
_SHARED_PANEL = "Common"


def command_reference(app: typer.Typer) -> str:
    """Markdown with a section for each command and a table for each group of its flags."""
    commands = list(_commands(typer.main.get_command(app), "mmts"))
    sections = [_HEAD, *(_section(name, command) for name, command in commands)]
    shared = [each for each in commands[-1][1].params if each.rich_help_panel == _SHARED_PANEL]
    sections.append("\n".join(["## Every command", "", *_table(shared)]) + "\n")
    return "\n".join(sections)


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    if name != "mmts":
        yield name, command
    for each in command.list_commands(None):
        yield from _commands(command.commands[each], f"{name} {each}")


def _section(name: str, command: Any) -> str:
    heading = "##" if name.count(" ") == 1 else "###"
    lines = [f"{heading} {name}", ""]
    for paragraph in (command.help or "").split("\n\n"):
        text = " ".join(paragraph.split())
        example = text.removeprefix("Example: ")
        lines += [text, ""] if example == text else ["```sh", example, "```", ""]
    panels: dict[str, list[Any]] = {}
    for parameter in command.params:
        if not parameter.hidden and parameter.rich_help_panel != _SHARED_PANEL:
            panels.setdefault(parameter.rich_help_panel or "", []).append(parameter)
    for panel, parameters in panels.items():
        lines += ([f"**{panel}**", ""] if panel else []) + [*_table(parameters), ""]
    return "\n".join(lines)


def _table(parameters: list[Any]) -> list[str]:
    return ["| flag | value | meaning |", "|---|---|---|", *map(_row, parameters)]


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        names = [parameter.name.upper() + ("..." if parameter.nargs == -1 else "")]
    else:
        names = [*parameter.opts, *parameter.secondary_opts]
    meaning = " ".join((parameter.help or "").split()).replace("<", "&lt;").replace("|", "\\|")
    if parameter.required:
        meaning += " Required."
    elif parameter.default is not None and parameter.default is not False:
        default = parameter.opts[0] if parameter.default is True else parameter.default
        meaning += f" Default: `{default}`."
    return f"| {_code(names)} | {_value(parameter)} | {meaning} |"


def _value(parameter: Any) -> str:
    """What follows the flag: the choices, or the type and its least value; nothing for a switch."""
    if getattr(parameter, "is_flag", False):
        return ""
    words = parameter.display_type(None).strip("<>").removeprefix("list[").removesuffix("]").lower().split("|")
    least = "" if parameter.min is None else f", at least {parameter.min}"
    return _code([word.removesuffix(" range") for word in words]) + least


def _code(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    from mmts_cli.app import app

    sys.stdout.write(command_reference(app))
