"""Columns of classes, templates and names of classes that are wrong, for ``mmts eval --protocol classes``."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bad_inputs.case import BadInput, good
from bad_inputs.commands import options, text

_FILES = "eval --annotations {good}/annotations.parquet --media {good}/media.parquet --text {good}/text.parquet -o out"
_RUN = "eval {good}/run -o out --protocol classes"
_OWN = f"{_RUN} --annotations a.parquet --column kind"


def with_kinds(kind_of: Callable[[int, str], str | None]) -> Callable[[Path], None]:
    """The good annotations as ``a.parquet``, with a column ``kind`` by the row and the medium."""

    def make(folder: Path) -> None:
        table = pq.read_table(good(folder) / "annotations.parquet").replace_schema_metadata()
        media = enumerate(table["media_id"].to_pylist())
        kinds = pa.array([kind_of(row, medium) for row, medium in media], pa.string())
        pq.write_table(table.append_column("kind", kinds), folder / "a.parquet")

    return make


def files(group: str, line: str, name: str, *cases: tuple[str | bytes, tuple[str, ...]]) -> list[BadInput]:
    """Cases of one command line, each with another content of a file."""
    return [BadInput(f"{group}-{n}", line, (name, *says), text(name, c)) for n, (c, says) in enumerate(cases)]


CASES = [
    *options(
        "eval-classes",
        _FILES,
        ("--column split", "--column: is for --protocol classes"),
        ("--templates photo", "--templates: is for --protocol classes"),
        ("--class-names n.csv", "--class-names: is for --protocol classes"),
        ("--protocol classes", "--column is missing"),
        ("--protocol classes --column splt", "did you mean 'split'"),
        ("--protocol classes --column split", "samples are missing there"),
        ("--protocol classes --column split --templates photo", "--templates: has no effect with --text"),
        ("--protocol classes --column split --class-names n.csv", "--class-names: has no effect with --text"),
        ("--protocol classes --column split --folds 2", "--folds"),
        ("--protocol classes --column split --gallery all", "--gallery all"),
        ("--protocol classes --column split --tail-classes t.csv", "--tail-classes: is for --protocol ek100"),
        ("--protocol classes --column split --frequency nowhere", "--frequency nowhere"),
    ),
    *options(
        "eval-classes-run",
        _RUN,
        ("--column nowhere", "no column 'nowhere'"),
        ("--column split --templates foto", "did you mean 'photo'"),
        ("--column split --templates nowhere.txt", "nowhere.txt"),
        ("--column split --templates {good}", "is a directory"),
        ("--column split --class-names nowhere.csv", "nowhere.csv"),
        ("--column split", "was not made by `mmts embed`"),
    ),
    *files(
        "templates",
        f"{_RUN} --column split --templates t.txt",
        "t.txt",
        ("a photo of a {}\na photo\n", ("line 2 (a photo) has 0 {}", "exactly one")),
        ("{} and {}\n", ("line 1", "has 2 {}")),
        (f"{'long ' * 100}\n", ("line 1", "...")),
        ("\n \n", ("has no template",)),
        (b"caf\xe9 {}\n", ("UTF-8",)),
    ),
    *files(
        "class-names",
        f"{_RUN} --column split --class-names n.csv",
        "n.csv",
        ("name,text\ntest,a\n", ("no column 'class'",)),
        ("class,text\ntest,a\ntrain,b\n", ("1 of the 3 classes in column split have no text, first: val",)),
        ("class,text\ntest,a\ntrain,b\nval,\n", ("first: val",)),
        ("class,text\ntest,a\ntest,b\n", ("class test occurs twice",)),
        ("class,text\n", ("has no rows",)),
        (b"class,text\ntest,\xe9\n", ("UTF-8",)),
    ),
    *files(
        "class-names-json",
        f"{_RUN} --column split --class-names n.json",
        "n.json",
        ('["test"]', ("not an object of texts by class",)),
        ('{"test": 3}', ("not an object of texts by class",)),
        ('{"test": "a"', ("not valid JSON",)),
        ('{"test": "a"}', ("2 of the 3 classes", "first: train, val")),
    ),
    BadInput(
        "classes-null", _OWN, ("a.parquet", "1 rows have no kind"), with_kinds(lambda row, _: "a" if row else None)
    ),
    BadInput("classes-blank", _OWN, ("--class-names",), with_kinds(lambda _, medium: "a" if medium > "m3" else " ")),
    BadInput("classes-one", _OWN, ("a.parquet", "only one kind: a"), with_kinds(lambda *_: "a")),
    BadInput("classes-of-one-medium", _OWN, ("more than one kind", "kind-"), with_kinds(lambda row, _: f"kind-{row}")),
    BadInput("classes-long", _OWN, ("more than one kind", "..."), with_kinds(lambda row, _: f"{row}{'x' * 500}")),
]
