"""What every command shares: ``--json``, ``--quiet``, ``--debug``, ``--config``, and the table of exit codes."""

import contextlib
import errno
import functools
import gc
import inspect
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.streams import one_line, to_nowhere

if TYPE_CHECKING:
    from pipelines.progress import Progress

EXIT_FAULT = 1
EXIT_INPUT = 2
EXIT_INTERRUPTED = 130

# What an operating system refuses, and no program can mend.
_ENVIRONMENT = {
    getattr(errno, name)
    for name in (
        *("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EFBIG", "EIO", "EMFILE", "ENFILE", "ENAMETOOLONG"),
        *("ELOOP", "ENOTDIR", "EISDIR", "ENOENT", "EEXIST", "ENODEV", "ENXIO", "ESTALE"),
    )
    if hasattr(errno, name)
}

_COMMON: dict[str, Any] = {
    "json_output": Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout.", rich_help_panel="Common")
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel="Common")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel="Common")],
    "config": Annotated[
        Path | None,
        typer.Option(
            "--config",
            is_eager=True,
            help="Read flags from a TOML file (keys are flag names), or a run's config.json; flags typed here win.",
            rich_help_panel="Common",
        ),
    ],
}


def stage_command(
    app: typer.Typer, name: str, *, fetches: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register ``function(out, ...)`` as the command ``name``, with the common options added to its own.

    The function's first parameter is the ``Output``; the others are its flags, as Typer reads them. A parameter with
    no default is required, on the command line or in the ``--config`` file. Without ``fetches`` remote paths are not
    fetched, since what the command starts fetches them.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function).parameters.values())[1:]
        notes: list[str] = []  # about the --config file, which is read before it is known who is told

        def run(**values: Any) -> None:
            gc.enable()  # off while mmts starts
            from mmts_cli.console import Output
            from pipelines.rank import is_first_process
            from pipelines.remote import unfetched

            as_json, quiet = values.pop("json_output"), values.pop("quiet")
            output = Output(as_json=as_json, quiet=quiet) if is_first_process() else Output(quiet=True)
            values.pop("debug"), values.pop("config")
            with output.warnings_as_lines():
                for note in notes:
                    warnings.warn(note, stacklevel=2)
                with contextlib.nullcontext() if fetches else unfetched():
                    values = {name: given(value, output) for name, value in values.items()}
                function(output, **values)

        def read_config(context: typer.Context, path: Path | None) -> Path | None:
            notes.clear()
            if path is not None:
                from mmts_cli.config import read_flags

                path = given(path)
                known = known_flags(context.command)
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    context.default_map = read_flags(path, context.command_path.split()[1:], known)
                notes.extend(str(each.message) for each in caught)
            return path

        config_option = _COMMON["config"].__metadata__[0]
        config_option = typer.Option(
            "--config", is_eager=True, help=config_option.help, rich_help_panel="Common", callback=read_config
        )
        common = {**_COMMON, "config": Annotated[Path | None, config_option]}
        parameters = own + [
            inspect.Parameter(
                key, inspect.Parameter.KEYWORD_ONLY, default=None if key == "config" else False, annotation=hint
            )
            for key, hint in common.items()
        ]
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # how Typer learns the flags
            [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
        )
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__ = function.__doc__
        app.command(name)(run)
        return function

    return register


@functools.cache
def all_commands() -> Any:
    """What the parser knows of every command; made once, as it takes a while."""
    from typer.main import get_command

    from mmts_cli.root import app

    return get_command(app)


def known_flags(command: Any) -> dict[str, inspect.Parameter]:
    """The parameters of a command by flag, as typed but for the dashes; those that every command has are left out."""
    own = inspect.signature(command.callback).parameters
    return {
        max(declared.opts, key=len).lstrip("-").replace("_", "-"): own[declared.name]
        for declared in command.params
        if declared.name in own and declared.name not in _COMMON
    }


def given(value: Any, progress: "Progress | None" = None) -> Any:
    """A flag's value as stages take it: `expanded`, and paths that are URLs with a local copy of what is there.

    A text that is a URL, which some flags take in place of a name, loses its credentials: they are kept for the use of
    this process, and go into no record.
    """
    if isinstance(value, list):
        return [given(each, progress) for each in value]
    value = expanded(value)
    if not isinstance(value, (str, Path)) or not ("/" in str(value) or str(value).endswith(":")):  # s3:// as a path
        return value
    from pipelines.progress import SILENT
    from pipelines.remote import as_path, located
    from pipelines.remote.paths import without_credentials

    if isinstance(value, Path):
        return located(value, progress or SILENT)
    return str(as_path(value)) if without_credentials(value) != value else value


