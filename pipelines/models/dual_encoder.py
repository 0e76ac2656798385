"""The dual encoder: media and texts into one space."""

from typing import Any, Self

import torch
from torch import Tensor, nn

from pipelines.models.freezing import is_frozen
from pipelines.models.pooling import PoolingName, make_pooling
from pipelines.models.projection import ProjectionName, make_projection
from pipelines.models.text import TextTower, Tokens
from pipelines.models.vision import VisionTower


class DualEncoder(nn.Module):
    """A projection head on each side, over a vision tower where media are pixels, a text tower where texts are tokens.

    Args:
        media_inputs: Size of a media feature, or of the tower's output.
        text_inputs: Size of a text embedding, or of the tower's output.
        dimension: Size of the shared space.
        projection: Kind of both projection heads.
        media_tower: Vision tower, for images and the frames of clips; None where media are features.
        text_tower: Text tower; None where texts are embeddings.
        frames: Frames of a video clip; None where media are not clips.
        pooling: From the vectors of a clip's frames to one, where the tower sees one frame at a time.
        chunk_seconds: Length of the chunks of the videos it was made for, see `pipelines.media.View`.

    Attributes:
        dimension: Size of the shared space.
        settings: The arguments that are numbers and names, for saving.

    Raises:
        InputError: Projection or pooling don't fit the sizes.
    """

    def __init__(
        self,
        media_inputs: int,
        text_inputs: int,
        dimension: int,
        projection: ProjectionName = "linear",
        media_tower: VisionTower | None = None,
        text_tower: TextTower | None = None,
        frames: int | None = None,
        pooling: PoolingName = "mean",
        chunk_seconds: float | None = None,
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "media_inputs": media_inputs,
            "text_inputs": text_inputs,
            "dimension": dimension,
            "projection": projection,
            "frames": frames,
            "pooling": pooling,
            "chunk_seconds": chunk_seconds,
        }
        self.dimension = dimension
        self.media_tower = media_tower
        self.text_tower = text_tower
        self.frame_pooling = make_pooling(pooling, media_inputs, frames)
        self.media_head = make_projection(projection, media_inputs, dimension)
        self.text_head = make_projection(projection, text_inputs, dimension)

    def train(self, mode: bool = True) -> Self:
        """Switch to training, but for frozen modules: no dropout there, and batch norms keep their statistics."""
        super().train(mode)
        if mode:
            for module in self.modules():
                if is_frozen(module):
                    module.eval()
        return self

    def embed_media(self, inputs: Tensor) -> Tensor:
        """Embed media.

        Args:
            inputs: Images ``[n, 3, size, size]`` or clips ``[n, frames, 3, size, size]``, uint8 from 0 to 255 or float
                from 0 to 1; or features, or the tower's own vectors, ``[n, d]``.

        Returns:
            ``[n, dimension]``, not normalised.
        """
        if inputs.ndim == 2 or self.media_tower is None:
            vectors_nd = inputs
        else:
            frame_by_frame = inputs.ndim == 5 and self.media_tower.frames is None
            with torch.set_grad_enabled(torch.is_grad_enabled() and not is_frozen(self.media_tower)):
                vectors_nd = self.media_tower(inputs.flatten(0, 1) if frame_by_frame else inputs)
            if frame_by_frame:
                vectors_nd = self.frame_pooling(vectors_nd.unflatten(0, inputs.shape[:2]))
        embedded: Tensor = self.media_head(vectors_nd)
        return embedded

    def embed_text(self, inputs: Tensor | Tokens) -> Tensor:
        """Embed texts.

        Args:
            inputs: What ``text_tower.tokenize`` gives; or text embeddings, or the tower's own vectors, ``[n, d]``.

        Returns:
            ``[n, dimension]``, not normalised.
        """
        if isinstance(inputs, Tensor):
            vectors_nd = inputs
        elif self.text_tower is None:
            raise TypeError("without a text tower, texts are embeddings")
        else:
            with torch.set_grad_enabled(torch.is_grad_enabled() and not is_frozen(self.text_tower)):
                vectors_nd = self.text_tower(inputs)
        embedded: Tensor = self.text_head(vectors_nd)
        return embedded

    def forward(self, media: Tensor | None, text: Tensor | Tokens | None) -> tuple[Tensor | None, Tensor | None]:
        """Return the embeddings of both sides, None for one that isn't given; training calls nothing else."""
        return (
            None if media is None else self.embed_media(media),
            None if text is None else self.embed_text(text),
        )
