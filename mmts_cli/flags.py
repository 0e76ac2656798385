"""From declared settings to the flags of a command."""

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_origin, get_type_hints

import typer

if TYPE_CHECKING:
    from pipelines.train.settings import Flag


def flags_of(settings: type, flags: Mapping[str, "Flag"]) -> Iterator[inspect.Parameter]:
    """The parameters of a command, as Typer reads them, for settings that are declared as attributes of a class.

    Args:
        settings: The class: its annotations are types, its attributes defaults; a setting without one is required.
        flags: What each flag says of itself.
    """
    for name, hint in get_type_hints(settings).items():
        if get_origin(hint) is list:
            hint = list[str]  # Typer knows no lists of choices
        flag = flags[name]
        if flag.positional:
            shown: Any = typer.Argument(help=flag.help)
        else:
            names = [f"--{name.replace('_', '-')}", *filter(None, [flag.short])]
            shown = typer.Option(*names, help=flag.help, rich_help_panel=flag.panel or None)
        default = getattr(settings, name, inspect.Parameter.empty)
        yield inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if default == [] else default,
            annotation=Annotated[hint, shown],
        )
