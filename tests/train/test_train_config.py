"""Settings of a run: options that would do nothing are refused, and what is needed is asked for."""

from typing import Any

import pytest

from pipelines.errors import InputError
from pipelines.train import TrainConfig
from pipelines.train.settings import FLAGS

FILES = {"annotations": "a.parquet", "output": "run", "media": "m.parquet", "text": "t.parquet"}
VALUES = {"tau": 0.1, "alpha": 0.02, "oscillations": 3.0, "tau_min": 0.01, "tau_max": 0.2, "rho": 4.0}
# As `make_strategy` documents its arguments.
TAKES = {
    "fixed": {"tau"},
    "learned": {"tau"},
    "cosine": {"tau", "alpha", "oscillations"},
    "mmts": {"alpha", "oscillations", "shifts"},
    "mmts-learned": {"alpha", "oscillations", "shifts"},
    "ts": {"tau_min", "tau_max", "oscillations"},
    "isogclr": {"tau", "tau_min", "tau_max", "rho"},
    "tempnet": {"tau_min", "tau_max", "rho"},
}


def checked(**values) -> TrainConfig:
    return TrainConfig(**{**FILES, **values})


@pytest.mark.parametrize("name", TAKES)
def test_an_option_without_effect_is_refused(name) -> None:
    needed = {"shifts": "s.parquet"} if "shifts" in TAKES[name] else {}
    for option, value in {**VALUES, "shifts": "s.parquet"}.items():
        given = {"temperature": name, **needed, option: value}
        if option in TAKES[name]:
            assert getattr(checked(**given), option) is not None
            continue
        with pytest.raises(InputError) as error:
            checked(**given)
        flags = ", ".join(sorted(f"--{taken.replace('_', '-')}" for taken in TAKES[name]))
        assert str(error.value) == (
            f"--{option.replace('_', '-')} has no effect with --temperature {name}, which takes {flags}; leave it out"
        )


@pytest.mark.parametrize("name", ["mmts", "mmts-learned"])
def test_shifts_are_asked_for(name) -> None:
    with pytest.raises(InputError, match=f"^--temperature {name} needs --shifts; make them with `mmts shifts`"):
        checked(temperature=name)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "--epochs 0: .*greater than or equal to 1"),
        ({"batch_size": 1}, "--batch-size 1: .*greater than or equal to 2"),
        ({"lr": 0.0}, "--lr 0.0: .*greater than 0"),
        ({"tau": -0.1}, "--tau -0.1: .*greater than 0"),
        ({"max_grad_norm": 0.0}, "--max-grad-norm 0.0: .*greater than 0"),
        ({"warmup_epochs": -1.0}, "--warmup-epochs -1.0: .*greater than or equal to 0"),
        ({"seed": -1}, "--seed -1: .*greater than or equal to 0"),
        ({"seed": 2**50}, "--seed 1125899906842624: .*less than"),
        ({"temperature": "warm"}, "--temperature warm: .*'fixed'"),
        ({"loss": "triplet"}, "--loss triplet: .*'infonce'"),
        ({"dropout": 0.1}, "--dropout 0.1: .*not permitted"),
        ({"lr": float("nan")}, "--lr nan"),
        ({"lr": float("inf")}, "--lr inf"),
    ],
)
def test_values_out_of_range_are_refused_in_a_line(wrong, message) -> None:
    with pytest.raises(InputError, match=message) as error:
        checked(**{"temperature": "fixed", **wrong})
    assert "\n" not in str(error.value)


