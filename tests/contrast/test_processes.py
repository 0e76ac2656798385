"""W processes with a part of the batch each against one process with all of it: one spawn a W runs every case."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from pipelines.contrast import Processes, cached_backward, info_nce, max_margin, sigmoid

from .strategies.cases import CASES, SAMPLE_IDS, SIZE, N, build, inputs

LOSSES = {"infonce": info_nce, "max-margin": max_margin, "sigmoid": sigmoid}
SPLITS = {
    2: {"even": [6, 6], "uneven": [9, 3], "one empty": [12, 0]},
    3: {"even": [4, 4, 4], "uneven": [5, 1, 6], "one empty": [5, 0, 7]},
}
EXTRAS = {
    "plain": (),
    "weights": ("weight_n",),
    "mask": ("media_group_n",),
    "count": ("media_group_n", "weight_n"),
    "adjusted": ("adjustment_n",),
}


def towers() -> nn.ModuleList:
    torch.manual_seed(0)
    return nn.ModuleList(nn.Sequential(nn.Linear(SIZE, 5), nn.Tanh(), nn.Linear(5, SIZE)) for _ in range(2)).double()


def parameter_gradients(*modules: nn.Module) -> Tensor:
    found = [parameter for module in modules for parameter in module.parameters()]
    return torch.cat([torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in found])


def loss_case(loss: str, extra: str, rows: slice, processes: Processes | None) -> dict[str, Tensor]:
    """The loss itself, with a temperature per pair that has a gradient, groups and weights."""
    given = {key: value[rows] for key, value in inputs().items()}
    given["adjustment_n"] = given["weight_n"].log()
    model, tau_n = towers(), inputs()["shift_n"].requires_grad_()
    value = LOSSES[loss](
        model[0](given["media_nd"]),
        model[1](given["text_nd"]),
        tau_n[rows],
        related="count" if extra == "count" else "mask",
        tile_size=4,
        processes=processes,
        **{key: given[key] for key in EXTRAS[extra]},
    )
    value.backward()
    return {"loss": value.detach(), "gradients": torch.cat([parameter_gradients(model), tau_n.grad])}


def strategy_case(
    name: str, loss: str, rows: slice, processes: Processes | None, micro_batch: int | None = None
) -> dict[str, Tensor]:
    """Two steps of a strategy, so that state made in the first counts in the second."""
    model, strategy = towers(), build(name, loss, processes=processes)
    for step in range(2):
        given = {key: value.roll(step, 0)[rows] for key, value in inputs().items()}
        media_nd, text_nd = given.pop("media_nd"), given.pop("text_nd")
        model.zero_grad()
        strategy.zero_grad()

        def take(media: Tensor, text: Tensor, step: int = step, given: dict[str, Tensor] = given) -> Tensor:
            return strategy(media, text, step=step, **given).loss

        if micro_batch is None:
            value = take(model[0](media_nd), model[1](text_nd))
            value.backward()
        else:
            parts = list(zip(media_nd.split(micro_batch), text_nd.split(micro_batch), strict=True))
            value = cached_backward(lambda part: (model[0](part[0]), model[1](part[1])), parts, take)
    state = torch.cat([buffer.flatten() for buffer in strategy.buffers()] or [torch.zeros(1)])
    return {"loss": value.detach(), "gradients": parameter_gradients(model, strategy), "state": state}


def every_case(world_size: int, rank: int, processes: Processes | None) -> dict[str, dict[str, Tensor]]:
    """Run all cases for the rows of this process; of one process alone, for all rows."""

    def rows(split: str) -> slice:
        if processes is None:
            return slice(0, N)
        counts = SPLITS[world_size][split]
        return slice(sum(counts[:rank]), sum(counts[: rank + 1]))

    found = {}
    for loss in LOSSES:
        for extra in (name for name in EXTRAS if loss != "max-margin" or name != "adjusted"):  # it has no logits
            for split in ("even", "uneven", "one empty"):
                found[f"{loss} {extra} {split}"] = loss_case(loss, extra, rows(split), processes)
    for name, loss in CASES:
        for split in ("even", "uneven"):
            found[f"strategy {name} {loss} {split}"] = strategy_case(name, loss, rows(split), processes)
    for name, loss in (("learned", "infonce"), ("mmts", "max-margin"), ("mmts", "sigmoid")):
        found[f"cached {name} {loss}"] = strategy_case(name, loss, rows("even"), processes, micro_batch=2)
    return found


def work(rank: int, world_size: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world_size)
    found = every_case(world_size, rank, Processes())
    for case in found.values():  # what DistributedDataParallel does to gradients
        dist.all_reduce(case["gradients"])
        case["gradients"] /= world_size
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@cache
def results(world_size: int) -> list[dict[str, dict[str, Tensor]]]:
    with TemporaryDirectory() as folder:
        mp.spawn(work, (world_size, folder), nprocs=world_size)
        return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(world_size)]


@cache
def alone() -> dict[str, dict[str, Tensor]]:
    return every_case(1, 0, None)


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [2, 3])
def test_gradients_losses_and_state_are_those_of_one_process(world_size: int) -> None:
    assert len(alone()) == (3 * 4 + 2) * 3 + 2 * len(CASES) + 3
    for found in results(world_size):
        assert set(found) == set(alone())
        for case, expected in alone().items():
            assert expected["gradients"].abs().max() > 1e-4, case
            for key, wanted in expected.items():
                scale = wanted.abs().nan_to_num(posinf=0).max().item()
                torch.testing.assert_close(
                    found[case][key], wanted, rtol=1e-6, atol=1e-9 * scale, msg=lambda text, c=case: f"{c}: {text}"
                )


@pytest.mark.parametrize("world_size", [2, 3])
def test_local_batches_alone_would_not_do(world_size: int) -> None:
    """The comparison above can fail: averaging losses of separate parts gives other gradients."""
    gradients = []
    for rank in range(world_size):
        counts = SPLITS[world_size]["even"]
        gradients.append(
            loss_case("infonce", "plain", slice(sum(counts[:rank]), sum(counts[: rank + 1])), None)["gradients"]
        )
    mean = torch.stack(gradients).mean(0)
    assert (mean - alone()["infonce plain even"]["gradients"]).abs().max() > 1e-3


def test_one_process_is_no_group() -> None:
    assert Processes.current() is None
    assert len(SAMPLE_IDS) > N
