"""``mmts inspect`` shows what is in the largest and the smallest clusters, in as many characters as there are."""

import json

import pyarrow as pa
import pytest

from pipelines.artifacts import LABELS
from pipelines.cluster import cluster
from pipelines.cluster.labels import write_labels

ROWS = {
    "cluster": [4, 0, 2, -1],
    "cluster_size": [1200, 30, 2, 1],
    "words": [["skateboarder", "skateboard", "ramp"], ["dog"], [], ["of", "none"]],
    "texts": [["He is skateboarding .", "In the air"], [f"A dog\n{'runs ' * 20}"], ["?"], ["noise"]],
}


@pytest.fixture
def labels(tmp_path, write_artifact):
    types = [pa.field(name, kind) for name, kind in LABELS.columns.items()]
    return write_artifact(tmp_path / "c.labels.parquet", pa.table(ROWS, schema=pa.schema(types)))


def test_labels_fit_the_terminal(mmts, labels, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    lines = [line.rstrip() for line in mmts("inspect", labels, "--rows", 2).out.split("\n\n", 2)[2].splitlines()]
    assert lines == [
        "the 2 largest of 4 clusters",
        " size  cluster  words                     nearest texts",
        "1,200        4  skateboarder,             He is skateboarding .",
        "                skateboard, ramp          In the air",
        "   30        0  dog                       A dog runs runs runs runs r…",
        "",
        "the 2 smallest of 4 clusters",
        "size  cluster  words     nearest texts",
        "   2        2            ?",
        "   1    noise  of, none  noise",
    ]


def test_no_cluster_is_shown_twice(mmts, labels) -> None:
    shown = json.loads(mmts("inspect", labels, "--rows", 3, "--json").out)["labels"]
    assert shown["clusters"] == 4
    assert [label["cluster"] for label in shown["largest"]] == [4, 0, 2]
    assert shown["smallest"] == [{name: column[3] for name, column in ROWS.items()}]


def test_clusters_are_shown_with_the_labels_beside_them(mmts, world, tmp_path) -> None:
    cluster(world.text, tmp_path / "c.parquet", k=3)
    assert "labels" not in json.loads(mmts("inspect", tmp_path / "c.parquet", "--json").out)
    write_labels(tmp_path / "c.parquet", world.annotations)
    shown = mmts("inspect", tmp_path / "c.parquet").out
    assert "\nsample_id " in shown
    assert "the 3 largest of 3 clusters" in shown
    assert "smallest" not in shown
