"""The processes and devices of a run: one CPU, one GPU, many, or what torchrun or SLURM started."""

import logging
import os
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pipelines.encoding import Precision
from pipelines.errors import InputError
from pipelines.models import choose_device
from pipelines.train.settings import ParallelName

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.strategy import Strategy
    from torch.distributed.device_mesh import DeviceMesh


def processes_started(devices: int, nodes: int) -> tuple[int, int]:
    """Processes on each node, and nodes: those that torchrun or SLURM has started, else what was asked for.

    Raises:
        InputError: More than one was asked for, and something else was started.
    """
    found = _from_launcher(os.environ)
    if found is None:
        return devices, nodes
    launcher, processes, on_nodes = found
    if (devices, nodes) not in ((1, 1), (processes, on_nodes)):
        raise InputError(
            f"--devices {devices} --nodes {nodes}: {launcher} has started {processes} processes on each of {on_nodes} "
            "nodes; leave the flags out"
        )
    return processes, on_nodes


def _from_launcher(environment: "os._Environ[str] | dict[str, str]") -> tuple[str, int, int] | None:
    if "TORCHELASTIC_RUN_ID" in environment and "LOCAL_WORLD_SIZE" in environment:
        local = int(environment["LOCAL_WORLD_SIZE"])
        return "torchrun", local, int(environment["WORLD_SIZE"]) // local
    tasks = int(environment.get("SLURM_NTASKS", "1"))
    if tasks > 1 and "SLURM_PROCID" in environment and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        nodes = int(environment.get("SLURM_NNODES", "1"))
        return "SLURM", tasks // nodes, nodes
    return None


def make_fabric(
    *, device: str | None, devices: int, nodes: int, parallel: ParallelName, precision: Precision
) -> "Fabric":
    """Lightning Fabric for some processes; ``launch`` it before use.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``; a GPU where there is one if None.
        devices: Processes on this node, each with a device of its own.
        nodes: Nodes.
        parallel: ``ddp`` (whole model on each device), ``fsdp`` (parameters sharded), or ``auto``: one device, or ddp.
        precision: ``32``, or autocast to bfloat16 or float16 with float32 weights.

    Raises:
        InputError: There are no such devices here, or not that many.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.precision import MixedPrecision

    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    chosen = choose_device(device)
    devices, nodes = processes_started(devices, nodes)
    if chosen.type == "cuda" and devices > torch.cuda.device_count():
        raise InputError(
            f"--devices {devices}: there are {torch.cuda.device_count()} GPUs here; give at most that many"
        )
    if chosen.index is not None and devices > 1:
        raise InputError(f"--device {device}: names one device, but --devices is {devices}; leave one of them out")
    plugins: list[Any] = []
    if precision != "32":
        # Given as a plugin, since Fabric would quietly take bfloat16 for float16 on a CPU.
        scaler = torch.amp.GradScaler(chosen.type) if precision == "16-mixed" else None
        plugins.append(MixedPrecision(precision, chosen.type, scaler=scaler))
    try:
        return Fabric(
            accelerator=chosen.type,
            devices=devices if chosen.index is None else [chosen.index],
            num_nodes=nodes,
            strategy=_strategy(parallel, devices * nodes),
            plugins=plugins or None,
        )
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"--devices {devices} --nodes {nodes} --parallel {parallel}: {reason}") from error


def _strategy(name: ParallelName, world_size: int) -> "Strategy | str":
    from lightning_fabric.strategies.ddp import DDPStrategy
    from lightning_fabric.strategies.model_parallel import ModelParallelStrategy

    if name == "fsdp":
        return ModelParallelStrategy(shard, data_parallel_size=world_size, tensor_parallel_size=1)
    if name == "ddp" or world_size > 1:
        return DDPStrategy()  # what a tower has but doesn't use was frozen as it was built
    return "auto"


def shard(model: nn.Module, mesh: "DeviceMesh") -> nn.Module:
    """Shard a model's parameters over processes: each layer of its towers as one unit, then the rest.

    Source: FSDP2, ``torch.distributed.fsdp.fully_shard``.
    """
    from torch.distributed.fsdp import fully_shard

    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    for layers in reversed(stacks):  # inner ones first
        for layer in layers:
            if any(True for _ in layer.parameters()):
                fully_shard(layer, mesh=mesh["data_parallel"])
    fully_shard(model, mesh=mesh["data_parallel"])
    return model
