"""``train`` through the library: what it writes, learns, repeats and refuses."""

import json
import math
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tiny_world import SHIFTS, SPLITS

from pipelines.artifacts import STEPS, read_provenance
from pipelines.contrast import info_nce
from pipelines.errors import InputError
from pipelines.evaluate import evaluate
from pipelines.train import train
from pipelines.train.optimizer import set_learning_rate

NUMBERS = ("loss", "learning_rate", "temperature_min", "temperature_mean", "temperature_max", "gradient_norm")


def weights(world, output: str) -> bytes:
    return (world.folder / output / "model" / "heads.safetensors").read_bytes()


def steps(world, output: str) -> dict[str, list]:
    return pq.read_table(world.folder / output / "steps.parquet").to_pydict()


def metrics(world, output: str) -> dict:
    return json.loads((world.folder / output / "metrics.json").read_text())


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("temperature", ["fixed", "isogclr"])
def test_a_seed_gives_the_same_weights_bit_for_bit_and_another_does_not(world, temperature) -> None:
    options = {"temperature": temperature, "tau": 0.02}
    for output, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(world.config(output, seed=seed, **options))
        torch.rand(3)  # what happened before must not matter
    assert weights(world, "a") == weights(world, "b") != weights(world, "c")
    assert steps(world, "a") == steps(world, "b")


def test_it_learns(world) -> None:
    result = train(world.config("run", epochs=40, batch_size=48, lr=0.03))
    chance = 2 * 100 * (1 + 5 + 10) / SPLITS["val"]
    scores = result.summary["validation"]
    assert scores["recall_sum"] > 500 > 3 * chance
    assert scores["text_to_media_recall@1"] > 60
    assert steps(world, "run")["loss"][-1] < steps(world, "run")["loss"][0] / 5


def test_the_first_step_is_adamw_on_the_loss_by_hand(world) -> None:
    """With one batch and one step: weights = drawn weights - lr * (sign of gradient + decay of matrices)."""
    train(world.config("one", epochs=1, batch_size=48, warmup_epochs=0, weight_decay=0.5, val_split="none"))
    torch.manual_seed(0)
    heads = {"media_head": torch.nn.Linear(12, 8), "text_head": torch.nn.Linear(10, 8)}
    found = load_file(world.folder / "one" / "model" / "heads.safetensors")
    assert set(found) == {f"{head}.{part}" for head in heads for part in ("weight", "bias")}
    for name, head in heads.items():
        moved = found[f"{name}.weight"] - head.weight.detach() * (1 - 0.01 * 0.5)
        assert moved.abs().max().item() == pytest.approx(0.01, rel=1e-3)
        assert moved.abs().median().item() == pytest.approx(0.01, rel=1e-3)
        moved = found[f"{name}.bias"] - head.bias.detach()
        assert moved.abs().median().item() == pytest.approx(0.01, rel=1e-3)


def test_the_first_loss_is_info_nce_of_all_training_media(world) -> None:
    """With one caption a medium the first batch of all media is known but for its order, which doesn't matter."""
    first = {sample for sample in world.sample_ids if sample.endswith("#0")}
    world.rewrite("annotations", lambda t: t.filter(pa.array([i in first for i in t["sample_id"].to_pylist()])))
    train(world.config("run", epochs=1, batch_size=48))
    torch.manual_seed(0)
    media_head, text_head = torch.nn.Linear(12, 8), torch.nn.Linear(10, 8)
    ids = [sample for sample in world.samples("train") if sample in first]
    media_nd = media_head(torch.tensor(np.stack([world.features[world.media_of(each)] for each in ids])))
    text_nd = text_head(torch.tensor(np.stack([world.texts[each] for each in ids])))
    loss = info_nce(media_nd.double(), text_nd.double(), 0.1)
    assert steps(world, "run")["loss"][0] == pytest.approx(loss.item(), rel=1e-5)


