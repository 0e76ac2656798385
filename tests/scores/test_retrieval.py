"""Protocols pairs and captions, end to end on arrays."""

import json

import numpy as np
import pytest

from pipelines.errors import InputError
from pipelines.scores import EmbeddingScores, score_retrieval

from .oracles import rank_metrics, ranks_of


def made_embeddings(media: int, captions: int, *, seed: int = 0, noise: float = 3.0):
    """Captions near their image, in an order in which they are not contiguous."""
    rng = np.random.default_rng(seed)
    media_nd = rng.standard_normal((media, 24)).astype(np.float32)
    index_m = rng.permutation(np.repeat(np.arange(media), captions))
    text_md = (media_nd[index_m] + noise * rng.standard_normal((len(index_m), 24))).astype(np.float32)
    return media_nd, text_md, index_m


def loop_scores(media_nd, text_md, index_m, ties: str = "index"):
    """Rank metrics of both directions."""
    scores_nm = EmbeddingScores(media_nd, text_md).block(slice(None), slice(None))
    captions = [np.flatnonzero(index_m == row).tolist() for row in range(len(media_nd))]
    _, to_media, _ = ranks_of(scores_nm.T.tolist(), [[row] for row in index_m.tolist()], ties)
    _, to_text, _ = ranks_of(scores_nm.tolist(), captions, ties)
    return {"text_to_media": rank_metrics(to_media), "media_to_text": rank_metrics(to_text)}


def values(scores) -> dict[str, dict[str, float]]:
    return {
        direction: {metric: entry["value"] for metric, entry in metrics.items()}
        for direction, metrics in scores.items()
        if direction != "mean"
    }


def assert_close(actual, expected) -> None:
    for direction, metrics in expected.items():
        assert actual[direction] == pytest.approx(metrics, rel=1e-13)


@pytest.mark.parametrize("captions", [1, 5])
@pytest.mark.parametrize("ties", ["index", "optimistic", "pessimistic"])
def test_scores_equal_the_loop(captions: int, ties: str) -> None:
    media_nd, text_md, index_m = made_embeddings(40, captions)
    text_md[1::2] = text_md[::2]
    evaluation = score_retrieval(media_nd, text_md, index_m, ties=ties, resamples=0)
    assert_close(values(evaluation.scores["overall"]), loop_scores(media_nd, text_md, index_m, ties))


def test_folds_are_contiguous_and_averaged() -> None:
    media_nd, text_md, index_m = made_embeddings(50, 5)
    evaluation = score_retrieval(media_nd, text_md, index_m, folds=5, resamples=10)
    folds = []
    for start in range(0, 50, 10):
        inside = (index_m >= start) & (index_m < start + 10)
        folds.append(loop_scores(media_nd[start : start + 10], text_md[inside], index_m[inside] - start))
    expected = {
        direction: {metric: np.mean([fold[direction][metric] for fold in folds]) for metric in metrics}
        for direction, metrics in folds[0].items()
    }
    assert_close(values(evaluation.scores["overall"]), expected)
    queries = evaluation.queries["text_to_media"]
    assert queries.query.tolist() == list(range(250))
    assert queries.fold.tolist() == (index_m // 10).tolist()
    single = score_retrieval(media_nd, text_md, index_m, resamples=0)
    assert (queries.values["rank"] <= single.queries["text_to_media"].values["rank"]).all()


def test_thirds_follow_the_samples() -> None:
    """Nine texts of sizes 1..9: edges 4 and 7. Media own (1, 9), (2, 3), (4, 8), (5, 6), (7,)."""
    media_nd, text_md, _ = made_embeddings(9, 1)
    index_m = np.array([0, 1, 1, 2, 3, 3, 4, 2, 0])
    evaluation = score_retrieval(media_nd[:5], text_md, index_m, cluster_size=np.arange(1, 10), resamples=5)
    assert evaluation.edges == (4, 7)
    assert evaluation.queries["text_to_media"].third.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert evaluation.queries["media_to_text"].cluster_size.tolist() == [5, 2.5, 6, 5.5, 7]
    assert evaluation.queries["media_to_text"].third.tolist() == [1, 0, 1, 1, 2]
    rank = evaluation.queries["text_to_media"].values["rank"]
    assert evaluation.scores["tail"]["text_to_media"]["mean_rank"]["value"] == pytest.approx(rank[:3].mean())
    assert evaluation.metrics()["thirds"] == {
        "edges": [4.0, 7.0],
        "text_to_media": {"head": 3, "middle": 3, "tail": 3},
        "media_to_text": {"head": 1, "middle": 3, "tail": 1},
    }


def test_metrics_are_what_metrics_json_holds() -> None:
    media_nd, text_md, index_m = made_embeddings(20, 2)
    sizes = np.random.default_rng(0).integers(1, 50, 40)
    metrics = score_retrieval(media_nd, text_md, index_m, cluster_size=sizes, resamples=20).metrics()
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert metrics["protocol"] == "captions"
    assert metrics["queries"] == {"text_to_media": 40, "media_to_text": 20}
    assert metrics["ties"] == {"rule": "index", "text_to_media": 0, "media_to_text": 0}
    assert set(metrics["scores"]) == {"overall", "head", "middle", "tail"}
    for directions in metrics["scores"].values():
        assert set(directions) == {"text_to_media", "media_to_text", "mean"}
        for entries in directions.values():
            assert set(entries) == {"recall@1", "recall@5", "recall@10", "median_rank", "mean_rank"}
            assert all(set(entry) == {"value", "low", "high"} for entry in entries.values())
    entry = metrics["scores"]["overall"]["text_to_media"]["recall@10"]
    assert entry["low"] < entry["value"] < entry["high"]


def test_the_same_seed_gives_the_same_intervals_in_any_block_size() -> None:
    arguments = made_embeddings(100, 5)
    first = score_retrieval(*arguments, resamples=50, seed=1)
    assert score_retrieval(*arguments, resamples=50, seed=1, block_bytes=1).scores == first.scores
    assert score_retrieval(*arguments, resamples=50, seed=2).scores != first.scores


def test_media_without_texts_are_gallery_only() -> None:
    media_nd, text_md, index_m = made_embeddings(10, 3)
    index_m[index_m == 4] = 5
    evaluation = score_retrieval(media_nd, text_md, index_m, resamples=5)
    assert 4 not in evaluation.queries["media_to_text"].query
    assert evaluation.metrics()["queries"] == {"text_to_media": 30, "media_to_text": 9}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": "pairs"}, "media row 0 has 3: use protocol captions"),
        ({"protocol": "ek"}, "protocol 'ek' is unknown"),
        ({"folds": 3}, "3 folds don't divide 10 media"),
        ({"text_media_index": np.arange(30)}, "text row 10 names media row 10"),
        ({"text_media_index": np.arange(5)}, "30 texts but"),
    ],
)
def test_refusals(change, message) -> None:
    media_nd, text_md, index_m = made_embeddings(10, 3)
    arguments = {"media_nd": media_nd, "text_md": text_md, "text_media_index": index_m} | change
    with pytest.raises(InputError, match=message):
        score_retrieval(**arguments)
