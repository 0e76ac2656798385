"""Sweeps: the same weights as `train`, the same scores as `eval`, nothing done twice."""

import multiprocessing
import shutil

import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import needs
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError, Interrupted
from pipelines.evaluate import evaluate
from pipelines.sweep import read_sweep, sweep, train_best
from pipelines.sweep import stage as stage_module
from pipelines.sweep.words import conclusion
from pipelines.train import TrainConfig, train


def performed(monkeypatch) -> list[str]:
    """Names of the runs that are trained from here on."""
    names: list[str] = []
    perform_all = stage_module.perform_all

    def noting(runs, *rest):
        names.extend(run.name for run in runs)
        return perform_all(runs, *rest)

    monkeypatch.setattr(stage_module, "perform_all", noting)
    return names


def test_a_run_is_trained_and_scored_as_by_hand(config, world) -> None:
    told: list[str] = []
    summary = sweep(config(), tell=told.append).summary
    assert len(told) == 8
    for candidate in summary["candidates"]:
        settings = {**candidate["settings"], "seed": 1, "output": world.folder / "by-hand"}
        train(TrainConfig(**settings), force=True)
        scored = evaluate(world.folder / "scores", run=world.folder / "by-hand", resamples=0, force=True).summary
        found = read_json(world.folder / "sweep" / "runs" / f"{candidate['strategy']}-infonce-seed-1" / "metrics.json")
        assert found["scores"] == scored["scores"]
        assert found["thirds"] == scored["thirds"]
        assert found["trained"] == scored["trained"]


def test_it_says_what_it_needs_before_its_first_run(config, monkeypatch) -> None:
    monkeypatch.setattr(needs, "_WORTH_SAYING", 0)
    monkeypatch.setattr(stage_module, "_all", lambda *_: (_ for _ in ()).throw(Interrupted("stop")))
    told: list[str] = []
    with pytest.raises(Interrupted, match="stop"):
        sweep(config(), jobs=3, tell=told.append)
    assert told == ["needs about 1.8 GiB of memory"]  # three processes of 0.6 GiB


def test_the_table_has_a_row_a_run(config, world) -> None:
    summary = sweep(config()).summary
    table = pq.read_table(world.folder / "sweep" / "sweep.parquet").to_pandas()
    assert len(table) == 8
    assert table["stage"].tolist() == ["search"] * 4 + ["test"] * 4
    assert table["split"].tolist() == ["val"] * 4 + ["test"] * 4
    assert table["seed"].tolist() == [0] * 4 + [1, 2, 1, 2]
    trials = table[(table.strategy == "shifts") & (table.stage == "search")]
    best = trials.loc[trials["recall_sum"].idxmax()]
    chosen = next(each for each in summary["candidates"] if each["name"] == "shifts")
    assert chosen["options"] == {name: best[name] for name in ("level", "tail", "rule")}
    assert chosen["validation"]["search"] == best["recall_sum"]
    tests = table[(table.strategy == "shifts") & (table.stage == "test")]
    assert chosen["validation"]["tests"] == pytest.approx(tests["validation_recall_sum"].mean())
    mean = chosen["scores"]["tail"]["mean"]["mean_recall"]["value"]
    assert mean == pytest.approx(tests["tail_recall_sum"].mean() / 6)


def test_a_sweep_goes_on_where_it_was(config, world, monkeypatch) -> None:
    names = performed(monkeypatch)
    whole = sweep(config()).summary
    assert len(names) == 8
    names.clear()
    assert sweep(config()).up_to_date
    assert names == []
    shutil.rmtree(world.folder / "sweep" / "runs" / "fixed-infonce-trial-2")
    damaged = world.folder / "sweep" / "runs" / "shifts-infonce-seed-2" / "ranks.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    again = sweep(config()).summary
    assert names == ["fixed-infonce-trial-2", "shifts-infonce-seed-2"]
    assert again["candidates"] == whole["candidates"]
    names.clear()
    sweep(config(shared={"lr": 0.02}))
    assert len(names) == 8


