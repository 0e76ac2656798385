"""A run stopped at any moment and resumed is the run that was never stopped, bit for bit."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny_world import write_tower_config

from pipelines.artifacts import read_provenance
from pipelines.errors import InputError, Interrupted
from pipelines.train import TrainConfig, train
from pipelines.train.checkpoint import read_checkpoint

KILLS = 20
MMTS = [sys.executable, "-c", "from mmts_cli.app import main; main()"]
# Children are forked from a process that has imported everything and computed nothing.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["pipelines.train.stage", "pipelines.train.state", "transformers.models.vit.modeling_vit"]
)


def run_in_child(config: TrainConfig, killed_after_s: float | None) -> None:
    """Train; killed by a clock of processor time, which runs from the first checkpoint on, however busy the machine."""
    import torch

    from pipelines.train.folder import RunFolder

    save = RunFolder.save

    def save_and_start_the_clock(*arguments):
        path = save(*arguments)
        if signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0):
            signal.setitimer(signal.ITIMER_PROF, killed_after_s)
        return path

    if killed_after_s is not None:
        RunFolder.save = save_and_start_the_clock
    torch.set_num_threads(1)
    train(config, resume=True)


def run(config: TrainConfig, *, killed_after_s: float | None = None) -> int | None:
    """Start a run, or go on with it, in a process; gives its exit code."""
    process = SERVER.Process(target=run_in_child, args=(config, killed_after_s))
    process.start()
    process.join()
    return process.exitcode


def results(run) -> dict[str, bytes]:
    """What a run leaves that must be the same: weights, steps, scores."""
    found = {str(path.relative_to(run)): path.read_bytes() for path in sorted((run / "model").rglob("*.safetensors"))}
    found["best"] = (run / "checkpoints" / "best.safetensors").read_bytes()
    found["metrics"] = (run / "metrics.json").read_bytes()
    found["steps"] = repr(pq.read_table(run / "steps.parquet").to_pydict()).encode()
    return found


def newest(run) -> str:
    """Name of the newest checkpoint, empty if there is none."""
    return max((path.name for path in (run / "checkpoints").glob("step-*.safetensors")), default="")


@pytest.fixture
def small_run(world):
    """Dropout, state a sample, micro-batches: all that a checkpoint must hold."""
    tower = write_tower_config(world.folder / "tower", "vit")
    settings = json.loads((tower / "config.json").read_text())
    settings |= {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.1}
    (tower / "config.json").write_text(json.dumps(settings))
    options = {"media": world.images(), "media_model": str(tower), "micro_batch": 6, "temperature": "isogclr"}
    options |= {"tau": 0.02, "batch_size": 16, "checkpoint_steps": 1}

    def make(output: str, **changes) -> TrainConfig:
        return world.config(output, **{"epochs": 20, **options, **changes})

    return make


@pytest.mark.slow
def test_twenty_kills(world, small_run) -> None:
    assert run(small_run("whole")) == 0
    expected = results(world.folder / "whole")
    config = small_run("run")
    random = np.random.default_rng(0)
    stopped_at = []
    for _ in range(KILLS):
        assert run(config, killed_after_s=random.uniform(0, 0.05)) == -signal.SIGPROF, (
            f"give it more steps: {stopped_at}"
        )
        stopped_at.append(newest(config.output))
    assert len(set(stopped_at)) > KILLS / 2, stopped_at
    assert run(config) == 0
    assert results(config.output) == expected
    assert not newest(config.output)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_asked_to_stop_it_keeps_where_it_is_and_says_how_to_go_on(world, name) -> None:
    options = {"epochs": 2000, "checkpoint_minutes": 100.0}
    command = [*MMTS, *world.command("run", **options)]
    run = world.folder / "run"
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while process.poll() is None and not (run / "steps.parquet").exists():
        time.sleep(0.01)
    process.send_signal(signal.Signals[name])
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (130, ""), err
    step = int(newest(run).removeprefix("step-").removesuffix(".safetensors"))
    assert err == (
        f"mmts: stopped at step {step:,} of 6,000, which is kept; go on with the same command and --resume\n"
    )
    assert pq.read_table(run / "steps.parquet")["step"].to_pylist() == list(range(step))
    with pytest.raises(InputError, match=f"holds an unfinished run \\(step-{step:09d}\\); --resume goes on with it"):
        train(world.config("run", **options))


@pytest.mark.parametrize("where", ["media", "texts", "ranks"])
def test_asked_to_stop_in_a_validation_it_stops_there_and_validates_anew(world, small_run, monkeypatch, where) -> None:
    import pipelines.train.validation as validation

    train(small_run("whole", epochs=2))
    patched = {"media": "encode_batches", "texts": "_encode_texts", "ranks": "score_retrieval"}[where]
    original = getattr(validation, patched)

    def stopped(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(validation, patched, stopped)
        with pytest.raises(Interrupted, match="stopped at step 3 of 6, which is kept"):
            train(small_run("run", epochs=2))
    assert read_checkpoint(max((world.folder / "run" / "checkpoints").glob("step-*"))).extra["run"]["validations"] == []
    train(small_run("run", epochs=2), resume=True)
    assert results(world.folder / "run") == results(world.folder / "whole")


@pytest.mark.parametrize("where", ["read_files", "Record", "save_model"])
def test_asked_to_stop_while_it_reads_or_saves_it_ends_with_130_and_goes_on(world, mmts, monkeypatch, where) -> None:
    import pipelines.train.session as session
    import pipelines.train.stage as stage

    train(world.config("whole"))
    module = session if where == "read_files" else stage
    original = getattr(module, where)

    def stopped(*arguments, **options):
        signal.raise_signal(signal.SIGTERM)
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, where, stopped)
        ran = mmts(*world.command("run"))
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.endswith("mmts: interrupted\n")
    assert [path for path in world.folder.rglob(".*")] == []
    train(world.config("run"), resume=True)
    assert results(world.folder / "run") == results(world.folder / "whole")


def test_other_settings_do_not_go_on_with_a_run(world, small_run) -> None:
    stop_after(world, small_run, steps=2)
    with pytest.raises(InputError, match=r"unfinished run of other settings \(--lr 0.01, now 0.5\); give it those"):
        train(small_run("run", lr=0.5), resume=True)
    world.rewrite("text", lambda table: table.slice(0).take(list(reversed(range(table.num_rows)))))
    with pytest.raises(InputError, match=r"of other settings \(its input files, or mmts, changed\)"):
        train(small_run("run"), resume=True)
    assert not train(small_run("run", epochs=1), force=True).up_to_date
    assert not train(small_run("run", epochs=2), resume=True).up_to_date
    assert (world.folder / "run" / "previous" / "model").is_dir()


def test_a_damaged_checkpoint_leaves_the_one_before(world, small_run) -> None:
    train(small_run("whole", epochs=2))
    run = stop_after(world, small_run, steps=4, epochs=2)
    last = run / "checkpoints" / newest(run)
    last.write_bytes(last.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=f"{last.name}: damaged.*; going on from the checkpoint before"):
        train(small_run("run", epochs=2), resume=True)
    assert results(run) == results(world.folder / "whole")


def test_without_a_whole_checkpoint_it_does_not_start_over_by_itself(world, small_run) -> None:
    run = stop_after(world, small_run, steps=2)
    for path in (run / "checkpoints").glob("step-*"):
        path.write_bytes(b"x")
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(InputError, match="none of its checkpoints is intact; --force starts over"),
    ):
        train(small_run("run"), resume=True)


def test_resume_starts_where_there_is_nothing_and_is_up_to_date_where_all_is_done(world, small_run) -> None:
    assert not train(small_run("run", epochs=1), resume=True).up_to_date
    assert train(small_run("run", epochs=1), resume=True).up_to_date
    provenance = read_provenance(world.folder / "run" / "steps.parquet")
    assert provenance is not None
    assert provenance.fingerprint != "unfinished"


def test_a_record_taken_away_is_told_and_the_run_goes_on(world, small_run) -> None:
    run = stop_after(world, small_run, steps=4, epochs=2)
    (run / "steps.parquet").unlink()
    with pytest.warns(UserWarning, match="the record of the first 4 steps is lost"):
        result = train(small_run("run", epochs=2), resume=True)
    assert result.summary["steps"] == 6
    assert pq.read_table(run / "steps.parquet")["step"].to_pylist() == [4, 5]


def test_a_complete_run_is_kept_aside_when_another_takes_its_place(world) -> None:
    train(world.config("run", epochs=1))
    before = results(world.folder / "run")
    train(world.config("run", epochs=2))
    assert results(world.folder / "run" / "previous") == before
    assert results(world.folder / "run") != before


def test_a_third_run_does_not_delete_the_first(world) -> None:
    first, third = world.config("run", epochs=1), world.config("run", epochs=1, seed=3)
    train(first)
    kept = results(world.folder / "run")
    train(world.config("run", epochs=1, seed=2))
    for resume in (False, True):
        with pytest.raises(InputError, match=r"holds another complete run, and one more in previous/"):
            train(third, resume=resume)
    assert results(world.folder / "run" / "previous") == kept
    second = results(world.folder / "run")
    train(third, force=True)
    assert results(world.folder / "run" / "previous") == second


def test_a_complete_run_whose_model_was_taken_away_is_kept_too(world) -> None:
    train(world.config("run", epochs=1))
    run = world.folder / "run"
    (run / "model").rename(world.folder / "model")
    best = (run / "checkpoints" / "best.safetensors").read_bytes()
    assert not train(world.config("run", epochs=1)).up_to_date
    assert (run / "model").is_dir()
    assert (run / "previous" / "checkpoints" / "best.safetensors").read_bytes() == best


def test_a_folder_of_another_library_is_not_taken_for_a_run(world) -> None:
    """Its config.json says nothing of mmts; with --force its files are kept aside."""
    folder = world.folder / "vit"
    (folder / "model").mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "vit"}')
    (folder / "model" / "mine.txt").write_text("mine")
    with pytest.raises(
        InputError, match="is not a run folder, but holds other files; choose another output folder, or --force"
    ):
        train(world.config("vit", epochs=1))
    train(world.config("vit", epochs=1), force=True)
    assert (folder / "previous" / "model" / "mine.txt").read_text() == "mine"
    assert (folder / "previous" / "config.json").read_text() == '{"model_type": "vit"}'


@pytest.mark.parametrize("renames", range(6))
def test_a_kill_while_a_run_is_moved_aside_loses_nothing_of_it(world, renames, monkeypatch) -> None:
    train(world.config("run", epochs=1))
    before = results(world.folder / "run")
    done = []
    original = Path.rename

    def rename(self, target):
        if len(done) == renames and Path(target).parent.name.startswith("previous"):
            raise KeyboardInterrupt
        done.append(1)
        return original(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with contextlib.suppress(KeyboardInterrupt):
        train(world.config("run", epochs=2))
    monkeypatch.setattr(Path, "rename", original)
    train(world.config("run", epochs=2), resume=True)
    assert results(world.folder / "run" / "previous") == before


def test_the_best_weights_are_of_the_best_epoch_also_when_a_better_one_was_not_kept(world, monkeypatch) -> None:
    """Stopped after a better epoch that no checkpoint knows of; on resuming, that epoch scores worse."""
    import pipelines.train.loop as loop

    scores = iter([1.0, 2.0, 0.5, 0.4])
    names = ("recall_sum", "text_to_media_recall@1", "media_to_text_recall@1")
    monkeypatch.setattr(loop, "validate", lambda session, between: dict.fromkeys(names, next(scores)))
    original, taken = loop.take_step, []

    def take_step(*arguments):
        taken.append(1)
        if len(taken) == 7:  # the first step of epoch 3; the last checkpoint is of epoch 2
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(loop, "take_step", take_step)
    options = {"epochs": 3, "checkpoint_steps": 5}
    with pytest.raises(KeyboardInterrupt):
        train(world.config("run", **options))
    result = train(world.config("run", **options), resume=True)
    assert result.summary["best_epoch"] == 1
    best = read_checkpoint(world.folder / "run" / "checkpoints" / "best.safetensors")
    assert best.extra["progress"] == {"epoch": 1, "steps": 3}
    assert [path.name for path in (world.folder / "run" / "checkpoints").iterdir()] == ["best.safetensors"]


def test_a_model_by_another_path_is_the_same_run(world, small_run, monkeypatch) -> None:
    stop_after(world, small_run, steps=2, epochs=2)
    monkeypatch.chdir(world.folder)
    assert train(small_run("run", epochs=2, media_model="tower"), resume=True).summary["steps"] == 6


def stop_after(world, small_run, *, steps: int, epochs: int = 20):
    """A run that was stopped after some steps; gives its folder."""
    import pipelines.train.loop as loop

    taken = []
    original = loop.take_step

    def take_step(*arguments):
        taken.append(1)
        if len(taken) == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "take_step", take_step)
        with pytest.raises(Exception, match=f"stopped at step {steps} of"):
            train(small_run("run", epochs=epochs))
    return world.folder / "run"


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: flip(run / "model" / "heads.safetensors"),
        lambda run: (run / "model" / "heads.safetensors").unlink(),
        lambda run: (run / "metrics.json").write_text("{}"),
        lambda run: (run / "metrics.json").write_text(""),
    ],
    ids=["a flipped bit", "no weights", "other metrics", "empty metrics"],
)
def test_a_damaged_run_is_trained_again(world, damage) -> None:
    config = world.config("run", epochs=1)
    train(config)
    run = world.folder / "run"
    whole = {name: (run / name).read_bytes() for name in ("model/heads.safetensors", "metrics.json")}
    assert train(config).up_to_date
    damage(run)
    with pytest.warns(UserWarning, match=r"; trained again, and what is there goes to previous/"):
        assert not train(config).up_to_date
    assert {name: (run / name).read_bytes() for name in whole} == whole
    assert (run / "previous" / "steps.parquet").exists()
    assert train(config).up_to_date


def test_a_run_whose_metrics_were_removed_is_kept(world) -> None:
    train(world.config("run", epochs=1))
    run = world.folder / "run"
    weights = (run / "model" / "heads.safetensors").read_bytes()
    (run / "metrics.json").unlink()
    train(world.config("run", epochs=1, seed=2))
    assert (run / "previous" / "model" / "heads.safetensors").read_bytes() == weights


def test_a_run_refused_at_its_first_batch_leaves_what_was_there(world) -> None:
    """Of the run before nothing moves, and a new folder goes again."""
    first = world.config("run", epochs=1)
    train(first)
    kept = results(world.folder / "run")
    damaged = world.folder / "damaged.zip"
    with zipfile.ZipFile(world.images("images.zip")) as good, zipfile.ZipFile(damaged, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, b"x")
    model = str(write_tower_config(world.folder / "vit", "vit"))
    for output in ("run", "new"):
        with pytest.raises(InputError, match="can't be decoded"):
            train(world.config(output, epochs=1, media=damaged, media_model=model))
    assert results(world.folder / "run") == kept
    assert not (world.folder / "run" / "previous").exists()
    assert not (world.folder / "new").exists()
