"""``misses.parquet``: what the worst queries found instead, through ``evaluate``."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import read_provenance, vector_type
from pipelines.evaluate import evaluate
from pipelines.evaluate.misses import Compared, miss_table
from pipelines.evaluate.query_table import Ids
from pipelines.scores.eccv import CocoTruth, Positives, score_eccv

from .kitchen import Kitchen

MEDIA = {"a": (1.0, 0.0), "b": (0.0, 1.0), "c": (0.6, 0.8), "d": (0.8, 0.6)}
TEXTS = {"a#0": (1.0, 0.0), "a#1": (0.0, 1.0), "b#0": (0.0, 1.0), "c#0": (0.6, 0.8), "d#0": (0.6, 0.8)}


@pytest.fixture
def files(tmp_path, write_artifact):
    """Four media and five texts; text ``a#1`` is that of ``b``, text ``d#0`` that of ``c``."""

    def write(name, column, of):
        vectors = pa.array([list(vector) for vector in of.values()], vector_type(2))
        return write_artifact(tmp_path / name, {column: list(of), "embedding": vectors})

    rows = {"sample_id": list(TEXTS), "text": list(TEXTS), "media_id": [each[0] for each in TEXTS]}
    return {
        "annotations": write_artifact(tmp_path / "annotations.parquet", rows),
        "media": write("media.parquet", "media_id", MEDIA),
        "text": write("text.parquet", "sample_id", TEXTS),
    }


def misses(folder) -> dict:
    table = pq.read_table(folder / "misses.parquet").to_pylist()
    rows = {(row.pop("direction"), row.pop("query_id")): row for row in table}
    assert len(rows) == len(table)
    return {
        key: (round(row["similarity"], 3), dict(zip(row["retrieved"], np.round(row["similarities"], 3), strict=True)))
        for key, row in rows.items()
    }


def test_what_is_found_instead(files, tmp_path) -> None:
    evaluate(tmp_path / "scores", **files, resamples=0)
    found = misses(tmp_path / "scores")
    # Media are in no order of the files but that of the annotations; own texts are not among what is found.
    assert found == {
        ("text_to_media", "a#1"): (0.0, {"b": 1.0, "c": 0.8, "d": 0.6}),
        ("text_to_media", "d#0"): (0.96, {"c": 1.0, "b": 0.8, "a": 0.6}),
        ("media_to_text", "b"): (1.0, {"a#1": 1.0, "c#0": 0.8, "d#0": 0.8, "a#0": 0.0}),
        ("media_to_text", "d"): (0.96, {"c#0": 0.96, "a#0": 0.8, "a#1": 0.6, "b#0": 0.6}),
    }
    right = pq.read_table(tmp_path / "scores" / "misses.parquet").select(["query_id", "right"]).to_pylist()
    assert {row["query_id"]: row["right"] for row in right} == {"a#1": "a", "d#0": "d", "b": "b#0", "d": "d#0"}
    made = [read_provenance(tmp_path / "scores" / f"{name}.parquet") for name in ("misses", "ranks")]
    assert made[0].fingerprint == made[1].fingerprint


def test_only_the_media_of_the_same_fold(files, tmp_path) -> None:
    """Folds of two media: a and b, c and d."""
    evaluate(tmp_path / "scores", **files, resamples=0, folds=2)
    assert misses(tmp_path / "scores") == {
        ("text_to_media", "a#1"): (0.0, {"b": 1.0}),
        ("text_to_media", "d#0"): (0.96, {"c": 1.0}),
        ("media_to_text", "b"): (1.0, {"a#1": 1.0, "a#0": 0.0}),
        ("media_to_text", "d"): (0.96, {"c#0": 0.96}),
    }


def test_no_misses_where_all_is_found(files, tmp_path, write_artifact) -> None:
    rows = {"sample_id": ["a#0", "b#0"], "text": ["a", "b"], "media_id": ["a", "b"]}
    write_artifact(files["annotations"], rows)
    assert not evaluate(tmp_path / "scores", **files, resamples=0).up_to_date
    assert misses(tmp_path / "scores") == {}
    assert evaluate(tmp_path / "scores", **files, resamples=0).up_to_date


def test_what_is_fully_relevant_is_not_wrong(tmp_path, write_artifact) -> None:
    kitchen = Kitchen(tmp_path, write_artifact)
    evaluate(tmp_path / "scores", **kitchen.files(), protocol="ek100", resamples=0)
    classes = {clip: (kitchen.verb[row], tuple(kitchen.nouns[row])) for row, clip in enumerate(kitchen.clips)}
    vector = dict(zip(kitchen.clips, kitchen.media, strict=True)), dict(zip(kitchen.clips, kitchen.text, strict=True))
    found = misses(tmp_path / "scores")
    assert {direction for direction, _ in found} == {"text_to_media", "media_to_text"}
    sentences = [clip for row, clip in enumerate(kitchen.clips) if kitchen.sentence[row]]
    for (direction, query), (_, instead) in found.items():
        query = query.removeprefix("clip ")
        of_query, of_item = (1, 0) if direction == "text_to_media" else (0, 1)
        items = kitchen.clips if direction == "text_to_media" else sentences
        unit = {clip: v / np.linalg.norm(v) for clip, v in vector[of_item].items()}
        score = {item: float(unit[item] @ vector[of_query][query]) for item in items if classes[item] != classes[query]}
        expected = sorted(score, key=lambda item: -score[item])[:5]
        assert [item.removeprefix("clip ") for item in instead] == expected


def test_what_a_ground_truth_lists_is_not_wrong() -> None:
    """ECCV Caption lists images a and b for caption x, and CxC image d; for image c captions y and z."""
    media_nd, text_md = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]]), np.array([[1, 0], [0, 1], [0, 1], [0, 1]])

    def positives(query, *items):
        return Positives(np.full(len(items), query), np.array(items), np.bincount([query] * len(items), minlength=4))

    eccv = {"text_to_media": positives(1, 0, 1), "media_to_text": positives(2, 2)}
    cxc = {"text_to_media": positives(1, 3), "media_to_text": positives(2, 3)}
    truth = CocoTruth(np.arange(4), np.zeros(4, dtype=np.int64), cxc, eccv)
    evaluation = score_eccv(media_nd, text_md, truth, resamples=0)
    ids = Ids(pa.array(list("abcd")), pa.array(list("wxyz")))
    both = {name: (eccv[name], cxc[name]) for name in eccv}
    compared = Compared(media_nd, text_md, truth.text_media_index, positives=both)
    rows = miss_table(evaluation, ids, compared, 2**20).to_pylist()
    found = [(row["query_id"], row["retrieved"], round(row["similarity"], 3)) for row in rows]
    assert found == [("x", ["c"], 0.8), ("c", ["x", "w"], 1.0)]
