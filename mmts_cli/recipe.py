"""Recipes: TOML files that say with which flags the stages of an experiment are run."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import StrictBool, StrictFloat, StrictInt, StrictStr

import mmts_cli
from mmts_cli.command import expanded
from mmts_cli.config import check_flags, current_names, read_toml
from pipelines.artifacts.files import nearest
from pipelines.errors import InputError
from pipelines.remote import fetch, is_url, located

SHIPPED = Path(mmts_cli.__file__).parent / "recipes"

_Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Flags = dict[str, _Scalar | list[_Scalar]]
_Name = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]  # part of file names

# Flags that `mmts run` gives by itself: the files that pass from stage to stage, and what makes it resumable.
_OWN_FLAGS = {
    "prepare": {"root", "output", "media-root", "force"},
    "embed": {"annotations", "output", "force"},
    "cluster": {"source", "output", "force"},
    "shifts": {"clusters", "output", "force"},
    "train": {"annotations", "output", "text", "shifts", "resume", "force"},
    "eval": {"run", "output", "media", "text", "annotations", "frequency", "force"},
    "compare": {"folders", "output", "force"},
}


class Recipe(pydantic.BaseModel):
    """An experiment: data sets, clusters and shifts, and runs that share them.

    The tables hold flags of the command they are named after, as a ``--config`` file does. An empty list stands for a
    flag that isn't given. A text may have ``{root}`` for the folder of ``--root``, and ``{root}/**/NAME`` for a file
    of that name anywhere below it.

    Attributes:
        about: What it is, in a line.
        prepare: Flags of ``prepare`` by data set; the first is trained on, the others are for ``evals``.
        embed: Flags of ``embed``, for all data sets.
        cluster: Flags of ``cluster``.
        shifts: Flags of ``shifts``.
        towers: Flags of ``train`` for raw media; left out with features. ``train`` and ``runs`` win over them.
        train: Flags of ``train`` that all runs share.
        runs: What each run has of its own.
        baseline: The run that the others are compared with; the first if None.
        eval: Flags of ``eval`` that all evaluations share.
        evals: What each evaluation has of its own, and the name of its data set (``data``); none: one on the training
            data set.
        compare: Flags of ``compare``, which comes last where there are several runs.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    about: str
    prepare: dict[str, Flags] = pydantic.Field(min_length=1)
    embed: Flags = {}
    cluster: Flags
    shifts: Flags
    towers: Flags
    train: Flags = {}
    runs: dict[_Name, Flags] = pydantic.Field(min_length=1)
    baseline: str | None = None
    eval: Flags = {}
    evals: dict[_Name, Flags] = {}
    compare: Flags = {}

    def tables(self) -> Iterator[tuple[str, tuple[str, ...], Flags]]:
        """Each table of flags: its name in the file, the command, the flags that are given."""
        yield from ((f"prepare.{name}", ("prepare", name), _given(flags)) for name, flags in self.prepare.items())
        for name in ("embed", "cluster", "shifts"):
            yield name, (name,), _given(getattr(self, name))
        yield "towers", ("train",), _given(self.towers)
        yield "train", ("train",), _given(self.train)
        yield from ((f"runs.{name}", ("train",), _given(flags)) for name, flags in self.runs.items())
        yield "eval", ("eval",), _given(self.eval)
        for name, flags in self.evals.items():
            yield f"evals.{name}", ("eval",), _given({key: value for key, value in flags.items() if key != "data"})
        yield "compare", ("compare",), _given(self.compare)

    def train_flags(self, run: str, *, features: bool) -> Flags:
        """The flags of a run, on features or on raw media."""
        tables = [{} if features else self.towers, self.train, self.runs[run]]
        return _given({flag: value for table in tables for flag, value in current_names(table, ["train"]).items()})

    def eval_flags(self, name: str) -> Flags:
        """The flags of an evaluation, with ``data``."""
        return _given({"data": self.data_sets[0], **self.eval, **self.evals.get(name, {})})

    @property
    def data_sets(self) -> list[str]:
        """Names of the data sets, the one trained on first."""
        return list(self.prepare)

    @property
    def run_names(self) -> list[str]:
        """Names of the runs, the baseline first."""
        return sorted(self.runs, key=lambda name: name != self.baseline)


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with mmts, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"), key=lambda path: path.stem)}


