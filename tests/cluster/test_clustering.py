"""Sizes of clusters and the figures of their tail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cluster.clustering import describe_sizes, fitted_sizes

ROWS = st.lists(st.tuples(st.integers(-1, 6), st.booleans()), min_size=1, max_size=40)


@given(ROWS)
def test_sizes_count_fitted_rows_only(rows) -> None:
    cluster_n, fitted_n = (np.array(column) for column in zip(*rows, strict=True))
    expected = [
        1 if wanted == -1 else sum(fitted for cluster, fitted in rows if cluster == wanted) for wanted, _ in rows
    ]
    assert fitted_sizes(cluster_n, fitted_n).tolist() == expected


@given(st.lists(st.integers(1, 20), min_size=1, max_size=25))
def test_figures_equal_their_definitions(sizes) -> None:
    cluster_n = np.repeat(np.arange(len(sizes)), sizes)
    described = describe_sizes(cluster_n, np.ones(len(cluster_n), dtype=bool))
    differences = sum(abs(a - b) for a in sizes for b in sizes)
    tenth = -(-len(sizes) // 10)
    assert described["clusters"] == len(sizes)
    assert (described["largest"], described["smallest"]) == (max(sizes), min(sizes))
    assert described["gini"] == pytest.approx(differences / (2 * len(sizes) * sum(sizes)))
    assert described["top_tenth_clusters"] == tenth
    assert described["top_tenth_share"] == pytest.approx(100 * sum(sorted(sizes)[-tenth:]) / sum(sizes))


@given(st.lists(st.integers(1, 20), min_size=1, max_size=25), st.integers(1, 30))
def test_noise_is_described_as_clusters_of_one_that_are_not_counted(sizes, noise) -> None:
    apart_n = np.repeat(np.arange(len(sizes) + noise), [*sizes, *[1] * noise])
    noise_n = np.where(apart_n >= len(sizes), -1, apart_n)
    every = np.ones(len(apart_n), dtype=bool)
    assert describe_sizes(noise_n, every) == {**describe_sizes(apart_n, every), "clusters": len(sizes)}
