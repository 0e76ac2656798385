"""The Typer app. Nothing imported here brings in torch, faiss, umap or transformers before a command runs."""

import os
import sys
from typing import Annotated, Any

import typer
import typer.core

from mmts_cli.command import EXIT_INPUT, run_app, say
from mmts_cli.commands import cluster, compare, demo, embed, eval, export, inspect, plan, prepare, run, shifts, train
from mmts_cli.streams import open_streams, to_nowhere

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
    # Idle threads sleep instead of spinning: on a machine shared with others, training is several times faster. Torch
    # reads this once, as it loads, and so do the libraries that are told to report errors only.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    open_streams()
    code = run_app(app, sys.argv[1:] or ["--help"])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        to_nowhere(sys.stdout)
    except OSError as error:
        to_nowhere(sys.stdout)
        say(f"stdout: can't be written ({error.strerror}); what the command wrote to files is whole")
        code = code or EXIT_INPUT
    sys.exit(code)
