"""Where a run is, and everything it needs to go on from there exactly."""

import json
import warnings
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from pipelines.train.checkpoint import Checkpoint

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_OTHER = "other.json"
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


@dataclass
class RunState:
    """Where a run is.

    Attributes:
        step: Optimizer steps done.
        epochs_done: Epochs that are over, validation included.
        validations: Scores of each validation, with its ``epoch``.
        best_epoch: Epoch with the best score so far; 0 before the first validation.
        bad_media: Media that could not be decoded, with the reason.
        temperature_min: Lowest temperature, or margin, of any step.
        temperature_max: Highest.
        final_loss: Loss of the last step.
        wandb_id: Id of the run at Weights & Biases, where it is logged there.
    """

    step: int = 0
    epochs_done: int = 0
    validations: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    bad_media: dict[str, str] = field(default_factory=dict)
    temperature_min: float | None = None
    temperature_max: float | None = None
    final_loss: float | None = None
    wandb_id: str = ""


class Trainable(nn.Module):
    """What a checkpoint holds the weights of: a model and the strategy that sets its temperatures."""

    def __init__(self, model: nn.Module, strategy: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.strategy = strategy

    def weights(self) -> Checkpoint:
        """All weights, on the CPU, whole also where they are sharded; every process must call it."""
        state: dict[str, Any] = get_model_state_dict(self, options=_WHOLE)
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        other = json.dumps({name: state[name] for name in state.keys() - tensors.keys()})
        # As a tensor: one id a sample can be more than a header holds.
        tensors[_OTHER] = torch.frombuffer(bytearray(other.encode()), dtype=torch.uint8)
        return Checkpoint(tensors)

    def load_weights(self, checkpoint: Checkpoint) -> None:
        """Take the weights of a checkpoint."""
        owners = ("model", "strategy")
        other = json.loads(checkpoint.tensors[_OTHER].numpy().tobytes())
        state: dict[str, Any] = {**checkpoint.only(*owners).tensors, **other}
        set_model_state_dict(self, state, options=StateDictOptions(full_state_dict=True))


def capture(
    trainable: Trainable, optimizer: torch.optim.Optimizer, state: RunState, fabric: "Fabric", fingerprint: str
) -> Checkpoint:
    """Everything that a run needs to go on; every process must call it.

    Args:
        trainable: The model, unwrapped, and the strategy.
        optimizer: Their optimizer.
        state: Where the run is.
        fabric: The processes, each of which has its own random state.
        fingerprint: What the run is a run of.
    """
    weights = trainable.weights()
    tensors = dict(weights.tensors)
    optimizer_state: dict[str, Any] = get_optimizer_state_dict(trainable, optimizer, options=_WHOLE)
    for name, values in optimizer_state.get("state", {}).items():  # empty but for the first process
        tensors |= {f"optimizer.{name}.{key}": value for key, value in values.items()}
    tensors |= {f"random.{name}": value for name, value in _random_states(fabric).items()}
    scaler = _scaler(fabric)
    extra = {
        "groups": optimizer_state.get("param_groups", []),
        "run": asdict(state),
        "fingerprint": fingerprint,
        "scaler": None if scaler is None else scaler.state_dict(),
    }
    return Checkpoint(tensors, extra)


def restore(
    checkpoint: Checkpoint, trainable: Trainable, optimizer: torch.optim.Optimizer, fabric: "Fabric"
) -> RunState:
    """Put a run back to where ``capture`` saw it; returns where that is."""
    states: dict[str, dict[str, Tensor]] = {}
    for name, value in checkpoint.part("optimizer").items():
        parameter, _, key = name.rpartition(".")
        states.setdefault(parameter, {})[key] = value
    optimizer_state: dict[str, Any] = {"state": states, "param_groups": checkpoint.extra["groups"]}
    set_optimizer_state_dict(trainable, optimizer, optimizer_state, options=StateDictOptions(full_state_dict=True))
    for name, weight in trainable.named_parameters():
        if name not in states:  # torch makes up a state where there was none, as before the first step
            optimizer.state.pop(weight, None)
    trainable.load_weights(checkpoint)
    scaler = _scaler(fabric)
    if scaler is not None and checkpoint.extra["scaler"]:
        scaler.load_state_dict(checkpoint.extra["scaler"])
    _restore_random_state(checkpoint.part("random"), fabric)
    return RunState(**checkpoint.extra["run"])


def _scaler(fabric: "Fabric") -> Any:
    return getattr(fabric.strategy.precision, "scaler", None)


def _random_states(fabric: "Fabric") -> dict[str, Tensor]:
    """The states of all processes' generators, a row a process."""
    states = {"cpu": torch.get_rng_state()}
    if fabric.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(fabric.device)
    if fabric.world_size == 1:
        return {name: state[None] for name, state in states.items()}
    gathered: dict[str, Tensor] = {}
    for name, state in states.items():
        rows = fabric.all_gather(state.to(fabric.device))
        assert isinstance(rows, Tensor)  # as it is for a tensor
        gathered[name] = rows.cpu()
    return gathered


def _restore_random_state(states: dict[str, Tensor], fabric: "Fabric") -> None:
    if len(states["cpu"]) != fabric.world_size or ("cuda" in states) != (fabric.device.type == "cuda"):
        warnings.warn(
            f"resumed on {fabric.world_size} {fabric.device.type} processes a run that had {len(states['cpu'])}: it "
            "goes on with the same data, but not bit for bit",
            stacklevel=3,
        )
        return
    torch.set_rng_state(states["cpu"][fabric.global_rank].clone())  # torch takes no view
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"][fabric.global_rank].clone(), fabric.device)
