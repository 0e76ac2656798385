"""Stage ``embed``: text annotations to normalised sentence embeddings."""

from pipelines.embed.stage import embed

__all__ = ["embed"]
