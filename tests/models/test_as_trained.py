"""Every command that reads a run's model notices that it isn't as its training left it, and nothing else."""

import json
import os
import shutil

import pytest


@pytest.fixture
def run(world, mmts):
    assert mmts(*world.command("run", epochs=1)).code == 0
    return world.folder / "run"


def lines(world, run):
    """A command line of each kind that reads a run's model."""
    out = world.folder
    return {
        "eval": ["eval", run, "-o", out / "scores", "--resamples", 0],
        "embed media": ["embed", world.annotations, "--media", world.media, "--model", run, "-o", out / "m.parquet"],
        "embed texts": ["embed", world.annotations, "--text", world.text, "--model", run, "-o", out / "t.parquet"],
        "embed model": [
            *("embed", world.annotations, "--text", world.text, "--model", run / "model"),
            *("-o", out / "u.parquet"),
        ],
        "export": ["export", run, "-o", out / "exported"],
    }


def test_changed_weights_are_never_used_nor_called_up_to_date(world, run, mmts, refused) -> None:
    assert {name: mmts(*line).code for name, line in lines(world, run).items()} == dict.fromkeys(lines(world, run), 0)
    weights = run / "model" / "heads.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    for line in lines(world, run).values():
        message = refused(*line)
        # A long path is shortened in its middle.
        assert "run/model/heads.safetensors: changed since the run was trained; restore the run's folder" in message
        assert refused(*line, "--force") == message


def test_the_model_of_another_run_is_noticed(world, run, mmts, refused) -> None:
    assert mmts(*world.command("other", epochs=1, seed=3)).code == 0
    shutil.rmtree(run / "model")
    shutil.copytree(world.folder / "other" / "model", run / "model")
    for line in lines(world, run).values():
        assert "dual_encoder.json: is not the model that steps.parquet records; restore the run's" in refused(*line)


def test_touching_and_moving_is_no_reason_to_run_again(world, run, mmts) -> None:
    for line in lines(world, run).values():
        assert not json.loads(mmts(*line, "--json").out)["up_to_date"]
    for file in run.rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    (run / "model" / "README.md").write_text("words")
    run = run.rename(world.folder / "moved")
    for line in lines(world, run).values():
        assert json.loads(mmts(*line, "--json").out)["up_to_date"], line


def test_a_damaged_export_is_made_again(world, run, mmts) -> None:
    line = ["export", run, "-o", world.folder / "exported", "--json"]
    assert mmts(*line).code == 0
    weights = world.folder / "exported" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(bytes([*whole[:-1], whole[-1] ^ 1]))
    assert not json.loads(mmts(*line).out)["up_to_date"]
    assert weights.read_bytes() == whole
    assert json.loads(mmts(*line).out)["up_to_date"]
