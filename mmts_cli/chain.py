"""Command lines that are run one after another, each shown as a user could have typed it."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmts_cli.console import Output


def run_chain(console: "Output", commands: Iterable[list[str]]) -> None:
    """Show and run command lines of mmts, given without its name, until one fails.

    Raises:
        StageError: One ended with another exit code than 0, having said why on stderr.
    """
    from mmts_cli.command import EXIT_INTERRUPTED, StageError

    for command in commands:
        console.note("")
        console.note(f"$ {shell_line(command)}")
        quiet = ["--quiet"] if console.as_json or console.quiet else []
        code = _run([*command, *quiet])
        if code:
            if code == EXIT_INTERRUPTED:
                console.note("here the same command alone goes on where it stopped")
            raise StageError(code)


def shell_line(command: list[str]) -> str:
    """A command line that can be pasted into a shell."""
    return shlex.join(["mmts", *command])


def _run(command: list[str]) -> int:
    from mmts_cli.command import run_app
    from mmts_cli.root import app

    if "--devices" in command or "--nodes" in command:
        # Training on several devices starts this process's own command line again in others: it gets a process.
        return _run_in_a_process(command)
    return run_app(app, command)


def _run_in_a_process(command: list[str]) -> int:
    # Not the working folder first: it may hold the user's own package of the name `pipelines`. The processes that
    # training starts need to hear of this too, so by the environment.
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    process = subprocess.Popen([sys.executable, "-m", "mmts_cli", *command], env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt as stop:
        if stop.args != (signal.SIGINT,):  # a terminal's Ctrl-C reaches the other process by itself
            process.terminate()
        process.wait()  # it writes a checkpoint
        raise
