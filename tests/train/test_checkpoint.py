"""Checkpoints: everything comes back, and nothing in the file could run code."""

import json

import pytest
import torch
from safetensors import safe_open

from pipelines.contrast import make_strategy
from pipelines.models import DualEncoder
from pipelines.train.checkpoint import load_checkpoint, save_checkpoint

IDS = ["a", "b", "c", "d"]
OPTIONS = {"tau": 0.5, "tau_min": 0.1, "tau_max": 1.0, "rho": 1.0}  # away from every clip


def visited(ids=IDS):
    """An isogclr strategy that has seen three of its four samples."""
    strategy = make_strategy("isogclr", sample_ids=ids, **OPTIONS)
    torch.manual_seed(0)
    for step in range(3):
        strategy(torch.randn(3, 5), torch.randn(3, 5), step=step, sample_n=torch.tensor([3, 0, 1]))
    return strategy


def encoder(seed: int) -> DualEncoder:
    torch.manual_seed(seed)
    return DualEncoder(4, 3, 5, "mlp")


def test_weights_state_and_progress_come_back(tmp_path) -> None:
    model, strategy = encoder(0), visited()
    save_checkpoint(tmp_path / "new" / "c.safetensors", model, strategy, {"epoch": 3, "steps": 41})
    other, fresh = encoder(1), make_strategy("isogclr", sample_ids=IDS, **OPTIONS)
    assert not torch.equal(fresh.state_dict()["text_momentum"], strategy.state_dict()["text_momentum"])
    assert load_checkpoint(tmp_path / "new" / "c.safetensors", other, fresh) == {"epoch": 3, "steps": 41}
    for before, after in ((model, other), (strategy, fresh)):
        tensors = {name: value for name, value in before.state_dict().items() if isinstance(value, torch.Tensor)}
        assert tensors
        for name, value in tensors.items():
            assert torch.equal(value, after.state_dict()[name]), name


def test_per_sample_state_is_found_by_sample_id(tmp_path) -> None:
    strategy = visited()
    save_checkpoint(tmp_path / "c.safetensors", encoder(0), strategy, {})
    turned = make_strategy("isogclr", sample_ids=["d", "c", "b", "a"], **OPTIONS)
    load_checkpoint(tmp_path / "c.safetensors", encoder(1), turned)
    for name in ("media_temperature", "text_momentum", "media_log_average"):
        saved, loaded = strategy.state_dict()[name], turned.state_dict()[name]
        assert len(set(saved.tolist())) == 4, name
        assert loaded.tolist() == saved.tolist()[::-1], name


def test_a_learned_temperature_comes_back(tmp_path) -> None:
    strategy = make_strategy("learned", tau=0.3)
    save_checkpoint(tmp_path / "c.safetensors", encoder(0), strategy, {})
    fresh = make_strategy("learned", tau=0.07)
    load_checkpoint(tmp_path / "c.safetensors", encoder(1), fresh)
    output = fresh(torch.eye(2), torch.eye(2), step=0)
    assert output.temperature_n.tolist() == pytest.approx([0.3, 0.3])


def test_what_is_no_tensor_is_json_in_the_header(tmp_path) -> None:
    save_checkpoint(tmp_path / "c.safetensors", encoder(0), visited(), {"epoch": 1})
    with safe_open(tmp_path / "c.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["state"]) == {
        "extra": {"strategy._extra_state": {"sample_ids": IDS}},
        "progress": {"epoch": 1},
    }
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]
