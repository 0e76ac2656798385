"""``mmts demo``, small, with a stand-in for the text model."""

import json
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
def test_all_stages_run_twice_but_work_once(demo, tmp_path) -> None:
    first = demo()
    assert first.code == 0, first.err
    folder = tmp_path / "d"

    commands = printed_commands(first.err)
    stages = ["prepare", "embed", *["cluster"] * 4, "shifts", "plan", *["train", "eval"] * 2]
    assert [command[0] for command in commands] == stages
    from mmts_cli.app import app

    for words in commands:
        command, rest = get_command(app), list(words)
        while hasattr(command, "commands"):  # a group, such as prepare
            command = command.commands[rest.pop(0)]
        command.make_context("mmts", rest)  # raises on a flag or value that the command does not accept

    titles = [line for line in first.out.splitlines() if line.startswith("Recall on the test split")]
    assert len(titles) == 1
    rows = [line.split() for line in first.out.splitlines() if line.lstrip().startswith(("mmts ", "fixed "))]
    rows += [
        line.split()[1:] for line in first.out.splitlines() if line.startswith(("overall", "head", "middle", "tail"))
    ]
    rows = [row for row in rows if len(row) == 7 and row[0] in ("fixed", "mmts")]
    assert sorted(row[0] for row in rows) == ["fixed"] * 4 + ["mmts"] * 4
    scores = {
        name: json.loads((folder / f"scores-{name}" / "metrics.json").read_text())["scores"]
        for name in ("fixed", "mmts")
    }
    for name, by_segment in scores.items():
        shown = [row[1:] for row in rows if row[0] == name]
        for directions in by_segment.values():
            cells = [
                f"{directions[direction][f'recall@{k}']['value']:.1f}"
                for direction in ("text_to_media", "media_to_text")
                for k in (1, 5, 10)
            ]
            assert cells in shown

    for picture in ("long-tail.png", "temperature.png"):
        with Image.open(folder / picture) as image:
            image.load()
            assert len(image.convert("RGB").getcolors(image.width * image.height)) > 10

    written = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    second = demo()
    assert second.code == 0
    results = [line for line in second.out.splitlines() if line.startswith(f"{folder}/")]
    results = [line for line in results if ": written" in line or ": up to date" in line]
    undone = [line for line in results if not line.endswith(": up to date")]
    assert undone == [f"{folder}/temperature.png: written"]
    assert len(results) == len(stages)
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet")} == written


@pytest.mark.slow
def test_the_fewest_images_are_enough(demo, mmts, tmp_path) -> None:
    """Fewer training images than a batch: one step an epoch."""
    ran = mmts("demo", "--dir", tmp_path / "few", "--count", 160, "--json")
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    assert set(result["scores"]) == {"fixed", "mmts"}
    assert [picture.rsplit("/", 1)[1] for picture in result["pictures"]] == ["long-tail.png", "temperature.png"]


def test_a_count_that_is_too_small_is_said_before_anything_is_made(refused, tmp_path) -> None:
    message = refused("demo", "--dir", tmp_path / "d", "--count", 159)
    assert message == "count 159 is too small for 32 concepts; give at least 160"
    assert not (tmp_path / "d").exists()
