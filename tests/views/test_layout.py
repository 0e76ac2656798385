"""Layouts: what is alike lies together, the same for the same seed."""

import numpy as np
import pytest

from pipelines.views import layout
from pipelines.views.layout import lay_out

GROUPS, EACH = 6, 60


@pytest.fixture(scope="module")
def groups() -> tuple[np.ndarray, np.ndarray]:
    """Vectors around six directions, of many lengths, and the group of each."""
    random = np.random.default_rng(0)
    group_n = np.repeat(np.arange(GROUPS), EACH)
    unit_nd = random.standard_normal((GROUPS, 20))[group_n] + 0.3 * random.standard_normal((len(group_n), 20))
    return unit_nd * random.uniform(0.1, 10, (len(group_n), 1)), group_n


def same_group(place_n2, group_n) -> float:
    """Share of points whose nearest other point is of their group."""
    square_nn = ((place_n2[:, None] - place_n2) ** 2).sum(axis=2)
    np.fill_diagonal(square_nn, np.inf)
    return (group_n[square_nn.argmin(axis=1)] == group_n).mean()


@pytest.mark.slow  # compiling UMAP takes seconds
@pytest.mark.parametrize("exhaustive", [20_000, 10])
def test_what_is_alike_lies_together(groups, monkeypatch, exhaustive) -> None:
    monkeypatch.setattr(layout, "_EXHAUSTIVE", exhaustive)
    vectors_nd, group_n = groups
    place_n2, method = lay_out(vectors_nd, seed=3)
    assert place_n2.shape == (GROUPS * EACH, 2)
    assert np.isfinite(place_n2).all()
    assert same_group(place_n2, group_n) == 1.0
    assert method == "UMAP of 20 principal components, 15 neighbours, 100 epochs, seed 3"
    again, _ = lay_out(vectors_nd, seed=3)
    assert (again == place_n2).all()
    other, _ = lay_out(vectors_nd, seed=4)
    assert (other != place_n2).any()


@pytest.mark.slow
def test_equal_vectors_have_places_too() -> None:
    place_n2, _ = lay_out(np.ones((40, 8)))
    assert np.isfinite(place_n2).all()


@pytest.mark.parametrize("count", [1, 2, 3, 16])
def test_few_vectors_lie_by_their_principal_components(count) -> None:
    vectors_nd = np.random.default_rng(0).standard_normal((count, 5))
    place_n2, method = lay_out(vectors_nd)
    assert method == "first two principal components"
    unit_nd = vectors_nd / np.linalg.norm(vectors_nd, axis=1, keepdims=True)
    centred_nd = unit_nd - unit_nd.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred_nd, full_matrices=False)
    expected = np.zeros((count, 2))
    expected[:, : min(2, count)] = (left * singular)[:, :2]
    assert np.abs(place_n2) == pytest.approx(np.abs(expected), abs=1e-6)