def test_steps_by_hand(world) -> None:
    """All 48 media in each batch, so that every step has the shifts of them all."""
    options = {"temperature": "mmts", "tau": None, "alpha": 0.04, "oscillations": 2, "shifts": world.shifts}
    result = train(world.config("run", epochs=8, batch_size=48, warmup_epochs=2, lr=0.01, **options))
    found = steps(world, "run")
    shift_m = [SHIFTS[world.cluster[f"{media}#0"]] for media in world.media_ids[: SPLITS["train"]]]
    wave = [0.02 * math.cos(2 * math.pi * step / 4) for step in range(8)]
    assert found["step"] == list(range(8))
    assert found["epoch"] == list(range(1, 9))
    assert found["temperature_min"] == pytest.approx([min(shift_m) + each for each in wave], abs=1e-7)
    assert found["temperature_mean"] == pytest.approx([sum(shift_m) / 48 + each for each in wave], abs=1e-7)
    assert found["temperature_max"] == pytest.approx([max(shift_m) + each for each in wave], abs=1e-7)
    rates = [0.005, 0.01, *(0.005 * (1 + math.cos(math.pi * step / 6)) for step in range(6))]
    assert found["learning_rate"] == pytest.approx(rates)
    assert result.summary["temperature_min"] == pytest.approx(0.05 - 0.02)
    assert result.summary["temperature_max"] == pytest.approx(0.125 + 0.02)
    assert (result.summary["steps"], result.summary["final_loss"]) == (8, found["loss"][-1])


def test_the_networks_of_tempnet_follow_the_schedule_from_a_rate_of_their_own(world, monkeypatch) -> None:
    seen = []

    def watch(optimizer, rate) -> None:
        set_learning_rate(optimizer, rate)
        seen.append({(group["lr"], group["weight_decay"]) for group in optimizer.param_groups})

    monkeypatch.setattr("pipelines.train.step.set_learning_rate", watch)
    train(world.config("run", temperature="tempnet", tau=None, epochs=2, batch_size=48, lr=0.01, warmup_epochs=0))
    for step, share in zip(seen, (1.0, 0.5), strict=True):
        assert sorted(step) == [
            pytest.approx(pair) for pair in ((3e-5 * share, 0), (0.01 * share, 0), (0.01 * share, 0.01))
        ]


def test_margins_follow_the_same_schedule(world) -> None:
    options = {"temperature": "cosine", "tau": 0.2, "alpha": 0.1, "oscillations": 1, "loss": "max-margin"}
    train(world.config("run", epochs=4, batch_size=48, **options))
    assert steps(world, "run")["temperature_mean"] == pytest.approx([0.25, 0.2, 0.15, 0.2])


def test_each_sample_has_its_own_shift(world) -> None:
    """Batches of two of one caption each: the step's extremes are the shifts of the two, whatever the files' order."""
    train(
        world.config(
            "run",
            temperature="mmts",
            tau=None,
            alpha=0.0,
            shifts=world.shifts,
            epochs=1,
            batch_size=2,
            val_split="none",
        )
    )
    found = steps(world, "run")
    pairs = zip(found["temperature_min"], found["temperature_max"], strict=True)
    drawn = sorted(round(each, 6) for pair in pairs for each in pair)
    expected = sorted(SHIFTS[world.cluster[f"{media}#0"]] for media in world.media_ids[: SPLITS["train"]])
    assert drawn == pytest.approx(expected)


def test_the_record_has_its_columns_and_says_what_made_it(world) -> None:
    train(world.config("run"))
    path = world.folder / "run" / "steps.parquet"
    assert pq.read_schema(path).remove_metadata() == pa.schema(list(STEPS.columns.items()))
    found = steps(world, "run")
    assert found["epoch"] == [1, 1, 1, 2, 2, 2]
    assert all(math.isfinite(value) and value > 0 for name in NUMBERS for value in found[name][:-1])
    provenance = read_provenance(path)
    assert provenance is not None
    assert (provenance.stage, provenance.rows, provenance.seed) == ("train", 6, 0)
    assert set(provenance.inputs) == {"annotations", "media", "text"}
    assert provenance.parameters["batch_size"] == 16
    assert not [name for name in contents(world.folder / "run") if name.endswith(".tmp")]


