"""Stage ``prepare features``: vectors of other tools, as NumPy, safetensors or Parquet, to a features file."""

from pipelines.features.stage import prepare_features

__all__ = ["prepare_features"]
