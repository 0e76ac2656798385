"""What each rule makes of the sizes, by hand and on EPIC-KITCHENS."""

import csv
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from pipelines.views.shifts import read_shift_rules


@pytest.fixture
def clusters_of(tmp_path, write_artifact):
    """A clusters file with clusters of these sizes."""

    def write(sizes):
        cluster = np.repeat(np.arange(len(sizes)), sizes)
        table = {
            "sample_id": [f"s{row}" for row in range(len(cluster))],
            "cluster": pa.array(cluster, pa.int32()),
            "cluster_size": np.repeat(sizes, sizes),
        }
        return write_artifact(tmp_path / "clusters.parquet", table)

    return write


def test_shifts_and_histograms_by_hand(clusters_of) -> None:
    found = read_shift_rules(clusters_of([1, 1, 10, 100]))
    assert found.size_u.tolist() == [1, 10, 100]
    assert found.edges == pytest.approx(np.arange(11) / 10)
    assert {name: rule.shift_u.tolist() for name, rule in found.rules.items()} == {
        "linear": [0, pytest.approx(9 / 99), 1],
        "log": [0, pytest.approx(0.5), 1],
        "rank": [0, 0.5, 1],
    }
    assert found.rules["linear"].samples_b.tolist() == [12, 0, 0, 0, 0, 0, 0, 0, 0, 100]
    assert found.rules["linear"].clusters_b.tolist() == [3, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert found.rules["rank"].samples_b.tolist() == [2, 0, 0, 0, 0, 10, 0, 0, 0, 100]


def test_the_range_may_be_that_of_the_shifts(clusters_of) -> None:
    found = read_shift_rules(clusters_of([1, 4]), minimum=0.05, maximum=0.2)
    assert found.rules["log"].shift_u.tolist() == [0.05, 0.2]
    assert found.rules["log"].samples_b.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 4]


def test_the_linear_rule_leaves_most_at_the_bottom_on_epic_kitchens(clusters_of, data_dir) -> None:
    with (data_dir / "ek100" / "EPIC_100_train_classes.csv").open() as file:
        rows = list(csv.DictReader(file))
    for columns, classes, samples in ((("noun_class",), 82, 24), (("verb_class", "noun_class"), 98, 56)):
        sizes = Counter(tuple(row[name] for name in columns) for row in rows)
        rule = read_shift_rules(clusters_of(list(sizes.values()))).rules["linear"]
        shares = (100 * counts[0] / counts.sum() for counts in (rule.clusters_b, rule.samples_b))
        assert tuple(shares) == pytest.approx((classes, samples), abs=1)
