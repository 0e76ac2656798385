"""Models from transformers: from a configuration alone, a folder or the hub; and the two sides of CLIP-like ones."""

from pathlib import Path
from typing import Any

from pipelines.errors import InputError

# What transformers, the hub's client and safetensors raise on files that are missing, damaged or of another kind.
LOAD_ERRORS = (OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError, ImportError)

_WEIGHTS = ("*.safetensors", "*.bin", "*.index.json")


def read_config(source: str) -> Any:
    """The transformers configuration of a ``config.json``, folder or hub id; the hub is asked only for what isn't here.

    Raises:
        OSError: There is none.
        ValueError: It can't be read.
    """
    from huggingface_hub import model_info
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(source, local_files_only=True)
    except OSError:
        if Path(source).exists():
            raise
    try:
        model_info(source, timeout=10)  # one question: without a connection the loader asks for more than a minute
    except Exception as error:  # of whichever HTTP library the hub's client uses
        raise OSError(f"no such file or folder, and it can't be downloaded from the hub: {error}") from error
    return AutoConfig.from_pretrained(source)


def load_transformers(source: str) -> Any:
    """Load a transformers model in float32; without weights it starts from torch's random state.

    A pooling layer whose weights are not among those stored is left out: it would be random.

    Args:
        source: A folder with ``config.json`` and weights, or a hub id; or a ``config.json``, or a folder with one and
            no weights, for a model from scratch.

    Raises:
        InputError: Weights are missing.
        OSError, ValueError, ...: One of ``LOAD_ERRORS``: it can't be loaded.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    config = read_config(source)
    architecture = (getattr(config, "architectures", None) or [""])[0]
    # AutoModel would leave the projection into the shared space behind, and knows not all text sides.
    named = architecture.endswith(("WithProjection", "TextModel")) and hasattr(transformers, architecture)
    model_class = getattr(transformers, architecture) if named else transformers.AutoModel
    if is_config_alone(source):
        return (model_class(config) if named else model_class.from_config(config)).float()
    try:
        model, found = model_class.from_pretrained(source, config=config, output_loading_info=True)
    except LOAD_ERRORS:
        raise
    except Exception as error:  # safetensors has an error class of its own for a damaged file
        raise OSError(f"damaged weights: {error}") from error
    missing = sorted(found["missing_keys"])
    if missing and all(name.startswith("pooler.") for name in missing):
        model.pooler = None
    elif missing:
        raise InputError(f"{len(missing)} of its weights are missing, first: {missing[0]}")
    return model.float()


def is_config_alone(source: str) -> bool:
    """Whether a source is a configuration without weights, whose model starts from torch's random state."""
    path = Path(source)
    return path.is_file() or (path.is_dir() and not any(any(path.glob(pattern)) for pattern in _WEIGHTS))


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


def reason(error: BaseException) -> str:
    """What an error says, in one short line."""
    return " ".join(str(error).split())[:160] or type(error).__name__
