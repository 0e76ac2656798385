"""Low-rank adapters (LoRA, arXiv 2106.09685) on the towers, through peft; merged into plain weights on saving."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch import nn

from pipelines.errors import InputError
from pipelines.models.dual_encoder import DualEncoder
from pipelines.models.freezing import freeze_unused, is_frozen

Side = Literal["media", "text"]
SIDES: tuple[Side, ...] = get_args(Side)

# Query and value projections of attention, as the paper adapts them, by the names transformers has for them.
_ATTENTION = (("q_proj", "v_proj"), ("query", "value"), ("q_lin", "v_lin"), ("q", "v"), ("qkv",), ("Wqkv",))


@dataclass(frozen=True)
class LoraSettings:
    """How towers are adapted.

    Attributes:
        rank: Rank of the adapters.
        alpha: Their scale is ``alpha / rank``.
        dropout: Dropout of what an adapter reads, in training.
        targets: Names, or ends of names, of the linear layers to adapt, or ``all-linear``; the query and value
            projections of attention if empty, all linear layers where a tower has none of a known name.
        sides: The towers to adapt; every tower that is not frozen if None.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    sides: tuple[Side, ...] | None = None


def add_lora(model: DualEncoder, settings: LoraSettings) -> None:
    """Put adapters into the towers and freeze the rest of those; heads stay as they are.

    An adapter changes nothing until it is trained. Call it after ``freeze``, whose patterns would fit the adapters too;
    towers that are frozen whole stay so, without adapters.

    Raises:
        InputError: peft is not installed, there is no tower on a side, or nothing in it fits the targets.
    """
    towers: dict[Side, Any] = {"media": model.media_tower, "text": model.text_tower}
    present: list[Side] = [side for side in SIDES if towers[side] is not None and not is_frozen(towers[side])]
    sides = settings.sides or present
    if not sides:
        raise InputError(
            "--lora-rank needs a tower to adapt that is not frozen; give --media-model or --text-model, or leave it out"
        )
    for side in sides:
        if towers[side] is None:
            raise InputError(f"there is no --{side}-model to adapt")
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise InputError("--lora-rank needs the package peft; install it with `pip install 'mmts[lora]'`") from error
    for side in sides:
        tower: Any = towers[side]
        targets = settings.targets or _attention_names(tower.transformer)
        linear = [each for each in tower.modules() if isinstance(each, nn.Linear)]
        largest = max((max(each.weight.shape) for each in linear), default=settings.rank)
        if settings.rank > largest:
            raise InputError(f"--lora-rank {settings.rank}: the {side} tower's layers have {largest} units at most")
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,  # type: ignore[arg-type]  # a number; peft only divides by the rank
            lora_dropout=settings.dropout,
            target_modules="all-linear" if tuple(targets) == ("all-linear",) else list(targets),
        )
        try:
            inject_adapter_in_model(config, tower.transformer)
        except (ValueError, TypeError) as error:
            said = " ".join(str(error).split())[:160]
            raise InputError(f"--lora-target: can't adapt the {side} tower ({said})") from error
        tower.requires_grad_(False)
        for name, parameter in tower.named_parameters():
            parameter.requires_grad_("lora_" in name)
        freeze_unused(tower)  # adapters of a pooler that nothing flows through


def has_lora(module: nn.Module) -> bool:
    """Whether a module holds adapters."""
    return any("lora_" in name for name, _ in module.named_parameters())


def merged(tower: Any) -> Any:
    """A copy of a tower with its adapters merged into its weights; the tower itself where it has none.

    A copy, since merging and unmerging would change the last bits of weights that training goes on with.
    """
    if not has_lora(tower):
        return tower
    from peft.tuners.tuners_utils import BaseTunerLayer

    plain = copy.deepcopy(tower)
    adapted = [(name, module) for name, module in plain.named_modules() if isinstance(module, BaseTunerLayer)]
    for name, module in adapted:
        module.merge()
        parent, _, attribute = name.rpartition(".")
        setattr(plain.get_submodule(parent), attribute, module.get_base_layer())
    if hasattr(plain.transformer, "peft_config"):
        del plain.transformer.peft_config
    return plain


def _attention_names(transformer: nn.Module) -> Sequence[str]:
    present = {name.rpartition(".")[2] for name, module in transformer.named_modules() if isinstance(module, nn.Linear)}
    return next((names for names in _ATTENTION if present.issuperset(names)), ("all-linear",))
