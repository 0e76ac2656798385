"""Heads, encoding in batches, and a folder that brings the same model back."""

import json

import pytest
import torch
from tiny_world import write_tower_config
from torch.nn import functional

from pipelines.errors import InputError
from pipelines.models import HEADS, DualEncoder, encode_media, encode_texts, load_model, make_head, save_model
from pipelines.models.vision import load_vision_tower

CPU = torch.device("cpu")


class Rows:
    """Media that are their own row number."""

    is_in_memory = True

    def __init__(self, count: int) -> None:
        self.ids = [f"m{row}" for row in range(count)]

    def batch(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.stack([rows, rows**2], dim=1).float()


def test_heads_by_hand() -> None:
    inputs = torch.randn(4, 3)
    linear, mlp = make_head("linear", 3, 5), make_head("mlp", 3, 5)
    state = linear.state_dict()
    assert torch.allclose(linear(inputs), inputs @ state["weight"].T + state["bias"], atol=1e-6)
    state = mlp.state_dict()
    assert state["0.weight"].shape == (3, 3)
    hidden = functional.gelu(inputs @ state["0.weight"].T + state["0.bias"])
    assert torch.allclose(mlp(inputs), hidden @ state["2.weight"].T + state["2.bias"], atol=1e-6)


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(InputError, match="head 'cubic' is unknown; choose one of linear, mlp"):
        make_head("cubic", 3, 5)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize("rows", [1, 512, 1025])
def test_encoding_keeps_the_order_whatever_the_batches(rows) -> None:
    model = DualEncoder(2, 3, 4).eval()
    media_nd = encode_media(model, Rows(rows), CPU)
    expected_nd = model.media_head(Rows(rows).batch(torch.arange(rows))).detach()
    assert torch.allclose(media_nd, expected_nd, rtol=1e-5)
    text_nd = torch.randn(rows, 3)
    assert torch.allclose(encode_texts(model, text_nd, CPU), model.text_head(text_nd).detach(), atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_a_model_of_features_comes_back(tmp_path, head) -> None:
    model = DualEncoder(2, 3, 4, head)
    save_model(model, tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["dual_encoder.json", "heads.safetensors"]
    loaded = load_model(tmp_path / "model")
    assert (loaded.settings, loaded.training) == (model.settings, False)
    media, text = torch.randn(5, 2), torch.randn(5, 3)
    for found, expected in zip(loaded(media, text), model(media, text), strict=True):
        assert torch.equal(found, expected)


def test_a_model_of_pixels_comes_back(tmp_path) -> None:
    tower = load_vision_tower(str(write_tower_config(tmp_path / "config", "resnet")))
    model = DualEncoder(8, 3, 4, media_tower=tower)
    pixels = torch.rand(6, 3, 16, 16)
    model.train()
    model.embed_media(pixels)  # moves the running statistics of batch norms
    model.eval()
    save_model(model, tmp_path / "model")
    assert torch.equal(load_model(tmp_path / "model").embed_media(pixels), model.embed_media(pixels))


def test_a_damaged_folder_is_named(tmp_path) -> None:
    folder = tmp_path / "model"
    with pytest.raises(InputError, match=r"dual_encoder\.json: no such file"):
        load_model(folder)
    save_model(DualEncoder(2, 3, 4), folder)
    weights = (folder / "heads.safetensors").read_bytes()
    (folder / "heads.safetensors").write_bytes(weights[:-9])
    with pytest.raises(InputError, match=r"heads\.safetensors: damaged \("):
        load_model(folder)
    save_model(DualEncoder(2, 3, 4, "mlp"), tmp_path / "other")
    (folder / "heads.safetensors").write_bytes((tmp_path / "other" / "heads.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"heads\.safetensors: holds other weights than dual_encoder\.json says"):
        load_model(folder)
    (folder / "dual_encoder.json").write_text(json.dumps({"media_inputs": 2}))
    with pytest.raises(InputError, match=r"dual_encoder\.json: is not what `mmts train` writes"):
        load_model(folder)
