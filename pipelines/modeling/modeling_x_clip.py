"""The video side of X-CLIP by itself: frames that exchange messages, and a transformer over the frames' vectors."""

from typing import Any

from torch import Tensor
from transformers import XCLIPConfig, XCLIPModel
from transformers.modeling_outputs import BaseModelOutputWithPooling


class XClipVideoConfig(XCLIPConfig):  # type: ignore[misc]  # transformers is not typed
    """The configuration of an X-CLIP model of which only the video side is there."""

    model_type = "xclip_video"


class XClipVideoModel(XCLIPModel):  # type: ignore[misc]  # transformers is not typed
    """X-CLIP without its texts, and without the prompts that it makes of them for each video."""

    config_class = XClipVideoConfig
    main_input_name = "pixel_values"

    def __init__(self, config: XClipVideoConfig) -> None:
        super().__init__(config)
        for name in ("text_model", "text_projection", "prompts_visual_layernorm", "prompts_generator"):
            delattr(self, name)
        del self.prompts_visual_projection, self.logit_scale

    def forward(self, pixel_values: Tensor, **options: Any) -> BaseModelOutputWithPooling:
        """Embed clips ``[n, frames, 3, size, size]``: ``pooler_output`` ``[n, projection_dim]``."""
        return self.get_video_features(pixel_values, **options)
