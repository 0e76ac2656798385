"""The two sides of CLIP-like models."""

from typing import Any

from pipelines.errors import InputError


def is_dual(model: Any) -> bool:
    """Whether a transformers model is CLIP-like: embeds images and texts in one space."""
    return hasattr(model, "get_image_features") and hasattr(model, "get_text_features")


def one_side(model: Any, side: str) -> Any:
    """One side of a CLIP-like model, as the class transformers has for it, with its projection where there is one.

    Args:
        model: The whole model.
        side: ``vision`` or ``text``.

    Raises:
        InputError: transformers has no class that holds this side of such a model whole.
    """
    import transformers

    name = type(model).__name__.removesuffix("Model")
    sort = side.capitalize()
    projection = {"vision": "visual_projection", "text": "text_projection"}[side]
    suffix = "ModelWithProjection" if hasattr(model, projection) else "Model"
    side_class = getattr(transformers, f"{name}{sort}{suffix}", None)
    inner = getattr(model, f"{side}_model", None)
    if side_class is None or inner is None:
        raise InputError(f"transformers has no class for the {side} side of {type(model).__name__} alone")
    config = getattr(model.config, f"{side}_config")
    if suffix == "ModelWithProjection":
        config.projection_dim = model.config.projection_dim
    alone = side_class(config)
    if suffix == "Model":
        alone.load_state_dict(inner.state_dict())
    else:
        getattr(alone, f"{side}_model").load_state_dict(inner.state_dict())
        getattr(alone, projection).load_state_dict(getattr(model, projection).state_dict())
    return alone
