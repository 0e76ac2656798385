"""``mmts eval --protocol ek100`` from files: the arrays it scores, the relevancy file, and what it refuses."""

import ast
import csv
import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import read_provenance
from pipelines.evaluate import evaluate

from .kitchen import CLIPS, Kitchen


@pytest.fixture
def kitchen(tmp_path, write_artifact) -> Kitchen:
    return Kitchen(tmp_path, write_artifact)


def test_scores_are_those_of_the_arrays(kitchen, mmts) -> None:
    extra = ("--clusters", kitchen.folder / "sizes.parquet", "--tail-classes", kitchen.folder / "tail.csv")
    ran = mmts(*kitchen.flags(), *extra, "--json")
    assert (ran.code, ran.err) == (0, "")
    printed = json.loads(ran.out)
    expected = kitchen.expected().metrics()
    assert {name: printed[name] for name in expected} == expected
    assert json.loads((kitchen.folder / "scores" / "metrics.json").read_text()) == {
        **expected,
        "cluster_sizes": "sizes from sizes.parquet",
    }
    assert set(expected["scores"]) == {"overall", "head", "middle", "tail", "tail_classes"}
    marked = [nouns[0] in (2, 3) for nouns in kitchen.nouns]
    of_sentences = sum(mark for mark, sentence in zip(marked, kitchen.sentence, strict=True) if sentence)
    assert expected["tail_classes"] == {"text_to_media": of_sentences, "media_to_text": sum(marked)}


def test_every_query_has_its_row(kitchen) -> None:
    folder = kitchen.folder
    evaluate(
        folder / "s",
        **kitchen.files(),
        protocol="ek100",
        frequency=folder / "sizes.parquet",
        tail_classes=folder / "tail.csv",
    )
    table = pq.read_table(folder / "s" / "ranks.parquet")
    contract = ["query_id", "direction", "rank", "cluster_size", "third"]
    own = ["media_id", "tied", "fold", "tail_class", "mAP", "mAP_binary", "nDCG"]
    assert table.column_names == contract + own
    rows = table.to_pylist()
    sentences = [name for name, sentence in zip(kitchen.clips, kitchen.sentence, strict=True) if sentence]
    assert [row["query_id"] for row in rows] == [*sentences, *(f"clip {name}" for name in kitchen.clips)]
    assert {row["rank"] for row in rows} == {None}
    expected = kitchen.expected().queries
    for direction, queries in expected.items():
        own_rows = [row for row in rows if row["direction"] == direction]
        for name, value_q in queries.values.items():
            assert [row[name] for row in own_rows] == [None if np.isnan(value) else value for value in value_q]
        clip_of = {f"clip {name}": row for row, name in enumerate(kitchen.clips)}
        clips = [clip_of[row["media_id"]] for row in own_rows]
        assert [row["cluster_size"] for row in own_rows] == kitchen.size[clips].tolist()
        assert [row["tail_class"] for row in own_rows] == [kitchen.nouns[clip][0] in (2, 3) for clip in clips]


def test_people_see_both_directions_and_their_mean(kitchen, mmts) -> None:
    ran = mmts(*kitchen.flags(), "--tail-classes", kitchen.folder / "tail.csv")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[1].startswith("protocol ek100: 12 text queries (0 tied), 30 media queries (")
    headers = [line for line in lines if line.endswith("nDCG")]
    assert [header.split("  ")[0] for header in headers] == ["text to media", "media to text", "mean"]
    mean = kitchen.expected().scores["overall"]["mean"]
    shown = [line.split() for line in lines if line.startswith("overall")]
    assert shown[0][1] == "12"
    assert shown[2][1:] == [f"{mean[name]['value']:.1f}" for name in ("mAP", "mAP_binary", "nDCG")]
    assert sum(line.startswith("tail classes") for line in lines) == 3
    left_out = kitchen.expected().metrics()["left_out"]["media_to_text"]["mAP"]
    assert f"media to text: {left_out} queries count for no mAP, mAP_binary" in lines


