"""``train`` end to end: towers on both sides, clips, adapters, frozen parts, damaged media, workers."""

import json

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from pipelines.errors import InputError, Interrupted
from pipelines.models import build_model, load_model
from pipelines.train import train


def steps(world, output: str) -> dict[str, list]:
    return pq.read_table(world.folder / output / "steps.parquet").to_pydict()


def model_bytes(world, output: str) -> dict[str, bytes]:
    folder = world.folder / output / "model"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}


@pytest.mark.parametrize(
    ("media_model", "text_model", "projection"),
    [("clip", "clip", "none"), ("siglip", "siglip", "none"), ("vit", "bert", "linear"), (None, "bert", "mlp")],
)
def test_towers_of_both_sides_are_trained(spoken, tiny, media_model, text_model, projection) -> None:
    options = {"text": None, "text_model": str(tiny(text_model)), "projection": projection, "epochs": 6, "lr": 3e-3}
    if projection == "none":
        options["dimension"] = None
    if media_model is not None:
        options |= {"media": spoken.images(), "media_model": str(tiny(media_model))}
    train(spoken.config("run", **options))
    found = steps(spoken, "run")["loss"]
    assert sum(found[-3:]) < sum(found[:3])
    model = load_model(spoken.folder / "run" / "model")
    for side, name in (("media", media_model), ("text", text_model)):
        tower = getattr(model, f"{side}_tower")
        assert (tower is not None) is (name is not None)
        if name is not None:
            start = load_file(next(tiny(name).rglob("model.safetensors")))
            trained = dict(tower.named_parameters())
            moved = [
                not torch.equal(trained[ours], value)
                for theirs, value in start.items()
                for ours in trained
                if ours.endswith(theirs.removeprefix("vision_model.").removeprefix("text_model."))
                and side_of(theirs, side)
            ]
            assert sum(moved) > len(moved) / 2


def side_of(name: str, side: str) -> bool:
    """Whether a parameter of a model, which may have two sides, is of this one."""
    other = {"media": "text_", "text": "vision_"}[side]
    return not name.startswith((other, "visual_projection" if side == "text" else "text_projection"))


def test_a_frozen_tower_stays_and_the_rest_moves(spoken, tiny) -> None:
    options = {"text": None, "text_model": str(tiny("bert")), "media": spoken.images(), "media_model": str(tiny("vit"))}
    before = build_model(options["media_model"], options["text_model"], dimension=8).state_dict()
    train(spoken.config("run", freeze=["text_tower.*", "*.embeddings.*"], **options))
    after = load_model(spoken.folder / "run" / "model").state_dict()
    assert after.keys() == before.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith("text_tower.") or ".embeddings." in name for name in moved)
    layers = {name for name in before if "media_tower" in name and ".layers." in name and name.endswith("weight")}
    assert len(layers) > 5
    assert layers <= moved


def test_adapters_are_trained_and_folded_into_plain_weights(spoken, tiny) -> None:
    options = {"media": spoken.images(), "media_model": str(tiny("vit")), "lora_rank": 2}
    train(spoken.config("run", **options))
    before = load_file(tiny("vit") / "model.safetensors")
    after = load_file(spoken.folder / "run" / "model" / "media_tower" / "model.safetensors")
    assert after.keys() == before.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.endswith(("query.weight", "value.weight")) for name in changed), changed


def test_less_memory_is_the_same_run(spoken, tiny) -> None:
    options = {"media": spoken.images(), "media_model": str(tiny("vit"))}
    train(spoken.config("plain", **options))
    train(spoken.config("checkpointed", gradient_checkpointing=True, **options))
    assert steps(spoken, "checkpointed")["loss"] == pytest.approx(steps(spoken, "plain")["loss"], rel=1e-5)


