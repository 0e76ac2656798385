"""``mmts plan``: the band by hand, and the same refusals as training."""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import InputError
from pipelines.shifts import shifts as make_shifts
from pipelines.train import train
from pipelines.views.band import band_of_run, plan_band

# Six samples: cluster sizes 1, 1, 4, 4, 9, 9 with shifts 0.1 (twice), 0.2, 0.3 (in the middle third), 0.5 (twice).
SIZES, SHIFTS = [9, 1, 4, 1, 9, 4], [0.5, 0.1, 0.2, 0.1, 0.5, 0.3]
WAVE = [0.05 * math.cos(2 * math.pi * step / 4) for step in range(8)]


@pytest.fixture
def shifts(tmp_path, write_artifact):
    table = {"sample_id": list("abcdef"), "shift": pa.array(SHIFTS, pa.float32()), "cluster_size": SIZES}
    return write_artifact(tmp_path / "shifts.parquet", table)


def test_the_band_by_hand(shifts) -> None:
    band = plan_band(shifts, steps=8, alpha=0.1, oscillations=2)
    assert (band.lowest, band.highest) == pytest.approx((0.05, 0.55))
    expected = {
        "all": (6, None, 0.1, sum(SHIFTS) / 6, 0.5),
        "tail": (2, (1, 1), 0.1, 0.1, 0.1),
        "middle": (2, (4, 4), 0.2, 0.25, 0.3),
        "head": (2, (9, 9), 0.5, 0.5, 0.5),
    }
    assert [line.name for line in band.lines] == list(expected)
    for line in band.lines:
        samples, sizes, low, mean, high = expected[line.name]
        assert (line.samples, line.cluster_sizes, line.steps) == (samples, sizes, list(range(8)))
        for found, shift in ((line.minimum, low), (line.mean, mean), (line.maximum, high)):
            assert found == pytest.approx([shift + each for each in WAVE], abs=1e-7)


def test_the_defaults_are_those_of_training(shifts) -> None:
    band = plan_band(shifts, steps=50)
    low = 0.1 + 0.04 * min(math.cos(2 * math.pi * step / 10) for step in range(10))
    assert (band.lowest, band.highest) == pytest.approx((low, 0.54))


def test_a_default_alpha_that_the_shifts_refuse_is_lowered_and_told(tmp_path, write_artifact, mmts) -> None:
    table = {"sample_id": list("abc"), "shift": [0.02, 0.04, 0.06], "cluster_size": [1, 4, 9]}
    shifts = write_artifact(tmp_path / "low.parquet", table)
    assert mmts("plan", shifts, "--steps", 50).out.splitlines()[0] == (
        "temperature over 50 steps: 0.01 .. 0.07 (alpha 0.02, oscillations 5)"
    )


def test_only_the_samples_of_the_split_count(shifts, tmp_path, write_artifact) -> None:
    ids = list("abcdef")
    split = ["test" if each in "ae" else "train" for each in ids]
    annotations = write_artifact(tmp_path / "a.parquet", {"sample_id": ids, "text": ids, "split": split})
    assert plan_band(shifts, steps=8, alpha=0.1).thirds_of == "all 6 samples of shifts.parquet"
    band = plan_band(shifts, steps=8, alpha=0.1, oscillations=2, annotations=annotations)
    assert band.thirds_of == "the 4 samples of split train"
    assert (band.lowest, band.highest, band.lines[0].samples) == (pytest.approx(0.05), pytest.approx(0.35), 4)
    with pytest.raises(InputError, match="no rows of split 'dev'"):
        plan_band(shifts, steps=8, annotations=annotations, split="dev")


@pytest.mark.parametrize("tail", [0.25, -0.25])
def test_it_is_the_band_that_training_has(world, tail) -> None:
    path = make_shifts(world.clusters, world.folder / "made.parquet", tail=tail, level=0.1).output
    options = {"alpha": 0.03, "oscillations": 1.5}
    result = train(world.config("run", temperature="mmts", tau=None, shifts=path, epochs=7, **options))
    steps = result.summary["steps"]
    band = plan_band(path, steps=steps, annotations=world.annotations, **options)
    assert result.summary["temperature_min"] == pytest.approx(band.lowest, abs=1e-7)
    assert result.summary["temperature_max"] == pytest.approx(band.highest, abs=1e-7)
    assert (band.highest - band.lowest) == pytest.approx(0.1 * (math.sqrt(2) - math.sqrt(0.5)) + 0.03, abs=1e-3)
    thirds = {line.name: line.mean[0] for line in band.lines}
    assert (thirds["tail"] < thirds["middle"] < thirds["head"]) == (tail > 0)
    assert (thirds["tail"] > thirds["middle"] > thirds["head"]) == (tail < 0)


