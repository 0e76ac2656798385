"""``train`` from pixels."""

import json

import pytest
import torch
from tiny_world import TOWERS, write_tower_config
from transformers import AutoConfig, AutoModel

from pipelines.encoding import Encoding
from pipelines.errors import InputError
from pipelines.evaluate import evaluate
from pipelines.media import MediaList, View, open_media
from pipelines.models import load_model
from pipelines.train import train


def weights(run) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted((run / "model").rglob("*.safetensors"))}


@pytest.mark.parametrize("name", TOWERS)
def test_a_zip_and_a_folder_give_the_same_weights_and_learn(world, name) -> None:
    tower = write_tower_config(world.folder / "tower", name)
    options = {"media_model": str(tower), "epochs": 12, "lr": 0.02}
    result = train(world.config("a", media=world.images(), **options))
    train(world.config("b", media=world.images("images.zip"), **options))
    assert set(weights(world.folder / "a")) == {"model/heads.safetensors", "model/media_tower/model.safetensors"}
    assert weights(world.folder / "a") == weights(world.folder / "b")
    assert result.summary["validation"]["recall_sum"] > 220  # chance is 160


def test_the_trained_tower_is_transformers_own(world) -> None:
    images, tower = world.images(), write_tower_config(world.folder / "tower", "resnet")
    train(world.config("run", media=images, media_model=str(tower)))
    model = load_model(world.folder / "run" / "model")
    alone = AutoModel.from_pretrained(world.folder / "run" / "model" / "media_tower").eval()
    pixels = open_media(images, MediaList(world.media_ids[:5]), view=View(16)).batch(torch.arange(5))
    vectors = alone(pixel_values=(pixels / 255 - 0.5) / 0.5).pooler_output.flatten(1)
    assert torch.allclose(model.media_head(vectors), model.embed_media(pixels), atol=1e-6)


def test_a_run_on_pixels_is_scored_as_it_was_validated(world) -> None:
    images, tower = world.images("images.zip"), write_tower_config(world.folder / "tower", "resnet")
    result = train(world.config("run", media=images, media_model=str(tower)))
    scores = evaluate(world.folder / "s", run=world.folder / "run", split="val", resamples=0).summary["scores"]
    found = scores["overall"]["media_to_text"]["recall@5"]["value"]
    assert found == pytest.approx(result.summary["validation"]["media_to_text_recall@5"])


def test_training_starts_from_a_folders_weights(world) -> None:
    images, folder = world.images(), write_tower_config(world.folder / "tower", "vit")
    torch.manual_seed(77)
    from_config = AutoModel.from_config(AutoConfig.from_pretrained(folder))
    from_config.save_pretrained(folder)
    train(world.config("run", media=images, media_model=str(folder), lr=1e-9, weight_decay=0.0))
    trained = AutoModel.from_pretrained(world.folder / "run" / "model" / "media_tower")
    for name, value in from_config.state_dict().items():
        assert torch.allclose(trained.state_dict()[name], value, atol=1e-6), name


def test_another_tower_under_the_same_name_is_work(world) -> None:
    images, tower = world.images(), write_tower_config(world.folder / "tower", "resnet")
    config = world.config("run", media=images, media_model=str(tower), epochs=1)
    train(config)
    assert train(config).up_to_date
    (tower / "config.json").write_text(json.dumps({**TOWERS["resnet"], "hidden_sizes": [4, 12]}))
    assert not train(config).up_to_date


def test_a_corrupt_training_image_is_named(world) -> None:
    images, tower = world.images(), write_tower_config(world.folder / "tower", "resnet")
    (images / "m03.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"image m03\.png can't be decoded"):
        train(world.config("run", media=images, media_model=str(tower)))
    (images / "m03.png").unlink()
    with pytest.raises(InputError, match=r"1 of 48 media are missing there, first: m03\.png"):
        train(world.config("other", media=images, media_model=str(tower)))


def test_a_vision_model_wants_images(world) -> None:
    tower = write_tower_config(world.folder / "tower", "resnet")
    with pytest.raises(InputError, match="a vision model takes images; give --media a folder or a zip of them"):
        train(world.config("run", media_model=str(tower)))


def test_a_damaged_validation_image_is_left_out_even_where_none_could_stand_in(world) -> None:
    images, tower = world.images(), write_tower_config(world.folder / "tower", "vit")
    bad = world.media_of(world.samples("val")[0])
    (images / bad).write_bytes(b"nothing")
    config = world.config("run", media=images, media_model=str(tower), epochs=1, max_bad=1)
    with pytest.warns(UserWarning, match=f"{bad} can't be decoded .*; left out of the validation"):
        validated = train(config).summary["validation"]
    with pytest.warns(UserWarning, match=f"{bad} can't be decoded .*; left out, with its texts"):
        scored = evaluate(
            world.folder / "s", run=world.folder / "run", split="val", resamples=0, encoding=Encoding(max_bad=1)
        ).summary
    assert scored["queries"]["media_to_text"] == 19
    found = scored["scores"]["overall"]["media_to_text"]["recall@5"]["value"]
    assert found == pytest.approx(validated["media_to_text_recall@5"])
