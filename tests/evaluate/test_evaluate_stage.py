"""``eval``: a run or two embeddings files, against explicit loops over float64 similarities."""

import json
import math
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file
from tiny_world import CLUSTER_SIZES, SPLITS

from pipelines.artifacts import open_parquet, read_provenance, vector_type
from pipelines.errors import InputError
from pipelines.evaluate import evaluate
from pipelines.scores.ranks import WORKERS
from pipelines.train import train

DIRECTIONS = ("text_to_media", "media_to_text")
METRICS = {"recall@1", "recall@5", "recall@10", "median_rank", "mean_rank"}


def unit(vector) -> np.ndarray:
    vector = np.asarray(vector, dtype=np.float64)
    return vector / math.sqrt(sum(vector**2))


def ranks_by_hand(media: dict, texts: dict, media_of) -> dict[str, dict[str, int]]:
    """Ranks of each query of both directions, by id; no ties."""
    similarity = {(text, medium): float(unit(texts[text]) @ unit(media[medium])) for text in texts for medium in media}
    to_media = {
        text: 1 + sum(similarity[text, other] > similarity[text, media_of(text)] for other in media) for text in texts
    }
    to_text = {}
    for medium in dict.fromkeys(media_of(text) for text in texts):
        best = max(similarity[text, medium] for text in texts if media_of(text) == medium)
        to_text[medium] = 1 + sum(similarity[text, medium] > best for text in texts)
    return {"text_to_media": to_media, "media_to_text": to_text}


def metrics_by_hand(ranks) -> dict[str, float]:
    ranks = sorted(ranks)
    middle = len(ranks) // 2
    median = ranks[middle] if len(ranks) % 2 else (ranks[middle - 1] + ranks[middle]) / 2
    recalls = {f"recall@{k}": 100 * sum(rank <= k for rank in ranks) / len(ranks) for k in (1, 5, 10)}
    return {**recalls, "median_rank": median, "mean_rank": sum(ranks) / len(ranks)}


def values(scores) -> dict:
    return {name: score["value"] for name, score in scores.items()}


def rows(folder) -> dict[str, list]:
    return pq.read_table(folder / "ranks.parquet").to_pydict()


def ranks_of(folder, direction) -> dict[str, int]:
    found = rows(folder)
    return {
        query: rank
        for query, rank, to in zip(found["query_id"], found["rank"], found["direction"], strict=True)
        if to == direction
    }


@pytest.fixture
def spaces(world):
    """Two embeddings files of one space: the texts' latent vectors with noise, and media that are near."""
    random = np.random.default_rng(1)
    media = {each: random.standard_normal(6) for each in world.media_ids}
    texts = {each: media[world.media_of(each)] + 1.5 * random.standard_normal(6) for each in world.sample_ids}

    def write(name, key, of):
        embedding = pa.array([vector.astype(np.float32).tolist() for vector in of.values()], vector_type(6))
        return world.write(world.folder / name, {key: list(of), "embedding": embedding})

    files = {
        "media": write("space-media.parquet", "media_id", media),
        "text": write("space-text.parquet", "sample_id", texts),
        "annotations": world.annotations,
    }
    return files, media, texts


def of_split(world, split, media, texts):
    samples = world.samples(split)
    return {world.media_of(each): media[world.media_of(each)] for each in samples}, {
        each: texts[each] for each in samples
    }


def test_two_files_by_an_explicit_loop(world, spaces) -> None:
    files, media, texts = spaces
    result = evaluate(world.folder / "s", **files, resamples=0)
    expected = ranks_by_hand(*of_split(world, "test", media, texts), world.media_of)
    scores = result.summary["scores"]["overall"]
    for direction in DIRECTIONS:
        assert ranks_of(world.folder / "s", direction) == expected[direction]
        assert len(set(expected[direction].values())) > 3  # else this shows little
        assert values(scores[direction]) == pytest.approx(metrics_by_hand(expected[direction].values()))
    for name in METRICS:
        both = [scores[direction][name]["value"] for direction in DIRECTIONS]
        assert scores["mean"][name]["value"] == pytest.approx(sum(both) / 2)
    assert "thirds" not in result.summary