# Another value for each setting that shapes the result.
OTHER: dict[str, Any] = {
    **{"loss": "max-margin", "temperature": "learned", "tau": 0.3, "projection": "mlp", "dimension": 7, "epochs": 3},
    **{"batch_size": 4, "micro_batch": 2, "lr": 0.5, "min_lr": 1e-4, "warmup_epochs": 2.0, "weight_decay": 0.3},
    **{"max_grad_norm": 1.0, "split": "all", "val_split": "none", "val_every": 2, "metric": "text_to_media_recall@1"},
    **{
        "frequency": "kind",
        "duplicates": "mask",
        "positives": "relevancy",
        "patience": 3,
        "warmup_lr": 1e-4,
        "reshuffle": "once",
        "media_model": "vit",
        "precision": "bf16-mixed",
    },
}
WITH_A_TOWER: dict[str, Any] = {
    **{"text_model": "bert", "frames": 4, "augment": "crop", "freeze": ["text_tower.*"], "lora_rank": 8},
    **{"layer_decay": 0.7},
}
WITH_MORE: dict[str, tuple[dict[str, Any], Any]] = {
    "min_relevancy": ({"positives": "relevancy"}, 0.2),
    "pooling": ({"frames": 2}, "attention"),
    "chunk_seconds": ({"frames": 2}, 15.0),
    **{name: ({"augment": "crop"}, given) for name, given in (("crop_scale", "0.5,1"), ("flip", 0.5), ("color", 0.1))},
    "lora_alpha": ({"lora_rank": 2}, 3.0),
    "lora_target": ({"lora_rank": 2}, ["query"]),
    "weight": ({"clusters": "c.parquet", "sampling": "cluster"}, 0.5),
    "adjust": ({"clusters": "c.parquet", "weight": 0.5}, 0.5),
    "sampling": ({"clusters": "c.parquet", "weight": 0.5}, "cluster"),
    "bias": ({"loss": "sigmoid"}, -6.0),
    "power": ({"clusters": "c.parquet", "sampling": "cluster"}, 0.5),
}
OF_STRATEGIES = {"shifts", "alpha", "oscillations", "tau_min", "tau_max", "rho"}  # tested above
HOW_IT_IS_RUN: dict[str, Any] = {
    **{"output": "other", "annotations": "b.parquet", "media": "n.parquet", "text": "u.parquet", "seed": 4},
    **{"device": "cpu", "devices": 2, "nodes": 2, "parallel": "ddp", "checkpoint_steps": 5, "checkpoint_minutes": 1.0},
    **{"logger": ["wandb"], "log_every": 3, "workers": 3, "max_bad": 4, "gradient_checkpointing": True},
    **{"compile": True, "trust_remote_code": True},
}


def test_the_recipe_is_what_shapes_the_result() -> None:
    fixed = {"temperature": "fixed", "tau": 0.1}
    pixels = {**fixed, "media_model": "resnet"}
    known = {*OTHER, *WITH_A_TOWER, *WITH_MORE, *OF_STRATEGIES, *HOW_IT_IS_RUN, "clusters"}
    assert known == set(TrainConfig.model_fields)
    for name, value in OTHER.items():
        assert checked(**{**fixed, name: value}).recipe() != checked(**fixed).recipe(), name
    for name, value in WITH_A_TOWER.items():
        text = {"text": None} if name == "text_model" else {}
        assert checked(**pixels, **text, **{name: value}).recipe() != checked(**pixels).recipe(), name
    for name, (more, value) in WITH_MORE.items():
        assert checked(**pixels, **more, **{name: value}).recipe() != checked(**pixels, **more).recipe(), name
    weighted = {**fixed, "weight": 0.5}
    assert checked(**weighted, clusters="a").recipe() == checked(**weighted, clusters="b").recipe()
    for name, value in HOW_IT_IS_RUN.items():
        assert checked(**{**pixels, name: value}).recipe() == checked(**pixels).recipe(), name


