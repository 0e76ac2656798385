"""A run's model as models of transformers: the one whose code is exported, or a plain CLIP-like one."""

from typing import Any

import torch
from torch import Tensor

from pipelines.errors import InputError
from pipelines.modeling.modeling_mmts import MmtsConfig, MmtsModel
from pipelines.models import DualEncoder, SentenceTower

_POOLING_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "lasttoken")
_ACTIVATIONS = {"Identity": "identity", "Tanh": "tanh", "GELU": "gelu", "ReLU": "relu"}


def portable_model(model: DualEncoder) -> MmtsModel:
    """The model as one that needs torch and transformers only, with the same weights, in evaluation mode.

    Raises:
        InputError: The text tower has a module that the exported code doesn't know.
    """
    media, text = model.media_tower, model.text_tower
    modules = _text_modules(text) if isinstance(text, SentenceTower) else []
    config = MmtsConfig(
        dimension=model.dimension,
        projection=model.settings["projection"],
        media_inputs=model.settings["media_inputs"],
        text_inputs=model.settings["text_inputs"],
        media_tower=None if media is None else _described(media.transformer),
        text_tower=None if text is None else _described(text.transformer),
        text_modules=[options for options, _ in modules],
        frames=model.settings["frames"],
        frame_pooling=model.settings["pooling"],
        text_prompt="" if text is None else text.tokenizer.prompt,
    )
    portable: MmtsModel = MmtsModel(config)
    state = {
        name: value
        for name, value in model.state_dict().items()
        if name.split(".")[0] not in ("media_tower", "text_tower")
    }
    for side, tower in (("media_tower", media), ("text_tower", text)):
        if tower is not None:
            state |= {f"{side}.{name}": value for name, value in tower.transformer.state_dict().items()}
    for place, (_, weights) in enumerate(modules):
        state |= {f"text_modules.{place}.{name}": value for name, value in weights.items()}
    portable.load_state_dict(state)
    portable.eval()
    return portable


def clip_like_model(model: DualEncoder, temperature: float | None) -> Any:
    """The whole CLIP-like model of transformers whose two sides the towers are; None where they are not such a pair.

    Args:
        model: The dual encoder.
        temperature: What its logits are divided by; None for 1.
    """
    media, text = model.media_tower, model.text_tower
    if media is None or text is None or model.settings["projection"] != "none" or model.settings["frames"] is not None:
        return None
    whole_class = _whole_class(media.transformer, text.transformer)
    if whole_class is None:
        return None
    vision, language = media.transformer, text.transformer
    sides = {"vision_config": vision.config.to_dict(), "text_config": language.config.to_dict()}
    projected = hasattr(vision, "visual_projection")
    options = {"projection_dim": model.dimension} if projected else {}
    whole = whole_class(whole_class.config_class(**sides, **options))
    state = dict(whole.state_dict())
    for tower, side in ((vision, "vision_model"), (language, "text_model")):
        plain = not any(name.startswith(f"{side}.") for name in tower.state_dict())
        state |= {f"{side}.{name}" if plain else name: value for name, value in tower.state_dict().items()}
    whole.load_state_dict(state)
    with torch.no_grad():
        whole.logit_scale.fill_(-torch.tensor(1.0 if temperature is None else temperature).log())
        if hasattr(whole, "logit_bias"):
            whole.logit_bias.zero_()
    return whole.eval()


def _whole_class(vision: Any, language: Any) -> Any:
    import transformers

    names = [type(vision).__name__, type(language).__name__]
    for suffix in ("ModelWithProjection", "Model"):
        endings = (f"Vision{suffix}", f"Text{suffix}")
        if all(name.endswith(ending) for name, ending in zip(names, endings, strict=True)):
            family = {name.removesuffix(ending) for name, ending in zip(names, endings, strict=True)}
            return getattr(transformers, f"{family.pop()}Model", None) if len(family) == 1 else None
    return None


def _described(transformer: Any) -> dict[str, Any]:
    """What ``modeling_mmts`` builds a tower from."""
    return {
        "architecture": type(transformer).__name__,
        "config": transformer.config.to_dict(),
        "pooler": getattr(transformer, "pooler", None) is not None,
    }


def _text_modules(tower: SentenceTower) -> list[tuple[dict[str, Any], dict[str, Tensor]]]:
    """Description and weights of each module behind the transformer of a sentence-transformers model.

    Raises:
        InputError: The exported code doesn't know one.
    """
    first, *others = tower.model
    if getattr(first, "module_output_name", "token_embeddings") != "token_embeddings":
        raise InputError("the text model's transformer gives no vectors of tokens; use --to sentence-transformers")
    return [_text_module(module) for module in others]


def _text_module(module: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    kind = type(module).__name__
    between = [getattr(module, name, "sentence_embedding") for name in ("module_input_name", "module_output_name")]
    if kind == "Pooling":
        modes = module.get_config_dict()["pooling_mode"]
        modes = [modes] if isinstance(modes, str) else list(modes)
        if set(modes) <= set(_POOLING_MODES):
            return {"type": "pooling", "modes": modes}, {}
    elif kind == "Normalize" and between == ["sentence_embedding"] * 2:
        return {"type": "normalize"}, {}
    elif kind == "Dense" and between == ["sentence_embedding"] * 2 and not getattr(module, "use_residual", False):
        activation = _ACTIVATIONS.get(type(module.activation_function).__name__)
        if activation is not None:
            sizes = {"inputs": module.in_features, "outputs": module.out_features, "bias": module.bias}
            return {"type": "dense", **sizes, "activation": activation}, module.state_dict()
    raise InputError(
        f"the text model's module {kind} ({module.get_config_dict()}) can't be exported this way; "
        "use --to sentence-transformers"
    )
