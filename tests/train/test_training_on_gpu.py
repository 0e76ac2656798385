"""Towers trained, compiled and used on a GPU. Whoever has one can run the other tests there, see contributing."""

import json
import signal

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from tiny_videos import FRAMES, make_video

from pipelines.errors import Interrupted
from pipelines.train import loop, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def options(world, kind: str, **more: object) -> dict[str, object]:
    model = world.folder / kind
    if not model.exists():
        make_video(model, kind)
    given = {"media": world.folder / "videos", "media_model": str(model), "text": None, "text_model": str(model)}
    given |= {"frames": FRAMES, "projection": "none", "dimension": None, "epochs": 2, "lr": 1e-3, "device": "cuda"}
    return {**given, **more}


def losses(world, run: str) -> list[float]:
    return pq.read_table(world.folder / run / "steps.parquet")["loss"].to_pylist()


def weights(world, run: str) -> dict[str, torch.Tensor]:
    files = sorted((world.folder / run / "model").rglob("*.safetensors"))
    return {f"{path.parent.name} {name}": each for path in files for name, each in load_file(path).items()}


@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed"])
def test_a_stopped_run_on_clips_goes_on_as_if_it_had_not_been(filmed, precision, monkeypatch) -> None:
    given = options(filmed, "joint", precision=precision, augment="crop", micro_batch=6, gradient_checkpointing=True)
    train(filmed.config("whole", **given))
    take_step = loop.take_step

    def stopping(session, batch, step):
        if step == 3:
            signal.raise_signal(signal.SIGTERM)
        return take_step(session, batch, step)

    monkeypatch.setattr(loop, "take_step", stopping)
    with pytest.raises(Interrupted):
        train(filmed.config("stopped", **given))
    monkeypatch.setattr(loop, "take_step", take_step)
    train(filmed.config("stopped", workers=2, **given), resume=True)
    assert losses(filmed, "stopped") == losses(filmed, "whole")
    whole, stopped = weights(filmed, "whole"), weights(filmed, "stopped")
    assert whole.keys() == stopped.keys()
    assert [name for name, each in whole.items() if not torch.equal(each, stopped[name])] == []


@pytest.mark.parametrize("kind", ["joint", "divided", "xclip"])
def test_compiled_towers_of_a_gpu_are_those_of_a_cpu(filmed, kind) -> None:
    for run, more in {
        "cpu": {"device": "cpu"},
        "gpu": {},
        "compiled": {"compile": True},
        "low": {"precision": "bf16-mixed"},
    }.items():
        train(filmed.config(run, **options(filmed, kind, epochs=1, **more)))
    expected = losses(filmed, "cpu")
    assert losses(filmed, "gpu") == pytest.approx(expected, rel=1e-4)
    assert losses(filmed, "compiled") == pytest.approx(expected, rel=1e-4)
    assert losses(filmed, "low") == pytest.approx(expected, rel=0.05)


def test_a_run_embeds_and_is_scored_there_as_on_a_cpu(filmed, mmts) -> None:
    train(filmed.config("run", **options(filmed, "joint", epochs=1)))
    found = {}
    for device in ("cpu", "cuda"):
        scores = filmed.folder / f"scores-{device}"
        ran = mmts("eval", filmed.folder / "run", "-o", scores, "--device", device, "--resamples", 0)
        assert ran.code == 0, ran.err
        found[device] = json.loads((scores / "metrics.json").read_text())["scores"]["overall"]
    for direction, scores in found["cpu"].items():
        for name, score in scores.items():
            if isinstance(score, dict):
                assert found["cuda"][direction][name]["value"] == pytest.approx(score["value"], abs=100 / 24), (
                    name
                )  # one of 24 queries


@pytest.mark.parametrize("engine", ["local", "ray"])
@pytest.mark.parametrize("side", ["media", "text"])
def test_images_and_texts_are_embedded_there_as_on_a_cpu(world, tiny, mmts, side, engine) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    model, media = {"media": (tiny("clip"), ["--media", world.images()]), "text": (tiny("bert"), [])}[side]
    vectors = {}
    for device in ("cpu", "cuda"):
        output = world.folder / f"{device}.parquet"
        line = ["embed", world.annotations, "-o", output, "--model", model, *media, "--device", device]
        ran = mmts(*line, *(["--engine", engine] if device == "cuda" else []))
        assert ran.code == 0, ran.err
        rows = pq.read_table(output)["embedding"].combine_chunks()
        vectors[device] = torch.from_numpy(rows.flatten().to_numpy().astype("float32")).reshape(len(rows), -1)
    assert torch.allclose(vectors["cuda"], vectors["cpu"], atol=1e-4)
