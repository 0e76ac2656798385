"""Clusters that are found on a GPU: the bytes of those that cores find."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipelines.artifacts import ArtifactWriter, Provenance, with_vectors
from pipelines.cluster import neighborhoods
from pipelines.cluster.centroids import CentroidFit
from pipelines.cluster.geometry import normalised

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def mixture(rows: int = 20_000, dimensions: int = 96) -> np.ndarray:
    """Points around centres, of various lengths; some of them repeat."""
    rng = np.random.default_rng(0)
    centres_kd = rng.standard_normal((200, dimensions))[rng.integers(200, size=rows)]
    points_nd = (centres_kd + rng.standard_normal((rows, dimensions))) * rng.uniform(0.5, 2, (rows, 1))
    points_nd[-100:] = points_nd[:100]
    return points_nd.astype(np.float32)


@pytest.fixture
def embeddings(tmp_path: Path) -> Path:
    matrix_nd = mixture()
    columns = {
        "sample_id": [f"s{row}" for row in range(len(matrix_nd))],
        "split": ["train" if row % 5 else "test" for row in range(len(matrix_nd))],
    }
    table = with_vectors(pa.table(columns), matrix_nd, "x")
    with ArtifactWriter(tmp_path / "e.parquet", table.schema, Provenance("test", "0" * 32, {}, {})) as writer:
        writer.write(table)
    return tmp_path / "e.parquet"


@pytest.fixture
def same_bytes(embeddings: Path, mmts: Callable[..., Any]) -> Callable[..., bool]:
    """Whether a clustering has the same bytes on a GPU."""

    def run(*options: object) -> bool:
        written = []
        for device in ("cpu", "cuda"):
            output = embeddings.with_name(f"{device}.parquet")
            ran = mmts("cluster", embeddings, "-o", output, *options, "--device", device)
            assert ran.code == 0, ran.err
            written.append(output.read_bytes())
        return written[0] == written[1]

    return run


@pytest.mark.parametrize(
    "options",
    [
        ("--k", 300),
        ("--k", 300, "--euclidean"),
        ("--k", 1),
        ("--k", 900, "--levels", 2),
        ("--k", 20, "--max-points-per-centroid", 50),
    ],
)
def test_k_means(same_bytes: Callable[..., bool], options: tuple[object, ...]) -> None:
    assert same_bytes(*options)


@pytest.mark.parametrize("options", [("--k", 300), ("--method", "knn")])
def test_workers_of_ray(same_bytes: Callable[..., bool], options: tuple[object, ...]) -> None:
    pytest.importorskip("ray")
    assert same_bytes(*options, "--engine", "ray")


@pytest.mark.parametrize("exact_rows", [1_000, 50_000])
@pytest.mark.parametrize("neighbors", [3, 50])
def test_knn(same_bytes: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, exact_rows: int, neighbors: int) -> None:
    """With cells, and without."""
    monkeypatch.setattr(neighborhoods, "EXACT_ROWS", exact_rows)
    assert same_bytes("--method", "knn", "--neighbors", neighbors)


@pytest.mark.parametrize("spherical", [True, False])
def test_close_calls_and_overflow(spherical: bool) -> None:
    rng = np.random.default_rng(0)
    near_kd = np.repeat(normalised(rng.standard_normal((300, 384), dtype=np.float32)), 2, axis=0)
    near_kd[1::2, 0] += 1e-7
    rows_nd = rng.standard_normal((5_000, 384), dtype=np.float32)
    for scale in (1, 1e-30, 1e-20, 1e19, 1e37):
        scaled_nd = rows_nd * np.float32(scale)
        on_cores, on_gpu = (
            CentroidFit(1, spherical, device=device).nearest(scaled_nd, near_kd).tolist() for device in ("cpu", "cuda")
        )
        assert on_cores == on_gpu


@pytest.mark.parametrize("wanted", ["high", "medium"])
def test_whoever_wants_tf32_has_the_same_bytes(wanted: str) -> None:
    before = torch.get_float32_matmul_precision()
    matrix_nd = mixture()
    on_cores = CentroidFit(5, True).fit(matrix_nd, 300, 0)
    torch.set_float32_matmul_precision(wanted)
    try:
        assert CentroidFit(5, True, device="cuda").fit(matrix_nd, 300, 0).tobytes() == on_cores.tobytes()
    finally:
        torch.set_float32_matmul_precision(before)
