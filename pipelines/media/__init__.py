"""Media a dual encoder sees: feature vectors from Parquet, or images from a folder or zip."""

from pipelines.media.features import FeatureMedia
from pipelines.media.images import ImageMedia
from pipelines.media.source import MediaSource, is_pixels, open_media

__all__ = ["FeatureMedia", "ImageMedia", "MediaSource", "is_pixels", "open_media"]
