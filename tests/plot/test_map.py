"""What the map shows."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from pipelines.errors import InputError
from pipelines.plot.map import choose_color, draw_map
from pipelines.plot.style import COLORS
from pipelines.views.map import Map

SIZES = {0: 5, 1: 70, 2: 60, 3: 50, 4: 40, 5: 30, 6: 20, 7: 10, -1: 1}
GREY = "#cccccc"


@pytest.fixture
def seen() -> Map:
    """Two samples of each cluster, and two of noise; the first of each cluster is at (number, 0)."""
    cluster_n = np.repeat(list(SIZES), 2)
    place_n2 = np.stack([cluster_n, np.tile([0, 1], len(SIZES))], axis=1).astype(np.float32)
    n = len(cluster_n)
    recall_n = np.where(cluster_n < 4, cluster_n / 4, np.nan)
    return Map(
        place_n2=place_n2,
        method="by hand",
        sample_ids=[f"s{row}" for row in range(n)],
        texts=["a text"] * n,
        media_ids=[f"m{row}" for row in range(n)],
        cluster_n=cluster_n,
        overlap=False,
        size_n=np.array([SIZES[cluster] for cluster in cluster_n.tolist()]),
        recall_n=recall_n,
        cluster_recall_n=recall_n,
        rank_n=None,
        of=n,
    )


def drawn(seen, color, words=None):
    """The figure, and the points of each colour."""
    figure = Figure(figsize=(4, 4))
    draw_map(figure, seen, color, words or {})
    points = [each for each in figure.axes[0].collections if len(each.get_offsets())]
    return figure, {to_hex(each.get_facecolor()[0]): np.asarray(each.get_offsets()) for each in points}


def test_the_largest_clusters_have_a_colour_each(seen) -> None:
    figure, points = drawn(seen, "cluster", {1: "dog, grass", 3: "boat, $5"})
    assert set(points) == {*COLORS, GREY}
    for number, color in enumerate(COLORS):
        assert points[color].tolist() == [[number + 1, 0], [number + 1, 1]]
    assert sorted(set(points[GREY][:, 0])) == [-1, 0, 7]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[:4] == ["1: dog, grass (70)", "2: cluster 2 (60)", "3: boat, $5 (50)", "4: cluster 4 (40)"]
    assert legend[-1] == "3 others"
    first = figure.axes[0].texts[0]
    assert (first.get_text(), *first.get_position()) == ("1", 1, 0.5)


def test_sizes_and_recalls_have_a_scale_and_what_is_unknown_is_grey(seen) -> None:
    figure, points = drawn(seen, "size")
    assert GREY not in points
    assert figure.axes[1].get_ylim() == pytest.approx((1, 70))
    figure, points = drawn(seen, "recall")
    assert sorted(set(points[GREY][:, 0])) == [4, 5, 6, 7]
    assert figure.axes[1].get_ylim() == (0, 100)


def test_clusters_that_training_never_saw_are_the_rarest(seen) -> None:
    figure, points = drawn(dataclasses.replace(seen, size_n=seen.size_n - 1), "size")
    assert figure.axes[1].get_ylim() == pytest.approx((1, 69))
    assert sum(map(len, points.values())) == len(seen)


def test_one_cluster_is_enough(seen) -> None:
    one = dataclasses.replace(seen, cluster_n=np.zeros(len(seen), np.int64), size_n=np.full(len(seen), 9))
    assert list(drawn(one, "cluster")[1]) == [COLORS[0]]
    drawn(one, "size")[0].canvas.draw()


def test_neighborhoods_are_not_called_clusters(seen) -> None:
    neighborhoods = dataclasses.replace(seen, overlap=True)
    assert drawn(neighborhoods, "size")[0].axes[1].get_ylabel() == "training samples near"
    assert drawn(neighborhoods, "recall")[0].axes[1].get_ylabel() == "R@10 of the sample's queries (%)"


def test_neighborhoods_are_coloured_by_size(tmp_path, write_artifact) -> None:
    table = {"sample_id": list("abc"), "cluster": pa.array([0, 1, 2], pa.int32()), "cluster_size": [3, 2, 2]}
    neighborhoods = write_artifact(tmp_path / "knn.parquet", table)
    assert [choose_color(neighborhoods, color) for color in (None, "size", "recall")] == ["size", "size", "recall"]
    with pytest.raises(InputError, match=r"knn\.parquet is the neighborhood of one sample; use --color size"):
        choose_color(neighborhoods, "cluster")
    clusters = write_artifact(tmp_path / "clusters.parquet", table | {"cluster_size": [1, 1, 1]})
    assert [choose_color(clusters, color) for color in (None, "cluster", "size")] == ["cluster", "cluster", "size"]
