"""Paths as people write them, wherever one is read; files as Windows editors write them; narrow and plain terminals."""

import json
import re
import shutil

import pytest
from bad_inputs.good import make_good

KMEANS = ("--k", 2)


@pytest.fixture
def home(made, monkeypatch):
    """The working folder is the user's home too, and a folder that a variable names; the work is done elsewhere."""
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.setenv("PLACE", str(made))
    (made / "elsewhere").mkdir()
    monkeypatch.chdir(made / "elsewhere")
    return made


@pytest.mark.parametrize("start", ["~", "$PLACE", "${PLACE}"])
def test_in_flags(home, mmts, start) -> None:
    assert mmts("cluster", f"{start}/embeddings.parquet", "-o", f"{start}/o.parquet", *KMEANS).code == 0
    assert (home / "o.parquet").is_file()
    assert [*(home / "elsewhere").iterdir()] == []


@pytest.mark.parametrize("start", ["~", "$PLACE"])
def test_in_toml(home, mmts, start) -> None:
    (home / "flags.toml").write_text(f'source = "{start}/embeddings.parquet"\noutput = "{start}/o.parquet"\nk = 2\n')
    assert mmts("cluster", "--config", f"{start}/flags.toml").code == 0
    assert (home / "o.parquet").is_file()


@pytest.mark.parametrize("start", ["~", "$PLACE"])
def test_in_the_recipe_that_one_extends(home, mmts, start) -> None:
    (home / "mine.toml").write_text(f'extends = "{start}/base.toml"\nabout = "mine"\n')
    shutil.copy(_shipped("youcook2"), home / "base.toml")
    ran = mmts("run", f"{start}/mine.toml", "--root", start, "--media", f"{start}/f.parquet", "--dry-run")
    assert ran.code == 0, ran.err
    assert f"--media {home}/f.parquet" in ran.out


def _shipped(name: str):
    from mmts_cli.recipe import shipped_recipes

    return shipped_recipes()[name]


def test_in_a_runs_configuration_fed_back(world, mmts, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(world.folder))
    files = {name: f"~/{name}.parquet" for name in ("annotations", "media", "text")}
    settings = {"temperature": "fixed", "epochs": 1, "batch_size": 16, "dimension": 8, "device": "cpu"}
    config = {"command": "train", "parameters": {**files, **settings, "output": "~/run"}}
    (world.folder / "config.json").write_text(json.dumps(config))
    assert mmts("train", "--config", "~/config.json").code == 0
    assert (world.folder / "run" / "metrics.json").is_file()


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "mark"])
def test_toml_of_windows_editors(made, mmts, end, mark) -> None:
    (made / "flags.toml").write_bytes((mark + end.join(["[cluster]", "k = 2", 'output = "o.parquet"', ""])).encode())
    assert mmts("cluster", "embeddings.parquet", "--config", "flags.toml").code == 0
    assert (made / "o.parquet").is_file()


def test_a_terminal_without_colours(made, mmts, monkeypatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in mmts("inspect", "clusters.parquet").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", mmts("inspect", "clusters.parquet").out)


@pytest.fixture(scope="module")
def good(tmp_path_factory, write_artifact):
    folder = tmp_path_factory.mktemp("narrow") / "good"
    make_good(folder, write_artifact)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "inspect {good}/shifts.parquet",
        "plan {good}/shifts.parquet --alpha 0.04 --steps 50",
        "shifts {good}/clusters.parquet -o {good}/again.parquet --min 0.05 --max 0.1 --force",
        "eval {good}/run -o {good}/scores --resamples 10",
        "compare {good}/scores {good}/scores-mmts --resamples 10",
    ],
    ids=lambda line: line.split()[0],
)
def test_twenty_columns_cut_no_number(good, mmts, monkeypatch, line) -> None:
    def numbers(columns: int) -> set[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        ran = mmts(*line.format(good="G").replace("G/", f"{good}/").split())
        assert ran.code == 0, ran.err
        assert "…" not in ran.out
        return set(re.findall(r"(?<![\w.-])[+-]?\d+\.\d+(?![\w.])", ran.out.replace(str(good), "")))

    wide = numbers(200)
    assert len(wide) > 3
    assert wide <= numbers(20)
