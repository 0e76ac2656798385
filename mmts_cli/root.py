"""The Typer app before commands are registered on it: what commands that run or check others import."""

import sys
from typing import Annotated, Any

import typer
import typer.core

_ORDER = (
    "demo",
    "run",
    "prepare",
    "embed",
    "advise",
    "cluster",
    "shifts",
    "plan",
    "train",
    "eval",
    "search",
    "compare",
    "sweep",
    "frontier",
    "report",
    "plot",
    "export",
    "models",
    "inspect",
)


class _InOrder(typer.core.TyperGroup):
    """Lists the commands in the order in which they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands."""
        return [command for command in _ORDER if command in self.commands]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the overview plainly: rich's panels would take as long to load as everything else together."""
        super(typer.core.TyperGroup, self).format_help(ctx, formatter)


app = typer.Typer(
    name="mmts",
    cls=_InOrder,
    help="Temperature and margin schedules for contrastive learning on long-tail image-text and video-text data.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        sys.stdout.write(f"mmts {importlib.metadata.version('mmts')}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Hold the options that stand before a command."""
