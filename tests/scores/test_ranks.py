"""Ranks against an explicit loop, with ties, in any block size."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.scores import DenseScores, EmbeddingScores, QueryRanks, best_ranks, positive_ranks, retrieval_ranks
from pipelines.scores import ranks as ranks_module

from .oracles import ranks_of

RULES = ("index", "optimistic", "pessimistic")


def lists(query_p, item_p, queries: int) -> list[list[int]]:
    return [[int(i) for q, i in zip(query_p, item_p, strict=True) if q == query] for query in range(queries)]


def assert_same(actual: QueryRanks, expected) -> None:
    queries, ranks, tied = expected
    assert actual.query.tolist() == queries
    assert actual.rank.tolist() == ranks
    assert actual.tied.tolist() == tied


@settings(max_examples=150)
@given(st.data())
def test_ranks_equal_the_loop(data) -> None:
    n, m = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    levels = data.draw(st.integers(1, 12))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    scores_nm = rng.integers(0, levels, (n, m)).astype(data.draw(st.sampled_from([np.float32, np.float64])))
    pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, m - 1)), min_size=1, max_size=12))
    media_p, text_p = np.array(pairs).T
    rule = data.draw(st.sampled_from(RULES))
    edge = data.draw(st.integers(1, 9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks_module, "block_edge", lambda source, block_bytes: edge)
        patch.setattr(ranks_module, "QUERIES_AT_ONCE", data.draw(st.integers(1, 4)))
        to_media, to_text = retrieval_ranks(DenseScores(scores_nm), media_p, text_p, ties=rule)
    assert_same(to_text, ranks_of(scores_nm.tolist(), lists(media_p, text_p, n), rule))
    assert_same(to_media, ranks_of(scores_nm.T.tolist(), lists(text_p, media_p, m), rule))


@settings(max_examples=150)
@given(st.data())
def test_the_rank_of_every_positive_equals_the_loop(data) -> None:
    queries, items = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 9))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    scores_qi = rng.integers(0, data.draw(st.integers(1, 12)), (queries, items)).astype(np.float64)
    pair = st.tuples(st.integers(0, queries - 1), st.integers(0, items - 1))
    pairs = data.draw(st.lists(pair, min_size=1, max_size=20, unique=True))
    rule = data.draw(st.sampled_from(RULES))
    # Descending scores; within a tie as the rule says, and a query's own positives by index.
    expected, tied = [], []
    for query, item in pairs:
        own = {other for q, other in pairs if q == query}
        late = {"index": 0, "optimistic": -1, "pessimistic": 1}[rule]
        order = [i for _, _, i in sorted((-scores_qi[query, i], late * (i in own), i) for i in range(items))]
        expected.append(order.index(item) + 1)
        tied.append(any(scores_qi[query, i] == scores_qi[query, item] for i in set(range(items)) - own))
    query_p, item_p = np.array(pairs).T
    edge = data.draw(st.integers(1, 9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks_module, "block_edge", lambda source, block_bytes: edge)
        patch.setattr(ranks_module, "QUERIES_AT_ONCE", data.draw(st.integers(1, 3)))
        rank, found_tied = positive_ranks(DenseScores(scores_qi), query_p, item_p, ties=rule)
        best = best_ranks(DenseScores(scores_qi), query_p, item_p, ties=rule)
    assert (rank.tolist(), found_tied.tolist()) == (expected, tied)
    assert best.query.tolist() == sorted({query for query, _ in pairs})
    assert best.rank.tolist() == [
        min(r for r, (q, _) in zip(expected, pairs, strict=True) if q == b) for b in best.query
    ]


@pytest.mark.parametrize("normalize", [True, False])
def test_block_size_changes_no_rank_even_with_duplicates(normalize: bool) -> None:
    """500 texts of which 250 are copies, so that one lost bit in a product would break a tie."""
    rng = np.random.default_rng(1)
    text_md = rng.standard_normal((500, 129)).astype(np.float32)
    text_md[1::2] = text_md[::2]
    media_nd = (text_md + 2 * rng.standard_normal((500, 129))).astype(np.float32)
    media_nd[400:] = media_nd[:100]
    rows = np.arange(500)
    source = EmbeddingScores(media_nd, text_md, normalize=normalize)
    scores_nm = source.block(slice(None), slice(None))
    for rule in RULES:
        expected = ranks_of(scores_nm.tolist(), [[row] for row in rows], rule)
        assert all(expected[2])
        reference = retrieval_ranks(source, rows, rows, ties=rule)
        assert_same(reference[1], expected)
        for block_bytes in (1, 2**20, 2**21, 3 * 2**20, 2**30):
            for one, other in zip(
                reference, retrieval_ranks(source, rows, rows, ties=rule, block_bytes=block_bytes), strict=True
            ):
                np.testing.assert_array_equal(one.rank, other.rank)
                np.testing.assert_array_equal(one.tied, other.tied)


@pytest.mark.parametrize("factor", [0, 32, 10**9])
@pytest.mark.parametrize("spread", [0.0, 1e-6, 1e-4, 1.0])
def test_close_calls_are_left_to_exact_scores(monkeypatch, spread: float, factor: int) -> None:
    """What differs too little for float32 to tell is ranked as by the exact matrix, one by one or in blocks."""
    monkeypatch.setattr(ranks_module, "PAIRS_FACTOR", factor)
    monkeypatch.setattr(ranks_module, "QUERIES_AT_ONCE", 7)
    rng = np.random.default_rng(0)
    centre_d = rng.standard_normal(200)
    media_nd = (centre_d + spread * rng.standard_normal((40, 200))).astype(np.float32)
    text_md = (centre_d + spread * rng.standard_normal((90, 200))).astype(np.float32)
    source = EmbeddingScores(media_nd, text_md)
    exact = DenseScores(source.block(slice(None), slice(None)))
    media_p, text_p = np.arange(90) % 40, rng.permutation(90)
    for rule in RULES:
        expected = retrieval_ranks(exact, media_p, text_p, ties=rule)
        for block_bytes in (1, 2**30):
            found = retrieval_ranks(source, media_p, text_p, ties=rule, block_bytes=block_bytes)
            for one, other in zip(expected, found, strict=True):
                assert_same(other, (one.query.tolist(), one.rank.tolist(), one.tied.tolist()))


@pytest.mark.slow
def test_thread_count_changes_no_similarity() -> None:
    code = (
        "import numpy as np; from pipelines.scores import EmbeddingScores; import hashlib;"
        "rng = np.random.default_rng(0);"
        "a, b = rng.standard_normal((700, 300)), rng.standard_normal((900, 300));"
        "s = EmbeddingScores(a, b).block(slice(None), slice(None));"
        "print(hashlib.sha256(np.ascontiguousarray(s)).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(digests) == 1


def test_every_second_clip_duplicated_makes_the_rules_differ() -> None:
    """evaluation.md's example: 1,000 clips, every second one the copy of its neighbour."""
    rng = np.random.default_rng(0)
    media_nd = rng.standard_normal((1000, 64)).astype(np.float32)
    media_nd[1::2] = media_nd[::2]
    text_md = (media_nd + 3.2 * rng.standard_normal((1000, 64))).astype(np.float32)
    rows = np.arange(1000)
    recall = {}
    for rule in RULES:
        to_media, _ = retrieval_ranks(EmbeddingScores(media_nd, text_md), rows, rows, ties=rule)
        recall[rule] = (to_media.rank == 1).mean()
        assert to_media.tied.all()
    assert recall["pessimistic"] == 0 < recall["index"] < recall["optimistic"]
    assert recall["index"] == pytest.approx(recall["optimistic"] / 2, rel=0.2)


