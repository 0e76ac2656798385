"""Readers: one a data set, each giving an annotations file."""

from pipelines.annotations.flickr8k import prepare_flickr8k
from pipelines.annotations.imbalance import Imbalance
from pipelines.annotations.published import prepare_published
from pipelines.annotations.table import prepare_table

__all__ = ["Imbalance", "prepare_flickr8k", "prepare_published", "prepare_table"]
