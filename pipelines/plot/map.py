"""The map of the samples, coloured by cluster, by how frequent each one's kind is, or by how well it is found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines.artifacts import read_clusters
from pipelines.errors import InputError
from pipelines.plot.style import COLORS, HALO, MARKERS, legend_above, set_height, show_counts
from pipelines.views.found import FOUND_WITHIN
from pipelines.views.map import Map
from pipelines.views.tail import overlap

Color = Literal["cluster", "size", "recall"]

_REST = "#cccccc"
_NAMED = len(COLORS)  # clusters that are coloured: more colours than that can't be told apart
_AREA = 30_000.0  # square points that all samples together take, each within these limits
_SMALLEST, _LARGEST = 0.2, 12.0


def choose_color(clusters: Path, color: Color | None) -> Color:
    """What a map of clusters is coloured by: ``cluster`` by default, ``size`` where each is one sample's neighborhood.

    Raises:
        InputError: The file can't be used, or neighborhoods are to be told apart.
    """
    table = read_clusters(clusters)
    neighborhoods = overlap(table.column("cluster").to_numpy(), table.column("cluster_size").to_numpy())
    if neighborhoods and color == "cluster":
        raise InputError(
            f"--color cluster: each cluster of {clusters} is the neighborhood of one sample; use --color size"
        )
    return color or ("size" if neighborhoods else "cluster")


def draw_map(figure: Figure, seen: Map, color: Color, words: Mapping[int, str]) -> None:
    """Draw a point for each sample, as pixels also in .svg and .pdf: there may be a hundred thousand.

    Args:
        figure: The figure.
        seen: The map, with clusters; for ``recall`` with scores.
        color: ``cluster``: the largest ones have a colour and a number each; ``size``: training samples in the
            cluster; ``recall``: share of the cluster's queries that found their own.
        words: What to call clusters, by number; those that aren't there go by their number.
    """
    set_height(figure, 0.75)
    axes = figure.subplots()
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xticks=(), yticks=())
    axes.margins(0.02)
    axes.spines[:].set_visible(False)
    area = float(np.clip(_AREA / len(seen), _SMALLEST, _LARGEST))
    if color == "cluster":
        _draw_clusters(figure, axes, seen, words, area)
    elif color == "size":
        assert seen.size_n is not None
        size_n = np.maximum(seen.size_n, 1).astype(np.float64)  # unseen in training: the rarest there are
        points = _draw_values(axes, seen, size_n, LogNorm(), area)
        bar = figure.colorbar(
            points, shrink=0.7, label=f"training samples {'near' if seen.overlap else 'in the cluster'}"
        )
        show_counts(bar.ax.yaxis, log=(size_n.min(), size_n.max()))
    else:
        assert seen.cluster_recall_n is not None
        points = _draw_values(axes, seen, 100 * seen.cluster_recall_n, Normalize(0, 100), area)
        whose = "sample" if seen.overlap else "cluster"
        figure.colorbar(points, shrink=0.7, label=f"R@{FOUND_WITHIN} of the {whose}'s queries (%)")


def _draw_clusters(figure: Figure, axes: Axes, seen: Map, words: Mapping[int, str], area: float) -> None:
    assert seen.cluster_n is not None
    assert seen.size_n is not None
    cluster_k, first_k = np.unique(seen.cluster_n, return_index=True)
    size_k = np.where(cluster_k < 0, 0, seen.size_n[first_k])  # noise is no cluster
    named = [row for row in np.argsort(-size_k, kind="stable")[:_NAMED] if cluster_k[row] >= 0]
    rest_n = ~np.isin(seen.cluster_n, cluster_k[named])
    drawn: dict[str, Any] = {}
    for number, row in enumerate(named):
        cluster, size = int(cluster_k[row]), int(size_k[row])
        name = f"{number + 1}: {words.get(cluster, f'cluster {cluster}')} ({size:,})"
        place_m2 = seen.place_n2[seen.cluster_n == cluster]
        style: dict[str, Any] = {"color": COLORS[number], "marker": MARKERS[number % len(MARKERS)]}
        _draw_points(axes, place_m2, area * 1.5, zorder=2, **style)
        x, y = np.median(place_m2, axis=0)
        axes.text(x, y, str(number + 1), ha="center", va="center", bbox=HALO, zorder=3)
        drawn[name] = axes.scatter([], [], s=16, **style)
    if rest_n.any():
        _draw_points(axes, seen.place_n2[rest_n], area, color=_REST, zorder=1)
        drawn[f"{len(cluster_k) - len(named):,} others"] = axes.scatter([], [], s=16, color=_REST)
    legend_above(figure, drawn)


def _draw_values(axes: Axes, seen: Map, value_n: NDArray[np.float64], norm: Normalize, area: float) -> Any:
    """Points coloured by a value, those without one in grey; the dark ones, which are low, on top."""
    known_n = np.isfinite(value_n)
    _draw_points(axes, seen.place_n2[~known_n], area, color=_REST)
    order = np.flatnonzero(known_n)[np.argsort(-value_n[known_n], kind="stable")]
    return _draw_points(axes, seen.place_n2[order], area, c=value_n[order], norm=norm, cmap="cividis")


def _draw_points(axes: Axes, place_n2: NDArray[np.float32], area: float, **style: Any) -> Any:
    return axes.scatter(place_n2[:, 0], place_n2[:, 1], s=area, linewidths=0, rasterized=True, **style)
