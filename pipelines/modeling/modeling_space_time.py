"""Vision transformers over all frames of a clip, and CLIP-like models with such a vision side.

``joint`` attention is that of AVION: every patch of every frame attends to every other. ``divided`` attention is that
of LaViLa, as in Frozen in Time (arXiv 2104.00650): first over time at a patch's place, then over its frame; the class
token attends to all, and every patch to the class token.

model = AutoModel.from_pretrained(folder, trust_remote_code=True)
video_nd = model.get_video_features(pixel_values)               # [n, frames, 3, size, size]
text_nd = model.get_text_features(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt"))

Vectors are not normalised; compare them by cosine.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, PretrainedConfig, PreTrainedModel
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils import ModelOutput


class SpaceTimeVisionConfig(PretrainedConfig):  # type: ignore[misc]  # transformers is not typed
    """What the vision side is made of.

    Args:
        attention: ``joint`` or ``divided``.
        num_frames: Frames of a clip.
        image_size: Side of a frame, in pixels.
        patch_size: Side of a patch, in pixels.
        hidden_size: Size of a token.
        intermediate_size: Size inside the feed-forward layers.
        num_hidden_layers: Number of layers.
        num_attention_heads: Number of heads of each attention.
        hidden_act: Activation, as transformers names it.
        layer_norm_eps: Of the norms in and after the layers.
        pre_norm_eps: Of the norm before the layers.
        projection_dim: Size of the space that clips share with texts.
    """

    model_type = "space_time_vision_model"
    base_config_key = "vision_config"

    def __init__(
        self,
        attention: str = "joint",
        num_frames: int = 4,
        image_size: int = 224,
        patch_size: int = 16,
        hidden_size: int = 768,
        intermediate_size: int = 3072,
        num_hidden_layers: int = 12,
        num_attention_heads: int = 12,
        hidden_act: str = "gelu",
        layer_norm_eps: float = 1e-6,
        pre_norm_eps: float = 1e-6,
        projection_dim: int = 512,
        **others: Any,
    ) -> None:
        self.attention = attention
        self.num_frames = num_frames
        self.image_size = image_size
        self.patch_size = patch_size
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.hidden_act = hidden_act
        self.layer_norm_eps = layer_norm_eps
        self.pre_norm_eps = pre_norm_eps
        self.projection_dim = projection_dim
        super().__init__(**others)


class SpaceTimeClipConfig(PretrainedConfig):  # type: ignore[misc]  # transformers is not typed
    """Both sides.

    Args:
        vision_config: Of the vision side.
        text_config: Of the text side, which is CLIP's.
    """

    model_type = "space_time_clip"
    sub_configs = {"vision_config": SpaceTimeVisionConfig, "text_config": CLIPTextConfig}  # noqa: RUF012  # as all have it

    def __init__(
        self, vision_config: dict[str, Any] | None = None, text_config: dict[str, Any] | None = None, **others: Any
    ) -> None:
        self.vision_config = _config(SpaceTimeVisionConfig, vision_config)
        self.text_config = _config(CLIPTextConfig, text_config)
        super().__init__(**others)


@dataclass
class SpaceTimeVisionOutput(ModelOutput):  # type: ignore[misc]  # transformers is not typed
    """What the vision side gives.

    Attributes:
        image_embeds: Vectors of the clips ``[n, projection_dim]``.
        last_hidden_state: The tokens ``[n, 1 + frames * patches, hidden_size]``, before the last norm.
    """

    image_embeds: Tensor | None = None
    last_hidden_state: Tensor | None = None


@dataclass
class SpaceTimeClipOutput(ModelOutput):  # type: ignore[misc]  # transformers is not typed
    """Vectors of what was given, not normalised.

    Attributes:
        video_embeds: ``[n, projection_dim]``.
        text_embeds: ``[n, projection_dim]``.
    """

    video_embeds: Tensor | None = None
    text_embeds: Tensor | None = None


class _Embeddings(nn.Module):
    """Patches as tokens behind a class token, each with where and when it is."""

    def __init__(self, config: SpaceTimeVisionConfig) -> None:
        super().__init__()
        size, patch = config.hidden_size, config.patch_size
        self.patches = (config.image_size // patch) ** 2
        self.class_embedding = nn.Parameter(torch.zeros(1, 1, size))
        self.patch_embedding = nn.Conv2d(3, size, kernel_size=patch, stride=patch, bias=False)
        self.position_embedding = nn.Parameter(torch.zeros(1, 1 + self.patches, size))
        self.temporal_embedding = nn.Parameter(torch.zeros(1, config.num_frames, size))

    def forward(self, pixels_nfchw: Tensor) -> Tensor:
        n, frames = pixels_nfchw.shape[:2]
        if frames != self.temporal_embedding.shape[1]:
            raise ValueError(f"the model takes clips of {self.temporal_embedding.shape[1]} frames, not of {frames}")
        patches = self.patch_embedding(pixels_nfchw.flatten(0, 1)).flatten(2).transpose(1, 2)
        place = self.position_embedding[:, 1:]
        tokens = patches.reshape(n, frames, self.patches, -1) + place[:, None] + self.temporal_embedding[:, :, None]
        first = (self.class_embedding + self.position_embedding[:, :1]).expand(n, -1, -1)
        return torch.cat([first, tokens.flatten(1, 2)], dim=1)


class _Attention(nn.Module):
    """Attention over all tokens, or, where ``over`` says so, of each patch over ``time`` or ``space`` alone."""

    def __init__(self, config: SpaceTimeVisionConfig, over: str | None = None) -> None:
        super().__init__()
        self.heads, self.frames, self.over = config.num_attention_heads, config.num_frames, over
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, tokens_ntd: Tensor) -> Tensor:
        query, key, value = self.qkv(tokens_ntd).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if self.over is None:
            mixed = scaled_dot_product_attention(query, key, value)
        else:
            first = scaled_dot_product_attention(query[:, :, :1], key, value)
            patches = scaled_dot_product_attention(self._grouped(query), self._keys(key), self._keys(value))
            if self.over == "time":
                patches = patches.transpose(1, 2)
            mixed = torch.cat([first, patches.reshape(*query[:, :, 1:].shape)], dim=2)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected

    def _grouped(self, tokens_nhtd: Tensor) -> Tensor:
        """The patches, by frame, or by place where attention is over time: ``[n * heads, groups, in a group, d]``.

        Clips and heads are one dimension: attention in ONNX has four.
        """
        n, heads, _, size = tokens_nhtd.shape
        by_frame = tokens_nhtd[:, :, 1:].reshape(n * heads, self.frames, -1, size)
        return by_frame.transpose(1, 2) if self.over == "time" else by_frame

    def _keys(self, tokens_nhtd: Tensor) -> Tensor:
        """The patches by group, the class token before each group."""
        grouped = self._grouped(tokens_nhtd)
        first = tokens_nhtd[:, :, :1].flatten(0, 1)[:, None].expand(-1, grouped.shape[1], -1, -1)
        return torch.cat([first, grouped], dim=2)


class _Layer(GradientCheckpointingLayer):  # type: ignore[misc]  # transformers is not typed
    def __init__(self, config: SpaceTimeVisionConfig) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.layer_norm_eps
        self.divided = config.attention == "divided"
        if self.divided:
            self.norm_time = nn.LayerNorm(size, eps=eps)
            self.attention_time = _Attention(config, over="time")
        self.norm_attention = nn.LayerNorm(size, eps=eps)
        self.attention = _Attention(config, over="space" if self.divided else None)
        self.norm_mlp = nn.LayerNorm(size, eps=eps)
        self.mlp = nn.Sequential(
            nn.Linear(size, config.intermediate_size),
            ACT2FN[config.hidden_act],
            nn.Linear(config.intermediate_size, size),
        )

    def forward(self, tokens_ntd: Tensor) -> Tensor:
        seen = tokens_ntd
        if self.divided:  # what attention over time adds is seen by attention over space, and not kept beside it
            seen = tokens_ntd + self.attention_time(self.norm_time(tokens_ntd))
        tokens_ntd = tokens_ntd + self.attention(self.norm_attention(seen))
        layered: Tensor = tokens_ntd + self.mlp(self.norm_mlp(tokens_ntd))
        return layered


class SpaceTimeVisionModelWithProjection(PreTrainedModel):  # type: ignore[misc]  # transformers is not typed
    """A vision transformer over all frames of a clip; its vector is the class token's, projected."""

    config_class = SpaceTimeVisionConfig
    main_input_name = "pixel_values"
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def __init__(self, config: SpaceTimeVisionConfig) -> None:
        super().__init__(config)
        self.embeddings = _Embeddings(config)
        self.pre_norm = nn.LayerNorm(config.hidden_size, eps=config.pre_norm_eps)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))
        self.post_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.visual_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False)
        self.post_init()

    def forward(self, pixel_values: Tensor) -> SpaceTimeVisionOutput:
        """Embed clips ``[n, frames, 3, size, size]``."""
        tokens = self.pre_norm(self.embeddings(pixel_values))
        for layer in self.layers:
            tokens = layer(tokens)
        return SpaceTimeVisionOutput(
            image_embeds=self.visual_projection(self.post_norm(tokens[:, 0])), last_hidden_state=tokens
        )