def test_the_best_epoch_by_validation_is_kept(world) -> None:
    result = train(world.config("run", epochs=12, lr=0.5, tau=0.02, warmup_epochs=0))
    recorded = metrics(world, "run")
    sums = [epoch["recall_sum"] for epoch in recorded["validation"]]
    best = sums.index(max(sums))
    assert recorded["best_epoch"] == best + 1 < 12, sums  # else this shows nothing
    assert result.summary["validation"] == recorded["validation"][best]
    for epoch in recorded["validation"]:
        assert epoch["recall_sum"] == pytest.approx(sum(value for name, value in epoch.items() if "@" in name))

    scores = evaluate(world.folder / "s", run=world.folder / "run", split="val", resamples=0).summary["scores"]
    for direction in ("text_to_media", "media_to_text"):
        for k in (1, 5, 10):
            of_model = scores["overall"][direction][f"recall@{k}"]["value"]
            assert of_model == pytest.approx(recorded["validation"][best][f"{direction}_recall@{k}"])
    with safe_open(world.folder / "run" / "checkpoints" / "best.safetensors", framework="pt") as file:
        kept = {name.removeprefix("model."): file.get_tensor(name) for name in file.keys() if "model." in name}  # noqa: SIM118
        assert json.loads(file.metadata()["state"])["progress"] == {"epoch": best + 1, "steps": 3 * (best + 1)}
    model = load_file(world.folder / "run" / "model" / "heads.safetensors")
    assert set(kept) == set(model)
    assert all(torch.equal(kept[name], model[name]) for name in model)


def test_a_run_that_never_finds_anything_still_ends(world, monkeypatch) -> None:
    nothing = {"recall_sum": 0.0, "text_to_media_recall@1": 0.0, "media_to_text_recall@1": 0.0}
    monkeypatch.setattr("pipelines.train.loop.validate", lambda *_, **__: dict(nothing))
    assert train(world.config("run")).summary["best_epoch"] == 1


def test_without_validation_the_last_epoch_is_kept(world) -> None:
    result = train(world.config("run", val_split="none"))
    assert (result.summary["best_epoch"], result.summary["validation"]) == (2, None)
    assert metrics(world, "run") == {"best_epoch": 2, "validation": []}