def test_layers_below_learn_slower(spoken, tiny) -> None:
    options = {"media": spoken.images(), "media_model": str(tiny("vit")), "epochs": 1, "weight_decay": 0.0}
    options |= {"warmup_epochs": 0, "batch_size": 48}  # one step of AdamW moves each weight by its learning rate
    train(spoken.config("run", layer_decay=0.5, **options))
    before = load_file(tiny("vit") / "model.safetensors")
    after = load_file(spoken.folder / "run" / "model" / "media_tower" / "model.safetensors")

    def moved(name: str) -> float:
        return (after[name] - before[name]).abs().median().item()

    layer = next(name for name in before if "query.weight" in name)
    assert moved(layer) == pytest.approx(0.01 * 0.5, rel=0.02)
    patches = next(name for name in before if "patch" in name and name.endswith("weight"))
    assert moved(patches) == pytest.approx(0.01 * 0.25, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_clips_are_trained_on_and_a_stopped_run_goes_on(filmed, tiny, pooling, monkeypatch) -> None:
    options = {
        "media": filmed.folder / "videos",
        "media_model": str(tiny("vit")),
        "frames": 3,
        "pooling": pooling,
        "augment": "crop",
    }
    options |= {"micro_batch": 6, "epochs": 2}
    train(filmed.config("whole", **options))
    import pipelines.train.loop as loop

    original = loop.take_step

    def take_step(session, batch, step):
        assert batch.media.shape[1:] == (3, 3, 16, 16)
        if step == 3:
            import signal

            signal.raise_signal(signal.SIGTERM)
        return original(session, batch, step)

    monkeypatch.setattr(loop, "take_step", take_step)
    with pytest.raises(Interrupted):
        train(filmed.config("run", **options))
    monkeypatch.setattr(loop, "take_step", original)
    train(filmed.config("run", workers=2, **options), resume=True)
    assert model_bytes(filmed, "run") == model_bytes(filmed, "whole")
    assert steps(filmed, "run") == steps(filmed, "whole")


@pytest.mark.slow
def test_workers_change_nothing(world, tiny) -> None:
    options = {"media": world.images("images.zip"), "media_model": str(tiny("resnet")), "augment": "strong"}
    for workers in (0, 1, 3):
        train(world.config(f"run{workers}", workers=workers, **options))
    assert model_bytes(world, "run0") == model_bytes(world, "run1") == model_bytes(world, "run3")


def damage(world, *media_ids: str):
    folder = world.images()
    for media_id in media_ids:
        (folder / media_id).write_bytes(b"no image")
    return folder


def test_damaged_media_are_replaced_counted_and_named(world, tiny) -> None:
    bad = [world.media_ids[3], world.media_ids[20], next(m for m in world.media_ids if world.split[f"{m}#0"] == "val")]
    options = {"media": damage(world, *bad), "media_model": str(tiny("resnet")), "max_bad": 3}
    with pytest.warns(UserWarning, match=f"{bad[0]}.*; another medium takes its place"):
        train(world.config("run", **options))
    recorded = json.loads((world.folder / "run" / "metrics.json").read_text())
    assert sorted(recorded["bad_media"]) == sorted(bad)
    with pytest.warns(UserWarning, match="another medium takes its place"):
        train(world.config("again", workers=2, **options))
    assert model_bytes(world, "again") == model_bytes(world, "run")


def test_one_damaged_medium_too_many_stops_the_run(world, tiny) -> None:
    options = {"media": damage(world, *world.media_ids[:3]), "media_model": str(tiny("resnet"))}
    with pytest.raises(InputError, match=r"m0\d.png"):
        train(world.config("none", **options))
    with (
        pytest.warns(UserWarning, match="another medium takes its place"),
        pytest.raises(InputError, match="--max-bad 2: 3 media can't be decoded, first: m0"),
    ):
        train(world.config("two", max_bad=2, **options))


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_run_goes_on_from_its_last_step_once_a_damaged_medium_is_replaced(world, tiny, split) -> None:
    images, bad = world.images(), [each for each in world.media_ids if world.split[f"{each}#0"] == split][-1]
    whole = (images / bad).read_bytes()
    options = {"media": images, "media_model": str(tiny("resnet")), "epochs": 2}
    train(world.config("whole", **options))
    (images / bad).write_bytes(b"no image")
    with pytest.raises(InputError, match=f"{bad} can't be decoded"):
        train(world.config("run", **options))
    assert list((world.folder / "run" / "checkpoints").glob("step-*")), "no step is kept"
    (images / bad).write_bytes(whole)
    train(world.config("run", **options), resume=True)
    assert model_bytes(world, "run") == model_bytes(world, "whole")


def test_changed_media_are_refused_where_the_run_stopped_at_something_else(world, tiny, monkeypatch) -> None:
    """Also where its newest checkpoint is damaged; without any the run starts."""
    import pipelines.train.loop as loop

    images = world.images()
    options = {"media": images, "media_model": str(tiny("resnet")), "epochs": 2, "checkpoint_steps": 1}
    monkeypatch.setattr(loop, "validate", refuse)
    with pytest.raises(InputError, match="the server refuses"):
        train(world.config("run", **options))
    monkeypatch.undo()
    (images / world.media_ids[0]).write_bytes((images / world.media_ids[1]).read_bytes())
    checkpoints = sorted((world.folder / "run" / "checkpoints").glob("step-*"))
    assert len(checkpoints) == 2
    for damaged in (None, checkpoints[1], checkpoints[0]):
        if damaged is not None:
            damaged.write_bytes(b"x")
        with pytest.raises(InputError, match=r"of other settings \(its input files, or mmts, changed\)"):
            train(world.config("run", **options), resume=True)
    for path in checkpoints:  # as where it was killed before the first
        path.unlink()
    assert not train(world.config("run", **options)).up_to_date


def refuse(*_: object, **__: object) -> None:
    raise InputError("s3://bucket/run: the server refuses (500)")


def test_the_stand_ins_caption_is_its_own(world, tiny, monkeypatch) -> None:
    import pipelines.train.loop as loop

    bad = world.media_ids[3]
    options = {"media": damage(world, bad), "media_model": str(tiny("resnet")), "max_bad": 1, "val_split": "none"}
    seen = []
    original = loop.epoch_batches

    def batches(session, epoch, first):
        for batch in original(session, epoch, first):
            for pixels, row in zip(batch.media, batch.sample_rows.tolist(), strict=True):
                sample = session.training.sample_ids[row]
                medium = int(session.training.media_of_sample_n[row])
                seen.append(session.training.media.ids[medium])
                assert sample.startswith(session.training.media.ids[medium])
                assert torch.equal(pixels, session.training.media.load(medium))
            yield batch

    monkeypatch.setattr(loop, "epoch_batches", batches)
    with pytest.warns(UserWarning, match="another medium takes its place"):
        train(world.config("run", **options))
    assert bad not in seen
    assert len(seen) == 96
