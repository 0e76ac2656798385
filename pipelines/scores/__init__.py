"""Scores of retrieval and classification: arrays in, ranks, metrics and intervals out."""

from pipelines.scores.bootstrap import compare, summarise
from pipelines.scores.classification import Classification, frequency_slope, score_classes
from pipelines.scores.eccv import CocoTruth, Positives, score_eccv
from pipelines.scores.ek100 import score_ek100
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.graded import graded_scores, graded_scores_both_ways
from pipelines.scores.graded_block import GradedScores
from pipelines.scores.queries import QueryScores
from pipelines.scores.ranks import QueryRanks, best_ranks, positive_ranks, retrieval_ranks
from pipelines.scores.relevancy import Relevancy, class_relevancy, matrix_relevancy
from pipelines.scores.retrieval import score_retrieval
from pipelines.scores.similarity import DenseScores, EmbeddingScores
from pipelines.scores.thirds import THIRDS, frequency_edges, frequency_third
from pipelines.scores.verdicts import NEEDS_SEEDS, Verdict, estimate, judge, told

__all__ = [
    "NEEDS_SEEDS",
    "THIRDS",
    "Classification",
    "CocoTruth",
    "DenseScores",
    "EmbeddingScores",
    "Evaluation",
    "GradedScores",
    "Positives",
    "QueryRanks",
    "QueryScores",
    "Relevancy",
    "Verdict",
    "best_ranks",
    "class_relevancy",
    "compare",
    "estimate",
    "frequency_edges",
    "frequency_slope",
    "frequency_third",
    "graded_scores",
    "graded_scores_both_ways",
    "judge",
    "matrix_relevancy",
    "positive_ranks",
    "retrieval_ranks",
    "score_classes",
    "score_eccv",
    "score_ek100",
    "score_retrieval",
    "summarise",
    "told",
]
