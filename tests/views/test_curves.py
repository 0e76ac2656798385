"""Training curves: of a real run, of a made record, while a run goes on."""

import pyarrow.parquet as pq
import pytest

from pipelines.artifacts.files import read_json, write_json
from pipelines.errors import InputError
from pipelines.train import train
from pipelines.views.curves import read_curves


@pytest.fixture
def run(world):
    train(world.config("run", epochs=3, val_every=2))
    return world.folder / "run"


def test_a_run_is_seen_as_it_was_recorded(run) -> None:
    steps, metrics = pq.read_table(run / "steps.parquet"), read_json(run / "metrics.json")
    found = read_curves(run)
    assert (found.name, found.quantity, found.steps, found.metric) == ("run", "temperature", 9, "recall_sum")
    assert found.step_p.tolist() == list(range(9))
    for name in ("loss", "learning_rate", "temperature_min", "temperature_mean", "temperature_max"):
        assert getattr(found, f"{name}_p").tolist() == steps.column(name).to_pylist()
    assert found.loss_min_p.tolist() == found.loss_max_p.tolist() == found.loss_p.tolist()
    assert (found.epoch_v.tolist(), found.step_v.tolist()) == ([2, 3], [6, 9])
    assert found.scores["recall_sum"].tolist() == [each["recall_sum"] for each in metrics["validation"]]
    assert "epoch" not in found.scores
    assert found.best_epoch == metrics["best_epoch"]


def test_points_of_a_long_run_stand_for_several_steps(run) -> None:
    loss = pq.read_table(run / "steps.parquet").column("loss").to_pylist()
    found = read_curves(run, name="other", points=4)
    parts = [loss[:3], loss[3:6], loss[6:]]
    assert (found.name, found.steps, found.step_p.tolist()) == ("other", 9, [1, 4, 7])
    assert found.loss_p.tolist() == pytest.approx([sum(part) / 3 for part in parts])
    assert found.loss_min_p.tolist() == [min(part) for part in parts]
    assert found.loss_max_p.tolist() == [max(part) for part in parts]
    assert found.step_v.tolist() == [6, 9]


def test_a_run_that_goes_on_has_no_validations_yet(run) -> None:
    (run / "metrics.json").unlink()
    found = read_curves(run)
    assert (found.metric, found.best_epoch, len(found.epoch_v), dict(found.scores)) == (None, None, 0, {})


def test_a_run_without_validation_has_none(world) -> None:
    train(world.config("none", epochs=1, val_split="none", loss="max-margin", tau=0.2))
    found = read_curves(world.folder / "none")
    assert (found.quantity, found.metric, found.best_epoch, len(found.epoch_v)) == ("margin", None, None, 0)


def test_validations_whose_steps_were_lost_have_none(run, write_artifact) -> None:
    write_artifact(run / "steps.parquet", pq.read_table(run / "steps.parquet").slice(7).replace_schema_metadata())
    found = read_curves(run).step_v
    assert found[1] == 9
    assert found[0] != found[0]  # NaN


@pytest.mark.parametrize("metrics", [[], {}, {"validation": [{}], "best_epoch": 1}, {"validation": 3}])
def test_other_metrics_are_refused(run, metrics) -> None:
    write_json(run / "metrics.json", metrics)
    with pytest.raises(InputError, match=r"metrics\.json: is not what `mmts train` writes; train again"):
        read_curves(run)


def test_what_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none: no such folder; give one that `mmts train` wrote"):
        read_curves(tmp_path / "none")
    with pytest.raises(InputError, match=r"config\.json: no such file"):
        read_curves(tmp_path)
