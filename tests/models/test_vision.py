"""Vision towers: from scratch or with weights, and back into transformers."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_world import TOWERS, write_tower_config
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    BertConfig,
    BertModel,
    CLIPModel,
    CLIPVisionModelWithProjection,
    SiglipModel,
)

from pipelines.errors import InputError
from pipelines.media.pixels import CENTRE
from pipelines.models.vision import load_vision_tower

PIXELS = torch.linspace(0, 1, 2 * 3 * 16 * 16).reshape(2, 3, 16, 16)


def with_weights(folder, name: str):
    torch.manual_seed(7)
    model = AutoModel.from_config(AutoConfig.from_pretrained(write_tower_config(folder, name)))
    model.save_pretrained(folder)
    return model.eval()


@pytest.mark.parametrize("name", TOWERS)
def test_a_config_alone_starts_from_torchs_random_state(tmp_path, name) -> None:
    folder = write_tower_config(tmp_path, name)
    towers = []
    for seed, source in ((1, folder), (1, folder / "config.json"), (2, folder)):
        torch.manual_seed(seed)
        towers.append(load_vision_tower(str(source)).eval())
    assert (towers[0].image_size, towers[0].dimension) == (16, 8)
    first, same, other = (tower(PIXELS) for tower in towers)
    assert first.shape == (2, 8)
    assert torch.equal(first, same)
    assert not torch.allclose(first, other)


@pytest.mark.parametrize("name", TOWERS)
def test_a_folder_with_weights_is_loaded_with_them(tmp_path, name) -> None:
    model = with_weights(tmp_path, name)
    tower = load_vision_tower(str(tmp_path)).eval()
    expected = model(pixel_values=(PIXELS - 0.5) / 0.5).pooler_output.flatten(1)
    assert torch.allclose(tower(PIXELS), expected, atol=1e-6)


def test_pixels_are_normalised_as_the_model_expects(tmp_path) -> None:
    model = with_weights(tmp_path, "vit")
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 0.2]
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": mean, "image_std": std}))
    shown = (PIXELS - torch.tensor(mean).reshape(3, 1, 1)) / torch.tensor(std).reshape(3, 1, 1)
    tower = load_vision_tower(str(tmp_path)).eval()
    assert torch.allclose(tower(PIXELS), model(pixel_values=shown).pooler_output, atol=1e-6)


@pytest.mark.parametrize("name", TOWERS)
def test_what_is_saved_loads_with_transformers_alone(tmp_path, name) -> None:
    torch.manual_seed(3)
    tower = load_vision_tower(str(write_tower_config(tmp_path / "config", name))).eval()
    tower.save(tmp_path / "saved")
    model = AutoModel.from_pretrained(tmp_path / "saved").eval()
    expected = tower(PIXELS)
    assert torch.equal(model(pixel_values=(PIXELS - 0.5) / 0.5).pooler_output.flatten(1), expected)
    assert torch.equal(load_vision_tower(str(tmp_path / "saved")).eval()(PIXELS), expected)
    processor = json.loads((tmp_path / "saved" / "preprocessor_config.json").read_text())
    assert (processor["image_mean"], processor["image_std"]) == ([0.5] * 3, [0.5] * 3)
    assert math.isclose(processor["rescale_factor"] * 255, 1)


def test_half_precision_weights_are_trained_in_full(tmp_path) -> None:
    with_weights(tmp_path, "vit").half().save_pretrained(tmp_path)
    tower = load_vision_tower(str(tmp_path))
    assert {parameter.dtype for parameter in tower.parameters()} == {torch.float32}


def test_of_a_clip_model_the_vision_side_is_taken_with_its_projection(tiny, tmp_path) -> None:
    model = CLIPModel.from_pretrained(tiny("clip")).eval()
    tower = load_vision_tower(str(tiny("clip"))).eval()
    mean, std = (torch.tensor(each).reshape(3, 1, 1) for each in ([0.1, 0.2, 0.3], [0.5, 0.25, 0.2]))
    expected = model.get_image_features(pixel_values=(PIXELS - mean) / std).pooler_output
    assert (tower.dimension, tower.image_size) == (6, 16)
    assert torch.allclose(tower(PIXELS), expected, atol=1e-6)
    tower.save(tmp_path)
    alone = CLIPVisionModelWithProjection.from_pretrained(tmp_path).eval()
    assert torch.equal(alone(pixel_values=(PIXELS - mean) / std).image_embeds, tower(PIXELS))
    assert torch.equal(load_vision_tower(str(tmp_path)).eval()(PIXELS), tower(PIXELS))


def test_of_a_siglip_model_the_pooled_output_is_taken(tiny, tmp_path) -> None:
    model = SiglipModel.from_pretrained(tiny("siglip")).eval()
    tower = load_vision_tower(str(tiny("siglip"))).eval()
    expected = model.get_image_features(pixel_values=(PIXELS - 0.5) / 0.5).pooler_output
    assert torch.allclose(tower(PIXELS), expected, atol=1e-6)
    tower.save(tmp_path)
    assert torch.equal(AutoModel.from_pretrained(tmp_path).eval()((PIXELS - 0.5) / 0.5).pooler_output, tower(PIXELS))


def test_a_clip_config_alone_starts_from_scratch(tiny, tmp_path) -> None:
    (tmp_path / "config.json").write_bytes((tiny("clip") / "config.json").read_bytes())
    towers = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        towers.append(load_vision_tower(str(tmp_path)).eval()(PIXELS))
    assert towers[0].shape == (2, 6)
    assert torch.equal(towers[0], towers[1])
    assert not torch.allclose(towers[0], towers[2])


def test_bytes_are_the_same_as_fractions(tiny) -> None:
    tower = load_vision_tower(str(tiny("vit"))).eval()
    pixels = (PIXELS * 255).round().to(torch.uint8)
    assert torch.equal(tower(pixels), tower(pixels.float() / 255))


def test_a_pooler_that_was_not_stored_is_left_out(tiny, tmp_path) -> None:
    model = AutoModel.from_pretrained(tiny("vit")).eval()
    expected = model(pixel_values=(PIXELS - 0.5) / 0.5).last_hidden_state.mean(dim=1)
    model.pooler = None
    model.save_pretrained(tmp_path)
    tower = load_vision_tower(str(tmp_path)).eval()
    assert torch.allclose(tower(PIXELS), expected, atol=1e-6)
    tower.save(tmp_path / "saved")
    assert torch.equal(load_vision_tower(str(tmp_path / "saved")).eval()(PIXELS), tower(PIXELS))


def test_the_saved_processor_prepares_images_as_ours_are(tiny, tmp_path) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 32, 3), dtype=np.uint8))
    tower = load_vision_tower(str(tiny("clip"))).eval()
    tower.save(tmp_path)
    prepared = AutoImageProcessor.from_pretrained(tmp_path)(image, return_tensors="pt")["pixel_values"]
    ours = torch.from_numpy(CENTRE.square(image, tower.image_size))[None] / 255
    assert torch.allclose(prepared, (ours - tower.mean_c11) / tower.std_c11, atol=1e-5)


def refusal(source) -> str:
    with pytest.raises(InputError) as error:
        load_vision_tower(str(source))
    message = str(error.value)
    assert message.startswith(f"--media-model {source}: ")
    assert "\n" not in message
    return message


def test_what_is_no_vision_model_is_refused(tmp_path) -> None:
    (tmp_path / "none").mkdir()
    assert "holds no model; neither config.json nor modules.json is there" in refusal(tmp_path / "none")
    assert "no such folder" in refusal(tmp_path / "missing")
    (tmp_path / "config.json").write_text("{")
    refusal(tmp_path)
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertConfig(**sizes, vocab_size=20).save_pretrained(tmp_path / "bert")
    BertModel(BertConfig(**sizes, vocab_size=20)).save_pretrained(tmp_path / "bert")
    assert "BertModel takes input_ids, not pixels" in refusal(tmp_path / "bert")


def test_weights_that_are_damaged_or_missing_are_refused(tiny, tmp_path) -> None:
    weights = (tiny("vit") / "model.safetensors").read_bytes()
    (tmp_path / "config.json").write_bytes((tiny("vit") / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(weights[:-100])
    assert "not a vision model that loads (" in refusal(tmp_path)
    state = load_file(tiny("vit") / "model.safetensors")
    name = next(each for each in state if "layer" in each)
    save_file({key: value for key, value in state.items() if key != name}, tmp_path / "model.safetensors")
    assert "1 of its weights are missing, first: " in refusal(tmp_path)
