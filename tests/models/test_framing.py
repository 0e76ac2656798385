"""The size of images: what the processor beside a model does to them before the model sees them."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_world import write_tower_config
from transformers import AutoImageProcessor, Dinov2Config

from pipelines.errors import InputError
from pipelines.media import MediaList, View
from pipelines.models import DualEncoder
from pipelines.models.inputs import open_inputs
from pipelines.models.processors import framing
from pipelines.models.vision import VisionTower, load_vision_tower
from pipelines.train.session import view_of


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (None, None)),
        ({"size": 20, "crop_size": 16}, (16, 20)),
        ({"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}}, (16, 20)),
        ({"size": {"height": 20, "width": 20, "longest_edge": None}, "crop_size": 16}, (16, 20)),
        ({"size": {"shortest_edge": 20}, "crop_size": 16, "do_center_crop": False}, (20, 20)),
        ({"size": {"shortest_edge": 20}, "crop_size": 16, "do_resize": False}, (16, None)),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, (224, 256)),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, (384, 384)),
    ],
)
def test_squares_that_a_processor_cuts(settings, expected) -> None:
    assert framing(settings) == expected


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ({"longest_edge": 500, "shortest_edge": 224}, "longest_edge 500 and shortest_edge 224"),
        ({"height": 224, "width": 336}, "height 224 and width 336"),
        ({"longest_edge": 384}, "longest_edge 384"),
    ],
)
def test_a_processor_that_gives_no_squares_is_refused(tmp_path, size, says) -> None:
    write_tower_config(tmp_path, "vit")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": size}))
    with pytest.raises(InputError) as error:
        load_vision_tower(str(tmp_path))
    told = f"its processor's size is {says}; mmts shows a model squares"
    assert str(error.value) == f"--media-model {tmp_path}: {told}"


def with_processor(folder, name: str, settings: dict) -> VisionTower:
    write_tower_config(folder, name)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return load_vision_tower(str(folder)).eval()


def test_the_processor_s_size_counts_where_the_model_takes_it(tmp_path) -> None:
    settings = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8, "image_size": 56}
    Dinov2Config(**small).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    tower = load_vision_tower(str(tmp_path))
    assert (tower.image_size, tower.shortest_edge) == (32, 40)
    assert tower.training
    tower = with_processor(tmp_path / "vit", "vit", settings)  # its positions are those of 16 pixels
    assert (tower.image_size, tower.shortest_edge) == (16, 16)


def test_images_are_scaled_and_cut_as_the_saved_processor_does(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 32, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    settings = {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}}
    tower = with_processor(tmp_path / "model", "vit", settings)
    assert (tower.image_size, tower.shortest_edge) == (16, 20)
    tower.save(tmp_path / "saved")
    tower = load_vision_tower(str(tmp_path / "saved")).eval()
    assert (tower.image_size, tower.shortest_edge) == (16, 20)
    (tmp_path / "images").mkdir()
    image.save(tmp_path / "images" / "a.png")
    model = DualEncoder(tower.dimension, tower.dimension, 4, "linear", tower, None, None, "mean")
    ours = open_inputs(model, tmp_path / "images", MediaList(["a.png"]), "model").load(0)[None] / 255
    config: Any = SimpleNamespace(ranges=None)
    assert view_of(config, model) == View(16, shortest_edge=20)
    prepared = AutoImageProcessor.from_pretrained(tmp_path / "saved")(image, return_tensors="pt")["pixel_values"]
    assert torch.allclose(prepared, (ours - tower.mean_c11) / tower.std_c11, atol=1e-5)
