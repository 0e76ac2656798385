"""A recipe as command lines: which stages it needs, and the files that pass from one to the next."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmts_cli.recipe import Flags, Recipe
from pipelines.artifacts.files import nearest
from pipelines.errors import InputError
from pipelines.remote import as_path, found_below

STAGES = ("prepare", "embed", "cluster", "shifts", "train", "eval", "compare")


@dataclass(frozen=True)
class Step:
    """One command line.

    Attributes:
        stage: Its stage.
        words: The command line, without ``mmts``.
        run: The run it is for; None where all share it.
        output: What it writes.
        files: Files below the root that it reads, by flag.
    """

    stage: str
    words: list[str]
    output: Path
    run: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """The recipe's table of flags for it, as ``--set`` names it."""
        return ".".join(self.words[:2]) if self.stage == "prepare" else self.stage

    def forced(self) -> "Step":
        """The step with ``--force``, which begins anew."""
        return replace(self, words=[*(word for word in self.words if word != "--resume"), "--force"])


@dataclass(frozen=True)
class Places:
    """Where a recipe finds its data and writes to.

    Attributes:
        root: Folder with the data sets' files, under their published names.
        output: Folder for everything that is written.
        features: Features file by data set, in place of the media; empty for raw media.
        media_root: Folder with the media; None if they aren't needed.
    """

    root: Path
    output: Path
    features: Mapping[str, Path]
    media_root: Path | None = None


def recipe_steps(recipe: Recipe, places: Places) -> list[Step]:
    """The command lines of a recipe, in order.

    Raises:
        InputError: Media are missing: neither features nor a folder, or features of a part of the data sets.
    """
    for name in places.features:
        if name not in recipe.prepare:
            raise InputError(
                f"--media {name}=...: the recipe has no data set '{name}'{nearest(name, list(recipe.prepare))}"
            )
    missing = [name for name in recipe.data_sets if name not in places.features]
    if places.features and missing:
        raise InputError(f"--media: no features of {', '.join(missing)}; give --media {missing[0]}=FILE as well")
    if not places.features and places.media_root is None and recipe.towers["media"] == "annotations":
        raise InputError(
            "--media-root is missing: the folder with the videos or images; or give --media, a features file"
        )
    return [*_Steps(recipe, places).all()]


