"""``search``: what is found, and what is kept of it."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_world import CLUSTER_SIZES

from pipelines.artifacts import ArtifactWriter, Provenance, fingerprint_of, labels_path, read_annotations, read_table
from pipelines.artifacts.schemas import RANKS
from pipelines.errors import InputError
from pipelines.evaluate import evaluate
from pipelines.search import search


def ranks_of(world, run):
    """The ranks that ``eval`` gives, by direction and query."""
    evaluate(world.folder / "scores", run=run, resamples=0)
    rows = read_table(world.folder / "scores" / "ranks.parquet", RANKS).to_pylist()
    return {(row["direction"], row["query_id"]): row["rank"] for row in rows}


def text_of(world, sample_id):
    table = read_annotations(world.annotations)
    return table.filter(pa.compute.equal(table.column("sample_id"), sample_id)).column("text")[0].as_py()


@pytest.mark.parametrize("kind", ["embedded_run", "run_on_pixels"])
def test_a_query_of_the_test_split_finds_its_own_at_the_rank_that_eval_gives(world, request, kind) -> None:
    run = request.getfixturevalue(kind)
    ranks = ranks_of(world, run)
    samples = world.samples("test")
    for how in ({"like": samples}, {"texts": [text_of(world, each) for each in samples]}):
        result = search(run, top=100, **how)
        for sample_id, found in zip(samples, result.queries, strict=True):
            place = [hit.media_id for hit in found.hits].index(world.media_of(sample_id))
            assert found.hits[place].rank == ranks["text_to_media", sample_id]
    media = sorted({world.media_of(each) for each in samples})
    for how in ({"like": media}, {"images": [world.folder / "images" / each for each in media]}):
        result = search(run, top=100, among="text", **how)
        for media_id, found in zip(media, result.queries, strict=True):
            best = next(hit.rank for hit in found.hits if hit.media_id == media_id)
            assert best == ranks["media_to_text", media_id]


def test_hits_say_what_is_known(world, embedded_run) -> None:
    annotated = world.rewrite(
        "annotations", lambda table: table.append_column("media", table.column("media_id")), to="placed.parquet"
    )
    query = world.samples("test")[0]
    result = search(embedded_run, like=[query], annotations=annotated, frequency=world.clusters, top=3)
    (found,) = result.queries
    assert (found.query.kind, found.query.value, result.candidates, len(found.hits)) == ("sample", query, 24, 3)
    sizes = dict(zip(*(read.to_pylist() for read in pq.read_table(world.clusters).select([0, 2]).columns), strict=True))
    test_sizes = np.array([sizes[each] for each in world.samples("test")])
    for rank, hit in enumerate(found.hits, 1):
        samples = [f"{hit.media_id}#0", f"{hit.media_id}#1"]
        assert (hit.rank, hit.place, hit.samples, hit.sample_id) == (rank, hit.media_id, 2, None)
        assert sorted(hit.texts) == [f"caption {each}" for each in samples]
        assert hit.cluster_size == np.mean([sizes[each] for each in samples])
        assert hit.third in ("head", "middle", "tail")
        if hit.third == "head":
            assert hit.cluster_size >= np.median(test_sizes)
    assert result.cluster_sizes == "sizes from clusters.parquet"


def test_words_of_clusters_are_shown_where_they_have_labels(world, embedded_run) -> None:
    words = [["zero"], ["one", "uno"], ["two"], ["three"]]
    columns = {"cluster": pa.array(range(4), pa.int32()), "cluster_size": list(CLUSTER_SIZES), "words": words}
    labels = pa.table({**columns, "texts": [["a text"]] * 4})
    made_from = {"clusters": {"name": "clusters.parquet", "fingerprint": fingerprint_of(world.clusters)}}
    with ArtifactWriter(labels_path(world.clusters), labels.schema, Provenance("labels", "0", {}, made_from)) as writer:
        writer.write(labels)
    result = search(embedded_run, like=[world.samples("test")[0]], frequency=world.clusters, top=24)
    for hit in result.queries[0].hits:
        assert hit.cluster_words == words[world.cluster[f"{hit.media_id}#0"]]


def test_duplicate_texts_are_found_once_and_a_sample_not_by_itself(world, embedded_run) -> None:
    first, second, third = sorted(world.samples("test"))[:3]

    def doubled(table: pa.Table) -> pa.Table:
        texts = {first: "the same", third: "the same"}
        ids, old = table.column("sample_id").to_pylist(), table.column("text").to_pylist()
        new = [texts.get(each, text) for each, text in zip(ids, old, strict=True)]
        return table.set_column(table.column_names.index("text"), "text", pa.array(new))

    annotated = world.rewrite("annotations", doubled, to="doubled.parquet")
    result = search(embedded_run, like=[second, third], among="text", annotations=annotated, top=100)
    assert result.candidates == 47
    by_second, by_third = ({hit.texts[0]: hit.samples for hit in found.hits} for found in result.queries)
    assert by_second["the same"] == 2
    assert f"caption {second}" not in by_second
    assert "the same" not in by_third
    assert len(by_second) == len(by_third) == 46


def test_vectors_are_kept_and_made_again_where_what_they_come_from_changed(world, embedded_run) -> None:
    like = [world.samples("test")[0]]
    first = search(embedded_run, like=like)
    assert (first.vectors, first.up_to_date) == (embedded_run / "search" / "media-test.parquet", False)
    again = search(embedded_run, like=like)
    assert again.up_to_date
    assert again.queries == first.queries
    assert search(embedded_run, like=like, split="all").candidates == 92
    assert search(embedded_run, like=like, among="text").vectors == embedded_run / "search" / "text-test.parquet"
    assert not search(embedded_run, like=like, split="val").up_to_date
    assert search(embedded_run, like=like, split="Valid").up_to_date
    changed = world.rewrite("annotations", lambda table: table.slice(1), to="fewer.parquet")
    assert not search(embedded_run, like=like, annotations=changed).up_to_date
    assert not search(embedded_run, like=like, force=True).up_to_date


def test_a_folder_that_cannot_be_written_to_is_searched_all_the_same(world, embedded_run, monkeypatch) -> None:
    like = [world.samples("test")[0]]
    expected = search(embedded_run, like=like).queries
    before = sorted(embedded_run.rglob("*"))
    monkeypatch.setattr(os, "access", lambda path, mode: path != embedded_run)
    kept = search(embedded_run, like=like)
    assert (kept.up_to_date, kept.queries) == (True, expected)
    other = search(embedded_run, like=like, split="val")
    assert (other.up_to_date, other.vectors, other.candidates) == (False, None, 20)
    assert sorted(embedded_run.rglob("*")) == before


def test_damaged_media_are_left_out_where_some_may_be(world, run_on_pixels) -> None:
    from pipelines.encoding import Encoding

    damaged = world.media_of(world.samples("test")[0])
    (world.folder / "images" / damaged).write_bytes(b"no image")
    with pytest.warns(UserWarning, match="has changed since"), pytest.raises(InputError, match=damaged):
        search(run_on_pixels, ["a dog"])
    with pytest.warns(UserWarning, match=r"left out|has changed since"):
        result = search(run_on_pixels, ["a dog"], top=100, encoding=Encoding(max_bad=1))
    assert list(result.bad_media) == [damaged]
    assert result.candidates == len(result.queries[0].hits) == 23
