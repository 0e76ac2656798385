"""Retrieval scores: arrays in, ranks, metrics and intervals out."""

from pipelines.evaluate.bootstrap import compare, summarise
from pipelines.evaluate.ek100 import score_ek100
from pipelines.evaluate.evaluation import Evaluation
from pipelines.evaluate.graded import GradedScores, graded_scores
from pipelines.evaluate.queries import QueryScores
from pipelines.evaluate.ranks import QueryRanks, retrieval_ranks
from pipelines.evaluate.relevancy import Relevancy, class_relevancy, matrix_relevancy
from pipelines.evaluate.retrieval import score_retrieval
from pipelines.evaluate.similarity import DenseScores, EmbeddingScores
from pipelines.evaluate.thirds import THIRDS, frequency_edges, frequency_third

__all__ = [
    "THIRDS",
    "DenseScores",
    "EmbeddingScores",
    "Evaluation",
    "GradedScores",
    "QueryRanks",
    "QueryScores",
    "Relevancy",
    "class_relevancy",
    "compare",
    "frequency_edges",
    "frequency_third",
    "graded_scores",
    "matrix_relevancy",
    "retrieval_ranks",
    "score_ek100",
    "score_retrieval",
    "summarise",
]