def test_a_sweep_that_is_stopped_says_what_is_kept(config, monkeypatch) -> None:
    perform_all = stage_module.perform_all

    def stopped_after_two(runs, *rest):
        for number, done in enumerate(perform_all(runs, *rest)):
            if number == 2:
                raise KeyboardInterrupt
            yield done

    monkeypatch.setattr(stage_module, "perform_all", stopped_after_two)
    with pytest.raises(Interrupted, match="stopped after 2 runs, which are kept; go on with the same command"):
        sweep(config())
    monkeypatch.undo()
    names = performed(monkeypatch)
    sweep(config())
    assert len(names) == 5  # the third had ended, untold


def test_data_are_read_once(config, monkeypatch) -> None:
    from pipelines.sweep import runs

    read: list[object] = []
    read_files = runs.read_files
    monkeypatch.setattr(runs, "read_files", lambda config: (read.append(config), read_files(config))[1])
    sweep(config(strategies=["fixed"]))
    assert len(read) == 1
    sweep(config(strategies=["fixed"]))
    assert len(read) == 1


@pytest.mark.slow
def test_processes_change_nothing(config, world) -> None:
    alone = sweep(config()).summary
    together = sweep(config(output=world.folder / "two"), jobs=2).summary
    for one, other in zip(alone["candidates"], together["candidates"], strict=True):
        assert {**one, "settings": None} == {**other, "settings": None}


@pytest.mark.slow
def test_processes_end_with_a_sweep_that_is_stopped(config, world) -> None:
    def stop(line: str) -> None:
        if not line.startswith("needs about"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="stopped after 1 runs"):
        sweep(config(levels=20), jobs=2, tell=stop)
    assert multiprocessing.active_children() == []
    assert len(list((world.folder / "sweep" / "runs").glob("*/metrics.json"))) < 40  # all that were planned


def test_a_loss_that_is_no_number_ends_its_run_and_not_the_sweep(config, monkeypatch) -> None:
    from pipelines.sweep import runs
    from pipelines.train.figures import NotFiniteError

    train_in_memory = runs.train_in_memory

    def failing(config: TrainConfig, files):
        if config.tau == pytest.approx(0.0233):
            raise NotFiniteError("the loss is nan at step 3; lower --lr")
        return train_in_memory(config, files)

    monkeypatch.setattr(runs, "train_in_memory", failing)
    summary = sweep(config(strategies=["fixed"])).summary
    assert summary["failed"] == {"fixed-infonce-trial-1": "the loss is nan at step 3; lower --lr"}
    assert summary["candidates"][0]["options"] == {"level": 0.21}
    assert sweep(config(strategies=["fixed"])).up_to_date


@pytest.mark.parametrize("diverging", ["learned", "fixed"])
def test_a_strategy_without_a_finite_trial_is_left_out_but_not_the_baseline(config, monkeypatch, diverging) -> None:
    from pipelines.sweep import runs
    from pipelines.train.figures import NotFiniteError

    train_in_memory = runs.train_in_memory

    def failing(config: TrainConfig, files):
        if config.temperature == diverging:
            raise NotFiniteError("the loss is nan at step 3; lower --lr")
        return train_in_memory(config, files)

    monkeypatch.setattr(runs, "train_in_memory", failing)
    asked = config(strategies=["fixed", "learned", "cosine"], clusters=[], levels=1)
    if diverging == "fixed":
        with pytest.raises(InputError, match="fixed, infonce: no trial of the baseline came to a finite loss"):
            sweep(asked)
        return
    summary = sweep(asked).summary
    assert summary["left_out"] == ["learned"]
    assert [each["name"] for each in summary["candidates"]] == ["fixed", "cosine"]
    assert "left out, as no run came to a finite loss: learned" in list(conclusion(summary))


def test_thirds_are_the_same_for_all_and_said(config, world) -> None:
    summary = sweep(config(clusters=[world.clusters, world.clusters])).summary
    assert summary["frequency"] == "mean sizes of 2 clusterings"
    thirds = [
        read_json(file)["thirds"]["edges"] for file in (world.folder / "sweep" / "runs").glob("*-seed-*/metrics.json")
    ]
    assert len(thirds) == 4
    assert all(each == thirds[0] for each in thirds)


