"""``mmts sweep``: does balancing head and tail help on these data, which way of it, and for whom."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.command import known_flags, stage_command
from mmts_cli.flags import flags_of
from pipelines.sweep.settings import LEVELS, LOSSES, NOT_SHARED, SEEDS, STRATEGIES
from pipelines.train.settings import FLAGS, TrainSettings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.sweep.result import SweepResult


def _from_file(context: typer.Context, path: Path) -> Path:
    """The annotations; where a TOML file is given in their place its flags are read, and flags typed win."""
    if path.suffix.lower() != ".toml":
        return path
    from mmts_cli.config import read_flags
    from pipelines.errors import InputError
    from pipelines.remote import as_path, located

    path = located(path)
    flags = read_flags(path, ["sweep"], known_flags(context.command))
    context.default_map = {**(context.default_map or {}), **flags}
    if "annotations" not in flags:
        raise InputError(f"{path}: lacks the key annotations, which names the annotations file")
    return as_path(flags["annotations"])


def _refuse_flags(context: typer.Context, folder: Path) -> None:
    """Refuse flags of a sweep that is to be made where one is shown."""
    from pipelines.errors import InputError

    for flag, parameter in known_flags(context.command).items():
        source = context.get_parameter_source(parameter.name)
        if parameter.name not in ("annotations", "train") and source is not None and source.name != "DEFAULT":
            raise InputError(
                f"{folder}: is a folder, so what it found is shown; leave --{flag} out, or give annotations instead"
            )


def register(app: typer.Typer) -> None:
    """Add the command to the app, with a flag for each setting that all runs share."""
    own = inspect.signature(sweep).parameters
    shared = [flag for flag in flags_of(TrainSettings, FLAGS) if flag.name not in {*NOT_SHARED, "annotations"}]
    # A sweep that is shown needs no media.
    shared = [flag.replace(default=None) if flag.name == "media" else flag for flag in shared]
    mine = [parameter for name, parameter in own.items() if name != "settings"]
    sweep.__signature__ = inspect.Signature([*mine, *shared])  # type: ignore[attr-defined]  # how `stage_command` learns the flags
    stage_command(app, "sweep")(sweep)


def sweep(
    console: "Output",
    context: typer.Context,
    *,
    annotations: Annotated[
        Path,
        typer.Argument(
            help="annotations.parquet; or a TOML file with these flags; or a sweep's folder, to show what it found.",
            is_eager=True,
            callback=_from_file,
        ),
    ],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder to write.")] = None,
    clusters: Annotated[
        list[Path] | None,
        typer.Option("--clusters", help="Clusters file for shifts, sampling, weights; several are averaged."),
    ] = None,
    frequency: Annotated[
        str | None,
        typer.Option(
            "--frequency",
            help="What head, middle and tail follow from: a clusters file, or a column of the annotations (default: "
            "--clusters).",
        ),
    ] = None,
    strategies: Annotated[
        list[str],
        typer.Option(
            "--strategies",
            help="What to compare, the baseline first: strategies of 'mmts train', shifts (mmts without its cosine), "
            "or one with +sampling, +adjust, +weight or +duplicates.",
        ),
    ] = [STRATEGIES],  # noqa: B006  Typer copies it
    losses: Annotated[list[str], typer.Option("--losses", help="Losses to try each strategy with.")] = [LOSSES],  # noqa: B006  Typer copies it
    levels: Annotated[
        int, typer.Option("--levels", help="Levels of temperature or margin: trials of each strategy and loss.")
    ] = LEVELS,
    seeds: Annotated[
        int, typer.Option("--seeds", help="Seeds of the best setting of each, scored on the test split.")
    ] = SEEDS,
    budget: Annotated[
        int | None, typer.Option("--budget", help="Most runs in all (default: as --levels and --seeds need).")
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            "--search", help="Another range of an option, such as level=0.02,0.2 or rule=log,rank; repeatable."
        ),
    ] = None,
    test_split: Annotated[str, typer.Option("--test-split", help="Split that the best settings are scored on.")] = (
        "test"
    ),
    jobs: Annotated[int, typer.Option("--jobs", help="Runs at once, each with its share of the cores.")] = 1,
    train: Annotated[
        bool, typer.Option("--train", help="Also train the best setting, into the folder 'best'.")
    ] = False,
    **settings: Any,
) -> None:
    """Find out whether balancing head and tail helps, and how.

    Each strategy gets the same number of trials, chosen by validation; the best setting of each is then trained with
    several seeds and scored on the test split. A sweep that was stopped goes on with the same command.

    Example: mmts sweep annotations.parquet -o sweep --media features.parquet --text embeddings.parquet
    --clusters clusters.parquet --strategies fixed,ts,shifts,mmts,fixed+sampling

    Example: mmts sweep sweep.toml -o sweep --jobs 2

    Example: mmts sweep sweep --train
    """
    from pipelines.artifacts.opening import parquet_files
    from pipelines.errors import InputError
    from pipelines.sweep import SweepConfig, open_sweep
    from pipelines.sweep import sweep as run

    if annotations.is_dir():
        _refuse_flags(context, annotations)
        found = open_sweep(annotations)
    else:
        if output is None:
            parquet_files(annotations)
            raise InputError("--output is missing; name the folder to write")
        shared = {name: value for name, value in settings.items() if value is not None}
        if "media" not in shared:
            raise InputError("--media is missing; give features, or images or clips with --media-model")
        config = SweepConfig(
            output,
            {"annotations": annotations, **shared},
            clusters=tuple(clusters or ()),
            frequency=frequency,
            strategies=_names(strategies),
            losses=_names(losses),
            levels=levels,
            seeds=seeds,
            budget=budget,
            test_split=test_split,
            search=_ranges(search or []),
        )
        found = run(config, jobs=jobs, tell=console.note)
    result = {"command": "sweep", "output": str(found.output), **found.summary}
    if train:
        from pipelines.sweep import train_best

        result["trained"] = str(train_best(found.output, progress=console).output)
    console.result(result, lambda: _human(found, result.get("trained"), console.width))


def _names(given: list[str]) -> tuple[str, ...]:
    return tuple(name.strip() for text in given for name in text.split(",") if name.strip())


def _ranges(given: list[str]) -> dict[str, list[Any]]:
    """``level=0.02,0.2`` as a range by option."""
    from pipelines.errors import InputError

    found: dict[str, list[Any]] = {}
    for text in given:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise InputError(f"--search {text}: expected OPTION=LOWEST,HIGHEST or OPTION=CHOICE,CHOICE")
        found[name.strip()] = [_value(each.strip()) for each in values.split(",")]
    return found


def _value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _human(found: "SweepResult", trained: str | None, width: int) -> "Iterator[RenderableType]":
    yield from found.shown(width)
    if trained is not None:
        yield f"{trained}: the best setting, trained"
