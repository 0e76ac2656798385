"""Protocol ``classes``: zero-shot classification, media against the texts of classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.scores.bootstrap import INTERVAL, RESAMPLES, Interval, group_draws, summarise
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.queries import FEW_BELOW, MANY_ABOVE, QueryScores
from pipelines.scores.ranks import BLOCK_BYTES, QueryRanks, Ties, check_rule, ranks_of
from pipelines.scores.similarity import EmbeddingMatrix, EmbeddingScores, IntArray
from pipelines.scores.thirds import frequency_edges, frequency_third

TOP_5_FROM = 6  # with five classes or fewer every answer is among the first five


@dataclass(frozen=True, eq=False)
class Classification:
    """How n media were classified into c classes.

    Attributes:
        evaluation: ``top-1``, ``top-5`` (with more than five classes) and ``mean_per_class`` (the mean over classes of
            their top-1), in percent, of direction ``media_to_text``; by group of classes and by third of the media
            where training counts are known.
        rank: Rank of each medium's own class, 1 for the best, shape ``(n,)``.
        predicted: The class with the highest similarity to each medium, the first of tied ones, shape ``(n,)``.
        test_count: How many of the media are of each class, shape ``(c,)``.
        per_class: Accuracies of each class in percent by metric, ``top-1`` and ``top-5``, NaN for a class without
            media, shape ``(c,)``.
        confused_with: The class that most of the class's other media were taken for, the first of equally frequent
            ones, -1 where there is none, shape ``(c,)``.
        confused_count: How many these were, shape ``(c,)``.
        slope: How many percentage points top-1 of a class rises with ten times its training media, least squares over
            the ``classes`` that have media for training and for testing, with its bootstrap interval over these
            classes. None where training counts aren't known, or are all the same.
    """

    evaluation: Evaluation
    rank: IntArray
    predicted: IntArray
    test_count: IntArray
    per_class: dict[str, NDArray[np.float64]]
    confused_with: IntArray
    confused_count: IntArray
    slope: dict[str, float | int | None] | None


def shots_of(train_count_c: NDArray[Any]) -> NDArray[np.int8]:
    """Few, medium or many (0, 1, 2) for each class: fewer than 20 training media, 20 to 100, more than 100.

    Source: Liu et al., Large-Scale Long-Tailed Recognition in an Open World (2019).
    """
    return ((train_count_c >= FEW_BELOW).astype(np.int8) + (train_count_c > MANY_ABOVE)).astype(np.int8)


def score_classes(
    media_nd: EmbeddingMatrix,
    class_cd: EmbeddingMatrix,
    label_n: NDArray[np.integer[Any]],
    *,
    train_count: NDArray[Any] | None = None,
    ties: Ties = "index",
    resamples: int = RESAMPLES,
    seed: int = 0,
    block_bytes: int = BLOCK_BYTES,
    progress: Progress = SILENT,
) -> Classification:
    """Classify n media by the nearest of c class vectors.

    Intervals are over media: a resample draws media of all classes together, and its ``mean_per_class`` leaves out the
    classes that it has none of. Drawing within each class instead would make an interval of no width of a class with
    one medium, and long-tail test sets have many of these.

    Examples:
        >>> classified = score_classes(image_embeddings, class_embeddings, class_of_image, train_count=train_count)
        >>> classified.evaluation.scores["few"]["media_to_text"]["mean_per_class"]
        {'value': 14.1, 'low': 10.2, 'high': 18.6}

    Args:
        media_nd: Media embeddings, shape ``(n, d)``.
        class_cd: Embeddings of the classes' texts, shape ``(c, d)``.
        label_n: Class of each medium, from 0, shape ``(n,)``.
        train_count: Training media of each class, shape ``(c,)``; without it there are no groups, thirds or slope.
        ties: ``index``, ``optimistic`` or ``pessimistic``, see `retrieval_ranks`.
        resamples: Bootstrap resamples; 0 leaves the intervals out.
        seed: Seed of the bootstrap.
        block_bytes: Memory bound of a block of similarities in bytes. It changes no score.
        progress: Where to report.

    Raises:
        InputError: Shapes that don't fit, NaN or infinite embeddings, or fewer than two classes.
    """
    source = EmbeddingScores(media_nd, class_cd)
    media, classes = source.shape
    class_n: IntArray = np.asarray(label_n, dtype=np.int64)
    if class_n.shape != (media,) or not ((class_n >= 0) & (class_n < classes)).all():
        raise InputError(f"{media} media need one class each, from 0 to {classes - 1}")
    if train_count is not None and len(train_count) != classes:
        raise InputError(f"{classes} classes but {len(train_count)} training counts: give one per class")
    if classes < 2:
        raise InputError("there is only one class: classification takes at least two")
    ranks, predicted_n = _ranks_and_nearest(source, class_n, ties, block_bytes, progress)
    values = {"top-1": np.where(ranks.rank == 1, 100.0, 0.0)}
    if classes >= TOP_5_FROM:
        values["top-5"] = np.where(ranks.rank <= 5, 100.0, 0.0)
    size_n = None if train_count is None else np.asarray(train_count, dtype=np.float64)[class_n]
    edges = None if size_n is None else frequency_edges(size_n)
    queries = {
        "media_to_text": QueryScores(
            query=ranks.query,
            group=ranks.query,
            values=values,
            tied=ranks.tied,
            fold=np.zeros(media, dtype=np.int64),
            cluster_size=size_n,
            third=None if size_n is None or edges is None else frequency_third(size_n, edges),
            label=class_n,
            shots=None if size_n is None else shots_of(size_n),
        )
    }
    scores = summarise(queries, resamples=resamples, seed=seed)
    test_count = np.bincount(class_n, minlength=classes)
    with np.errstate(invalid="ignore"):
        per_class = {name: np.bincount(class_n, value, classes) / test_count for name, value in values.items()}
    confused_with, confused_count = _confusions(class_n, predicted_n, classes)
    return Classification(
        evaluation=Evaluation("classes", ties, queries, scores, edges),
        rank=ranks.rank,
        predicted=predicted_n,
        test_count=test_count,
        per_class=per_class,
        confused_with=confused_with,
        confused_count=confused_count,
        slope=None if train_count is None else frequency_slope(per_class["top-1"], train_count, resamples, seed),
    )


def frequency_slope(
    accuracy_c: NDArray[np.float64], train_count_c: NDArray[Any], resamples: int, seed: int
) -> dict[str, float | int | None] | None:
    """Least-squares slope of the classes' accuracies against log10 of their training counts, with a 95% interval.

    Args:
        accuracy_c: Accuracy of each class in percent, NaN for a class without test media, shape ``(c,)``.
        train_count_c: Training media of each class, shape ``(c,)``; a class without any has no logarithm and doesn't
            count.
        resamples: Bootstrap resamples of the classes; 0 leaves the interval out.
        seed: Seed of the bootstrap.

    Returns:
        ``value``, ``low``, ``high`` and ``classes``, how many count; None where fewer than two different counts do.
    """
    counted_c = ~np.isnan(accuracy_c) & (train_count_c > 0)
    x_k, y_k = np.log10(train_count_c[counted_c]), accuracy_c[counted_c]
    if len(np.unique(x_k)) < 2:
        return None
    x_k, y_k = x_k - x_k.mean(), y_k - y_k.mean()
    moments_k5 = np.stack([np.ones_like(x_k), x_k, y_k, x_k * x_k, x_k * y_k], axis=1)

    def slopes(draws_bk: NDArray[Any]) -> NDArray[np.float64]:
        n_b, x_b, y_b, xx_b, xy_b = (draws_bk @ moments_k5).T
        spread_b = xx_b - x_b**2 / n_b
        spread_b[spread_b < 1e-9 * xx_b] = np.nan  # a resample of classes of one count has no slope
        slope_b: NDArray[np.float64] = (xy_b - x_b * y_b / n_b) / spread_b
        return slope_b

    slope: Interval = {"value": float(slopes(np.ones((1, len(x_k))))[0]), "low": None, "high": None}
    if resamples:
        drawn = np.concatenate([slopes(draws_bk) for draws_bk in group_draws(len(x_k), resamples, seed)])
        if not np.isnan(drawn).all():
            slope["low"], slope["high"] = (float(end) for end in np.nanpercentile(drawn, INTERVAL))
    return {**slope, "classes": len(x_k)}


def _ranks_and_nearest(
    source: EmbeddingScores, class_n: IntArray, ties: Ties, block_bytes: int, progress: Progress
) -> tuple[QueryRanks, IntArray]:
    """Rank of each medium's own class, and the class nearest to it, the first of tied ones ``(n,)``, in one pass."""
    check_rule(ties)
    media, classes = source.shape
    rows = max(1, block_bytes // (40 * source.dimension + 10 * classes))  # with two comparisons of one byte each
    counts_3n, nearest_n = np.empty((3, media), dtype=np.int64), np.empty(media, dtype=np.int64)
    with progress.task("ranking", media * classes, "scores") as task:
        for start in range(0, media, rows):
            part = slice(start, start + rows)
            score_rc, own_r = source.block(part, slice(0, classes)), class_n[part]
            own_score_r1 = np.take_along_axis(score_rc, own_r[:, None], axis=1)
            tied_rc = score_rc == own_score_r1
            before_rc = tied_rc & (np.arange(classes) < own_r[:, None])
            counts_3n[:, part] = (score_rc > own_score_r1).sum(1), tied_rc.sum(1) - 1, before_rc.sum(1)
            nearest_n[part] = score_rc.argmax(axis=1)
            task.advance(score_rc.size)
    better_n, tied_n, before_n = counts_3n
    return ranks_of(np.arange(media), better_n, tied_n, before_n, ties), nearest_n


def _confusions(label_n: IntArray, predicted_n: IntArray, classes: int) -> tuple[IntArray, IntArray]:
    """The class that most of each class's misclassified media were taken for, and how many of them."""
    wrong_n = predicted_n != label_n
    pair, count = np.unique(label_n[wrong_n] * classes + predicted_n[wrong_n], return_counts=True)
    order = np.lexsort((pair, -count))[::-1]  # the most frequent pair of a class comes last, and is what stays
    confused_with, confused_count = np.full(classes, -1, dtype=np.int64), np.zeros(classes, dtype=np.int64)
    confused_with[pair[order] // classes] = pair[order] % classes
    confused_count[pair[order] // classes] = count[order]
    return confused_with, confused_count
