"""``mmts demo``, small, with a stand-in for the text model."""

import json
import re
import shlex

import pytest
from PIL import Image
from typer.main import get_command

COUNT = 200


@pytest.fixture
def demo(mmts, fake_encoder, tmp_path):
    return lambda *flags: mmts("demo", "--dir", tmp_path / "d", "--count", COUNT, *flags)


def printed_commands(err: str) -> list[list[str]]:
    return [shlex.split(line.removeprefix("$ mmts ")) for line in err.splitlines() if line.startswith("$ mmts ")]


@pytest.mark.slow
def test_every_stage_is_run_once_and_the_sweep_has_the_last_word(demo, mmts, tmp_path) -> None:
    first = demo()
    assert first.code == 0, first.err
    folder = tmp_path / "d"

    commands = printed_commands(first.err)
    stages = ["prepare", "embed", *["cluster"] * 4, "shifts", "plan", "train", "embed", "eval", "sweep", "report"]
    assert [command[0] for command in commands] == stages
    from mmts_cli.app import app

    for words in commands:
        command, rest = get_command(app), list(words)
        while hasattr(command, "commands"):  # a group, such as prepare
            command = command.commands[rest.pop(0)]
        command.make_context("mmts", rest)  # raises on a flag or value that the command does not accept

    shown = mmts("sweep", folder / "sweep").out
    assert "head, middle, tail: sizes of the classes in column concept" in shown
    assert shown in first.out
    runs = [line for line in first.err.splitlines() if " on test; " in line]
    assert len(runs) == 5 * 5

    for picture in ("long-tail.png", "temperature.png"):
        with Image.open(folder / picture) as image:
            image.load()
            assert len(image.convert("RGB").getcolors(image.width * image.height)) > 10

    assert (folder / "clusters-1.labels.parquet").exists()
    sections = "sections: tail, map, clusters, training, scores, sweep, worst, made"
    assert sections in first.out
    written = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    second = demo()
    assert second.code == 0
    results = [line for line in second.out.splitlines() if line.startswith(f"{folder}/")]
    results = [line for line in results if ": written" in line or ": up to date" in line]
    undone = [line for line in results if not line.endswith(": up to date")]
    assert sections in second.out
    assert undone == [f"{folder}/temperature.png: written"]
    assert re.search(r"\b(\d+) of \1 runs are there already", second.err)
    assert shown in second.out
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet")} == written


@pytest.mark.slow
def test_the_fewest_images_are_enough_and_without_a_tail_it_says_so(mmts, fake_encoder, tmp_path) -> None:
    """Fewer training images than a batch: one step an epoch."""
    flags = ["demo", "--dir", tmp_path / "few", "--count", 160, "--imbalance", 0]
    ran = mmts(*flags, "--json")
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    names = ["fixed", "shifts", "mmts", "fixed+sampling", "fixed+weight"]
    assert [candidate["name"] for candidate in result["sweep"]["candidates"]] == names
    assert [picture.rsplit("/", 1)[1] for picture in result["pictures"]] == ["long-tail.png", "temperature.png"]
    assert "All concepts are equally frequent here" in mmts(*flags).out


def test_a_count_that_is_too_small_is_said_before_anything_is_made(refused, tmp_path) -> None:
    message = refused("demo", "--dir", tmp_path / "d", "--count", 159)
    assert message == "count 159 is too small for 32 concepts; give at least 160"
    assert not (tmp_path / "d").exists()
