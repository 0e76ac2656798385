"""``eval`` of runs that read pixels and texts themselves, and ``embed`` through them: the same scores."""

import json
import tarfile

import numpy as np
import pyarrow as pa
import pytest
from tiny_models import write_clip, write_sentence_model
from tiny_world import make_tiny_world, write_tower_config

from pipelines.artifacts import read_vectors
from pipelines.media import batches
from pipelines.models import encode
from pipelines.runs.encoder import RunEncoder


@pytest.fixture
def run(world, mmts):
    """A run on images and texts."""
    tower, text = write_tower_config(world.folder / "tower", "vit"), write_sentence_model(world.folder / "text_model")
    flags = {"media": world.images("images.zip"), "media_model": tower, "text": None, "text_model": text, "epochs": 1}
    assert mmts(*world.command("run", **flags)).err == ""
    return world.folder / "run"


@pytest.fixture
def run_on_embeddings(world, mmts):
    assert mmts(*world.command("run")).code == 0
    return world.folder / "run"


@pytest.fixture
def other(tmp_path, write_artifact):
    """Another world, whose files the run never saw."""
    (tmp_path / "other").mkdir()
    return make_tiny_world(tmp_path / "other", write_artifact)


@pytest.fixture
def scores(mmts):
    """Run ``eval``; gives its metrics."""

    def score(folder, *arguments):
        ran = mmts("eval", *arguments, "-o", folder, "--resamples", 0)
        assert ran.code == 0, ran.err
        return json.loads((folder / "metrics.json").read_text())

    return score


def test_a_run_reads_texts_and_images_and_embed_gives_the_same_scores(world, run, scores, mmts) -> None:
    folder = world.folder
    expected = scores(folder / "s", run, "--clusters", world.shifts)
    assert expected["thirds"]["edges"]
    features, texts = folder / "f.parquet", folder / "t.parquet"
    media = ("--media", folder / "images.zip", "--workers", 1)
    assert mmts("embed", world.annotations, "-o", features, "--model", run, *media).err == ""
    assert mmts("embed", world.annotations, "-o", texts, "--model", run).err == ""
    given = ("--media", features, "--text", texts, "--annotations", world.annotations, "--clusters", world.shifts)
    assert scores(folder / "again", *given) == {key: value for key, value in expected.items() if key != "trained"}
    vectors = read_vectors(features)
    assert vectors.split.to_pylist() == [world.split[f"{each}#0"] for each in vectors.ids.to_pylist()]
    assert "up to date" in mmts("embed", world.annotations, "-o", features, "--model", run, *media).out


def test_a_run_on_embeddings_maps_them(world, run_on_embeddings, scores, mmts) -> None:
    run, folder = run_on_embeddings, world.folder
    for output, side in (("f.parquet", "--media"), ("t.parquet", "--text")):
        path = world.media if side == "--media" else world.text
        assert mmts("embed", world.annotations, "-o", folder / output, "--model", run, side, path).err == ""
    given = ("--media", folder / "f.parquet", "--text", folder / "t.parquet", "--annotations", world.annotations)
    expected = scores(folder / "s", run)
    assert expected.pop("trained")["seed"] == 0
    again = scores(folder / "again", *given)
    assert {**again, "cluster_sizes": expected["cluster_sizes"]} == expected


@pytest.mark.parametrize("clusters", [True, False])
def test_zero_shot_on_another_data_set(run, other, scores, clusters) -> None:
    flags = ("--annotations", other.annotations, "--media", other.images("o.zip"), "--protocol", "captions")
    sizes = ("--clusters", other.clusters) if clusters else ()
    metrics = scores(other.folder / "s", run, *flags, *sizes, "--split", "val")
    assert metrics["queries"] == {"text_to_media": 40, "media_to_text": 20}
    assert ("thirds" in metrics) == clusters


def test_zero_shot_of_a_run_on_embeddings(run_on_embeddings, other, scores) -> None:
    flags = ("--annotations", other.annotations, "--media", other.media, "--text", other.text)
    assert scores(other.folder / "s", run_on_embeddings, *flags)["queries"]["media_to_text"] == 24


