"""``mmts train``: every strategy, its own configuration fed back, and wrong input in one line."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest

from pipelines.contrast import STRATEGIES

# For each strategy its options, and the range its temperatures keep to with the shifts of the tiny world.
SETTINGS = {
    "fixed": ({"tau": 0.1}, (0.1, 0.1)),
    "learned": ({"tau": 0.1}, (0.01, 1.0)),
    "cosine": ({"tau": 0.1, "alpha": 0.04}, (0.08, 0.12)),
    "mmts": ({"tau": None, "alpha": 0.04}, (0.03, 0.145)),
    "mmts-learned": ({"tau": None, "alpha": 0.04}, (0.01, 1.0)),
    "ts": ({"tau": None, "tau_min": 0.05, "tau_max": 0.3}, (0.05, 0.3)),
    "isogclr": ({"tau": 0.02}, (0.005, 0.05)),
    "tempnet": ({"tau": None}, (0.005, 0.05)),
}


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_trains(world, mmts, name) -> None:
    options, (low, high) = SETTINGS.get(name, ({"tau": None}, (0, math.inf)))  # a new one trains with its defaults
    shifts = {"shifts": world.shifts} if "shifts" in STRATEGIES[name].options else {}
    ran = mmts(*world.command("run", temperature=name, epochs=10, batch_size=48, **options, **shifts), "--json")
    assert (ran.code, ran.err) == (0, "")
    summary = json.loads(ran.out)
    assert (summary["command"], summary["up_to_date"], summary["steps"]) == ("train", False, 10)
    assert low - 1e-6 <= summary["temperature_min"] <= summary["temperature_max"] <= high + 1e-6
    assert (summary["temperature_min"] == summary["temperature_max"]) == (name == "fixed")
    assert summary["validation"]["recall_sum"] > 250  # chance is 160


def test_media_that_are_never_trained_on_are_told(world, mmts) -> None:
    ran = mmts(*world.command("run", reshuffle="once", batch_size=20, epochs=1))
    assert "--reshuffle once: 8 media fill no whole batch in any epoch and are never trained on" in ran.out + ran.err
    ran = mmts(*world.command("other", batch_size=20, epochs=1))
    assert "never trained on" not in ran.out + ran.err


@pytest.mark.parametrize("name", ["fixed", "cosine", "mmts", "ts"])
def test_margins_train_with_every_schedule(world, mmts, name) -> None:
    options, _ = SETTINGS[name]
    shifts = {"shifts": world.shifts} if name == "mmts" else {}
    ran = mmts(*world.command("run", temperature=name, epochs=20, loss="max-margin", **options, **shifts), "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["validation"]["recall_sum"] > 300


@pytest.mark.parametrize("name", ["learned", "mmts-learned", "isogclr", "tempnet"])
def test_strategies_without_margins_say_so(world, refused, name) -> None:
    options, _ = SETTINGS[name]
    shifts = {"shifts": world.shifts} if name == "mmts-learned" else {}
    message = refused(*world.command("run", temperature=name, loss="max-margin", **options, **shifts))
    assert message.startswith(f"temperature strategy '{name}' doesn't work with loss 'max-margin'")


def test_the_words_for_people(world, mmts) -> None:
    command = world.command("run")
    first, second = mmts(*command), mmts(*command)
    output = world.folder / "run"
    lines = first.out.splitlines()
    assert lines[0] == f"{output}: written"
    assert lines[1].startswith("6 steps, 2 epochs; temperature 0.1 .. 0.1 (tau 0.1); final loss ")
    assert "by validation: recall sum " in lines[2]
    assert second.out.splitlines() == [f"{output}: up to date", *lines[1:]]


def test_a_runs_configuration_fed_back_gives_the_same_weights(world, mmts) -> None:
    options = {
        "temperature": "mmts",
        "tau": None,
        "alpha": 0.03,
        "shifts": world.shifts,
        "seed": 3,
        "projection": "mlp",
    }
    assert mmts(*world.command("first", **options, weight_decay=0.2, lr=0.004)).code == 0
    first, second = world.folder / "first", world.folder / "second"
    ran = mmts("train", "--config", first / "config.json", "-o", second)
    assert ran.code == 0, ran.err
    for name in ("model/heads.safetensors", "checkpoints/best.safetensors", "metrics.json", "steps.parquet"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert mmts("train", "--config", first / "config.json").out.startswith(f"{first}: up to date\n")
    assert mmts("train", "--config", first / "config.json", "-o", second, "--seed", 4).code == 0
    assert (first / "model/heads.safetensors").read_bytes() != (second / "model/heads.safetensors").read_bytes()


def test_a_configuration_with_names_of_old_is_read(world, mmts) -> None:
    """``--head`` and ``--strategy`` were once the names of ``--projection`` and ``--parallel``."""
    assert mmts(*world.command("first", projection="mlp", parallel="ddp")).code == 0
    first = world.folder / "first"
    old = json.loads((first / "config.json").read_text())
    for name, current in {"head": "projection", "strategy": "parallel"}.items():
        old["parameters"][name] = old["parameters"].pop(current)
    (world.folder / "old.json").write_text(json.dumps(old))
    ran = mmts("train", "--config", world.folder / "old.json", "-o", first)
    assert ran.out.startswith(f"{first}: up to date\n")
    assert ran.err.splitlines() == [
        f"warning: {world.folder / 'old.json'}: 'head' is now called 'projection'; read as that",
        f"warning: {world.folder / 'old.json'}: 'strategy' is now called 'parallel'; read as that",
    ]
    assert mmts("train", "--config", world.folder / "old.json", "-o", first, "--quiet").err == ""


@pytest.fixture
def refusal(world, mmts, refused):
    """Refuse a command line over an existing run, and check that no file changed."""

    def run(**changes):
        assert mmts(*world.command("run")).code == 0
        before = contents(world.folder)
        message = refused(*world.command("run", **changes))
        assert contents(world.folder) == before
        return message

    return run


@pytest.mark.parametrize("role", ["annotations", "media", "text"])
def test_files_that_cant_be_read(world, refusal, role) -> None:
    file = getattr(world, role)
    assert refusal(**{role: world.folder / f"{role}x.parquet"}).endswith(
        f"{role}x.parquet: no such file; did you mean '{role}.parquet'?"
    )
    (world.folder / "cut.parquet").write_bytes(file.read_bytes()[:-40])
    assert "cut.parquet: truncated or damaged Parquet file" in refusal(**{role: world.folder / "cut.parquet"})
    (world.folder / "empty.parquet").touch()
    assert refusal(**{role: world.folder / "empty.parquet"}).endswith("empty.parquet: the file is empty (0 bytes)")
    (world.folder / "folder").mkdir()
    wanted = "holds images, which need a vision model" if role == "media" else "is a directory; a file was expected"
    assert wanted in refusal(**{role: world.folder / "folder"})


def test_a_missing_shifts_file(world, refusal) -> None:
    changes = {"temperature": "mmts", "tau": None, "shifts": world.folder / "shift.parquet"}
    assert refusal(**changes).endswith("shift.parquet: no such file; did you mean 'shifts.parquet'?")


@pytest.mark.parametrize(
    ("role", "column"),
    [("annotations", "sample_id"), ("text", "embedding"), ("text", "sample_id"), ("media", "embedding")],
)
def test_a_column_of_another_name(world, refusal, role, column) -> None:
    path = world.rewrite(
        role,
        lambda table: table.rename_columns([f"{name}s" if name == column else name for name in table.column_names]),
        "renamed.parquet",
    )
    message = refusal(**{role: path})
    assert f"renamed.parquet: no column '{column}'" in message
    assert f"did you mean '{column}s'?" in message


def test_ids_missing_in_another_file(world, refusal) -> None:
    lacking = {"m00.png", "m07.png"}

    def without(column):
        return lambda t: t.filter(pa.array([each.split("#")[0] not in lacking for each in t[column].to_pylist()]))

    media = world.rewrite("media", without("media_id"), "less.parquet")
    message = refusal(media=media)
    assert "less.parquet: 2 of 48 media are missing there, first: " in message
    assert set(message.split("first: ")[1].split("; it holds ")[0].split(", ")) == lacking
    text = world.rewrite("text", without("sample_id"), "less.parquet")
    assert "less.parquet: 4 of 96 samples are missing there, first: m0" in refusal(text=text)
    shifts = world.rewrite("shifts", without("sample_id"), "less.parquet")
    message = refusal(temperature="mmts", tau=None, shifts=shifts)
    assert "less.parquet: 4 of 96 training samples are missing there, first: m0" in message


@pytest.mark.parametrize(("value", "count"), [(np.nan, 1), (np.inf, 2)])
@pytest.mark.parametrize("role", ["text", "media"])
def test_vectors_that_are_no_numbers(world, refusal, role, value, count) -> None:
    def spoil(table: pa.Table) -> pa.Table:
        vectors = table["embedding"].to_pylist()
        for row in range(count):
            vectors[5 + row][3] = value
        return table.set_column(1, "embedding", pa.array(vectors, table.schema.field("embedding").type))

    path = world.rewrite(role, spoil, "spoilt.parquet")
    message = refusal(**{role: path})
    assert f"spoilt.parquet: {count} vectors hold NaN or infinite values, first " in message


def test_vectors_of_two_dimensions(world, refusal) -> None:
    def mix(table: pa.Table) -> pa.Table:
        vectors = table["embedding"].to_pylist()
        vectors[4] = vectors[4][:-1]
        return table.set_column(1, "embedding", pa.array(vectors))

    assert "mixed.parquet: vectors of 11 and 12 dimensions" in refusal(
        media=world.rewrite("media", mix, "mixed.parquet")
    )


def test_a_split_nobody_has(refusal) -> None:
    assert refusal(split="trian").endswith("no rows of split 'trian'; splits there: test, train, val")
    assert refusal(val_split="later").endswith("no rows of split 'later'; splits there: test, train, val")


def test_too_large_an_alpha(world, refusal) -> None:
    message = refusal(temperature="mmts", tau=None, alpha=0.2, shifts=world.shifts)
    assert message == (
        "alpha 0.2 with shifts 0.05 .. 0.125 takes the temperature down to -0.05, which must stay above 0; "
        "give an alpha below 0.1 or raise the smallest shift"
    )


def test_an_option_without_effect(refusal) -> None:
    assert refusal(rho=2).startswith("--rho has no effect with --temperature fixed, which takes --tau")


def test_an_unknown_device(refusal) -> None:
    assert "--device abacus" in refusal(device="abacus", seed=9)


def test_a_vision_model_on_features(world, refusal) -> None:
    (world.folder / "tower").mkdir()
    assert "tower" in refusal(media_model=world.folder / "tower")


def test_a_path_that_cant_be_written(world, refused) -> None:
    (world.folder / "file").write_text("mine")
    assert refused(*world.command("file")).endswith("file: is a file; a folder was expected")
    assert "can't be written" in refused(*world.command("file/run"))
    assert (world.folder / "file").read_text() == "mine"
