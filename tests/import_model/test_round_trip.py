"""From a checkpoint of the field to scores: imported, encoded with, trained, exported, scored."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from export.kinds import write_clips
from small_avion import avion_state, write_vocabulary

from import_model.checkpoints import clip_state, lavila_state
from pipelines.artifacts import read_vectors
from pipelines.import_model import import_model
from pipelines.models import load_model, load_text_tower, load_vision_tower

pytestmark = pytest.mark.slow


@pytest.fixture
def films(world):
    pytest.importorskip("av")
    return write_clips(world)


@pytest.mark.parametrize(
    ("origin", "state", "flags", "frames"),
    [
        ("avion", avion_state(4), (), None),
        ("lavila", lavila_state(4), ("--frames", 6), None),
        ("openai-clip", clip_state(), (), 3),
    ],
)
def test_a_checkpoint_is_trained_on(world, films, mmts, origin, state, flags, frames) -> None:
    folder = world.folder
    torch.save({"state_dict": state}, folder / "weights.pt")
    vocabulary = write_vocabulary(folder)
    arguments = ("models", "import", folder / "weights.pt", "--from", origin, "-o", folder / "model", *flags)
    assert mmts(*arguments, "--tokenizer", vocabulary).code == 0
    sides = {"media_model": folder / "model", "text_model": folder / "model", "media": "annotations", "text": None}
    trained = {"projection": "none", "dimension": None, "epochs": 1, "lr": 1e-3, "workers": 0, "frames": frames}
    ran = mmts(*world.command("run", annotations=films, **sides, **trained), "--gradient-checkpointing")
    assert ran.code == 0, ran.err
    model = load_model(folder / "run" / "model")
    assert model.settings["frames"] == (frames or (6 if flags else 4))
    assert model.dimension == 6
    scored = mmts("eval", folder / "run", "-o", folder / "scores", "--split", "val", "--resamples", 0, "--json")
    validated = json.loads((folder / "run" / "metrics.json").read_text())["validation"][-1]
    found = json.loads(scored.out)["scores"]["overall"]["text_to_media"]["recall@5"]["value"]
    assert found == pytest.approx(validated["text_to_media_recall@5"])
    assert mmts("export", folder / "run", "-o", folder / "exported").code == 0
    card = (folder / "exported" / "README.md").read_text()
    assert f"clips of {model.settings['frames']} frames{', mean pooling' if frames else ''}, 8 x 8 pixels" in card


def test_clips_are_embedded_with_the_model_s_own_number_of_frames(world, films, mmts, refused) -> None:
    folder = world.folder
    torch.save(avion_state(4), folder / "weights.pt")
    arguments = ("models", "import", folder / "weights.pt", "--from", "avion", "-o", folder / "model")
    assert mmts(*arguments, "--tokenizer", write_vocabulary(folder)).code == 0
    embed = ("embed", films, "--media", "annotations", "--model", folder / "model", "-o")
    for name, flags in (("own", ()), ("four", ("--frames", 4)), ("six", ("--frames", 6))):
        assert mmts(*embed, folder / f"{name}.parquet", *flags).code == 0
    own, four, six = (read_vectors(folder / f"{name}.parquet").matrix_nd for name in ("own", "four", "six"))
    np.testing.assert_array_equal(own, four)
    assert np.abs(own - six).max() > 1e-3
    assert load_vision_tower(str(folder / "model")).frames == 4
    images = ("embed", world.annotations, "--media", world.images(), "--model", folder / "model", "-o")
    message = refused(*images, folder / "no.parquet")
    assert "is an image, but --frames and video models take videos" in message


ALONE = """
import sys
import numpy, torch
from transformers import AutoModel, AutoTokenizer

folder, media, found = sys.argv[1:]
model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
tokens = AutoTokenizer.from_pretrained(folder)(["the dog", "dog"], padding=True, return_tensors="pt")
with torch.inference_mode():
    output = model(**tokens, pixel_values=torch.from_numpy(numpy.load(media)))
numpy.savez(found, media=output.video_embeds, text=output.text_embeds)
assert not {"pipelines", "mmts_cli"} & {name.split(".")[0] for name in sys.modules}
"""


def test_an_imported_folder_needs_transformers_alone(tmp_path) -> None:
    torch.save(lavila_state(4), tmp_path / "weights.pt")
    folder = tmp_path / "model"
    import_model(tmp_path / "weights.pt", folder, origin="lavila", tokenizer=str(write_vocabulary(tmp_path)))
    clips = torch.randn(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    np.save(tmp_path / "clips.npy", clips.numpy())
    environment = {**os.environ, "HF_MODULES_CACHE": str(tmp_path / "modules")}
    arguments = [folder, tmp_path / "clips.npy", tmp_path / "found.npz"]
    subprocess.run([sys.executable, "-I", "-c", ALONE, *map(str, arguments)], check=True, env=environment)
    found = np.load(tmp_path / "found.npz")
    media, text = load_vision_tower(str(folder)).eval(), load_text_tower(str(folder)).eval()
    with torch.no_grad():
        np.testing.assert_allclose(found["media"], media.model(clips).image_embeds.numpy(), atol=1e-5, rtol=0)
        np.testing.assert_allclose(found["text"], text(text.tokenize(["the dog", "dog"])).numpy(), atol=1e-5, rtol=0)