def test_a_run_by_an_explicit_loop(world) -> None:
    train(world.config("run"))
    evaluate(world.folder / "s", run=world.folder / "run", resamples=0)
    weights = {k: v.astype(np.float64) for k, v in load_file(world.folder / "run/model/heads.safetensors").items()}

    def through(side, vectors):
        return {key: weights[f"{side}_head.weight"] @ v + weights[f"{side}_head.bias"] for key, v in vectors.items()}

    media, texts = of_split(world, "test", world.features, world.texts)
    expected = ranks_by_hand(through("media", media), through("text", texts), world.media_of)
    for direction in DIRECTIONS:
        assert ranks_of(world.folder / "s", direction) == expected[direction]


def test_thirds_by_an_explicit_loop(world, spaces) -> None:
    files, media, texts = spaces
    metrics = evaluate(world.folder / "s", **files, frequency=world.clusters, resamples=0).summary
    split_media, split_texts = of_split(world, "test", media, texts)
    expected = ranks_by_hand(split_media, split_texts, world.media_of)
    size = {each: CLUSTER_SIZES[world.cluster[each]] for each in split_texts}
    size |= {each: size[f"{each}#0"] for each in split_media}
    low, high = metrics["thirds"]["edges"]
    third = {each: "tail" if size[each] < low else "middle" if size[each] < high else "head" for each in size}
    assert set(third.values()) == {"tail", "middle", "head"}
    for direction in DIRECTIONS:
        for name in ("head", "middle", "tail"):
            ranks = [rank for each, rank in expected[direction].items() if third[each] == name]
            assert metrics["thirds"][direction][name] == len(ranks)
            assert values(metrics["scores"][name][direction]) == pytest.approx(metrics_by_hand(ranks))
    found = rows(world.folder / "s")
    assert found["third"] == [third[each] for each in found["query_id"]]
    assert found["cluster_size"] == [size[each] for each in found["query_id"]]


def test_the_json_has_the_structure_it_is_said_to_have(world, spaces) -> None:
    files, _, _ = spaces
    result = evaluate(world.folder / "s", **files, frequency=world.shifts, resamples=50)
    written = json.loads((world.folder / "s" / "metrics.json").read_text())
    assert written == result.summary
    assert {"protocol", "queries", "ties", "scores"} <= set(written)
    assert written["protocol"] == "captions"
    assert written["queries"] == {"text_to_media": 2 * SPLITS["test"], "media_to_text": SPLITS["test"]}
    assert written["ties"] == {"rule": "index", "text_to_media": 0, "media_to_text": 0}
    assert {"overall", "head", "middle", "tail"} <= set(written["scores"])
    for segment in ("overall", "head", "middle", "tail"):
        assert set(written["scores"][segment]) == {*DIRECTIONS, "mean"}
        for by_metric in written["scores"][segment].values():
            assert set(by_metric) == METRICS
            for name, score in by_metric.items():
                assert set(score) == {"value", "low", "high"}
                assert score["low"] <= score["value"] <= score["high"]
                assert (0 <= score["value"] <= 100) if "@" in name else score["value"] >= 1
    overall = written["scores"]["overall"]["text_to_media"]["recall@5"]
    assert overall["low"] < overall["high"]


