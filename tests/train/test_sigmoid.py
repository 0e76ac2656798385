"""Training with the sigmoid loss: its bias is trained and kept, and is no part of the model."""

import pytest
from safetensors.torch import load_file

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


@pytest.mark.parametrize("temperature", ["fixed", "learned"])
def test_it_goes_on_bit_for_bit(goes_on_bit_for_bit, temperature) -> None:
    goes_on_bit_for_bit(loss="sigmoid", temperature=temperature)


def test_micro_batches_take_the_same_steps(world) -> None:
    whole = train(world.config("whole", loss="sigmoid", temperature="learned"))
    parts = train(world.config("parts", loss="sigmoid", temperature="learned", micro_batch=5))
    assert parts.summary["final_loss"] == pytest.approx(whole.summary["final_loss"], rel=1e-5)
