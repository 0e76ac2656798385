"""Validation by EK-100's own scores: those of ``mmts eval``, of the best epoch that they choose."""

import json

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import InputError
from pipelines.evaluate import evaluate
from pipelines.train import train


@pytest.fixture
def kitchen(world):
    """The world as EK-100: each medium with one caption, verbs, nouns, and sentences."""
    random = np.random.default_rng(0)

    def as_clips(table: pa.Table) -> pa.Table:
        seen = set()
        first = [not (each in seen or seen.add(each)) for each in table.column("media_id").to_pylist()]
        table = table.filter(pa.array(first))
        n = table.num_rows
        nouns = [sorted(set(random.integers(0, 4, 2).tolist())) for _ in range(n)]
        columns = {
            "verb_class": pa.array(random.integers(0, 3, n), pa.int32()),
            "noun_class": pa.array([each[0] for each in nouns], pa.int32()),
            "all_noun_classes": pa.array(nouns, pa.list_(pa.int32())),
            "retrieval_sentence": pa.array((np.arange(n) % 2 == 0).tolist()),
        }
        for name, column in columns.items():
            table = table.append_column(name, column)
        return table

    world.rewrite("annotations", as_clips)
    return world


@pytest.mark.parametrize("metric", ["mAP", "text_to_media_nDCG"])
def test_the_best_epoch_is_that_of_the_chosen_score(kitchen, metric) -> None:
    run = kitchen.folder / "run"
    summary = train(kitchen.config("run", metric=metric, epochs=4)).summary
    validations = json.loads((run / "metrics.json").read_text())["validation"]
    best = max(validations, key=lambda each: each[metric])
    assert summary["best_epoch"] == best["epoch"]
    evaluate(kitchen.folder / "scores", run=run, protocol="ek100", split="val", resamples=0)
    scores = json.loads((kitchen.folder / "scores" / "metrics.json").read_text())["scores"]["overall"]
    for direction in ("mean", "text_to_media", "media_to_text"):
        for name in ("mAP", "mAP_binary", "nDCG"):
            key = name if direction == "mean" else f"{direction}_{name}"
            assert best[key] == pytest.approx(scores[direction][name]["value"], abs=1e-4), key
    assert "recall_sum" in best


def test_the_mean_of_both_directions_has_two_names(kitchen) -> None:
    for name, score in (("mAP_mean", "mAP"), ("nDCG_mean", "nDCG")):
        assert kitchen.config("run", metric=name).metric == score
    for name in ("text_to_media_mAP_mean", "recall_sum_mean", "_mean"):
        with pytest.raises(InputError, match=f"^--metric {name}: expected recall_sum"):
            kitchen.config("run", metric=name)


def test_damaged_media_that_will_be_scored_are_refused_before_the_first_step(kitchen, tiny) -> None:
    bad = next(each for each in kitchen.media_ids if kitchen.split[f"{each}#0"] == "val")
    (images := kitchen.images()).joinpath(bad).write_bytes(b"no image")
    options = {"media": images, "media_model": str(tiny("resnet")), "max_bad": 3}
    with pytest.raises(
        InputError,
        match=rf"{bad}: it is not an image in a known format; --metric mAP needs all media of the val split: "
        rf"`mmts inspect \S+ --media {images}` lists the damaged ones$",
    ):
        train(kitchen.config("run", metric="mAP", **options))
    assert not (kitchen.folder / "run").exists()


def test_damage_that_only_the_validation_finds_stops_the_run(kitchen, tiny, monkeypatch) -> None:
    bad = next(each for each in kitchen.media_ids if kitchen.split[f"{each}#0"] == "val")
    (images := kitchen.images()).joinpath(bad).write_bytes(b"no image")
    monkeypatch.setattr("pipelines.train.stage.require_whole", lambda session, progress: None)
    options = {"media": images, "media_model": str(tiny("resnet")), "max_bad": 3}
    with pytest.raises(InputError, match=rf"{bad} can't be decoded .*; mend or replace it\)$"):
        train(kitchen.config("run", metric="mAP", **options))


def test_a_score_of_all_clips_is_not_told_to_leave_one_out(kitchen, tiny) -> None:
    images, run = kitchen.images(), kitchen.folder / "run"
    train(kitchen.config("run", media=images, media_model=str(tiny("resnet")), epochs=1))
    bad = next(each for each in kitchen.media_ids if kitchen.split[f"{each}#0"] == "val")
    images.joinpath(bad).write_bytes(b"no image")
    with pytest.raises(InputError, match=rf"{bad} can't be decoded .*; mend or replace it\)$"):
        evaluate(kitchen.folder / "scores", run=run, protocol="ek100", split="val", resamples=0)


def test_other_annotations_are_refused(world) -> None:
    with pytest.raises(InputError, match=r"^--metric nDCG: .*annotations\.parquet: .*verb_class"):
        train(world.config("run", metric="nDCG"))
