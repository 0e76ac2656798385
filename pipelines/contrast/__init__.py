"""Temperature- and margin-scheduled contrastive losses: torch only, importable without the rest of mmts.

Losses are functions of embeddings and a temperature (or margin) per pair::

    loss = info_nce(media_nd, text_nd, temperature_n)

Schedules say what the temperature is at a step, shifts how it differs between clusters; both parts of MM-TS by hand::

    schedule = CosineSchedule.from_oscillations(alpha=0.08, total_steps=10_000, oscillations=5)
    shift = cluster_shifts(cluster_size, 0.05, 0.20, "linear")
    loss = info_nce(media_nd, text_nd, schedule(step) + shift[batch])

Strategies do it for a training loop; other people's (fixed, learned, TS, iSogCLR, TempNet) work alike::

    strategy = make_strategy("mmts", alpha=0.08, total_steps=10_000, shift_range=(0.05, 0.20))
    optimizer = AdamW([*groups, *strategy.parameter_groups()])
    output = strategy(media_nd, text_nd, step=step, shift_n=shift[batch])
    output.loss.backward()

With ``processes=Processes()`` a batch spread over processes gives the gradients of the whole batch on one.
`cached_backward` fits batches of any size into the memory of a micro-batch. `adapters` hold losses for other trainers.
"""

from typing import TYPE_CHECKING, Any

from pipelines.contrast.registry import LOSSES, STRATEGIES, LossKind, LossName, StrategyKind, StrategyName

if TYPE_CHECKING:
    from pipelines.contrast.api import *  # noqa: F403  # its __all__ is the one list of what is offered

__all__ = ["LOSSES", "STRATEGIES", "LossKind", "LossName", "StrategyKind", "StrategyName"]


def __getattr__(name: str) -> Any:
    """Load torch, and what needs it, at the first use of a name that does: the registry's names come without."""
    import pipelines.contrast.api as api

    if name in api.__all__:
        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
