"""Centroids by faiss's k-means, and the nearest of them."""

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CentroidFit:
    """How centroids are fitted.

    Attributes:
        seed: Seed of the initial centroids.
        niter: Iterations.
        spherical: Whether centroids are directions, the nearest being that of the highest cosine similarity; rows then
            have unit length.
        max_points_per_centroid: Fit on a sample of at most this many rows a centroid; on all if None.
    """

    seed: int
    niter: int
    spherical: bool
    max_points_per_centroid: int | None = None

    def fit(
        self, rows_md: NDArray[np.float32], k: int, start_kd: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """(k, d) centroids of rows, at least k of which are distinct; from rows, or from given centroids."""
        model = faiss.Kmeans(
            rows_md.shape[1],
            k,
            niter=self.niter,
            seed=self.seed,
            spherical=self.spherical,
            min_points_per_centroid=1,
            max_points_per_centroid=self.max_points_per_centroid or len(rows_md),
        )
        model.train(rows_md, init_centroids=start_kd)
        return np.asarray(model.centroids)

    def nearest(self, rows_nd: NDArray[np.float32], centroids_kd: NDArray[np.float32]) -> NDArray[np.int64]:
        """(n,) the centroid nearest to each row."""
        index = (faiss.IndexFlatIP if self.spherical else faiss.IndexFlatL2)(rows_nd.shape[1])
        index.add(centroids_kd)
        _, nearest_n1 = index.search(rows_nd, 1)
        return np.asarray(nearest_n1[:, 0], dtype=np.int64)
