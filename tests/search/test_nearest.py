"""The nearest rows of a file, against all similarities at once."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.artifacts import parquet, vector_type
from pipelines.search.nearest import nearest


@pytest.mark.parametrize("group_rows", [7, 1000])
@pytest.mark.parametrize("count", [1, 10, 200])
def test_they_are_those_of_brute_force(tmp_path, monkeypatch, write_artifact, group_rows, count) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", group_rows)
    random = np.random.default_rng(1)
    vector_nd = random.standard_normal((60, 5)).astype(np.float32)
    vector_nd[40] = vector_nd[3]  # a tie, in another row group: the first row comes first
    query_qd = random.standard_normal((3, 5)).astype(np.float32)
    query_qd[0] = 2 * vector_nd[3]
    ids = [f"m{row}" for row in range(60)]
    table = {"media_id": ids, "embedding": pa.array(vector_nd.tolist(), vector_type(5))}
    path = write_artifact(tmp_path / "v.parquet", table)
    found, similarity_qk = nearest(path, query_qd, count)
    cosine_qn = [
        [float(q @ v / (np.linalg.norm(q) * np.linalg.norm(v))) for v in vector_nd.astype(np.float64)]
        for q in query_qd.astype(np.float64)
    ]
    for place, cosines in enumerate(cosine_qn):
        order = sorted(range(60), key=lambda row: (-round(cosines[row], 9), row))[:count]
        assert found[place] == [ids[row] for row in order]
        assert similarity_qk[place] == pytest.approx([cosines[row] for row in order], abs=1e-7)
    assert found[0][:2] == ["m3", "m40"][:count]
