"""The README types commands and code that exist."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
import typer

from mmts_cli.app import app

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def typed_commands() -> list[list[str]]:
    """Command lines of indented blocks, continued lines joined."""
    joined = README.replace("\\\n", " ")
    lines = re.findall(r"^    (?:\$ )?mmts (.*)$", joined, flags=re.MULTILINE)
    return [shlex.split(line.split("  #")[0]) for line in lines]


@pytest.mark.parametrize("words", typed_commands(), ids=" ".join)
def test_commands_have_the_flags_that_are_typed(words) -> None:
    parser = typer.main.get_command(app)
    names = []
    while hasattr(parser, "commands"):
        names.append(words[len(names)])
        parser = parser.commands[names[-1]]
    known = {flag for parameter in parser.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if re.fullmatch(r"--?[a-z][a-z0-9-]*", word)} <= known


def test_the_chain_of_python_runs(tmp_path, monkeypatch, fake_encoder, world) -> None:
    chain = next(code for code in CODE if "prepare_flickr8k" in code)
    rows = [f"{world.media_of(each)},caption {each},{world.split[each]}" for each in world.sample_ids]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption,split", *rows]) + "\n")
    shutil.copy(world.images("images.zip"), tmp_path)
    shutil.copy(world.media, tmp_path / "features.parquet")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(chain.replace("k=200", "k=4"), names)
    assert set(names["scores"]) == {"overall", "head", "middle", "tail"}


def test_the_loss_in_ones_own_loop_runs() -> None:
    code = next(code for code in CODE if "CosineSchedule" in code)
    names = {
        "cluster_size": [3, 5, 9, 9],
        "media": torch.eye(4, 8),
        "text": torch.eye(4, 8),
        "step": 0,
        "batch": torch.arange(4),
    }
    exec(code, names)
    loss = names["loss"]
    assert isinstance(loss, torch.Tensor)
    assert 0 < float(loss) < 0.1
