"""Settings of a run: options that would do nothing are refused, and what is needed is asked for."""

import pytest

from pipelines.contrast import STRATEGY_NAMES
from pipelines.errors import InputError
from pipelines.train import TrainConfig

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


def test_every_strategy_is_named_here_and_there() -> None:
    assert set(TAKES) == set(STRATEGY_NAMES)


@pytest.mark.parametrize("name", STRATEGY_NAMES)
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


def test_the_recipe_is_what_shapes_the_result() -> None:
    config = checked(temperature="fixed", tau=0.1)
    same = checked(temperature="fixed", tau=0.1, output="other", device="cpu", media="n.parquet", seed=4)
    assert same.recipe() == config.recipe()
    paths = {*FILES, "shifts", "media_model", "device", "seed"}
    others = {"head": "mlp", "split": "all", "val_split": "none", "loss": "max-margin", "temperature": "cosine"}
    for name, field in TrainConfig.model_fields.items():
        if name in paths | {"alpha", "oscillations", "tau_min", "tau_max", "rho"}:
            continue
        value = others.get(name) or (getattr(config, name) or field.default or 7) * 2
        changed = checked(**{"temperature": "fixed", "tau": 0.1, name: value})
        assert changed.recipe() != config.recipe(), name