def test_media_are_decoded_by_as_many_processes_as_the_device_wants(world, run, scores, monkeypatch) -> None:
    expected = scores(world.folder / "s", run)
    loaded = []
    monkeypatch.setattr(encode, "decoding_workers", lambda asked, device: {None: 2}[asked])
    monkeypatch.setattr(
        encode, "batches", lambda *args, **named: (loaded.append(named["workers"]), batches(*args, **named))[1]
    )
    assert scores(world.folder / "again", run) == expected
    files = sorted(world.images().iterdir())[:3]
    vectors_nd = RunEncoder(run).media(files)
    assert loaded == [2, 2]
    monkeypatch.undo()
    assert np.array_equal(vectors_nd, RunEncoder(run).media(files))


def test_media_in_shards_or_where_the_annotations_say(world, run, scores) -> None:
    images = world.images()
    for shard in range(2):
        with tarfile.open(world.folder / f"s{shard}.tar", "w") as tar:
            for media_id in world.media_ids[shard::2]:
                tar.add(images / media_id, media_id)
    expected = scores(world.folder / "s", run)["scores"]
    pattern = ("--media", world.folder / "s{0..1}.tar")
    assert scores(world.folder / "tars", run, *pattern, "--workers", 1)["scores"] == expected

    def placed(table: pa.Table) -> pa.Table:
        return table.append_column("media", pa.array([str(images / each) for each in table["media_id"].to_pylist()]))

    annotations = world.rewrite("annotations", placed, "placed.parquet")
    flags = ("--annotations", annotations, "--media", "annotations", "--clusters", world.shifts)
    assert scores(world.folder / "placed", run, *flags)["scores"]["overall"] == expected["overall"]


def test_what_a_run_was_trained_with_may_be_a_pattern(world, mmts, scores) -> None:
    images = world.images()
    for shard in range(2):
        with tarfile.open(world.folder / f"s{shard}.tar", "w") as tar:
            for media_id in world.media_ids[shard::2]:
                tar.add(images / media_id, media_id)
    tower = write_tower_config(world.folder / "tower", "vit")
    assert mmts(*world.command("run", media=world.folder / "s{0..1}.tar", media_model=tower, epochs=1)).code == 0
    assert mmts("eval", world.folder / "run", "-o", world.folder / "s").err == ""
    (world.folder / "s1.tar").unlink()
    ran = mmts("eval", world.folder / "run", "-o", world.folder / "again")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "s1.tar: no such file" in ran.err
    assert "config.json names it; give --media" in ran.err


def test_damaged_media_are_left_out_with_their_texts(world, run, mmts, refused, scores) -> None:
    images, folder = world.images(), world.folder
    bad = world.media_of(world.samples("test")[0])
    (images / bad).write_bytes(b"nothing")
    message = refused("eval", run, "--media", images, "-o", folder / "s")
    assert f"images: image {bad} can't be decoded" in message
    metrics = scores(folder / "s", run, "--media", images, "--max-bad", 1, "--clusters", world.shifts)
    assert list(metrics["bad_media"]) == [bad]
    assert metrics["queries"] == {"text_to_media": 46, "media_to_text": 23}
    gone = {f"{bad}#0", f"{bad}#1"}
    less = world.rewrite(
        "annotations",
        lambda table: table.filter(pa.array([each not in gone for each in table["sample_id"].to_pylist()])),
    )
    same = scores(folder / "t", run, "--media", images, "--annotations", less, "--clusters", world.shifts)
    assert same["scores"] == metrics["scores"]


def test_embed_leaves_damaged_media_out(world, run, mmts, refused) -> None:
    images = world.images()
    for name in ("m03.png", "m04.png"):
        (images / name).write_bytes(b"nothing")
    flags = ("embed", world.annotations, "-o", world.folder / "f.parquet", "--media", images, "--model", run)
    assert "--max-bad 1: 2 media can't be decoded, first: m0" in refused_past_warnings(mmts(*flags, "--max-bad", 1))
    assert not (world.folder / "f.parquet").exists()
    assert mmts(*flags, "--max-bad", 2, "--batch-size", 5).code == 0
    assert set(read_vectors(world.folder / "f.parquet").ids.to_pylist()) == set(world.media_ids) - {
        "m03.png",
        "m04.png",
    }