def test_the_ranks_file_has_a_row_a_query_and_says_what_made_it(world, spaces) -> None:
    files, _, _ = spaces
    evaluate(world.folder / "s", **files, frequency=world.shifts, resamples=0)
    found = rows(world.folder / "s")
    wanted = ["query_id", "direction", "rank", "cluster_size", "third", "media_id", "tied"]
    assert list(found)[: len(wanted)] == wanted
    samples, media = world.samples("test"), {world.media_of(each) for each in world.samples("test")}
    by_direction = {name: [] for name in DIRECTIONS}
    for query, direction, medium in zip(found["query_id"], found["direction"], found["media_id"], strict=True):
        by_direction[direction].append(query)
        assert medium == (world.media_of(query) if direction == "text_to_media" else query)
    assert sorted(by_direction["text_to_media"]) == sorted(samples)
    assert sorted(by_direction["media_to_text"]) == sorted(media)
    assert set(found["tied"]) == {False}
    provenance = read_provenance(world.folder / "s" / "ranks.parquet")
    assert provenance is not None
    assert (provenance.stage, provenance.rows) == ("eval", len(samples) + len(media))


@pytest.fixture
def twins(world):
    """Pairs on the axes of a plane: two media and two texts on the one, one of each on the other; all in one split."""
    ids, axes = ["a", "b", "c"], [[1, 0], [1, 0], [0, 1]]
    embedding = pa.array(axes, pa.list_(pa.float32(), 2))
    write, folder = world.write, world.folder
    return {
        "annotations": write(folder / "twins.parquet", {"sample_id": ids, "text": ids}),
        "media": write(folder / "twins-media.parquet", {"media_id": ids, "embedding": embedding}),
        "text": write(folder / "twins-text.parquet", {"sample_id": ids, "embedding": embedding}),
    }


@pytest.mark.parametrize(
    ("ties", "ranks"), [("index", [1, 2, 1]), ("optimistic", [1, 1, 1]), ("pessimistic", [2, 2, 1])]
)
def test_ties_by_each_rule(world, twins, ties, ranks) -> None:
    metrics = evaluate(world.folder / "s", **twins, ties=ties, protocol="pairs", resamples=0).summary
    for direction in DIRECTIONS:
        assert ranks_of(world.folder / "s", direction) == dict(zip("abc", ranks, strict=True))
    assert metrics["ties"] == {"rule": ties, "text_to_media": 2, "media_to_text": 2}
    assert rows(world.folder / "s")["tied"] == [True, True, False] * 2


def test_pairs_want_one_text_a_medium(world, spaces) -> None:
    files, media, texts = spaces
    with pytest.raises(InputError, match="protocol pairs needs one text per medium, but media row 0 has 2"):
        evaluate(world.folder / "s", **files, protocol="pairs")
    first = [each.endswith("#0") for each in pq.read_table(world.annotations)["sample_id"].to_pylist()]
    world.rewrite("annotations", lambda table: table.filter(pa.array(first)))
    evaluate(world.folder / "s", **files, protocol="pairs", resamples=0)
    split_media, split_texts = of_split(world, "test", media, texts)
    one = {each: vector for each, vector in split_texts.items() if each.endswith("#0")}
    expected = ranks_by_hand(split_media, one, world.media_of)
    assert {name: ranks_of(world.folder / "s", name) for name in DIRECTIONS} == expected


def test_folds_are_ranked_apart_and_averaged(world, spaces) -> None:
    files, media, texts = spaces
    metrics = evaluate(world.folder / "s", **files, folds=3, resamples=0).summary
    table = pq.read_table(world.annotations).to_pydict()
    order = list(
        dict.fromkeys(m for m, split in zip(table["media_id"], table["split"], strict=True) if split == "test")
    )
    expected = {name: [] for name in DIRECTIONS}
    for fold in range(3):
        inside = order[8 * fold : 8 * (fold + 1)]
        of_texts = {each: texts[each] for each in world.samples("test") if world.media_of(each) in inside}
        ranks = ranks_by_hand({each: media[each] for each in inside}, of_texts, world.media_of)
        for direction in DIRECTIONS:
            expected[direction].append(metrics_by_hand(ranks[direction].values()))
    for direction in DIRECTIONS:
        mean = {name: sum(fold[name] for fold in expected[direction]) / 3 for name in METRICS}
        assert values(metrics["scores"]["overall"][direction]) == pytest.approx(mean)
    with pytest.raises(InputError, match="7 folds don't divide 24 media: choose a divisor"):
        evaluate(world.folder / "s", **files, folds=7)


