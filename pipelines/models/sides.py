"""The two sides of CLIP-like models, of images or of videos."""

from typing import Any

from pipelines.errors import InputError

# Models whose sides are models by themselves: where each is.
_WHOLE_SIDES = {
    "SpaceTimeClipModel": {"vision": "vision", "text": "text"},
    "VideoPrismClipModel": {"vision": "video_model", "text": "text_model"},
}


def is_dual(model: Any) -> bool:
    """Whether a transformers model is CLIP-like: embeds images, or videos, and texts in one space."""
    media = hasattr(model, "get_image_features") or hasattr(model, "get_video_features")
    return media and hasattr(model, "get_text_features")


def one_side(model: Any, side: str) -> Any:
    """One side of a CLIP-like model, as the class transformers has for it, with its projection where there is one.

    Args:
        model: The whole model.
        side: ``vision`` or ``text``.

    Raises:
        InputError: transformers has no class that holds this side of such a model whole.
    """
    import transformers

    if type(model).__name__ in _WHOLE_SIDES:
        return getattr(model, _WHOLE_SIDES[type(model).__name__][side])
    if isinstance(model, transformers.XCLIPModel):
        return _x_clip_side(model, side)
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


def _x_clip_side(model: Any, side: str) -> Any:
    """X-CLIP's videos, as a model of ours; its texts, which are CLIP's, without the prompts made for each video."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    from pipelines.modeling.modeling_x_clip import XClipVideoConfig, XClipVideoModel

    if side == "vision":
        alone: Any = XClipVideoModel(XClipVideoConfig(**_of_any_model(model.config)))
    else:
        text = {**_of_any_model(model.config.text_config), "projection_dim": model.config.projection_dim}
        text["eos_token_id"] = 2  # X-CLIP reads a text at its highest token id, which is what this stands for in CLIP
        alone = CLIPTextModelWithProjection(CLIPTextConfig(**text))
    state = model.state_dict()
    alone.load_state_dict({name: state[name] for name in alone.state_dict()})
    return alone


def _of_any_model(config: Any) -> dict[str, Any]:
    """A configuration without what names the model it is of."""
    return {name: value for name, value in config.to_dict().items() if name not in ("model_type", "architectures")}
