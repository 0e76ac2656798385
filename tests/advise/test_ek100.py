"""The instability that advice is about, on the narrations of EPIC-KITCHENS-100."""

import numpy as np
import pytest

from pipelines.advise import Settings, advise
from pipelines.annotations import prepare_table
from pipelines.artifacts import read_vectors
from pipelines.embed import embed


@pytest.mark.slow
def test_shifts_of_two_seeds_differ_as_known(data_dir, tmp_path) -> None:
    """Pearson's correlation of linear shifts between seeds, and of means of 8: known as .31 .26 .43 .64 .94, and .87.

    Those were of two seeds each. Here they are means of 28 pairs, for k = 1000 of 3, so the known values are in the
    range of the pairs or near it.
    """
    annotations, embeddings = tmp_path / "a.parquet", tmp_path / "e.parquet"
    source = data_dir / "ek100" / "EPIC_100_retrieval_test.csv"
    prepare_table(source, annotations, text_column="narration", id_column="narration_id")
    embed(annotations, embeddings)
    assert read_vectors(embeddings).matrix_nd.shape == (9_668, 384)
    found = advise(embeddings, settings=Settings((20, 50, 100, 300), 8, "linear", sample=1_000))
    thousand = advise(embeddings, settings=Settings((1000,), 3, "linear", sample=1_000))
    shifts = {(each["k"], each["averaged"]): each for each in (*found["shifts"], *thousand["shifts"])}
    known = {20: 0.31, 50: 0.26, 100: 0.43, 300: 0.64, 1000: 0.94}
    for k, value in known.items():
        correlation = shifts[k, 1]["correlation"]
        assert correlation["low"] - 0.02 <= value <= correlation["high"] + 0.02, k
        assert correlation["value"] == pytest.approx(value, abs=0.13), k
    means = [shifts[k, 1]["correlation"]["value"] for k in known]
    assert np.all(np.diff(means[1:]) > 0)
    four = shifts[100, 4]["correlation"]["value"]
    assert 2 * four / (1 + four) == pytest.approx(0.87, abs=0.03)  # means of 8, predicted
    assert found["advice"]["clusterings"] is None or found["advice"]["clusterings"] > 1