@pytest.mark.parametrize("protocol", ["captions", "pairs"])
def test_a_gallery_of_all_media_has_distractors_that_are_no_queries(world, spaces, protocol) -> None:
    files, media, texts = spaces
    if protocol == "pairs":
        first = [each.endswith("#0") for each in pq.read_table(world.annotations)["sample_id"].to_pylist()]
        world.rewrite("annotations", lambda table: table.filter(pa.array(first)))
    of_split = {each: texts[each] for each in world.samples("test") if protocol == "captions" or each.endswith("#0")}
    expected = ranks_by_hand(media, of_split, world.media_of)
    without = ranks_by_hand({each: media[each] for each in expected["media_to_text"]}, of_split, world.media_of)
    assert expected["text_to_media"] != without["text_to_media"]
    metrics = evaluate(
        world.folder / "s", **files, protocol=protocol, gallery="all", frequency=world.clusters, resamples=5
    ).summary
    assert metrics["gallery"] == {"media": len(media), "distractors": len(media) - SPLITS["test"]}
    assert len(media) > SPLITS["test"]
    assert metrics["queries"] == {"text_to_media": len(of_split), "media_to_text": SPLITS["test"]}
    assert {name: ranks_of(world.folder / "s", name) for name in DIRECTIONS} == expected
    assert sum(metrics["thirds"]["media_to_text"].values()) == SPLITS["test"]


