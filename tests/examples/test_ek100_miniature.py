"""``examples/ek100``: the recipe of EPIC-KITCHENS-100 run to its end on films of real segments, whole and in chunks."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytest.importorskip("av")
import miniature  # after av, which it needs

GUIDE = Path(__file__).parents[2] / "docs" / "ek100.md"
KILLED = """
import os, signal
from mmts_cli.app import main
from pipelines.train.folder import RunFolder
save = RunFolder.save
RunFolder.save = lambda *arguments: (save(*arguments), os.kill(os.getpid(), signal.SIGKILL))
main()
"""
QUICK = {"train.checkpoint-steps": 1, "train.device": "cpu", "eval.resamples": 20, "eval.device": "cpu"}


def printed() -> list[list[str]]:
    """The words of the commands in the guide's section on the miniature."""
    section = GUIDE.read_text(encoding="utf-8").partition("## The miniature")[2]
    block = section.partition("```sh\n")[2].partition("```")[0]
    return [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]


@pytest.fixture
def folder(tmp_path, data_dir, monkeypatch):
    """The working folder, in which ``epic`` has the annotations as the official clone has them."""
    for path in (data_dir / "ek100").glob("EPIC_100_*.csv"):
        inner = next((f"{kind}_annotations" for kind in ("retrieval", "UDA") if kind.lower() in path.name), "")
        (tmp_path / "epic" / inner).mkdir(parents=True, exist_ok=True)
        (tmp_path / "epic" / inner / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_and_import(monkeypatch, mmts) -> None:
    """Run the first two commands of the guide."""
    (_, *making), (_, *importing), _ = printed()
    monkeypatch.setattr(sys, "argv", making)
    miniature.main()
    ran = mmts(*importing)
    assert ran.code == 0, ran.err


def test_the_clone_of_the_annotations_is_read_as_it_is(folder, monkeypatch, mmts) -> None:
    monkeypatch.setattr(miniature, "SIDES", dict.fromkeys(miniature.SIDES, 1))
    make_and_import(monkeypatch, mmts)
    made = sorted(path.name for path in (folder / "small" / "annotations").glob("*"))
    sentences = ["EPIC_100_retrieval_test_sentence.csv", "EPIC_100_retrieval_train_sentence.csv"]
    others = ["EPIC_100_tail_nouns.csv", "EPIC_100_train.csv", "avion"]
    assert made == ["EPIC_100_retrieval_test.csv", *sentences, *others]


def test_a_folder_without_the_annotations_is_named(tmp_path) -> None:
    with pytest.raises(SystemExit, match=r"nothing: has no EPIC_100_tail_nouns\.csv; give the clone of "):
        miniature.make(tmp_path / "nothing", tmp_path / "small")
    assert not (tmp_path / "small").exists()


def run(*python: object) -> subprocess.CompletedProcess[str]:
    """A Python process of its own, on one thread: torch's sums differ with the number of threads."""
    command = [sys.executable, *map(str, python)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def run_to_its_end(line: list[object]) -> None:
    ran = run("-m", "mmts_cli", *line)
    assert ran.returncode == 0, ran.stderr


def kill_after_its_first_checkpoint(line: list[object], folder: Path) -> None:
    ran = run("-c", KILLED, *line)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert [path.name for path in folder.glob("checkpoints/step-*")] == ["step-000000001.safetensors"]
    assert not (folder / "metrics.json").exists()


@pytest.mark.slow
def test_the_recipe_ends_with_the_same_scores_from_chunks_and_after_a_kill(folder, monkeypatch, mmts) -> None:
    make_and_import(monkeypatch, mmts)
    changes = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]

    def line(videos: str, output: str) -> list[object]:
        return [*printed()[2][1:], *changes, "--media-root", folder / "small" / videos, "-o", folder / output]

    whole, chunks = folder / "whole", folder / "from-chunks"
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
