"""Training with the sigmoid loss: its bias is trained and kept, and is no part of the model."""

import pytest
from safetensors.torch import load_file

from pipelines.errors import InputError
from pipelines.train import train
from pipelines.train.optimizer import set_learning_rate


def test_it_learns_with_a_bias_that_does_not_decay(world, monkeypatch) -> None:
    groups = []

    def watch(optimizer, rate) -> None:
        set_learning_rate(optimizer, rate)
        groups.append([(group["weight_decay"], group["params"]) for group in optimizer.param_groups])

    monkeypatch.setattr("pipelines.train.step.set_learning_rate", watch)
    result = train(world.config("run", loss="sigmoid", epochs=40, batch_size=48, lr=0.03))
    assert result.summary["validation"]["recall_sum"] > 400
    assert [decay for decay, weights in groups[0] for weight in weights if weight.ndim == 0] == [0]
    run = world.folder / "run"
    bias = load_file(run / "checkpoints" / "best.safetensors")["strategy.loss.bias"]
    assert abs(bias.item() + 10) > 0.1
    assert set(load_file(run / "model" / "heads.safetensors")) == {
        f"{side}_head.{part}" for side in ("media", "text") for part in ("weight", "bias")
    }


def test_its_bias_starts_where_it_is_told(world) -> None:
    train(world.config("run", loss="sigmoid", epochs=1, lr=1e-12, bias=-4.5))
    bias = load_file(world.folder / "run" / "checkpoints" / "best.safetensors")["strategy.loss.bias"]
    assert bias.item() == pytest.approx(-4.5)
    with pytest.raises(InputError, match="--bias has no effect without --loss sigmoid; leave it out"):
        world.config("run", bias=-4.5)


@pytest.mark.parametrize("temperature", ["fixed", "learned"])
def test_it_goes_on_bit_for_bit(goes_on_bit_for_bit, temperature) -> None:
    goes_on_bit_for_bit(loss="sigmoid", temperature=temperature)


def test_micro_batches_take_the_same_steps(world) -> None:
    whole = train(world.config("whole", loss="sigmoid", temperature="learned"))
    parts = train(world.config("parts", loss="sigmoid", temperature="learned", micro_batch=5))
    assert parts.summary["final_loss"] == pytest.approx(whole.summary["final_loss"], rel=1e-5)
