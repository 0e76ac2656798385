"""Vision towers: from scratch or with weights, and back into transformers."""

import json
import math

import pytest
import torch
from tiny_world import TOWERS, write_tower_config
from transformers import AutoConfig, AutoModel, BertConfig, CLIPConfig, CLIPModel

from pipelines.errors import InputError
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


def test_of_a_clip_model_the_vision_side_is_taken(tmp_path) -> None:
    size = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        vision_config={**size, "image_size": 16, "patch_size": 8},
        text_config={**size, "vocab_size": 20, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2},
    )
    model = CLIPModel(config).eval()
    model.save_pretrained(tmp_path / "clip")
    tower = load_vision_tower(str(tmp_path / "clip")).eval()
    expected = model.vision_model(pixel_values=(PIXELS - 0.5) / 0.5).pooler_output
    assert torch.allclose(tower(PIXELS), expected, atol=1e-6)
    tower.save(tmp_path / "saved")
    assert torch.equal(load_vision_tower(str(tmp_path / "saved")).eval()(PIXELS), tower(PIXELS))


def refusal(source) -> str:
    with pytest.raises(InputError) as error:
        load_vision_tower(str(source))
    message = str(error.value)
    assert message.startswith(f"--media-model {source}: not a vision model's config, folder or hub id that loads (")
    assert "\n" not in message
    return message


def test_what_is_no_vision_model_is_refused(tmp_path) -> None:
    (tmp_path / "none").mkdir()
    refusal(tmp_path / "none")
    refusal(tmp_path / "missing")
    (tmp_path / "config.json").write_text("{")
    refusal(tmp_path)
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertConfig(**sizes, vocab_size=20).save_pretrained(tmp_path / "bert")
    assert "BertModel takes input_ids, not pixels" in refusal(tmp_path / "bert")
