"""Towers that need less memory, by gradient checkpointing, or less time, compiled."""

from typing import Any

from pipelines.errors import InputError
from pipelines.models.dual_encoder import DualEncoder


def enable_gradient_checkpointing(model: DualEncoder) -> None:
    """Let towers recompute their layers in the backward pass and not keep what is inside them; gradients stay the same.

    Raises:
        InputError: There is no tower, or one can't do it.
    """
    towers: list[Any] = [tower for tower in (model.media_tower, model.text_tower) if tower is not None]
    if not towers:
        raise InputError("--gradient-checkpointing needs a tower; give --media-model or --text-model, or leave it out")
    for tower in towers:
        transformer = tower.transformer
        try:
            checkpoint_layers(transformer)
        except ValueError as error:
            raise InputError(
                f"--gradient-checkpointing: {type(transformer).__name__} can't do it; leave it out"
            ) from error


def checkpoint_layers(transformer: Any) -> None:
    """Let a model of transformers recompute its layers.

    Raises:
        ValueError: It can't.
    """
    # transformers 5.20 renamed the method.
    enable = getattr(transformer, "activation_checkpointing_enable", None)
    (enable or transformer.gradient_checkpointing_enable)({"use_reentrant": False})


def compile_towers(model: DualEncoder, *, backend: str = "inductor") -> None:
    """Compile the towers in place, at their first batch; names in the state dict stay.

    Args:
        model: The dual encoder.
        backend: A backend of ``torch.compile``.

    Raises:
        InputError: There is no tower.
    """
    towers = [tower for tower in (model.media_tower, model.text_tower) if tower is not None]
    if not towers:
        raise InputError("--compile needs a tower; give --media-model or --text-model, or leave it out")
    for tower in towers:
        tower.compile(backend=backend)
