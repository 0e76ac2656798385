"""A dual encoder to train, from what a training run is told."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from pipelines.errors import InputError
from pipelines.models.acceleration import enable_gradient_checkpointing
from pipelines.models.admission import require_memory
from pipelines.models.dual_encoder import DualEncoder
from pipelines.models.freezing import freeze, freeze_unused
from pipelines.models.loading import load_transformers, model_errors
from pipelines.models.lora import LoraSettings, add_lora
from pipelines.models.pooling import PoolingName
from pipelines.models.projection import ProjectionName
from pipelines.models.sides import is_dual
from pipelines.models.text import TextTower, clip_text_tower, load_text_tower
from pipelines.models.vision import VisionTower, load_vision_tower, vision_tower


def build_model(
    media_model: str | None,
    text_model: str | None,
    *,
    media_size: int | None = None,
    text_size: int | None = None,
    projection: ProjectionName = "linear",
    dimension: int | None = None,
    frames: int | None = None,
    chunk_seconds: float | None = None,
    pooling: PoolingName | None = None,
    freeze_patterns: Sequence[str] = (),
    lora: LoraSettings | None = None,
    gradient_checkpointing: bool = False,
    trust_remote_code: bool = False,
) -> DualEncoder:
    """Build a dual encoder, on the CPU and in training mode.

    What starts from scratch (heads, towers from a configuration, adapters) takes torch's random state; the same state
    and arguments give the same model, whose state dict a checkpoint of the other fits.

    Args:
        media_model: Vision model: config, folder or hub id; None where media are features.
        text_model: Text model: folder or hub id; None where texts are embeddings. The same CLIP-like model on both
            sides is loaded once.
        media_size: Size of a media feature, without a media model.
        text_size: Size of a text embedding, without a text model.
        projection: Kind of both projection heads; ``none`` keeps the space that the towers share already.
        dimension: Size of the shared space; that of the towers with ``projection="none"``, where it may be left out.
        frames: Frames of a video clip; None where media are not clips, or a video model has its own number.
        chunk_seconds: Length of the chunks that videos are cut into, see `pipelines.media.View`.
        pooling: From the vectors of a clip's frames to one, ``mean`` if None; a video model makes one itself.
        freeze_patterns: Names of parameters and modules to freeze, as in ``fnmatch``.
        lora: Adapters on the towers; no adapters if None.
        gradient_checkpointing: Whether towers recompute their layers in the backward pass.
        trust_remote_code: Whether code that comes with a model may run.

    Raises:
        InputError: A model can't be loaded, or the arguments don't fit together; names the flag.
    """
    media_tower, text_tower = _load_towers(media_model, text_model, trust_remote_code)
    media_inputs = media_size if media_tower is None else media_tower.dimension
    text_inputs = text_size if text_tower is None else text_tower.dimension
    if media_inputs is None or text_inputs is None:
        raise ValueError("a side without a model needs the size of its vectors")
    if pooling == "attention" and media_tower is None:
        raise InputError("--pooling attention is over the frames of video clips; give --media-model, or leave it out")
    if media_tower is not None and media_tower.frames is not None:
        if pooling is not None:
            raise InputError(f"--pooling: {media_model} sees all frames of a clip at once; leave it out")
        media_tower.take_frames(frames)
        frames = media_tower.frames
    pooling = pooling or "mean"
    if dimension is None and projection != "none":
        raise ValueError(f"projection {projection!r} needs the size of the shared space")
    _check_projection(projection, media_inputs, text_inputs, dimension)
    sizes = (media_inputs, text_inputs, dimension or media_inputs, projection)
    try:
        require_memory(partial(DualEncoder, *sizes, frames=frames, pooling=pooling))
    except InputError as error:
        raise InputError(f"--dimension {dimension}: the model {error}; give a smaller one") from error
    model = DualEncoder(*sizes, media_tower, text_tower, frames, pooling, chunk_seconds)
    for tower in (media_tower, text_tower):
        if tower is not None:
            freeze_unused(tower)
    freeze(model, freeze_patterns)
    if lora is not None:
        add_lora(model, lora)
    if gradient_checkpointing:
        enable_gradient_checkpointing(model)
    return model.train()


def _load_towers(
    media_model: str | None, text_model: str | None, trust_remote_code: bool
) -> tuple[VisionTower | None, TextTower | None]:
    trust: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    if media_model is not None and media_model == text_model:
        with model_errors(f"--media-model and --text-model {media_model}", "a CLIP-like model"):
            model = load_transformers(media_model, **trust)
            if is_dual(model):
                return vision_tower(model, media_model, **trust), clip_text_tower(model, media_model, **trust)
    media_tower = None if media_model is None else load_vision_tower(media_model, **trust)
    return media_tower, None if text_model is None else load_text_tower(text_model, **trust)


def _check_projection(projection: ProjectionName, media_inputs: int, text_inputs: int, dimension: int | None) -> None:
    if projection != "none":
        return
    if media_inputs != text_inputs:
        raise InputError(
            f"--projection none needs sides that share a space already, but media have {media_inputs} dimensions and "
            f"texts {text_inputs}; choose --projection linear"
        )
    if dimension not in (None, media_inputs):
        raise InputError(f"--dimension {dimension}: with --projection none it is {media_inputs}; leave it out")