@pytest.mark.parametrize("loss", ["infonce", "max-margin"])
@pytest.mark.parametrize("wrong", [{"alpha": 0.1}, {"alpha": 0.3}, {"oscillations": 7}])
def test_it_refuses_what_training_refuses_with_the_same_words(world, refused, loss, wrong) -> None:
    of_training = refused(
        *world.command("run", temperature="mmts", tau=None, loss=loss, shifts=world.shifts, **wrong)
    )  # 6 steps
    flags = [part for name, value in wrong.items() for part in (f"--{name}", value)]
    of_plan = refused("plan", world.shifts, "--steps", 6, "--loss", loss, *flags)
    assert of_plan == of_training
    if "alpha" in wrong:
        assert "give an alpha below 0.1 or raise the smallest shift" in of_plan


def test_no_steps_are_refused(shifts, refused) -> None:
    assert refused("plan", shifts, "--steps", 0) == "--steps 0: expected 1 to 1,000,000,000"


def test_the_command_in_json_and_for_people(shifts, mmts, tmp_path) -> None:
    command = ["plan", shifts, "--steps", 8, "--alpha", 0.1, "--oscillations", 2]
    found = json.loads(mmts(*command, "--json").out)
    assert (found["command"], found["quantity"], found["steps"], found["picture"]) == ("plan", "temperature", 8, None)
    assert (found["lowest"], found["highest"]) == pytest.approx((0.05, 0.55))
    assert found["settings"] == {"alpha": 0.1, "oscillations": 2.0}
    assert found["groups"]["middle"] == {
        "samples": 2,
        "cluster_sizes": [4, 4],
        "min": pytest.approx(0.15),
        "mean": pytest.approx(0.25),
        "max": pytest.approx(0.35),
    }
    lines = mmts(*command, "--picture", tmp_path / "band.png", "--loss", "max-margin").out.splitlines()
    assert lines[0] == "margin over 8 steps: 0.05 .. 0.55 (alpha 0.1, oscillations 2)"
    assert lines[4].split() == ["middle", "2", "4-4", "0.1500", "0.2500", "0.3500"]
    assert lines[-1] == f"{tmp_path / 'band.png'}: written"
    assert (tmp_path / "band.png").stat().st_size > 0


@pytest.fixture
def mmts_run(world):
    options = {"temperature": "mmts", "tau": None, "shifts": world.shifts, "alpha": 0.03, "oscillations": 1.5}
    train(world.config("run", epochs=3, **options))
    return world.folder / "run"


def test_the_band_of_a_run_is_the_one_planned_for_it(world, mmts_run) -> None:
    planned = plan_band(world.shifts, steps=9, alpha=0.03, oscillations=1.5, annotations=world.annotations)
    assert band_of_run(mmts_run) == planned


def test_a_run_that_goes_on_has_its_whole_band_after_an_epoch(mmts_run, write_artifact) -> None:
    whole = band_of_run(mmts_run)
    (mmts_run / "metrics.json").unlink()
    steps = pq.read_table(mmts_run / "steps.parquet").replace_schema_metadata()
    write_artifact(mmts_run / "steps.parquet", steps.slice(0, 4))
    assert band_of_run(mmts_run) == whole
    write_artifact(mmts_run / "steps.parquet", steps.slice(0, 3))
    with pytest.raises(InputError, match="run: its first epoch isn't over, so its number of steps isn't known; try"):
        band_of_run(mmts_run)


def test_plan_says_whose_thirds_these_are(shifts, write_artifact, mmts) -> None:
    folder = shifts.parent
    columns = {"sample_id": list("abcdef"), "text": list("abcdef"), "media_id": list("abcdef")}
    whole = write_artifact(folder / "whole.parquet", columns)
    split = write_artifact(folder / "split.parquet", columns | {"split": ["train"] * 3 + ["val", "test", "val"]})
    line = ["plan", shifts, "--steps", 8, "--alpha", 0.1]
    said = [
        mmts(*line, *more).out.splitlines()[-1] for more in ([], ["--annotations", whole], ["--annotations", split])
    ]
    assert said == [
        "thirds of all 6 samples of shifts.parquet; with --annotations only those of --split count, as in training",
        "thirds of all 6 samples of whole.parquet",
        "thirds of the 3 samples of split train",
    ]
    of_val = mmts(*line, "--annotations", split, "--split", "val", "--json")
    assert json.loads(of_val.out)["thirds_of"] == "the 2 samples of split val"
