"""The dual encoder: media and texts into one space."""

from torch import Tensor, nn

from pipelines.models.heads import HeadName, make_head
from pipelines.models.vision import VisionTower


class DualEncoder(nn.Module):
    """A head on each side, and a vision tower under the media's where media are pixels.

    Args:
        media_inputs: Size of a media feature, or of the tower's output.
        text_inputs: Size of a text embedding.
        dimension: Size of the shared space.
        head: Kind of both heads.
        media_tower: Vision tower, for pixels.

    Attributes:
        settings: The arguments that are numbers and names, for saving.
    """

    def __init__(
        self,
        media_inputs: int,
        text_inputs: int,
        dimension: int,
        head: HeadName = "linear",
        media_tower: VisionTower | None = None,
    ) -> None:
        super().__init__()
        self.settings = {
            "media_inputs": media_inputs,
            "text_inputs": text_inputs,
            "dimension": dimension,
            "head": head,
        }
        self.media_tower = media_tower
        self.media_head = make_head(head, media_inputs, dimension)
        self.text_head = make_head(head, text_inputs, dimension)

    def embed_media(self, inputs: Tensor) -> Tensor:
        """Return ``[n, dimension]``, not normalised, of features ``[n, d]`` or pixels ``[n, 3, size, size]``."""
        vectors_nd: Tensor = inputs if self.media_tower is None else self.media_tower(inputs)
        embedded: Tensor = self.media_head(vectors_nd)
        return embedded

    def embed_text(self, inputs: Tensor) -> Tensor:
        """Return ``[n, dimension]``, not normalised, of text embeddings ``[n, d]``."""
        embedded: Tensor = self.text_head(inputs)
        return embedded

    def forward(self, media: Tensor | None, text: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Return the embeddings of both sides; None for a side that isn't given."""
        return (
            None if media is None else self.embed_media(media),
            None if text is None else self.embed_text(text),
        )