def test_best_of_several_positives_counts_and_they_do_not_tie_with_each_other() -> None:
    scores_nm = np.array([[0.5, 0.9, 0.7, 0.7, 0.7]])
    media_p, text_p = np.array([0, 0, 0, 0]), np.array([0, 2, 3, 3])
    for rule, rank in (("index", 2), ("optimistic", 2), ("pessimistic", 3)):
        _, to_text = retrieval_ranks(DenseScores(scores_nm), media_p, text_p, ties=rule)
        assert (to_text.rank.tolist(), to_text.tied.tolist()) == ([rank], [True])


def test_nan_is_an_error_naming_the_row() -> None:
    scores_nm = np.zeros((100, 3))
    scores_nm[77, 1] = np.nan
    with pytest.raises(InputError, match="NaN in row 77"):
        retrieval_ranks(DenseScores(scores_nm), np.array([0]), np.array([0]), block_bytes=1)


@pytest.mark.parametrize(
    ("media_p", "text_p", "ties", "message"),
    [
        ([], [], "index", "no pair"),
        ([2], [0], "index", "media row 2, but there are 2"),
        ([0], [-1], "index", "text row -1"),
        ([0], [0], "random", "'random' is not a rule for ties"),
    ],
)
def test_refusals(media_p, text_p, ties, message) -> None:
    with pytest.raises(InputError, match=message):
        retrieval_ranks(DenseScores(np.ones((2, 3))), np.array(media_p, int), np.array(text_p, int), ties=ties)
