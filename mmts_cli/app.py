"""The Typer app. Nothing imported here brings in torch, faiss, umap or transformers before a command runs."""

import sys
from typing import Any

import typer
import typer.core

from mmts_cli.command import run_app
from mmts_cli.commands import cluster, demo, embed, eval, inspect, plan, prepare, shifts, train

_ORDER = ("demo", "prepare", "embed", "cluster", "shifts", "plan", "train", "eval", "inspect")


class _InOrder(typer.core.TyperGroup):
    """Lists the commands in the order in which they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands."""
        return [command for command in _ORDER if command in self.commands]


app = typer.Typer(
    name="mmts",
    cls=_InOrder,
    help="Temperature and margin schedules for contrastive learning on long-tail image-text and video-text data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    if version:
        import importlib.metadata

        sys.stdout.write(f"mmts {importlib.metadata.version('mmts')}\n")
        raise typer.Exit


for _command in (demo, prepare, embed, cluster, shifts, plan, train, eval, inspect):
    _command.register(app)


def main() -> None:
    """Entry point of the ``mmts`` script."""
    sys.exit(run_app(app, sys.argv[1:]))
