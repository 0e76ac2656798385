"""nDCG and average precision against an explicit loop, with ties, in any block size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.scores import (
    DenseScores,
    EmbeddingScores,
    graded_scores,
    graded_scores_both_ways,
    matrix_relevancy,
)
from pipelines.scores.ranks import WORKERS

from .oracles import graded_of

FIELDS = ("ndcg", "average_precision", "average_precision_binary", "tied")
RULES = ("index", "optimistic", "pessimistic")


@settings(max_examples=200)
@given(
    queries=st.integers(1, 8),
    items=st.integers(1, 12),
    levels=st.integers(1, 20),
    first_and_step=st.sampled_from([(0, 1 / 4), (0, 1 / 3), (1, 2.0**-23), (-1, 2.0**-20)]),  # upper or lower bits
    grades=st.lists(st.sampled_from([0.0, 0.0, 0.25, 1 / 3, 0.5, 2 / 3, 1.0, 1.0]), min_size=1, max_size=5),
    dtype=st.sampled_from([np.float32, np.float64]),
    ties=st.sampled_from(RULES),
    block_bytes=st.sampled_from([1, 2000, 10**7]),
    seed=st.integers(0, 2**16),
)
def test_measures_equal_the_loop(
    queries, items, levels, first_and_step, grades, dtype, ties, block_bytes, seed
) -> None:
    rng = np.random.default_rng(seed)
    # Negative, positive and both zeros.
    first, step = first_and_step
    level_qi = rng.integers(-levels, levels + 1, (queries, items))
    scores_qi = ((first + level_qi * step) * rng.choice([-1, 1])).astype(dtype)
    relevancy_qi = rng.choice(grades, (queries, items))
    actual = graded_scores(DenseScores(scores_qi), matrix_relevancy(relevancy_qi), ties=ties, block_bytes=block_bytes)
    for query in range(queries):
        expected = graded_of(scores_qi[query].tolist(), relevancy_qi[query].tolist(), ties)
        for field, value in zip(FIELDS, expected, strict=True):
            assert getattr(actual, field)[query] == pytest.approx(value, rel=1e-12, nan_ok=True), field


def test_items_of_two_queries_do_not_tie() -> None:
    scores_qi = np.array([[2.0, 1.0], [1.0, 0.0]])
    assert not graded_scores(DenseScores(scores_qi), matrix_relevancy(np.array([[0, 1], [0, 1]]))).tied.any()


def test_block_size_and_direction_change_no_bit() -> None:
    rng = np.random.default_rng(0)
    row_nd, column_md = rng.standard_normal((150, 40)), rng.standard_normal((90, 40))
    column_md[1::2] = column_md[::2]
    relevancy_nm = rng.choice([0, 0, 0, 0.3, 0.5, 1], (150, 90))
    source, relevancy = EmbeddingScores(row_nd, column_md), matrix_relevancy(relevancy_nm)
    scores_nm = source.block(slice(None), slice(None)).astype(np.float32)
    for rule in RULES:
        reference = graded_scores(source, relevancy, ties=rule)
        assert reference.tied.mean() > 0.5
        turned = graded_scores(source.transposed(), relevancy.transposed(), ties=rule)
        dense = DenseScores(scores_nm)
        for actual, expected in (
            (graded_scores(source, relevancy, ties=rule, block_bytes=1), reference),
            (graded_scores(source, relevancy, ties=rule, block_bytes=10**6), reference),
            (graded_scores(dense, relevancy, ties=rule), reference),
            (graded_scores(dense.transposed(), relevancy.transposed(), ties=rule, block_bytes=1), turned),
        ):
            for field in FIELDS:
                np.testing.assert_array_equal(getattr(actual, field), getattr(expected, field))


@pytest.mark.parametrize("kept_rows", [0, 1, 70, 699, 700, 10_000])
def test_both_ways_equals_two_calls_whatever_is_kept(kept_rows, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.scores.graded.BLOCK_IN_CACHE", 2**13)  # blocks of ten rows
    rng = np.random.default_rng(0)
    row_nd, column_md = rng.standard_normal((700, 8)), rng.standard_normal((90, 8))
    column_md[1::2] = column_md[::2]
    relevancy = matrix_relevancy(rng.choice([0, 0, 0, 0.3, 0.5, 1], (700, 90)))
    block_bytes = 2 * WORKERS * 2**13 + 4 * 90 * kept_rows
    embeddings = EmbeddingScores(row_nd, column_md)
    for source in (embeddings, DenseScores(embeddings.block(slice(None), slice(None)))):
        actual = graded_scores_both_ways(source, relevancy, block_bytes=block_bytes)
        expected = graded_scores(source, relevancy), graded_scores(source.transposed(), relevancy.transposed())
        for one, other in zip(actual, expected, strict=True):
            for field in FIELDS:
                np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


def test_refusals() -> None:
    source = DenseScores(np.ones((3, 2)))
    with pytest.raises(InputError, match=r"similarities are \(3, 2\), relevancies \(2, 3\)"):
        graded_scores(source, matrix_relevancy(np.ones((2, 3))))
    with pytest.raises(InputError, match="'coin' is not a rule for ties"):
        graded_scores(source, matrix_relevancy(np.ones((3, 2))), ties="coin")  # type: ignore[arg-type]
    nan = np.ones((3, 2))
    nan[1] = np.nan
    with pytest.raises(InputError, match=r"NaN in row 1 \(media\)"):
        graded_scores(DenseScores(nan), matrix_relevancy(np.ones((3, 2))))
    with pytest.raises(InputError, match=r"NaN in 2 rows \(0, 1\) \(text\)"):
        graded_scores(DenseScores(nan).transposed(), matrix_relevancy(np.ones((2, 3))))
