"""The app with all its commands. Nothing imported here brings in torch, faiss, umap or transformers."""

import os
import sys

from mmts_cli.command import EXIT_INPUT, run_app, say
from mmts_cli.commands import (
    advise,
    cluster,
    compare,
    demo,
    embed,
    eval,
    export,
    frontier,
    inspect,
    models,
    plan,
    plot,
    prepare,
    report,
    run,
    search,
    shifts,
    sweep,
    train,
)
from mmts_cli.root import app
from mmts_cli.streams import open_streams, to_nowhere

__all__ = ["app", "main"]

for _command in (
    demo,
    run,
    prepare,
    embed,
    advise,
    cluster,
    shifts,
    plan,
    train,
    eval,
    search,
    compare,
    sweep,
    frontier,
    report,
    plot,
    export,
    models,
    inspect,
):
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
