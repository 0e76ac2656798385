"""Wrong input to every command: exit 2, one short line with what, where and a remedy; nothing changed or left."""

import shlex
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from bad_inputs.case import BadInput
from bad_inputs.good import make_good

# Wrong inputs by command: no fewer, so that none is dropped in silence.
FEWEST = {
    **{"prepare": 138, "embed": 83, "cluster": 50, "shifts": 44, "plan": 20, "train": 125, "eval": 97, "compare": 15},
    **{"export": 33, "inspect": 8, "demo": 11, "run": 31, "sweep": 29, "frontier": 28, "search": 36},
    **{"advise": 20, "plot": 60, "report": 30},
}
LONGEST = 240
NAMES = ("commands", "edited", "limits", "readers", "media", "models", "sweeps", "classes", "search", "seeing")
TABLES = [name for name in NAMES if find_spec(f"bad_inputs.{name}")]
CASES: list[BadInput] = [case for name in TABLES for case in import_module(f"bad_inputs.{name}").CASES]


def contents(folder: Path) -> dict[str, object]:
    """Every file below a folder with its bytes, every other thing with its kind."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else path.is_dir()
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def base(tmp_path_factory, write_artifact) -> Path:
    """A folder with ``good`` in it."""
    folder = tmp_path_factory.mktemp("bad")
    make_good(folder / "good", write_artifact)
    return folder


@pytest.fixture(scope="module")
def before(base) -> dict[str, object]:
    return contents(base / "good")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_is_refused(case, base, before, mmts, monkeypatch) -> None:
    folder = base / "dir"
    folder.mkdir()
    monkeypatch.chdir(folder)
    words = shlex.split(case.command)
    try:
        case.make(folder)
        there = contents(folder)
        ran = mmts(*(word.replace("{dir}", str(folder)).replace("{good}", str(base / "good")) for word in words))
        said = ran.err.replace(str(folder), "DIR").replace(str(base / "good"), "GOOD")
        lines = [line for line in said.splitlines() if not line.startswith("warning: ")]
        assert (ran.code, ran.out) == (2, ""), said
        assert len(lines) == 1, said
        assert lines[0].startswith("mmts: "), said
        assert len(lines[0]) <= LONGEST, said
        assert [piece for piece in case.says if piece not in lines[0]] == [], said
        assert contents(folder) == there
    finally:
        monkeypatch.chdir(base)
        folder.rename(base / case.id)


@pytest.mark.usefixtures("base")
def test_the_good_files_are_as_they_were(base, before) -> None:
    assert contents(base / "good") == before


def test_ids_are_unique() -> None:
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []


def test_the_table_does_not_shrink() -> None:
    count = Counter(case.verb for case in CASES)
    print("bad inputs by command:", dict(count), "in all", sum(count.values()))
    assert {verb: fewest for verb, fewest in FEWEST.items() if count[verb] < fewest} == {}
