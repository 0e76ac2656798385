"""Stage ``embed``: texts to embeddings, and images or clips to features."""

from pipelines.embed.media import embed_media
from pipelines.embed.stage import embed

__all__ = ["embed", "embed_media"]
