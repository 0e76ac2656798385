"""The demo's vision tower."""

import json

import pytest
import torch

from pipelines.demo import write_tower
from pipelines.models.vision import load_vision_tower


@pytest.mark.parametrize("size", [32, 64])
def test_it_is_a_tower_that_loads_for_images_of_that_size(tmp_path, size) -> None:
    folder = write_tower(tmp_path / "tower", image_size=size)
    tower = load_vision_tower(str(folder))
    assert (tower.image_size, tower.dimension) == (size, 128)
    assert tower(torch.rand(2, 3, size, size)).shape == (2, 128)
    assert 3e5 < sum(parameter.numel() for parameter in tower.parameters()) < 5e5


def test_the_same_configuration_is_not_written_again(tmp_path) -> None:
    path = write_tower(tmp_path, image_size=64) / "config.json"
    written = path.stat().st_mtime_ns
    write_tower(tmp_path, image_size=64)
    assert path.stat().st_mtime_ns == written
    write_tower(tmp_path, image_size=32)
    assert json.loads(path.read_text())["image_size"] == 32
