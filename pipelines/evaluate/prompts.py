"""Texts that stand for classes: their names, put into templates."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts import first_few, shortened
from pipelines.artifacts.files import nearest, read_json, require_file
from pipelines.errors import InputError
from pipelines.evaluate.csv_columns import read_csv_columns
from pipelines.remote import located

PLACE = "{}"
BUILT_IN: dict[str, tuple[str, ...]] = {
    "plain": (PLACE,),
    "photo": ("a photo of a {}.",),
    "video": ("a video of {}.",),
    "ensemble": (
        "a photo of a {}.",
        "a close-up photo of a {}.",
        "a photo with a {} in the background.",
        "several {} in one picture.",
        "a drawing of a {}.",
        "an icon that shows a {}.",
        "this is a {}.",
        PLACE,
    ),
}
DEFAULT_TEMPLATES = "plain"


@dataclass(frozen=True)
class Templates:
    """What the names of classes are put into.

    Attributes:
        texts: The templates, each with one ``{}``.
        file: The file they were read from; None for one of the built-in sets.
    """

    texts: tuple[str, ...]
    file: Path | None

    def prompts(self, names: Sequence[str]) -> list[str]:
        """Every template with every name, the templates of the first name first."""
        return [template.replace(PLACE, name) for name in names for template in self.texts]

    def mean(self, vectors_pd: NDArray[np.float32]) -> NDArray[np.float64]:
        """One vector a class, the mean of the unit vectors of its prompts, ``(c, d)``.

        Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision (2021), section
        3.1.4: an ensemble over the embedding space.
        """
        by_class = vectors_pd.astype(np.float64).reshape(-1, len(self.texts), vectors_pd.shape[1])
        mean_cd: NDArray[np.float64] = by_class.mean(axis=1)
        return mean_cd


@dataclass(frozen=True)
class Prompts:
    """What stands for the classes.

    Attributes:
        column: The column of the annotations that holds classes.
        templates: What their names are put into; None where ``--text`` gives a vector for each class.
        class_names: File of their names; None for the classes themselves.
    """

    column: str
    templates: Templates | None
    class_names: Path | None

    def inputs(self) -> dict[str, Path]:
        """The files that decide the scores, by role."""
        file = None if self.templates is None else self.templates.file
        return {role: path for role, path in (("templates", file), ("class names", self.class_names)) if path}

    def parameters(self) -> dict[str, Any]:
        """What decides the scores besides."""
        if self.templates is None or self.templates.file is not None:
            return {"column": self.column}
        return {"column": self.column, "templates": list(self.templates.texts)}


def read_prompts(
    column: str | None, templates: str | None, class_names: Path | str | None, *, vectors_given: bool
) -> Prompts:
    """What was given of the protocol's options, completed.

    Raises:
        InputError: There is no column, a file can't be used, or options are given that vectors make useless.
    """
    if column is None:
        raise InputError("--column is missing; name the column of the annotations that holds the classes")
    if not vectors_given:
        names = None if class_names is None else located(class_names)
        return Prompts(column, read_templates(templates or DEFAULT_TEMPLATES), names)
    for option, value in (("--templates", templates), ("--class-names", class_names)):
        if value is not None:
            raise InputError(f"{option}: has no effect with --text, which gives the vector of each class; leave it out")
    return Prompts(column, None, None)


def read_templates(source: str) -> Templates:
    """The templates of a built-in set, or of a text file with one a line.

    Raises:
        InputError: It is neither, the file can't be read, or a line hasn't exactly one ``{}``.
    """
    if source in BUILT_IN:
        return Templates(BUILT_IN[source], None)
    path = located(source)
    if not path.exists() and not path.suffix:  # as a set is named
        sets = ", ".join(BUILT_IN)
        raise InputError(f"--templates {source}: neither a file nor one of {sets}{nearest(source, list(BUILT_IN))}")
    require_file(path)
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error})") from error
    for number, line in enumerate(lines, start=1):
        if line and line.count(PLACE) != 1:
            raise InputError(
                f"{path}: line {number} ({shortened(line)}) has {line.count(PLACE)} {PLACE}; a template has exactly "
                f"one, where the class goes, as in 'a photo of a {PLACE}.'"
            )
    texts = tuple(line for line in lines if line)
    if not texts:
        raise InputError(f"{path}: has no template; write one a line, such as 'a photo of a {PLACE}.'")
    return Templates(texts, path)


def class_texts(classes: Sequence[str], column: str, names: Path | None) -> list[str]:
    """What each class is called: by a file of names, else the class itself with spaces for underscores.

    Args:
        classes: The classes.
        column: The column they come from, for messages.
        names: CSV file with columns ``class`` and ``text``, or JSON file with an object of texts by class.

    Raises:
        InputError: The file can't be used, or names classes twice or not at all.
    """
    texts = [each.replace("_", " ") for each in classes]
    if names is not None:
        found = _names_by_class(names)
        missing = [each for each in classes if not found.get(each)]
        if missing:
            raise InputError(
                f"{names}: {len(missing):,} of the {len(classes):,} classes in column {column} have no text, first: "
                f"{first_few(missing)}"
            )
        texts = [found[each] for each in classes]
    blank = [each for each, text in zip(classes, texts, strict=True) if not text.strip()]
    if blank:
        raise InputError(f"column {column}: class {blank[0]!r} has no name; give it one with --class-names")
    _warn_of_namesakes(classes, texts)
    return texts


def _names_by_class(path: Path) -> dict[str, str]:
    if path.suffix.lower() == ".json":
        read = read_json(path)
        if not isinstance(read, dict) or not all(isinstance(text, str) for text in read.values()):
            raise InputError(f'{path}: not an object of texts by class, such as {{"3": "golden retriever"}}')
        return {name: text.strip() for name, text in read.items()}
    found: dict[str, str] = {}
    for name, text in read_csv_columns(path, ["class", "text"]):
        if name in found:
            raise InputError(f"{path}: class {shortened(name)} occurs twice; leave one row of it")
        found[name] = text
    return found


def _warn_of_namesakes(classes: Sequence[str], texts: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for each, text in zip(classes, texts, strict=True):
        if text in first:
            warnings.warn(
                f"classes {shortened(first[text])} and {shortened(each)} have the same text, so all media tie between "
                "them; --class-names tells them apart",
                stacklevel=3,
            )
            return
        first[text] = each