def test_differences_are_told_in_flags() -> None:
    then = checked(temperature="fixed", tau=0.1, lr=0.5, devices=3).model_dump(mode="json", exclude_none=True)
    now = checked(temperature="learned", lr=0.1, seed=3)
    assert now.differences(then) == (
        "--lr 0.5, now 0.1; --seed 0, now 3; --tau 0.1, now not given; --temperature fixed, now learned"
    )
    assert now.differences(now.model_dump(mode="json", exclude_none=True)) == ""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": None}, "give either --text, .* or --text-model"),
        ({"text_model": "bert"}, "give either --text, .* or --text-model"),
        ({"weight": 1.0}, "--weight needs cluster sizes; give --clusters, as `mmts cluster` makes them$"),
        ({"adjust": 1.0}, "--adjust needs cluster sizes"),
        ({"adjust": 1.0, "clusters": "c", "loss": "max-margin"}, "--adjust has no effect with --loss max-margin;"),
        ({"adjust": 1.0, "clusters": "c", "temperature": "tempnet"}, "--adjust has no effect with --temperature te"),
        ({"sampling": "cluster"}, "--sampling needs cluster sizes; give --clusters"),
        (
            {"clusters": "c.parquet"},
            "--clusters has no effect without --weight or --adjust or --sampling; leave it out$",
        ),
        ({"clusters": "c.parquet", "weight": 1.0, "power": 0.5}, "--power has no effect without --sampling"),
        ({"frames": 3}, "--frames has no effect without --media-model; leave it out$"),
        ({"augment": "crop"}, "--augment has no effect without --media-model"),
        ({"max_bad": 1}, "--max-bad has no effect without --media-model"),
        ({"workers": 0}, "--workers has no effect without --media-model"),
        ({"freeze": ["a"]}, "--freeze has no effect without --media-model or --text-model; leave it out$"),
        ({"layer_decay": 0.5}, "--layer-decay has no effect without --media-model or --text-model"),
        ({"compile": True}, "--compile has no effect without --media-model or --text-model"),
        ({"media_model": "vit", "pooling": "mean"}, "--pooling has no effect without --frames"),
        ({"media_model": "vit", "lora_alpha": 2.0}, "--lora-alpha has no effect without --lora-rank"),
        ({"min_relevancy": 0.1}, "--min-relevancy has no effect without --positives relevancy; leave it out$"),
        ({"min_relevancy": 1.0, "positives": "relevancy"}, "--min-relevancy 1.0: Input should be less than 1"),
        ({"patience": 2, "val_split": "none"}, "--patience has no effect with --val-split none; leave it out$"),
        ({"val_every": 2, "val_split": "none"}, "--val-every has no effect with --val-split none"),
        ({"metric": "text_to_media_recall@1", "val_split": "none"}, "--metric has no effect with --val-split none"),
        ({"temperature": "cosine", "alpha": 0, "oscillations": 2}, "--oscillations has no effect with --alpha 0.0"),
        ({"min_lr": 0.1, "lr": 0.01}, "--min-lr 0.1 is above --lr 0.01, the highest rate; lower it$"),
        ({"warmup_epochs": 3.0, "epochs": 3}, "--warmup-epochs 3 of --epochs 3 would warm up to the end; lower it$"),
        ({"val_every": 4, "epochs": 3}, "--val-every 4 is more than --epochs 3; lower it$"),
        ({"patience": 3, "epochs": 3}, "--patience 3 can't stop a run of 3 validations early; lower it, or leave it"),
        ({"patience": 5, "epochs": 10, "val_every": 2}, "--patience 5 can't stop a run of 5 validations early"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(given, message) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        checked(**{"temperature": "fixed", **given})


def test_every_condition_names_settings_there_are() -> None:
    """And a value the other can have; with the conditions met, the option is accepted."""
    conditions = [text for flag in FLAGS.values() for text in (*flag.only_with, *filter(None, [flag.not_with]))]
    assert len(conditions) > 15
    for name, *value in (text.split() for text in conditions):
        assert name in TrainConfig.model_fields
        more = {"clusters": "c.parquet"} if name == "sampling" else {}
        assert not value or str(getattr(checked(temperature="cosine", **more, **{name: value[0]}), name)) == value[0]
    checked(temperature="cosine", alpha=0.01, oscillations=2)
    checked(temperature="fixed", epochs=4, patience=2, val_every=1)


@pytest.mark.parametrize(("epochs", "expected"), [(1, 0.5), (2, 1.0), (30, 1.0)])
def test_a_run_leaves_its_default_warm_up(epochs, expected) -> None:
    config = checked(temperature="fixed", epochs=epochs)
    assert config.warmup_epochs == expected
    assert config.warmup_steps(10) == 10 * expected
