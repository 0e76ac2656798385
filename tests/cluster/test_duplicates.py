"""Repeated vectors and shared media, counted."""

import numpy as np
import pyarrow as pa

from pipelines.cluster.duplicates import count_distinct, describe_duplicates
from pipelines.cluster.method import Samples
from pipelines.cluster.methods.classes import ClassColumns

ROWS = np.array([[1, 0], [0, 1], [1, 0], [1, 0], [0, 1], [2, 0]], dtype=np.float32)


def test_distinct_rows() -> None:
    assert count_distinct(ROWS) == 3
    assert count_distinct(ROWS, stop=2) == 2


def test_only_fitted_vectors_count() -> None:
    samples = Samples(None, None, ROWS)
    assert describe_duplicates(samples, np.array([1, 1, 1, 0, 1, 1])) == {"repeated_vectors": 2}
    assert describe_duplicates(samples, np.array([1, 1, 0, 0, 0, 1])) == {"repeated_vectors": 0}


def test_shared_media() -> None:
    samples = Samples(None, None, ROWS, np.array([0, 0, 1, 2, 3, 4, 5, 5]))
    counted = {"repeated_vectors": 3, "media": 6, "fitted_media": 6, "shared_media": 2}
    assert describe_duplicates(samples, np.array([2, 1, 1, 1, 1, 2])) == counted


def test_classes_have_no_vectors() -> None:
    classes = ClassColumns(pa.table({"noun": [1, 1, 2]}))
    assert describe_duplicates(Samples(None, None, classes), np.ones(3, np.int64)) == {}
