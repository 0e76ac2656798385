"""The Typer app. Nothing imported here brings in torch, faiss, umap or transformers before a command runs."""

import sys
from typing import Annotated, Any

import typer
import typer.core

from mmts_cli.command import run_app
from mmts_cli.commands import cluster, compare, demo, embed, eval, export, inspect, plan, prepare, run, shifts, train

_ORDER = (
    "demo",
    "run",
    "prepare",
    "embed",
    "cluster",
    "shifts",
    "plan",
    "train",
    "eval",
    "compare",
    "export",
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


for _command in (demo, run, prepare, embed, cluster, shifts, plan, train, eval, compare, export, inspect):
    _command.register(app)


def main() -> None:
    """Entry point of the ``mmts`` script."""
    sys.exit(run_app(app, sys.argv[1:] or ["--help"]))