def refused_past_warnings(ran) -> str:
    assert ran.code == 2
    return ran.err.splitlines()[-1]


def test_a_clip_like_model_embeds_both_sides(world, mmts, scores) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    clip, folder = write_clip(world.folder / "clip"), world.folder
    media = ("--media", world.images())
    assert mmts("embed", world.annotations, "-o", folder / "f.parquet", "--model", clip, *media).err == ""
    assert mmts("embed", world.annotations, "-o", folder / "t.parquet", "--model", clip, "--dtype", "float16").err == ""
    found = read_vectors(folder / "t.parquet")
    model, tokenizer = AutoModel.from_pretrained(clip).eval(), AutoTokenizer.from_pretrained(clip)
    tokens = tokenizer([f"caption {found.ids[0].as_py()}"], return_tensors="pt", truncation=True, max_length=32)
    with torch.no_grad():
        whole = model(**tokens, pixel_values=torch.zeros(1, 3, 16, 16))
    cosine = np.dot(found.matrix_nd[0] / np.linalg.norm(found.matrix_nd[0]), whole.text_embeds[0].numpy())
    assert cosine == pytest.approx(1, abs=1e-3)
    given = ("--media", folder / "f.parquet", "--text", folder / "t.parquet", "--annotations", world.annotations)
    assert scores(folder / "s", *given)["queries"]["media_to_text"] == 24


def test_what_does_not_fit_is_refused(world, run, refused) -> None:
    out = ("-o", world.folder / "x.parquet")
    scored = ("eval", run, "-o", world.folder / "scores")
    assert "has a text model, which reads the annotations' texts; leave it out" in refused(
        *scored, "--text", world.text
    )
    assert "a vision model takes images" in refused(*scored, "--media", world.media)
    assert "no column 'media'" in refused(*scored, "--media", "annotations")
    assert "scores a whole published test set" in refused(*scored, "--max-bad", 1, "--protocol", "eccv")
    assert "--frames: " in refused(
        "embed", world.annotations, *out, "--model", run, "--media", world.images(), "--frames", 2
    )
    assert "--text: " in refused("embed", world.annotations, *out, "--model", run, "--text", world.text)
    (run / "model").rename(run / "elsewhere")
    assert f"{run}: has no folder model" in refused(*scored)
    assert f"{run}: has no folder model" in refused("embed", world.annotations, *out, "--model", run)


def test_what_a_run_on_embeddings_cannot_take(world, run_on_embeddings, refused) -> None:
    run, out = run_on_embeddings, ("-o", world.folder / "x.parquet")
    assert "trained on 10-dimensional embeddings of texts" in refused("embed", world.annotations, *out, "--model", run)
    small = world.rewrite(
        "text", lambda table: table.set_column(1, "embedding", pa.array([[1.0]] * len(table))), "1.parquet"
    )
    wrong = "1.parquet: holds 1-dimensional vectors, but"
    assert wrong in refused("embed", world.annotations, *out, "--model", run, "--text", small)
    assert wrong in refused("eval", run, "--text", small, "-o", world.folder / "s")
    assert "--workers: is for images and clips" in refused("eval", run, "-o", world.folder / "s", "--workers", 1)
    given = ("--media", world.media, "--text", world.text, "--annotations", world.annotations)
    assert "--precision: has an effect only where a run encodes" in refused(
        "eval", *given, "--precision", "bf16-mixed", "-o", world.folder / "s"
    )


def test_embed_refuses_what_has_no_use(world, refused) -> None:
    line = ("embed", world.annotations, "-o", world.folder / "x.parquet")
    assert "--media: give the vision or CLIP-like model" in refused(*line, "--media", world.images())
    assert "--max-bad: is for images and clips" in refused(*line, "--max-bad", 1)
    assert "--precision bf16-mixed: is for runs and CLIP-like" in refused(*line, "--precision", "bf16-mixed")
    assert "--text: is for a run on embeddings" in refused(*line, "--text", world.text)
    tower = write_tower_config(world.folder / "tower", "vit")
    assert "vectors would be random" in refused(*line, "--media", world.images(), "--model", tower)