def test_relevancy_is_kept_and_used_again(kitchen, mmts, monkeypatch) -> None:
    relevancy = kitchen.folder / "kept.parquet"
    first = json.loads(mmts(*kitchen.flags("one"), "--relevancy", relevancy, "--json").out)
    assert not (kitchen.folder / "one" / "relevancy.parquet").exists()
    made = relevancy.stat().st_mtime_ns

    def computed(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr("pipelines.evaluate.relevancy.class_relevancy", computed)
    second = json.loads(mmts(*kitchen.flags("two"), "--relevancy", relevancy, "--json").out)
    assert (second["scores"], relevancy.stat().st_mtime_ns) == (first["scores"], made)
    third = json.loads(mmts(*kitchen.flags("two"), "--relevancy", relevancy, "--json").out)
    assert third["up_to_date"]


@pytest.mark.parametrize("name", ["annotations", "media", "text", "sizes", "link"])
def test_relevancy_replaces_no_input(kitchen, refused, name) -> None:
    (kitchen.folder / "link.parquet").symlink_to(kitchen.folder / "text.parquet")
    before = {path.name: path.read_bytes() for path in kitchen.folder.glob("*.parquet")}
    flags = [
        "--clusters",
        kitchen.folder / "sizes.parquet",
        "--relevancy",
        kitchen.folder / f"{name}.parquet",
        "--force",
    ]
    assert "is both input and output; choose another output path" in refused(*kitchen.flags(), *flags)
    assert {path.name: path.read_bytes() for path in kitchen.folder.glob("*.parquet")} == before
    assert not (kitchen.folder / "scores").exists()


def test_relevancy_follows_the_annotations(kitchen, mmts) -> None:
    before = json.loads(mmts(*kitchen.flags(), "--json").out)
    relevancy = kitchen.folder / "scores" / "relevancy.parquet"
    was = read_provenance(relevancy)
    kitchen.nouns[0] = [7]
    kitchen.annotate()
    after = json.loads(mmts(*kitchen.flags(), "--json").out)
    assert after["scores"] == kitchen.expected(thirds=False).metrics()["scores"] != before["scores"]
    assert read_provenance(relevancy).fingerprint != was.fingerprint


def test_the_relevancy_file_says_what_is_relevant_to_what(kitchen, mmts) -> None:
    mmts(*kitchen.flags())
    path = kitchen.folder / "scores" / "relevancy.parquet"
    rows = pq.read_table(path).to_pylist()
    assert sorted(name for row in rows for name in row["sample_ids"]) == sorted(kitchen.clips)
    for row in rows:
        for name in row["sample_ids"]:
            clip = kitchen.clips.index(name)
            assert (row["verb_class"], row["noun_classes"]) == (kitchen.verb[clip], kitchen.nouns[clip])
        for other in rows:
            mine, theirs = set(row["noun_classes"]), set(other["noun_classes"])
            shared = len(mine & theirs) / len(mine | theirs)
            expected = 0.5 * (row["verb_class"] == other["verb_class"]) + 0.5 * shared
            assert row["relevancy"][other["key"]] == expected
    assert mmts("inspect", path).out.startswith(f"{path}: relevancy, {len(rows)} rows")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"retrieval_sentence": None, "retrieval_sentences": [True] * (CLIPS + 1)},
            "no column 'retrieval_sentence' as EK-100 annotations have; did you mean 'retrieval_sentences'?",
        ),
        ({"verb_class": ["take"] * (CLIPS + 1)}, "column 'verb_class' is string, can't be read as int32"),
        ({"noun_class": pa.nulls(CLIPS + 1, pa.int32())}, "30 rows have no noun_class, first: P01_0, P01_1, P01_2"),
        (
            {"all_noun_classes": pa.array([[]] + [[1]] * CLIPS, pa.list_(pa.int32()))},
            "1 rows have no all_noun_classes, first: P01_0",
        ),
        ({"retrieval_sentence": [False] * (CLIPS + 1)}, "no row of split 'test' has retrieval_sentence true"),
        ({"media_id": ["clip P01_0"] * (CLIPS + 1)}, "1 values of media_id occur more than once, first: clip P01_0"),
        ({"split": ["val"] * (CLIPS + 1)}, "no rows of split 'test'; splits there: val"),
    ],
)
def test_annotations_that_cannot_be_scored(kitchen, refused, changes, message) -> None:
    kitchen.annotate(**changes)
    assert message in refused(*kitchen.flags())
    assert not (kitchen.folder / "scores" / "ranks.parquet").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nouns\n2\n", "no column 'noun'; did you mean 'nouns'? (columns: nouns)"),
        ("noun\n2\nplate\n", "line 3: noun is 'plate'; the number of a noun class was expected"),
        ("noun\n", "has no rows"),
    ],
)
def test_tail_classes_that_cannot_be_read(kitchen, refused, content, message) -> None:
    (kitchen.folder / "bad.csv").write_text(content)
    assert message in refused(*kitchen.flags(), "--tail-classes", kitchen.folder / "bad.csv")


