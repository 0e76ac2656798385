"""``examples/ek100``: the recipe of EPIC-KITCHENS-100 run to its end on films of real segments, whole and in chunks."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from import_model.checkpoints import avion_state, write_vocabulary

pytest.importorskip("av")
EXAMPLE = Path(__file__).parents[2] / "examples" / "ek100" / "miniature.py"
SMALL = {
    **{"prepare.ek100.allow-partial": "true", "towers.devices": "[]", "towers.precision": 32, "towers.frames": 8},
    **{"train.epochs": 2, "train.batch-size": 32, "train.checkpoint-steps": 1, "train.device": "cpu"},
    **{"runs.mmts.oscillations": 1, "eval.resamples": 20, "eval.device": "cpu"},
}


@pytest.fixture
def miniature(tmp_path, data_dir, mmts):
    """The annotations, the films, and AVION's model in small with random weights."""
    spec = importlib.util.spec_from_file_location("miniature", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(data_dir / "ek100", tmp_path)
    torch.save({"state_dict": avion_state(4)}, tmp_path / "avion.pt")
    vocabulary = write_vocabulary(tmp_path)
    given = ["--from", "avion", "--tokenizer", vocabulary, "--frames", 8]
    ran = mmts("models", "import", tmp_path / "avion.pt", *given, "-o", tmp_path / "annotations" / "avion")
    assert ran.code == 0, ran.err
    return tmp_path


def start(line: list[object]) -> subprocess.Popen[str]:
    """A command in a process of its own, on one thread: torch's sums differ with the number of threads."""
    return subprocess.Popen(
        [sys.executable, "-m", "mmts_cli", *map(str, line)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def run_to_its_end(line: list[object]) -> None:
    process = start(line)
    said = process.communicate()[1]
    assert process.returncode == 0, said


def kill_after_its_first_checkpoint(line: list[object], run: Path) -> None:
    process = start(line)
    deadline = time.monotonic() + 240
    while not list(run.glob("checkpoints/step-*.safetensors")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not (run / "metrics.json").exists()


@pytest.mark.slow
def test_the_recipe_ends_with_the_same_scores_from_chunks_and_after_a_kill(miniature) -> None:
    def line(videos: str, output: str) -> list[object]:
        places = ["--root", miniature / "annotations", "--media-root", miniature / videos, "-o", miniature / output]
        changes = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
        return ["run", "ek100-avion", *places, *changes]

    whole, chunks = miniature / "whole", miniature / "from-chunks"
    run_to_its_end(line("videos", "whole"))
    kill_after_its_first_checkpoint(line("chunks", "from-chunks"), chunks / "run-mmts")
    run_to_its_end(line("chunks", "from-chunks"))

    annotations = pq.read_table(whole / "annotations.parquet").to_pydict()
    assert {name: annotations["split"].count(name) for name in ("train", "test")} == {"train": 197, "test": 133}
    assert Path(annotations["media"][0]).is_file()
    of_chunks = pq.read_table(chunks / "annotations.parquet").to_pydict()
    assert Path(of_chunks["media"][0]).is_dir()

    found = [json.loads((folder / "scores-mmts" / "metrics.json").read_text()) for folder in (whole, chunks)]
    assert found[0]["scores"] == found[1]["scores"]
    assert found[0]["queries"]["media_to_text"] == 133
    assert set(found[0]["scores"]) == {"overall", "head", "middle", "tail", "tail_classes"}
    trained = [json.loads((folder / "run-mmts" / "metrics.json").read_text()) for folder in (whole, chunks)]
    assert trained[0]["validation"] == trained[1]["validation"]
    best = max(trained[0]["validation"], key=lambda each: each["mAP"])
    assert best["mAP"] == pytest.approx(found[0]["scores"]["overall"]["mean"]["mAP"]["value"], abs=1e-3)
    steps = [pq.read_table(folder / "run-mmts" / "steps.parquet") for folder in (whole, chunks)]
    assert steps[0].equals(steps[1])
    rates = steps[0].column("learning_rate").to_pylist()
    assert (rates[0], rates[5], len(rates)) == (1e-6, 3e-5, 12)
