"""What worst queries found instead, against loops over all pairs."""

import numpy as np
import pytest

from pipelines.scores.misses import found_instead, worst_queries
from pipelines.scores.queries import QueryScores
from pipelines.scores.similarity import DenseScores, EmbeddingScores


def queries(values, third=None) -> QueryScores:
    count = len(next(iter(values.values())))
    none = np.zeros(count, dtype=np.int64)
    third = None if third is None else np.array(third, dtype=np.int8)
    return QueryScores(
        np.arange(count), none, {name: np.array(v) for name, v in values.items()}, none > 0, none, None, third
    )


def test_the_worst_ranks_of_each_third() -> None:
    ranks = {"rank": [1, 9, 2, 5, 1, 3, 7, 7]}
    assert worst_queries(queries(ranks), most=3).tolist() == [1, 6, 7]
    assert worst_queries(queries(ranks), most=2).tolist() == [1, 6]  # of equal ones the first
    thirds = [0, 0, 0, 0, 1, 1, 2, 2]
    assert worst_queries(queries(ranks, thirds), most=2).tolist() == [1, 3, 5, 6, 7]
    assert worst_queries(queries({"rank": [1, 1]}), most=2).tolist() == []  # nothing was missed


def test_without_ranks_the_first_score_counts() -> None:
    scores = {"mAP": [50.0, np.nan, 10.0, 100.0], "nDCG": [1.0, 2.0, 30.0, 40.0]}
    assert worst_queries(queries(scores), most=2).tolist() == [0, 2]
    assert worst_queries(queries(scores), most=9).tolist() == [0, 2]  # one is left out of the score, one is perfect


@pytest.mark.parametrize("block_bytes", [1, 2**27])
def test_found_instead_is_what_a_loop_finds(block_bytes) -> None:
    random = np.random.default_rng(0)
    query_qd, item_id = random.standard_normal((7, 4)), random.standard_normal((300, 4))
    item_id[100] = item_id[250]  # as similar to each query
    right_qi = random.random((7, 300)) < 0.01
    right_qi[:, 3] = True
    inside_qi = random.random((7, 300)) < 0.5
    inside_qi[:, 3] = True
    inside_qi[6] = False
    inside_qi[6, [3, 8]] = True  # one wrong item is all there is
    right_qi[6, 8] = False
    source = EmbeddingScores(query_qd, item_id)
    found = found_instead(
        source, lambda part: right_qi[:, part], lambda part: inside_qi[:, part], count=3, block_bytes=block_bytes
    )
    score_qi = source.block(slice(0, 7), slice(0, 300))
    for query in range(7):
        wrong = [item for item in range(300) if inside_qi[query, item] and not right_qi[query, item]]
        wrong = sorted(wrong, key=lambda item: (-score_qi[query, item], item))[:3]
        assert found.item_qk[query].tolist() == wrong + [-1] * (3 - len(wrong))
        assert found.similarity_qk[query, : len(wrong)].tolist() == score_qi[query, wrong].tolist()
        right = score_qi[query][right_qi[query] & inside_qi[query]]
        assert found.similarity_q[query] == right.max()
        assert found.right_q[query] == next(
            item
            for item in range(300)
            if right_qi[query, item] and inside_qi[query, item] and score_qi[query, item] == right.max()
        )


def test_of_items_as_similar_the_lower_comes_first() -> None:
    found = found_instead(DenseScores(np.array([[0.5, 0.9, 0.9, 0.5]])), lambda part: np.zeros((1, 4), bool)[:, part])
    assert found.item_qk.tolist() == [[1, 2, 0, 3, -1]]
    assert found.right_q.tolist() == [-1]


@pytest.mark.parametrize("block_bytes", [1, 2**27])
def test_where_few_items_are_wrong_each_is_named_once(block_bytes) -> None:
    """Those of the lowest index too, in each block."""
    scores = DenseScores(np.array([[0.5, 0.9, 0.7, 0.1]]))
    found = found_instead(scores, lambda part: np.array([[False, True, False, True]])[:, part], block_bytes=block_bytes)
    assert found.item_qk.tolist() == [[2, 0, -1, -1, -1]]
    assert found.similarity_q.tolist() == [0.9]
    assert found.right_q.tolist() == [1]