def test_options_without_effect_are_refused(kitchen, refused) -> None:
    assert "--folds: is for --protocol captions and pairs" in refused(*kitchen.flags(), "--folds", 5)
    captions = [*kitchen.flags(), "--protocol", "captions"]
    assert "--relevancy: is for --protocol ek100" in refused(*captions, "--relevancy", "r.parquet")
    assert "--tail-classes: is for --protocol ek100" in refused(*captions, "--tail-classes", "t.csv")


def test_missing_captions_are_named(kitchen, refused) -> None:
    present = pq.read_table(kitchen.folder / "text.parquet").replace_schema_metadata()
    sentence = kitchen.clips[int(np.flatnonzero(kitchen.sentence)[0])]
    kept = present.filter(pa.array([name != sentence for name in present["sample_id"].to_pylist()]))
    kitchen.write(kitchen.folder / "text.parquet", kept)
    said = f"text.parquet: 1 of 12 samples are missing there, first: {sentence}; it holds {kept['sample_id'][0]}, "
    assert said in refused(*kitchen.flags())


def test_youcook2_is_pairs_and_says_how_many(kitchen, mmts) -> None:
    flags = [*kitchen.flags()[:-4], "--resamples", 0]
    pairs = json.loads(mmts(*flags, "--protocol", "pairs", "--json").out)
    youcook2 = json.loads(mmts(*flags, "--protocol", "youcook2", "--json").out)
    assert (youcook2.pop("protocol"), pairs.pop("protocol")) == ("youcook2", "pairs")
    assert youcook2 == pairs
    out = mmts(*flags, "--protocol", "youcook2").out
    assert "N = 30 pairs" in out.splitlines()[2]


@pytest.mark.slow
def test_random_embeddings_give_the_published_chance_row(data_dir, tmp_path, write_artifact, mmts) -> None:
    """Damen et al. print 5.7 / 5.6 mAP and 10.8 / 10.9 nDCG, video to text / text to video."""
    with (data_dir / "ek100" / "EPIC_100_retrieval_test.csv").open(newline="") as file:
        clips = list(csv.DictReader(file))
    with (data_dir / "ek100" / "EPIC_100_retrieval_test_sentence.csv").open(newline="") as file:
        sentences = {row["narration_id"] for row in csv.DictReader(file)}
    with (data_dir / "ek100" / "EPIC_100_train_classes.csv").open(newline="") as file:
        trained = Counter(int(row["noun_class"]) for row in csv.DictReader(file))
    ids = [clip["narration_id"] for clip in clips]
    nouns = [int(clip["noun_class"]) for clip in clips]
    annotations = {
        "sample_id": ids,
        "text": [clip["narration"] for clip in clips],
        "split": ["test"] * len(ids),
        "verb_class": pa.array([int(clip["verb_class"]) for clip in clips], pa.int32()),
        "noun_class": pa.array(nouns, pa.int32()),
        "all_noun_classes": pa.array([ast.literal_eval(clip["all_noun_classes"]) for clip in clips]),
        "retrieval_sentence": [name in sentences for name in ids],
    }
    write_artifact(tmp_path / "a.parquet", annotations)
    write_artifact(tmp_path / "c.parquet", {"sample_id": ids, "cluster_size": [trained[noun] for noun in nouns]})
    for role, column in (("media", "media_id"), ("text", "sample_id")):
        x_nd = np.random.default_rng(len(role)).standard_normal((len(ids), 64)).astype(np.float32)
        vectors = pa.FixedSizeListArray.from_arrays(x_nd.ravel(), 64)
        write_artifact(tmp_path / f"{role}.parquet", {column: ids, "embedding": vectors})
    files = [part for role in ("media", "text") for part in (f"--{role}", tmp_path / f"{role}.parquet")]
    tail = ("--tail-classes", data_dir / "ek100" / "EPIC_100_tail_nouns.csv")
    ran = mmts(
        "eval", *files, "--annotations", tmp_path / "a.parquet", "--clusters", tmp_path / "c.parquet", *tail,
        "-o", tmp_path / "s", "--protocol", "ek100", "--resamples", 100, "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    metrics = json.loads(ran.out)
    assert metrics["queries"] == {"text_to_media": 3842, "media_to_text": 9668}
    assert metrics["tail_classes"] == {"text_to_media": 1168, "media_to_text": 1900}
    overall = metrics["scores"]["overall"]
    for direction, published, ndcg in (("media_to_text", 5.7, 10.8), ("text_to_media", 5.6, 10.9)):
        assert overall[direction]["mAP"]["value"] == pytest.approx(published, abs=0.1)
        assert overall[direction]["nDCG"]["value"] == pytest.approx(ndcg, abs=0.1)
        assert overall[direction]["mAP_binary"]["value"] < 0.5
    assert "left_out" not in metrics
