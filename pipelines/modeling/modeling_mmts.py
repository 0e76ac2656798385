"""A dual encoder trained with mmts: media and texts into one space. It needs torch and transformers, and nothing else.

model = AutoModel.from_pretrained(folder, trust_remote_code=True)
image_nd = model.get_image_features(pixel_values)              # or get_media_features(features)
text_nd = model.get_text_features(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt"))

Where it was trained on text embeddings: ``get_text_features(text_embeddings=vectors)``.

Vectors are not normalised; compare them by cosine.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from .modeling_space_time import SpaceTimeVisionModelWithProjection
from .modeling_x_clip import XClipVideoModel
from .tower_vectors import frame_config, media_vectors, pooled_output

_OWN = {each.__name__: each for each in (SpaceTimeVisionModelWithProjection, XClipVideoModel)}
_ACTIVATIONS = {"identity": nn.Identity, "tanh": nn.Tanh, "gelu": nn.GELU, "relu": nn.ReLU}


class MmtsConfig(PretrainedConfig):  # type: ignore[misc]  # transformers is not typed
    """What the model is made of.

    Args:
        dimension: Size of the shared space.
        projection: Head of both sides: ``linear``, ``mlp``, or ``none``.
        media_inputs: Size of what the media head reads.
        text_inputs: Size of what the text head reads.
        media_tower: Class and configuration of the vision model, and whether its pooler is used; None where media are
            features.
        text_tower: The same of the text model; None where texts are embeddings.
        text_modules: What makes one vector of the text model's token vectors, in order, each with its ``type``:
            ``pooling``, ``normalize`` or ``dense``; none where the model gives one itself.
        frames: Frames of a clip; None where media are images or features.
        frame_pooling: From the vectors of a clip's frames to one: ``mean`` or ``attention``.
        text_prompt: What is put before each text.
    """

    model_type = "mmts"

    def __init__(
        self,
        dimension: int = 512,
        projection: str = "linear",
        media_inputs: int = 512,
        text_inputs: int = 512,
        media_tower: dict[str, Any] | None = None,
        text_tower: dict[str, Any] | None = None,
        text_modules: list[dict[str, Any]] | None = None,
        frames: int | None = None,
        frame_pooling: str = "mean",
        text_prompt: str = "",
        **others: Any,
    ) -> None:
        self.dimension = dimension
        self.projection = projection
        self.media_inputs = media_inputs
        self.text_inputs = text_inputs
        self.media_tower = media_tower
        self.text_tower = text_tower
        self.text_modules = text_modules or []
        self.frames = frames
        self.frame_pooling = frame_pooling
        self.text_prompt = text_prompt
        super().__init__(**others)


@dataclass
class MmtsOutput(ModelOutput):  # type: ignore[misc]  # transformers is not typed
    """Embeddings of what was given.

    Attributes:
        image_embeds: ``[n, dimension]``.
        text_embeds: ``[n, dimension]``.
    """

    image_embeds: Tensor | None = None
    text_embeds: Tensor | None = None


class MmtsModel(PreTrainedModel):  # type: ignore[misc]  # transformers is not typed
    """The dual encoder."""

    config_class = MmtsConfig
    main_input_name = "pixel_values"
    _supports_sdpa = True

    def __init__(self, config: MmtsConfig) -> None:
        super().__init__(config)
        self.media_tower = _tower(config.media_tower)
        self.text_tower = _tower(config.text_tower)
        self.text_modules = nn.ModuleList(_text_module(options) for options in config.text_modules)
        self.frame_pooling: nn.Module = FrameMean()
        if config.frame_pooling == "attention" and config.frames is not None:
            self.frame_pooling = FrameAttention(config.media_inputs, config.frames)
        self.media_head = _head(config.projection, config.media_inputs, config.dimension)
        self.text_head = _head(config.projection, config.text_inputs, config.dimension)
        self.post_init()

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """Embed images ``[n, 3, size, size]`` or clips ``[n, frames, 3, size, size]``, as the image processor gives."""
        if self.media_tower is None:
            raise ValueError("this model was trained on media features: call get_media_features(features)")
        frame_by_frame = pixel_values.ndim == 5 and frame_config(self.media_tower.config) is None
        vectors_nd = media_vectors(self.media_tower, pixel_values.flatten(0, 1) if frame_by_frame else pixel_values)
        if frame_by_frame:
            vectors_nd = self.frame_pooling(vectors_nd.reshape(*pixel_values.shape[:2], -1))
        return self.get_media_features(vectors_nd)

    def get_media_features(self, features: Tensor) -> Tensor:
        """Embed media features, or what the media tower gives, ``[n, media_inputs]``."""
        embedded: Tensor = self.media_head(features)
        return embedded

    def get_text_features(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        text_embeddings: Tensor | None = None,
    ) -> Tensor:
        """Embed texts, what the tokenizer gives ``[n, tokens]``; or text embeddings ``[n, text_inputs]``."""
        if text_embeddings is None:
            if self.text_tower is None or input_ids is None:
                raise ValueError("give input_ids, or text_embeddings where the model was trained on these")
            tokens = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
            output = self.text_tower(**{name: value for name, value in tokens.items() if value is not None})
            if len(self.text_modules):
                text_embeddings = output.last_hidden_state
                mask_nt = torch.ones_like(input_ids) if attention_mask is None else attention_mask
                for module in self.text_modules:
                    text_embeddings = module(text_embeddings, mask_nt)
            else:
                text_embeddings = pooled_output(output, "text_embeds")
        embedded: Tensor = self.text_head(text_embeddings)
        return embedded

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        media_features: Tensor | None = None,
        text_embeddings: Tensor | None = None,
    ) -> MmtsOutput:
        """Embed media, texts or both."""
        image_nd = text_nd = None
        if pixel_values is not None:
            image_nd = self.get_image_features(pixel_values)
        elif media_features is not None:
            image_nd = self.get_media_features(media_features)
        if input_ids is not None or text_embeddings is not None:
            text_nd = self.get_text_features(input_ids, attention_mask, token_type_ids, text_embeddings)
        return MmtsOutput(image_embeds=image_nd, text_embeds=text_nd)


class FrameMean(nn.Module):
    """The mean over the frames."""

    def forward(self, frames_nfd: Tensor) -> Tensor:
        """Return ``[n, d]`` of ``[n, f, d]``."""
        return frames_nfd.mean(dim=1)


class FrameAttention(nn.Module):
    """A mean over the frames whose weights depend on what is seen and when.

    Args:
        dimension: Size of a frame's vector.
        frames: Frames of a clip.
    """

    def __init__(self, dimension: int, frames: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(frames, dimension))
        self.query = nn.Parameter(torch.zeros(dimension))
        self.norm = nn.LayerNorm(dimension)

    def forward(self, frames_nfd: Tensor) -> Tensor:
        """Return ``[n, d]`` of ``[n, f, d]``."""
        scores_nf = self.norm(frames_nfd + self.position) @ self.query / math.sqrt(frames_nfd.shape[-1])
        pooled: Tensor = (scores_nf.softmax(dim=1)[..., None] * frames_nfd).sum(dim=1)
        return pooled


class TokenPooling(nn.Module):
    """From the token vectors of a text to one, by one or several rules, side by side.

    Args:
        modes: ``cls``, ``max``, ``mean``, ``mean_sqrt_len_tokens``, ``lasttoken``.
    """

    def __init__(self, modes: list[str]) -> None:
        super().__init__()
        self.modes = modes

    def forward(self, tokens_ntd: Tensor, mask_nt: Tensor) -> Tensor:
        """Return ``[n, d]`` for each mode, concatenated, of the tokens that the mask has 1 for."""
        return torch.cat([self._pool(mode, tokens_ntd, mask_nt) for mode in self.modes], dim=1)

    def _pool(self, mode: str, tokens_ntd: Tensor, mask_nt: Tensor) -> Tensor:
        weight_nt1 = mask_nt.unsqueeze(-1).to(tokens_ntd.dtype)
        if mode in ("mean", "mean_sqrt_len_tokens"):
            count_n1 = weight_nt1.sum(dim=1).clamp(min=1e-9)
            return (tokens_ntd * weight_nt1).sum(dim=1) / (count_n1 if mode == "mean" else count_n1.sqrt())
        if mode == "max":
            return tokens_ntd.masked_fill(weight_nt1 == 0, -torch.inf).amax(dim=1)
        place_nt = torch.arange(mask_nt.shape[1], device=mask_nt.device) * mask_nt
        place_n = mask_nt.int().argmax(dim=1) if mode == "cls" else place_nt.argmax(dim=1)
        place_n1d = place_n[:, None, None].expand(-1, 1, tokens_ntd.shape[2])
        return tokens_ntd.gather(1, place_n1d).squeeze(1)


class Normalize(nn.Module):
    """Vectors of length 1."""

    def forward(self, vectors_nd: Tensor, mask_nt: Tensor) -> Tensor:
        """Return ``[n, d]``; the mask is not used."""
        return nn.functional.normalize(vectors_nd, dim=-1)


class Dense(nn.Module):
    """A linear layer and an activation.

    Args:
        inputs: Size of what it reads.
        outputs: Size of what it gives.
        bias: Whether it has one.
        activation: ``identity``, ``tanh``, ``gelu`` or ``relu``.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool, activation: str) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=bias)
        self.activation = _ACTIVATIONS[activation]()

    def forward(self, vectors_nd: Tensor, mask_nt: Tensor) -> Tensor:
        """Return ``[n, outputs]``; the mask is not used."""
        activated: Tensor = self.activation(self.linear(vectors_nd))
        return activated


def _tower(described: dict[str, Any] | None) -> Any:
    """A transformers model, from its class and configuration; None of None."""
    if described is None:
        return None
    name = described["architecture"]
    model_class = _OWN.get(name) or getattr(transformers, name)
    model = model_class(model_class.config_class.from_dict(described["config"]))
    if not described["pooler"] and hasattr(model, "pooler"):
        model.pooler = None
    return model


def _text_module(options: dict[str, Any]) -> nn.Module:
    arguments = {name: value for name, value in options.items() if name != "type"}
    modules: dict[str, type[nn.Module]] = {"pooling": TokenPooling, "normalize": Normalize, "dense": Dense}
    return modules[options["type"]](**arguments)


def _head(name: str, inputs: int, outputs: int) -> nn.Module:
    if name == "none":
        return nn.Identity()
    if name == "linear":
        return nn.Linear(inputs, outputs)
    return nn.Sequential(nn.Linear(inputs, inputs), nn.GELU(), nn.Linear(inputs, outputs))