def test_annotations_without_splits_are_all_training(world) -> None:
    world.rewrite("annotations", lambda table: table.drop_columns("split"))
    result = train(world.config("run", batch_size=23, epochs=1))
    assert (result.summary["steps"], result.summary["validation"]) == (sum(SPLITS.values()) // 23, None)


def test_a_run_is_up_to_date_until_something_changes(world) -> None:
    options = {"temperature": "mmts", "tau": None, "alpha": 0.02, "shifts": world.shifts}
    first = train(world.config("run", **options))
    written = contents(world.folder / "run")
    again = train(world.config("run", **options))
    assert (first.up_to_date, again.up_to_date) == (False, True)
    assert again.summary == first.summary
    assert contents(world.folder / "run") == written
    for change in ({"alpha": 0.03}, {"seed": 5}, {"lr": 0.02}, {"oscillations": 2.0}, {"projection": "mlp"}):
        assert not train(world.config("run", **{**options, **change})).up_to_date
        assert train(world.config("run", **{**options, **change})).up_to_date
        shutil.rmtree(world.folder / "run" / "previous")  # else the next one has no place to move this one to

    def louder(table: pa.Table) -> pa.Table:
        moved = pa.array(np.asarray(table["shift"]) + np.float32(0.01), pa.float32())
        return table.set_column(1, "shift", moved)

    train(world.config("run", **options), force=True)
    shutil.rmtree(world.folder / "run" / "previous")
    world.rewrite("shifts", louder)
    assert not train(world.config("run", **options)).up_to_date
    assert min(steps(world, "run")["temperature_min"]) == pytest.approx(0.06 + 0.01)  # a period is one step
    assert train(world.config("run", **options)).up_to_date
    assert not train(world.config("run", **options), force=True).up_to_date
    shutil.rmtree(world.folder / "run" / "previous")
    (world.folder / "run" / "metrics.json").unlink()
    assert not train(world.config("run", **options)).up_to_date


@pytest.mark.parametrize("name", ["annotations", "text", "media"])
def test_a_changed_input_is_work(world, name) -> None:
    train(world.config("run"))
    world.rewrite(name, lambda table: table.slice(0).take(list(reversed(range(table.num_rows)))))
    assert not train(world.config("run")).up_to_date


def test_too_large_an_alpha_is_refused_over_an_existing_run(world) -> None:
    options = {"temperature": "mmts", "tau": None, "shifts": world.shifts}
    train(world.config("run", alpha=0.099, **options))
    before = contents(world.folder)
    for alpha in (0.1, 0.11):
        with pytest.raises(InputError, match=r"give an alpha below 0\.1 or raise the smallest shift"):
            train(world.config("run", alpha=alpha, **options))
    assert contents(world.folder) == before


def test_a_loss_that_is_not_finite_stops_with_step_and_samples(world) -> None:
    with pytest.raises(InputError) as error:
        train(world.config("run", lr=1e25, warmup_epochs=0))
    message = str(error.value)
    assert message.startswith("the loss is nan at step 2, in a batch of 16 samples starting with m")
    assert "no checkpoint was written yet" in message
    named = message.split("starting with ")[1].split(";")[0].split(", ")
    assert len(named) == 3
    assert set(named) <= set(world.samples("train"))
    assert not (world.folder / "run" / "metrics.json").exists()
    with pytest.raises(InputError, match="is not the folder of a complete run"):
        evaluate(world.folder / "s", run=world.folder / "run")


def test_a_gradient_that_is_not_finite_is_not_followed(world, monkeypatch) -> None:
    monkeypatch.setattr(
        "pipelines.train.step.gradient_norm", lambda weights, _: next(iter(weights)).new_tensor(math.inf)
    )
    with pytest.raises(InputError, match=r"^the gradient's norm is inf at step 0, in a batch of 16 .*; lower --lr"):
        train(world.config("run"))


def test_a_failed_run_is_run_again_in_its_place(world) -> None:
    train(world.config("run"))
    with pytest.raises(InputError):
        train(world.config("run", lr=1e25, warmup_epochs=0))
    kept = ("checkpoints/best.safetensors", "config.json", "metrics.json", "steps.parquet")
    model = ("model/dual_encoder.json", "model/heads.safetensors")
    expected = ["config.json", *(f"previous/{name}" for name in (*kept, *model)), "steps.parquet"]
    assert sorted(contents(world.folder / "run")) == sorted(expected)
    assert not train(world.config("run")).up_to_date
    assert train(world.config("run")).up_to_date


def test_a_folder_of_something_else_is_not_written_to(world) -> None:
    (world.folder / "mine").mkdir()
    (world.folder / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="is not a run folder, but holds other files; choose another output folder"):
        train(world.config("mine"))
    assert contents(world.folder / "mine") == {"notes.txt": b"keep"}
    train(world.config("mine"), force=True)
    assert (world.folder / "mine" / "notes.txt").read_text() == "keep"


def test_micro_batches_take_the_same_steps(world) -> None:
    options = {"epochs": 4, "lr": 0.01, "projection": "mlp"}
    train(world.config("whole", **options))
    train(world.config("parts", micro_batch=5, **options))
    whole, parts = steps(world, "whole"), steps(world, "parts")
    for name in ("loss", "gradient_norm"):
        assert parts[name] == pytest.approx(whole[name], rel=1e-3), name