def expanded(value: Any) -> Any:
    """A flag's value with ``~`` and ``$VARIABLES`` of paths in place, as a shell would have them.

    A shell leaves them alone in ``--root=~/data``, and there is none where a flag comes from a file. A text counts as
    a path where it has a slash; what exists as it is spelled stays so.
    """
    if isinstance(value, list):
        return [expanded(each) for each in value]
    is_path = isinstance(value, Path) or (isinstance(value, str) and "/" in value)
    if not is_path or not ("~" in str(value) or "$" in str(value)) or os.path.exists(value):
        return value
    return type(value)(os.path.expanduser(os.path.expandvars(value)))


class StageError(Exception):
    """A stage of a chain ended with an exit code other than 0, and has said why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def run_app(app: typer.Typer, arguments: list[str]) -> int:
    """Run the command line and turn what happens into an exit code and at most one line on stderr."""
    from mmts_cli.interrupt import stopping_on_signals

    debug = "--debug" in arguments
    with stopping_on_signals() as stop:
        try:
            code = app(args=arguments, prog_name="mmts", standalone_mode=False)
            if code != EXIT_INTERRUPTED:  # Typer turns Ctrl-C into this code, silently
                return code if isinstance(code, int) else 0
        except StageError as failed:
            return failed.code
        except (KeyboardInterrupt, typer.Abort):
            pass
        except BrokenPipeError:
            to_nowhere(sys.stdout)  # who read it has read enough
            return 0
        except SystemExit as left:  # rich's way out in a help text that nobody reads to its end
            if not isinstance(left.__context__, BrokenPipeError):
                raise
            return 0
        except Exception as error:
            if debug:
                traceback.print_exc()
            # Where it was asked to stop a library may have made another error of the interrupt.
            if not stop.asked or _is_interrupted(error):
                return _explain(error)
    say("interrupted")
    return EXIT_INTERRUPTED


def _is_interrupted(error: Exception) -> bool:
    """Whether a stage ended because it was asked to, and says what it leaves."""
    from pipelines.errors import Interrupted

    return isinstance(error, Interrupted)


def _explain(error: Exception) -> int:
    """One line on stderr for an error, and its exit code."""
    from pipelines.errors import InputError, Interrupted
    from pipelines.rank import is_first_process

    if hasattr(error, "format_message"):  # a usage error of the parser: wrong flag, missing argument
        context = getattr(error, "ctx", None)
        message = error.format_message() or "no command given"
        say(f"{message}{f' (see {context.command_path} --help)' if context else ''}")
        return EXIT_INPUT
    if isinstance(error, InputError):
        say(str(error))
        return EXIT_INPUT
    if isinstance(error, Interrupted):
        if not is_first_process():
            return 0  # it did what it was asked to; another code would make launchers kill the one that speaks
        say(str(error))
        return EXIT_INTERRUPTED
    if isinstance(error, RuntimeError) and _tells_of_another_process(error):
        say("another process of this run failed; see its message")
        return EXIT_FAULT
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
        place = f"{error.filename}: " if isinstance(error.filename, str) else ""
        say(f"{place}can't be read or written ({error.strerror}); check its permissions and the room on its disk")
        return EXIT_INPUT
    if full := _full_memory(error):
        say(full)
        return EXIT_INPUT
    reason = " ".join(str(error).split())[:300]
    say(f"internal error in mmts: {type(error).__name__}: {reason}; run again with --debug for the traceback")
    return EXIT_FAULT


def _full_memory(error: Exception) -> str | None:
    """Whose memory was too small, and what takes less; None if that is not what went wrong."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported for this
        whose = "a GPU"
    elif isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        whose = "this machine"
    else:
        return None
    return (
        f"the memory of {whose} is full; in training a smaller --micro-batch, --gradient-checkpointing or fewer "
        "--frames take less, elsewhere a smaller --batch-size or --block-memory"
    )


def _tells_of_another_process(error: RuntimeError) -> bool:
    """Whether communication broke off, as it does where another process has ended."""
    return type(error).__name__.startswith("Dist") or "gloo" in str(error) or "NCCL" in str(error)


def say(text: str) -> None:
    """Write one line to stderr, for whoever still reads it."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"mmts: {one_line(text)}\n")
        sys.stderr.flush()