class _Steps:
    def __init__(self, recipe: Recipe, places: Places) -> None:
        self.recipe, self.places = recipe, places
        self.trained = recipe.data_sets[0]
        self.has_features = bool(places.features)
        self.flags = {run: recipe.train_flags(run, features=self.has_features) for run in recipe.run_names}
        self.embeds = any("text-model" not in flags for flags in self.flags.values())

    def all(self) -> Iterator[Step]:
        yield from (self.prepare(name) for name in self.recipe.data_sets)
        clusters_texts = self.recipe.cluster.get("method") != "class"
        for name in self.recipe.data_sets:
            if self.embeds or (name == self.trained and clusters_texts):
                words = self.line("embed", self.file("annotations", name), self.file("embeddings", name))
                yield self.step(words, self.recipe.embed)
        source = self.file("embeddings" if clusters_texts else "annotations", self.trained)
        yield self.step(self.line("cluster", source, self.out("clusters.parquet")), self.recipe.cluster)
        shifts = self.line("shifts", self.out("clusters.parquet"), self.out("shifts.parquet"))
        yield self.step(shifts, self.recipe.shifts)
        for run in self.recipe.run_names:
            yield self.train(run)
            yield from (self.evaluate(run, name) for name in self.evaluations)
        if len(self.recipe.runs) > 1:
            yield from (self.compare(name) for name in self.evaluations)

    @property
    def evaluations(self) -> list[str]:
        """Names of the evaluations; one without a name where the recipe names none."""
        return list(self.recipe.evals) or [""]

    def prepare(self, name: str) -> Step:
        takes = _parameters("prepare", name)
        words = ["prepare", name, "-o", str(self.file("annotations", name))]
        if "root" in takes:  # a published data set, not a table of one's own
            words += ["--root", str(self.places.root)]
        if "media-root" in takes and self.places.media_root is not None and not self.has_features:
            words += ["--media-root", str(self.places.media_root)]
        return self.step(words, self.recipe.prepare[name])

    def train(self, run: str) -> Step:
        flags = dict(self.flags[run])
        media = self.places.features[self.trained] if self.has_features else flags.pop("media")
        words = self.line("train", self.file("annotations", self.trained), self.folder("run", run))
        words += ["--media", self.text_of(str(media))]
        if "text-model" not in flags:
            words += ["--text", str(self.file("embeddings", self.trained))]
        if str(flags.get("temperature", "mmts")).startswith("mmts"):
            words += ["--shifts", str(self.out("shifts.parquet"))]
        # Goes on with an unfinished run, and starts where there is none.
        return self.step(words, flags, ["--resume"], run=run)

    def evaluate(self, run: str, name: str) -> Step:
        flags = self.recipe.eval_flags(name)
        data = str(flags.pop("data"))
        words = self.line("eval", self.folder("run", run), self.folder("scores", run, name))
        if data == self.trained:
            words += ["--clusters", str(self.out("shifts.parquet"))]  # runs without shifts have thirds as well
        else:
            media = self.places.features[data] if self.has_features else self.flags[run]["media"]
            words += ["--annotations", str(self.file("annotations", data)), "--media", self.text_of(str(media))]
            if "text-model" not in self.flags[run]:
                words += ["--text", str(self.file("embeddings", data))]
        return self.step(words, flags, run=run)

    def compare(self, name: str) -> Step:
        scores = [str(self.folder("scores", run, name)) for run in self.recipe.run_names]
        return self.step(
            ["compare", *scores, "-o", str(self.folder("difference", name, suffix=".json"))], self.recipe.compare
        )

    def line(self, stage: str, source: Path, output: Path) -> list[str]:
        return [stage, str(source), "-o", str(output)]

    def step(self, words: list[str], flags: Flags, extra: list[str] | None = None, run: str | None = None) -> Step:
        """A command line: ``words`` up to the files, the flags, and what comes last."""
        takes = _parameters(*words[:2])
        place = words.index("-o")
        positional = [flag for flag in flags if takes[flag].param_type_name == "argument"]
        arguments = [self.text_of(str(flags[flag])) for flag in positional]
        given = [
            word
            for flag, value in flags.items()
            if flag not in positional
            for word in self.words_of(takes[flag], flag, value)
        ]
        files = {flag: as_path(self.text_of(str(value))) for flag, value in flags.items() if "{root}" in str(value)}
        line = [*words[:place], *arguments, *words[place:], *given, *(extra or [])]
        return Step(words[0], line, as_path(words[place + 1]), run, files)

    def words_of(self, parameter: Any, flag: str, value: object) -> list[str]:
        if isinstance(value, list):
            return [word for each in value for word in self.words_of(parameter, flag, each)]
        if isinstance(value, bool):
            return [f"--{flag}"] if value else parameter.secondary_opts[:1]  # as in --spherical/--euclidean
        return [f"--{flag}", self.text_of(str(value))]

    def text_of(self, value: str) -> str:
        """A flag's value, with the root, and the file below it that a pattern names, in place."""
        head, pattern, name = value.partition("{root}/**/")
        if pattern and not head:
            found = found_below(self.places.root, name)
            return str(found[0] if found else self.places.root / name)
        return value.replace("{root}", str(self.places.root))

    def file(self, kind: str, data: str) -> Path:
        return self.folder(kind, "" if data == self.trained else data, suffix=".parquet")

    def folder(self, *names: str, suffix: str = "") -> Path:
        return self.out("-".join(name for name in names if name) + suffix)

    def out(self, name: str) -> Path:
        return self.places.output / name


@functools.cache
def _parameters(stage: str, name: str) -> dict[str, Any]:
    """What the parser knows of each flag of a stage, or of ``prepare NAME``."""
    from mmts_cli.command import all_commands

    command = all_commands().commands[stage]
    if hasattr(command, "commands"):
        command = command.commands[name]
    return {max(each.opts, key=len).lstrip("-").replace("_", "-"): each for each in command.params}