def load_recipe(name: str, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe and check it, to the last flag.

    Args:
        name: Name of a recipe that comes with mmts, or path of a TOML file.
        overrides: ``table.flag=value`` each, the value as TOML has it (quotes may be left out).

    Raises:
        InputError: It can't be read, or a table, flag or value of it is wrong.
    """
    content = _read(_find(name, None), [])
    for override in overrides or []:
        _override(content, override)
    try:
        recipe = Recipe(**content)
    except pydantic.ValidationError as error:
        raise _explain(name, error) from error
    _check(name, recipe)
    return recipe


def _find(name: str, beside: Path | None) -> Path:
    """The file of a recipe: one that comes with mmts, or a path, from the folder of the recipe that names it."""
    if name.endswith(".toml"):
        path = Path(expanded(name))
        return located(path) if beside is None or is_url(path) else fetch(beside.parent / path)
    shipped = shipped_recipes()
    if name not in shipped:
        raise InputError(
            f"{name}: no such recipe{nearest(name, list(shipped))}; see mmts run --list, or give the path of a .toml"
        )
    return shipped[name]


def _read(path: Path, seen: list[Path]) -> dict[str, Any]:
    """A recipe's content over that of the recipe it extends."""
    if path in seen:
        raise InputError(f"{path}: extends itself, by way of {' and '.join(each.name for each in seen)}")
    content = read_toml(path)
    base = content.pop("extends", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise InputError(f"{path}: extends = {base!r}: the name of a recipe, or the path of a .toml, was expected")
    extended = _read(_find(base, path), [*seen, path])
    merged = _merged(extended, content)
    if isinstance(merged.get("runs"), dict):  # a recipe's own runs stand before those of the one it extends
        merged["runs"] = {name: merged["runs"][name] for name in {**content.get("runs", {}), **merged["runs"]}}
    return merged


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = _merged(base[key], value) if both else value
    return result


def _override(content: dict[str, Any], text: str) -> None:
    place, separator, value = text.partition("=")
    *tables, flag = place.strip().split(".")
    if not separator or not tables or not flag:
        raise InputError(f"--set {text}: expected TABLE.FLAG=VALUE, such as train.epochs=2")
    for name in tables:
        content = content.setdefault(name, {})
        if not isinstance(content, dict):
            raise InputError(f"--set {text}: '{name}' is not a table of the recipe")
    try:
        content[flag] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        content[flag] = value.strip()


def _explain(name: str, error: pydantic.ValidationError) -> InputError:
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")  # what is missing may be misspelt
    place = ".".join(str(part) for part in first["loc"] if part not in ("bool", "int", "float", "str"))
    if first["type"] == "extra_forbidden":
        known = [*Recipe.model_fields, "extends"]
        return InputError(f"{name}: '{place}' is not part of a recipe{nearest(place, known)} ({', '.join(known)})")
    if first["type"] == "missing":
        return InputError(f"{name}: has no {place}; a recipe needs one")
    return InputError(f"{name}: {place} = {first['input']!r}: {first['msg']}")


def _check(name: str, recipe: Recipe) -> None:
    """Check every flag against the command it is for, and every name that refers to another table."""
    from mmts_cli.command import all_commands, known_flags

    for table, words, flags in recipe.tables():
        command = all_commands()
        for word in words:
            if word not in command.commands:
                raise InputError(f"{name}: [{table}]: no such data set{nearest(word, list(command.commands))}")
            command = command.commands[word]
        own = _OWN_FLAGS[words[0]] | ({"media"} if words[0] == "train" and table != "towers" else set())
        for flag in flags:
            if flag in own:
                raise InputError(f"{name}: [{table}] '{flag}' is given by mmts run itself; leave it out")
        check_flags(flags, words, known_flags(command), f"{name}: [{table}]")
    if "media" not in recipe.towers:
        raise InputError(f"{name}: [towers] has no media, such as media = \"annotations\"; 'mmts train' needs it")
    if recipe.baseline is not None and recipe.baseline not in recipe.runs:
        near = nearest(recipe.baseline, list(recipe.runs))
        raise InputError(f"{name}: baseline = '{recipe.baseline}': no such run{near} ({', '.join(recipe.runs)})")
    for evaluation in recipe.evals:
        data = str(recipe.eval_flags(evaluation)["data"])
        if data not in recipe.prepare:
            near = nearest(data, recipe.data_sets)
            raise InputError(f"{name}: [evals.{evaluation}] data = '{data}': has no [prepare.{data}]{near}")


def _given(flags: Flags) -> Flags:
    return {flag: value for flag, value in flags.items() if value != []}