def test_without_sizes_there_are_no_thirds(config) -> None:
    summary = sweep(config(clusters=[], strategies=["fixed", "learned"])).summary
    assert summary["frequency"] is None
    assert set(summary["candidates"][1]["differences"]) == {"overall"}


def test_the_best_setting_can_be_trained(config, world) -> None:
    sweep(config())
    trained = train_best(world.folder / "sweep")
    best = read_sweep(world.folder / "sweep")
    settings = next(each["settings"] for each in best["candidates"] if each["name"] == best["best"])
    assert read_json(trained.output / "config.json")["parameters"]["temperature"] == settings["temperature"]
    assert train_best(world.folder / "sweep").up_to_date


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clusters": []}, "--strategies shifts needs cluster sizes; give --clusters"),
        ({"levels": 0}, "--levels 0: expected a number from 1 to 1,000"),
        ({"budget": 5}, "--budget 5: 2 strategies with 2 seeds take 6 runs or more"),
        ({"test_split": "val"}, "--test-split val: is what settings are chosen on"),
        ({"test_split": "train"}, "--test-split train: is what runs are trained on"),
        ({"shared": {"val_split": "none"}}, "--val-split none: a sweep chooses by validation"),
        ({"shared": {"metric": "recall"}}, "--metric recall: expected recall_sum"),
        ({"shared": {"logger": ["wandb"]}}, "--logger: is not shared by the runs of a sweep"),
        ({"shared": {"lr": -1.0}}, "--lr -1.0"),
    ],
)
def test_settings_without_sense_are_refused_before_the_first_run(config, world, changes, message) -> None:
    with pytest.raises(InputError, match=message):
        config(**changes)
    assert not (world.folder / "sweep").exists()


def test_a_budget_leaves_out_levels(config) -> None:
    assert config(levels=9, budget=11).trials == 3


def test_oscillations_that_do_not_fit_are_refused_before_the_first_run(config, world, monkeypatch) -> None:
    names = performed(monkeypatch)
    with pytest.raises(InputError, match=r"search oscillations = 99: a run has \d+ steps; give \d+ at most"):
        sweep(config(strategies=["fixed", "cosine"], search={"oscillations": [1, 99]}))
    assert names == []


def test_a_sweep_that_failed_before_its_first_run_goes_on(config, world) -> None:
    with pytest.raises(InputError, match="nowhere"):
        sweep(config(shared={"media": world.folder / "nowhere.parquet"}))
    assert sweep(config(strategies=["fixed", "shifts"], levels=1, seeds=1)).summary["runs"] == 4


def test_frequencies_of_the_same_file_elsewhere_are_the_same(config, world, monkeypatch) -> None:
    sweep(config(levels=1, seeds=1, frequency=str(world.clusters)))
    moved = shutil.copyfile(world.clusters, world.folder / "moved.parquet")
    names = performed(monkeypatch)
    assert sweep(config(levels=1, seeds=1, frequency=str(moved))).up_to_date
    assert names == []


def test_without_a_baseline_there_are_no_verdicts(config, monkeypatch) -> None:
    from pipelines.sweep import runs
    from pipelines.train.figures import NotFiniteError

    train_in_memory = runs.train_in_memory

    def failing(config: TrainConfig, files):
        if config.temperature == "fixed" and config.seed > 0:
            raise NotFiniteError("the loss is nan at step 3")
        return train_in_memory(config, files)

    monkeypatch.setattr(runs, "train_in_memory", failing)
    with pytest.raises(InputError, match="fixed, infonce: no seed of the baseline came to a finite loss"):
        sweep(config(strategies=["fixed", "learned"], clusters=[], levels=1, seeds=1))


@pytest.mark.slow
def test_what_is_wrong_with_the_data_is_said_by_a_process_too(config, world) -> None:
    with pytest.raises(InputError, match="nowhere"):
        sweep(config(clusters=[], strategies=["fixed"], shared={"text": world.folder / "nowhere.parquet"}), jobs=2)


def test_a_folder_of_something_else_is_refused(config, world) -> None:
    (world.folder / "sweep").mkdir()
    (world.folder / "sweep" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files that are not of a sweep"):
        sweep(config())
    with pytest.raises(InputError, match=r"sweep\.json: no such file"):
        read_sweep(world.folder / "sweep")