def test_block_memory_changes_no_score(world, spaces, monkeypatch) -> None:
    files, _, _ = spaces
    edges = []
    monkeypatch.setattr(
        "pipelines.scores.ranks.block_edge", lambda source, memory: edges.append(memory) or memory >> 20
    )
    for name, memory in (("one", 5), ("two", 64)):
        evaluate(world.folder / name, **files, frequency=world.clusters, resamples=20, block_memory=memory)
    assert edges == [(5 << 20) // WORKERS, (64 << 20) // WORKERS]  # blocks side by side
    assert rows(world.folder / "one") == rows(world.folder / "two")
    one, two = (json.loads((world.folder / name / "metrics.json").read_text()) for name in ("one", "two"))
    assert one == two


def test_a_run_scores_other_data_than_it_was_trained_on(world) -> None:
    """Zero-shot: ids the run never saw, which the shifts of its training don't have."""
    train(world.config("run", temperature="mmts", tau=None, alpha=0.02, shifts=world.shifts))
    own = evaluate(world.folder / "own", run=world.folder / "run", resamples=0)
    assert own.summary["cluster_sizes"] == "sizes from shifts.parquet, which the run was trained with"

    def renamed(name):
        def rename(table: pa.Table) -> pa.Table:
            for column in {"sample_id", "media_id"} & set(table.column_names):
                ids = [f"other-{each}" for each in table[column].to_pylist()]
                table = table.set_column(table.column_names.index(column), column, pa.array(ids))
            return table

        return world.rewrite(name, rename, f"other-{name}.parquet")

    files = {name: renamed(name) for name in ("annotations", "media", "text")}
    other = evaluate(world.folder / "other", run=world.folder / "run", **files, resamples=0)
    assert "thirds" not in other.summary
    why = "48 of 48 samples are not in the run's shifts.parquet; --frequency gives sizes"
    assert other.summary["cluster_sizes"] == why
    assert other.summary["scores"]["overall"] == own.summary["scores"]["overall"]
    sized = evaluate(
        world.folder / "sized", run=world.folder / "run", **files, frequency=renamed("clusters"), resamples=0
    )
    assert sized.summary["scores"] == own.summary["scores"]


def test_thirds_come_from_the_run_wherever_its_shifts_know_the_samples(world) -> None:
    train(world.config("run", temperature="mmts", tau=None, alpha=0.02, shifts=world.shifts))
    run, folder = world.folder / "run", world.folder
    own = evaluate(folder / "own", run=run, resamples=0).summary
    same = evaluate(folder / "same", run=run, annotations=world.annotations, resamples=0).summary
    assert same == own
    assert set(own["thirds"]) == {"edges", *DIRECTIONS}
    given = evaluate(folder / "given", run=run, frequency=world.clusters, resamples=0).summary
    assert given == {**own, "cluster_sizes": "sizes from clusters.parquet"}
    world.shifts.unlink()
    with pytest.warns(
        UserWarning, match=r"shifts\.parquet: no such file.*give --frequency, or run this where it was trained"
    ):
        gone = evaluate(folder / "gone", run=run, resamples=0).summary
    assert "thirds" not in gone
    assert gone["cluster_sizes"] == "no cluster sizes known; --frequency gives sizes"


def test_shifts_that_changed_since_training_are_told(world) -> None:
    train(world.config("run", temperature="mmts", tau=None, alpha=0.02, shifts=world.shifts))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(world.folder / "s", run=world.folder / "run", resamples=0)

    def larger(table: pa.Table) -> pa.Table:
        place = table.column_names.index("cluster_size")
        return table.set_column(place, "cluster_size", pc.add(table["cluster_size"], 1))

    world.rewrite("shifts", larger)
    with pytest.warns(UserWarning, match=r"shifts\.parquet: is not the file that .* was trained with, or has changed"):
        changed = evaluate(world.folder / "s", run=world.folder / "run", resamples=0)
    assert not changed.up_to_date


@pytest.mark.parametrize("name", ["metrics.json", "ranks.parquet", "misses.parquet"])
@pytest.mark.parametrize("damage", ["removed", "cut", "flipped", "other numbers"])
def test_a_damaged_result_is_made_again(world, spaces, name, damage) -> None:
    files, _, _ = spaces
    evaluate(world.folder / "s", **files, resamples=5)
    path = world.folder / "s" / name
    whole = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    data = bytearray(whole[name])
    data[40] ^= 1
    other = b'{"protocol": 1, "ties": 2, "scores": {}}'
    changed = {"cut": whole[name][:-10], "flipped": bytes(data), "other numbers": other}
    path.unlink() if damage == "removed" else path.write_bytes(changed[damage])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not evaluate(world.folder / "s", **files, resamples=5).up_to_date
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == whole
    assert evaluate(world.folder / "s", **files, resamples=5).up_to_date


def test_annotations_are_read_once(world, monkeypatch) -> None:
    train(world.config("run"))
    opened = []
    monkeypatch.setattr(
        "pipelines.artifacts.parquet.open_parquet",
        lambda path: opened.append(path) or open_parquet(path),
    )
    evaluate(world.folder / "s", run=world.folder / "run", resamples=0)
    assert opened.count(world.annotations) == 1


def test_scores_are_up_to_date_until_something_changes(world) -> None:
    train(world.config("run"))
    options = {"run": world.folder / "run", "resamples": 20}
    first = evaluate(world.folder / "s", **options)
    again = evaluate(world.folder / "s", **options)
    assert (first.up_to_date, again.up_to_date, again.summary) == (False, True, first.summary)
    for change in ({"split": "val"}, {"ties": "pessimistic"}, {"folds": 2}, {"resamples": 21}, {"seed": 1}):
        assert not evaluate(world.folder / "s", **{**options, **change}).up_to_date
        assert evaluate(world.folder / "s", **{**options, **change}).up_to_date
    evaluate(world.folder / "s", **options)
    train(world.config("run", seed=8))
    retrained = evaluate(world.folder / "s", **options)
    assert not retrained.up_to_date
    assert retrained.summary["scores"] != first.summary["scores"]
    assert evaluate(world.folder / "s", **options).up_to_date
    assert not evaluate(world.folder / "s", **options, frequency=world.clusters).up_to_date
    (world.folder / "s" / "metrics.json").unlink()
    assert not evaluate(world.folder / "s", **options, frequency=world.clusters).up_to_date
