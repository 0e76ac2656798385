"""Similarities: exact products, the same in every block shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.scores.similarity import DenseScores, EmbeddingScores, block_edge


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_close_to_float64_products(normalize: bool, dtype: type) -> None:
    rng = np.random.default_rng(0)
    media_nd = (rng.standard_normal((7, 33)) * 10.0 ** rng.integers(-3, 4, (7, 1))).astype(dtype)
    text_md = rng.standard_normal((5, 33)).astype(dtype)
    scores_nm = EmbeddingScores(media_nd, text_md, normalize=normalize).block(slice(None), slice(None))
    for row in range(7):
        for column in range(5):
            a, b = media_nd[row].astype(np.float64), text_md[column].astype(np.float64)
            lengths = np.sqrt(a @ a) * np.sqrt(b @ b)
            expected = a @ b / (lengths if normalize else 1.0)
            assert scores_nm[row, column] == pytest.approx(expected, abs=5e-8 * (1.0 if normalize else lengths))


@settings(max_examples=60)
@given(
    n=st.integers(1, 40),
    m=st.integers(1, 40),
    d=st.integers(1, 700),
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    normalize=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_blocks_pairs_and_orders_agree_to_the_last_bit(
    n: int, m: int, d: int, rows: int, columns: int, normalize: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    media_nd = rng.standard_normal((n, d)).astype(np.float32)
    text_md = rng.standard_normal((m, d)).astype(np.float32)
    source = EmbeddingScores(media_nd, text_md, normalize=normalize)
    whole_nm = source.block(slice(None), slice(None))
    for row in range(0, n, rows):
        for column in range(0, m, columns):
            part = slice(row, row + rows), slice(column, column + columns)
            np.testing.assert_array_equal(source.block(*part), whole_nm[part])
    row_p, column_p = rng.integers(0, n, 50), rng.integers(0, m, 50)
    np.testing.assert_array_equal(source.pairs(row_p, column_p), whole_nm[row_p, column_p])
    order = rng.permutation(d)
    shuffled = EmbeddingScores(media_nd[:, order], text_md[:, order], normalize=normalize)
    np.testing.assert_array_equal(shuffled.block(slice(None), slice(None)), whole_nm)


@pytest.mark.parametrize("d", [1, 3, 64, 2000])
def test_rough_scores_are_off_by_no_more_than_they_say(d: int) -> None:
    rng = np.random.default_rng(d)
    media_nd, text_md = rng.random((30, d)) + 0.01, rng.random((50, d)) + 0.01  # of one sign: errors add up
    source = EmbeddingScores(media_nd, text_md)
    rough_nm, slack = source.rough(slice(0, 30), slice(10, 50))
    assert rough_nm.dtype == np.float32
    assert np.abs(rough_nm - source.block(slice(0, 30), slice(10, 50))).max() <= slack < 2e-7 * (d + 4)
    raw_nm, none = EmbeddingScores(1e30 * media_nd, text_md, normalize=False).rough(slice(0, 30), slice(0, 50))
    assert none == 0
    assert raw_nm.dtype == np.float64


def test_equal_texts_tie_exactly() -> None:
    rng = np.random.default_rng(3)
    media_nd = rng.standard_normal((301, 515)).astype(np.float32)
    text_md = np.repeat(rng.standard_normal((60, 515)).astype(np.float32), 2, axis=0)
    scores_nm = EmbeddingScores(media_nd, text_md).block(slice(None), slice(0, 119))
    np.testing.assert_array_equal(scores_nm[:, 0:118:2], scores_nm[:, 1:118:2])


def test_block_edge_keeps_the_bound() -> None:
    source = EmbeddingScores(np.ones((2, 512)), np.ones((2, 512)))
    for bound in (2**22, 2**27, 2**30):
        edge = block_edge(source, bound)
        assert 10 * edge**2 + 40 * 512 * edge <= bound < 10 * (edge + 2) ** 2 + 40 * 512 * (edge + 2)
    assert block_edge(source, 1) == 64


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_values_name_their_rows(value: float) -> None:
    media_nd, text_md = np.ones((4, 3), np.float32), np.ones((9, 3), np.float32)
    text_md[[2, 7], 1] = value
    with pytest.raises(InputError, match=r"text embeddings hold NaN or infinite values in 2 rows \(2, 7\)"):
        EmbeddingScores(media_nd, text_md)
    with pytest.raises(InputError, match=r"media embeddings hold NaN or infinite values in 2 rows \(2, 7\)"):
        EmbeddingScores(text_md, media_nd, normalize=False)


def test_rows_without_direction_are_refused() -> None:
    media_nd = np.ones((4, 3), np.float32)
    media_nd[3] = 0
    with pytest.raises(InputError, match="media embeddings hold only zeros and have no direction in row 3"):
        EmbeddingScores(media_nd, np.ones((2, 3), np.float32))
    scores_nm = EmbeddingScores(media_nd, np.ones((2, 3)), normalize=False).block(slice(None), slice(None))
    np.testing.assert_array_equal(scores_nm, [[3, 3], [3, 3], [3, 3], [0, 0]])


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(InputError, match="same number of columns"):
        EmbeddingScores(np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(InputError, match="nothing to score"):
        EmbeddingScores(np.ones((0, 3)), np.ones((4, 3)))


def test_dense_nan_names_its_rows() -> None:
    scores_nm = np.zeros((10, 4), np.float32)
    scores_nm[[6, 8], 2] = np.nan
    with pytest.raises(InputError, match=r"NaN in 2 rows \(6, 8\)"):
        DenseScores(scores_nm).block(slice(4, 10), slice(0, 4))
    assert DenseScores(scores_nm).block(slice(0, 6), slice(0, 4)).shape == (6, 4)
