"""Losses of a batch of pairs, each with a temperature or margin per pair."""

from pipelines.contrast.losses.base import Loss
from pipelines.contrast.losses.info_nce import InfoNCE, info_nce
from pipelines.contrast.losses.max_margin import MaxMargin, max_margin
from pipelines.contrast.losses.sigmoid import Sigmoid, sigmoid

__all__ = ["InfoNCE", "Loss", "MaxMargin", "Sigmoid", "info_nce", "max_margin", "sigmoid"]
