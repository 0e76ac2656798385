"""Scores of head, middle and tail as `mmts eval` wrote them."""

import pyarrow as pa
import pytest
from tiny_world import TEXT_SIZE

from pipelines.artifacts import vector_type
from pipelines.artifacts.files import read_json, write_json
from pipelines.errors import InputError
from pipelines.evaluate import evaluate
from pipelines.views.thirds import Score, read_thirds


@pytest.fixture
def scores(world):
    folder = world.folder / "eval"
    vectors = [world.features[media_id][:TEXT_SIZE].tolist() for media_id in world.media_ids]
    table = {"media_id": world.media_ids, "embedding": pa.array(vectors, vector_type(TEXT_SIZE))}
    media = world.write(world.folder / "short.parquet", table)
    evaluate(folder, media=media, text=world.text, annotations=world.annotations, frequency=str(world.clusters))
    return folder


def test_scores_are_those_of_eval(scores) -> None:
    found = read_thirds(scores)
    written = read_json(scores / "metrics.json")["scores"]
    assert (found.name, read_thirds(scores, name="x").name) == ("eval", "x")
    assert list(found.scores) == ["recall@1", "recall@5", "recall@10"]
    for metric, by_direction in found.scores.items():
        assert set(by_direction) == {"text_to_media", "media_to_text", "mean"}
        for direction, by_segment in by_direction.items():
            for segment, score in by_segment.items():
                assert score == Score(**written[segment][direction][metric])
    assert set(found.scores["recall@5"]["mean"]) == {"overall", "head", "middle", "tail"} & set(written)
    assert {"head", "tail"} & set(found.scores["recall@5"]["mean"])


def test_a_run_holds_its_scores(scores) -> None:
    assert read_thirds(scores.parent, name="eval") == read_thirds(scores)


def test_scores_without_thirds_say_how_to_get_them(scores) -> None:
    metrics = read_json(scores / "metrics.json")
    write_json(scores / "metrics.json", metrics | {"scores": {"overall": metrics["scores"]["overall"]}})
    with pytest.raises(InputError, match=r"metrics\.json: its queries have no head and tail; score again with --freq"):
        read_thirds(scores)


@pytest.mark.parametrize("metrics", [[], {}, {"scores": {"head": {"mean": {"recall@1": {"value": 1}}}}}])
def test_other_metrics_are_refused(scores, metrics) -> None:
    write_json(scores / "metrics.json", metrics)
    with pytest.raises(InputError, match=r"metrics\.json: not the metrics of `mmts eval`; score the run again"):
        read_thirds(scores)
