"""Stage ``eval``: scores of retrieval or classification, of a run or of two embeddings files."""

from pipelines.evaluate.result import open_scores
from pipelines.evaluate.stage import evaluate

__all__ = ["evaluate", "open_scores"]
