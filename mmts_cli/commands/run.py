"""``mmts run``: all stages of a recipe, each a command that a user could have typed."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.command import stage_command

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from mmts_cli.recipe import Recipe
    from mmts_cli.recipe_steps import Step


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "run", fetches=False)(run)


def _list_recipes(show: bool) -> None:
    if show:
        from mmts_cli.recipe import load_recipe, shipped_recipes

        for name in shipped_recipes():
            recipe = load_recipe(name)
            typer.echo(f"{name}: {recipe.about}")
            typer.echo(f"  data: {', '.join(recipe.data_sets)}; runs: {', '.join(recipe.run_names)}")
        raise typer.Exit


def run(
    console: "Output",
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (see --list), or path of a .toml.")],
    root: Annotated[
        Path, typer.Option("--root", help="Folder with the data sets' files, under their published names.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Output folder (default: the name of the recipe)."),
    ] = None,
    media_root: Annotated[
        Path | None, typer.Option("--media-root", help="Folder with the videos or images, at any depth.")
    ] = None,
    media: Annotated[
        list[str] | None,
        typer.Option(
            "--media",
            help="features.parquet instead of videos or images; the recipe's towers are left out. With several data "
            "sets: NAME=FILE, repeatable.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Run only this stage, on the existing outputs of the earlier ones; repeatable."),
    ] = None,
    only_run: Annotated[
        list[str] | None,
        typer.Option("--run", help="Train only this run of the recipe; repeatable."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="TABLE.FLAG=VALUE to override the recipe, such as train.epochs=2; repeatable."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Give each stage that is run --force: do all anew, and go on with no unfinished run."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands without running them.")] = False,
    list_recipes: Annotated[
        bool,
        typer.Option("--list", help="Show the recipes that come with mmts.", is_eager=True, callback=_list_recipes),
    ] = False,
) -> None:
    """Run all stages of a recipe.

    Outputs that are up to date are kept, and an unfinished run is resumed.

    Example: mmts run ek100-avion --root epic-kitchens-100-annotations --media-root videos

    Example: mmts run youcook2-ablations --root downloads --media features.parquet --set train.epochs=5 --dry-run
    """
    from mmts_cli.chain import run_chain, shell_line
    from mmts_cli.command import EXIT_INPUT, StageError
    from mmts_cli.recipe import load_recipe
    from mmts_cli.recipe_steps import Places, recipe_steps
    from pipelines.artifacts.opening import parquet_files
    from pipelines.remote import fetch

    loaded = load_recipe(recipe, overrides)
    folder = output or Path(Path(recipe).stem)
    places = Places(root, folder, _features(media or [], loaded), media_root)
    steps = _chosen(recipe_steps(loaded, places), loaded, only or [], only_run or [])
    if force:
        steps = [step.forced() for step in steps]
    result: dict[str, Any] = {"command": "run", "recipe": recipe, "output": str(folder)}
    _require_files(steps, root, media_root)
    for step in steps:
        _require_flags(step, folder)
    if dry_run:
        lines = [shell_line(step.words) for step in steps]
        console.result({**result, "commands": lines}, lambda: iter(lines))
        return
    _require_one_process()
    if {"prepare", "train"} <= {step.stage for step in steps}:
        for path in places.features.values():
            parquet_files(fetch(path))  # training reads it last
    console.note(loaded.about)
    for step in steps:
        try:
            run_chain(console, [step.words])
        except StageError as failed:
            if failed.code == EXIT_INPUT:
                console.note(f"here a flag of that command is given by --set {step.table}.FLAG=VALUE")
            raise
    result["scores"] = _scores(steps)
    console.result(result, lambda: _human(steps))


def _features(given: list[str], recipe: "Recipe") -> dict[str, Path]:
    """Features file by data set."""
    from pipelines.errors import InputError
    from pipelines.remote import as_path, exists

    found: dict[str, Path] = {}
    for text in given:
        name, separator, path = text.partition("=")
        if not separator or exists(as_path(text)):
            if len(recipe.prepare) > 1:
                raise InputError(
                    f"--media {text}: the recipe has the data sets {', '.join(recipe.data_sets)}; give NAME=FILE each"
                )
            name, path = recipe.data_sets[0], text
        found[name] = as_path(path)
    return found


def _chosen(steps: list["Step"], recipe: "Recipe", stages: list[str], runs: list[str]) -> list["Step"]:
    """The steps of some stages and runs; what compares runs is left out where not all of them are chosen."""
    from mmts_cli.recipe_steps import STAGES
    from pipelines.artifacts.files import nearest
    from pipelines.errors import InputError

    for flag, names, known in (("--only", stages, list(STAGES)), ("--run", runs, recipe.run_names)):
        for name in names:
            if name not in known:
                raise InputError(f"{flag} {name}: expected one of {', '.join(known)}{nearest(name, known)}")
    compares = set(runs or recipe.run_names) == set(recipe.run_names)
    return [
        step
        for step in steps
        if (not stages or step.stage in stages)
        and (not runs or step.run is None or step.run in runs)
        and (compares or step.stage != "compare")
    ]


def _require_files(steps: list["Step"], root: Path, media_root: Path | None) -> None:
    """Check that the roots are there, and what the last stages read below the first."""
    from pipelines.errors import InputError
    from pipelines.remote import as_path, exists, is_folder

    if not is_folder(as_path(root)):
        raise InputError(f"--root {root}: no such folder")
    if media_root is not None and not exists(as_path(media_root)):
        raise InputError(f"--media-root {media_root}: no such folder")
    for step in steps:
        for flag, path in step.files.items():
            if exists(path):
                continue
            if flag.endswith("-model"):
                raise InputError(
                    f"{path}: no such model; make it with `mmts models import`, or name another: "
                    f"--set towers.{flag}=MODEL"
                )
            raise InputError(
                f"{path}: no such file, nor one of that name below {root}; download it, or leave it out: "
                f"--set '{step.stage}.{flag}=[]'"
            )


def _require_flags(step: "Step", made: Path) -> None:
    """Check a step's flags as its command would, and a run's settings as training would, without running it.

    Files that are read have to be there, but for those in ``made``, the folder that the steps write to.
    """
    from mmts_cli.command import all_commands
    from pipelines.errors import InputError
    from pipelines.remote import unfetched
    from pipelines.train import TrainConfig

    command = all_commands()
    words = list(step.words)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    values = command.make_context(step.stage, words).params
    for name, value in values.items():
        for path in value if isinstance(value, list) else [value]:
            if name not in ("media", "output") and isinstance(path, Path) and _is_missing(path, made):
                raise InputError(f"--{name.replace('_', '-')} {path}: no such file")
    if step.stage == "train":
        with unfetched():
            TrainConfig(**{name: values[name] for name in TrainConfig.model_fields if values[name] is not None})


def _is_missing(path: Path, made: Path) -> bool:
    """Whether a file is not here; one elsewhere, one that steps make and a pattern are left to who reads it."""
    from pipelines.remote import as_path
    from pipelines.remote.paths import RemotePath

    path = as_path(path)
    is_left = isinstance(path, RemotePath) or as_path(made) in path.parents or "*" in str(path)
    return not is_left and not path.exists()


def _require_one_process() -> None:
    """Check that not every stage would run once a process."""
    from pipelines.errors import InputError
    from pipelines.train.launch import processes_started

    if processes_started(1, 1) != (1, 1):
        raise InputError("mmts run starts its own processes; start it once, with --set train.devices=N")


def _scores(steps: list["Step"]) -> dict[str, Any]:
    from pipelines.artifacts.files import read_json

    return {
        step.output.name: read_json(step.output / "metrics.json")["scores"] for step in steps if step.stage == "eval"
    }


def _human(steps: list["Step"]) -> "Iterator[RenderableType]":
    yield ""
    scored = [str(step.output) for step in steps if step.stage == "eval"]
    compared = [str(step.output) for step in steps if step.stage == "compare"]
    yield f"done; scores in {', '.join(scored)}" if scored else "done"
    if compared:
        yield f"differences between the runs in {', '.join(compared)}"
