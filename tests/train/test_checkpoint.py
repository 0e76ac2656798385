"""Checkpoints: everything comes back, damage is noticed, and nothing in the file could run code."""

import json

import pytest
import torch
from safetensors import safe_open

from pipelines.contrast import make_strategy
from pipelines.errors import InputError
from pipelines.models import DualEncoder
from pipelines.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pipelines.train.state import Trainable

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


def through_a_file(tmp_path, before: Trainable, after: Trainable) -> None:
    write_checkpoint(tmp_path / "new" / "c.safetensors", before.weights())
    after.load_weights(read_checkpoint(tmp_path / "new" / "c.safetensors"))


def test_weights_and_state_come_back(tmp_path) -> None:
    before = Trainable(encoder(0), visited())
    after = Trainable(encoder(1), make_strategy("isogclr", sample_ids=IDS, **OPTIONS))
    assert not torch.equal(after.strategy.text_momentum, before.strategy.text_momentum)
    through_a_file(tmp_path, before, after)
    found = after.state_dict()
    tensors = {name: value for name, value in before.state_dict().items() if isinstance(value, torch.Tensor)}
    assert len(tensors) == 8 + 6
    assert all(torch.equal(value, found[name]) for name, value in tensors.items())


def test_per_sample_state_is_found_by_sample_id(tmp_path) -> None:
    turned = make_strategy("isogclr", sample_ids=["d", "c", "b", "a"], **OPTIONS)
    strategy = visited()
    through_a_file(tmp_path, Trainable(encoder(0), strategy), Trainable(encoder(1), turned))
    for name in ("media_temperature", "text_momentum", "media_log_average"):
        saved, loaded = strategy.state_dict()[name], turned.state_dict()[name]
        assert len(set(saved.tolist())) == 4, name
        assert loaded.tolist() == saved.tolist()[::-1], name


def test_tempnet_comes_back_with_its_running_averages_by_id(tmp_path) -> None:
    def tempnet(ids):
        return make_strategy("tempnet", sample_ids=ids, embedding_size=5)

    before, after = tempnet(IDS), tempnet(IDS[::-1])
    before(torch.randn(3, 5), torch.randn(3, 5), step=0, sample_n=torch.tensor([3, 0, 1]))
    through_a_file(tmp_path, Trainable(encoder(0), before), Trainable(encoder(1), after))
    saved = before.media_log_average.tolist()
    assert len(set(saved)) == 4  # minus infinity where never visited
    assert after.media_log_average.tolist() == saved[::-1]
    assert torch.equal(before.text_network.prototype_kd, after.text_network.prototype_kd)


def test_a_learned_temperature_comes_back(tmp_path) -> None:
    fresh = make_strategy("learned", tau=0.07)
    through_a_file(tmp_path, Trainable(encoder(0), make_strategy("learned", tau=0.3)), Trainable(encoder(1), fresh))
    output = fresh(torch.eye(2), torch.eye(2), step=0)
    assert output.temperature_n.tolist() == pytest.approx([0.3, 0.3])


def test_what_is_no_tensor_is_json_in_the_header(tmp_path) -> None:
    path = tmp_path / "c.safetensors"
    write_checkpoint(path, Checkpoint({"model.a": torch.ones(2)}, {"run": {"step": 1}, "other": {"ids": IDS}}))
    with safe_open(path, framework="pt") as file:
        state = json.loads(file.metadata()["state"])
    assert len(state.pop("digest")) == 32
    assert state == {"run": {"step": 1}, "other": {"ids": IDS}}
    assert read_checkpoint(path).extra == state
    assert [each.name for each in tmp_path.iterdir()] == ["c.safetensors"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8, torch.int64, torch.bool])
def test_tied_and_turned_tensors_of_every_type(tmp_path, dtype) -> None:
    value = torch.arange(6).reshape(2, 3).to(dtype)
    tensors = {"model.a": value, "model.tied": value, "model.turned": value.T, "model.scalar": value[0, 1]}
    write_checkpoint(tmp_path / "c.safetensors", Checkpoint(tensors))
    found = read_checkpoint(tmp_path / "c.safetensors").tensors
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) and found[name].dtype == dtype for name in tensors)


def test_every_damaged_byte_is_noticed(tmp_path) -> None:
    path = tmp_path / "c.safetensors"
    write_checkpoint(path, Checkpoint({"model.a": torch.linspace(0, 1, 7), "model.b": torch.ones(2)}, {"run": {}}))
    whole = path.read_bytes()
    padding = whole.rindex(b"}", 0, 8 + int.from_bytes(whole[:8], "little"))  # spaces after it mean nothing
    data = 8 + int.from_bytes(whole[:8], "little")
    for place in [*range(0, padding, 3), *range(data, len(whole))]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with pytest.raises(InputError, match="damaged"):
            read_checkpoint(path)
    for length in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_checkpoint(path)


def test_parts_by_owner() -> None:
    checkpoint = Checkpoint({"model.a": torch.ones(1), "modelling.b": torch.ones(1), "strategy.c": torch.ones(1)})
    assert checkpoint.part("model").keys() == {"a"}
    assert checkpoint.only("model", "strategy").tensors.keys() == {"model.a", "strategy.c"}