class SpaceTimeClipModel(PreTrainedModel):  # type: ignore[misc]  # transformers is not typed
    """Clips and texts in one space."""

    config_class = SpaceTimeClipConfig
    main_input_name = "pixel_values"
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def __init__(self, config: SpaceTimeClipConfig) -> None:
        super().__init__(config)
        self.vision = SpaceTimeVisionModelWithProjection(config.vision_config)
        self.text = CLIPTextModelWithProjection(config.text_config)
        self.logit_scale = nn.Parameter(torch.tensor(1 / 0.07).log())
        self.post_init()

    def get_video_features(self, pixel_values: Tensor) -> BaseModelOutputWithPooling:
        """Embed clips ``[n, frames, 3, size, size]``: ``pooler_output`` ``[n, projection_dim]``."""
        return BaseModelOutputWithPooling(pooler_output=self.vision(pixel_values).image_embeds)

    def get_text_features(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> BaseModelOutputWithPooling:
        """Embed texts ``[n, tokens]``: ``pooler_output`` ``[n, projection_dim]``."""
        return BaseModelOutputWithPooling(pooler_output=self.text(input_ids, attention_mask).text_embeds)

    def forward(
        self, input_ids: Tensor | None = None, pixel_values: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> SpaceTimeClipOutput:
        """Embed clips, texts or both."""
        return SpaceTimeClipOutput(
            video_embeds=None if pixel_values is None else self.vision(pixel_values).image_embeds,
            text_embeds=None if input_ids is None else self.text(input_ids, attention_mask).text_embeds,
        )


def _config(config_class: Any, given: Any) -> Any:
    """A part's configuration, from what a file or a caller has of it."""
    return given if isinstance(given, config_class) else config_class(**(given or {}))
