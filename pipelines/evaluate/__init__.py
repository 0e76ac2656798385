"""Retrieval scores: arrays in, ranks, metrics and intervals out."""

from pipelines.evaluate.bootstrap import compare, summarise
from pipelines.evaluate.evaluation import Evaluation
from pipelines.evaluate.queries import QueryScores
from pipelines.evaluate.ranks import QueryRanks, retrieval_ranks
from pipelines.evaluate.retrieval import score_retrieval
from pipelines.evaluate.similarity import DenseScores, EmbeddingScores
from pipelines.evaluate.thirds import THIRDS, frequency_edges, frequency_third

__all__ = [
    "THIRDS",
    "DenseScores",
    "EmbeddingScores",
    "Evaluation",
    "QueryRanks",
    "QueryScores",
    "compare",
    "frequency_edges",
    "frequency_third",
    "retrieval_ranks",
    "score_retrieval",
    "summarise",
]
