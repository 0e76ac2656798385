"""Loading by plan: the same batches whatever the number of workers and processes, damaged media replaced."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pipelines.augmentation import RANGES
from pipelines.errors import InputError
from pipelines.media import (
    DamagedMediumError,
    FeatureMedia,
    MediaList,
    PlannedBatch,
    View,
    batches,
    open_media,
)
from pipelines.media.loader import _dead_workers_told

COUNT, BATCH = 24, 6


@pytest.fixture
def source(tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for row in range(COUNT):
        pixels = random.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{row}.png")
    ids = [f"{row}.png" for row in range(COUNT)]
    return open_media(tmp_path / "images", MediaList(ids), view=View(8, ranges=RANGES["strong"]))


def damage(source, *rows: int) -> None:
    for row in rows:
        source.blobs.get(row).write_bytes(b"nothing")


def plan(epochs: int = 2, batch: int = BATCH, count: int = COUNT) -> list[PlannedBatch]:
    planned = []
    for epoch in range(1, epochs + 1):
        order = torch.randperm(count, generator=torch.Generator().manual_seed(epoch))
        for step in range(count // batch):
            rows = order[step * batch : (step + 1) * batch]
            planned.append(PlannedBatch(epoch, (epoch - 1) * (count // batch) + step, rows, extra=f"{epoch}/{step}"))
    return planned


def same(one, other) -> bool:
    return all(
        (a.plan.step, a.plan.extra, a.replacements) == (b.plan.step, b.plan.extra, b.replacements)
        and torch.equal(a.media_rows, b.media_rows)
        and torch.equal(a.inputs, b.inputs)
        for a, b in zip(one, other, strict=True)
    )


def test_batches_are_what_load_gives_with_a_generator_of_seed_epoch_and_row(source) -> None:
    planned = plan()
    loaded = list(batches(source, planned, workers=0, seed=5))
    for batch, asked in zip(loaded, planned, strict=True):
        assert batch.plan is asked
        assert torch.equal(batch.media_rows, asked.media_rows)
        for pixels, row in zip(batch.inputs, asked.media_rows.tolist(), strict=True):
            assert torch.equal(pixels, source.load(row, np.random.default_rng((5, asked.epoch, row))))
    first, again = (
        torch.cat([b.inputs for b in part])[torch.cat([b.media_rows for b in part]).argsort()]
        for part in (loaded[:4], loaded[4:])
    )
    assert (first != again).flatten(1).any(dim=1).all()
    other = next(iter(batches(source, planned, workers=0, seed=6)))
    assert not torch.equal(other.inputs, loaded[0].inputs)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # of more workers than the machine has cores
@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_gives_the_same_batches(source, workers) -> None:
    damage(source, 3, 4, 17)
    alone = list(batches(source, plan(), workers=0, seed=5, max_bad=3))
    assert sum(len(batch.replacements) for batch in alone) >= 6
    assert same(alone, list(batches(source, plan(), workers=workers, seed=5, max_bad=3)))


def test_a_plan_may_start_anywhere(source) -> None:
    damage(source, 3, 4, 17)
    whole = list(batches(source, plan(), workers=0, seed=5, max_bad=3))
    assert same(whole[5:], list(batches(source, plan()[5:], workers=2, seed=5, max_bad=3)))


def test_without_a_seed_views_are_those_of_evaluation(source) -> None:
    for workers in (0, 1):
        for batch in batches(source, plan(1), workers=workers, seed=None):
            assert torch.equal(batch.inputs, source.batch(batch.media_rows))


def test_the_global_random_state_is_not_touched(source) -> None:
    torch.manual_seed(0)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    for workers in (0, 2):
        list(batches(source, plan(1), workers=workers, seed=0))
        assert torch.equal(torch.get_rng_state(), state)
        assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_processes_load_their_parts_of_the_whole_batch(source) -> None:
    damage(source, *plan()[0].media_rows[[0, 1, 4]].tolist())
    for whole in batches(source, plan(), workers=0, seed=5, max_bad=3):
        asked = whole.plan
        parts = [PlannedBatch(asked.epoch, asked.step, asked.media_rows, slice(s, s + 2)) for s in (0, 2, 4)]
        loaded = list(batches(source, parts, workers=0, seed=5, max_bad=3))
        assert torch.equal(torch.cat([batch.media_rows for batch in loaded]), whole.media_rows)
        assert torch.equal(torch.cat([batch.inputs for batch in loaded]), whole.inputs)
        assert tuple(each for batch in loaded for each in batch.replacements) == whole.replacements


def test_damaged_media_are_replaced_by_others_that_are_not_in_the_batch(source) -> None:
    bad = set(range(0, COUNT, 3))
    damage(source, *bad)
    seen = set()
    for batch in batches(source, plan(6), workers=0, seed=5, max_bad=len(bad)):
        rows, asked = batch.media_rows.tolist(), batch.plan.media_rows.tolist()
        assert len(set(rows)) == BATCH
        assert not bad & set(rows)
        at = list(asked)
        for each in batch.replacements:
            assert (at[each.position], each.media_id) == (each.row, f"{each.row}.png")
            assert each.row in bad
            assert each.by not in asked
            assert each.reason.startswith(f"{source.blobs.where(0)}: image {each.row}.png can't be decoded (")
            at[each.position] = each.by
            seen.add(each.row)
        assert at == rows
        for pixels, row in zip(batch.inputs, rows, strict=True):
            assert torch.equal(pixels, source.load(row, np.random.default_rng((5, batch.plan.epoch, row))))
    assert seen == bad


def test_stand_ins_are_all_sorts_of_media(source) -> None:
    damage(source, 0)
    asked = [PlannedBatch(1, step, torch.arange(BATCH)) for step in range(300)]
    drawn = [batch.replacements[0].by for batch in batches(source, asked, workers=0, seed=1, max_bad=1)]
    counts = np.bincount(drawn, minlength=COUNT)
    assert (counts[:BATCH] == 0).all()
    assert (counts[BATCH:] >= 5).all()  # of 16.7 expected


@pytest.mark.parametrize("workers", [0, 2])
def test_damage_is_an_error_where_none_is_allowed_or_too_much_is_there(source, workers) -> None:
    damage(source, 7)
    with pytest.raises(DamagedMediumError, match=r"images: image 7\.png can't be decoded \(") as error:
        list(batches(source, plan(1), workers=workers, seed=0))
    assert error.value.media_id == "7.png"
    damage(source, *range(COUNT))
    with pytest.raises(
        InputError, match=r"^more than --max-bad 2 media are damaged, the last: .*images: image \d+\.png"
    ):
        list(batches(source, plan(1), workers=workers, seed=0, max_bad=2))


def test_a_batch_of_all_media_has_no_stand_in(source) -> None:
    damage(source, 7)
    with pytest.raises(InputError, match=r"7\.png can't be decoded .*; and no other medium is left to replace it"):
        list(batches(source, plan(1, COUNT), workers=0, seed=0, max_bad=5))
    nearly = [PlannedBatch(1, 0, torch.arange(COUNT - 1))]
    assert next(iter(batches(source, nearly, workers=0, seed=0, max_bad=5))).replacements[0].by == COUNT - 1


def test_features_are_indexed_at_once(world) -> None:
    source = open_media(world.media, MediaList(world.media_ids), view=None)
    assert isinstance(source, FeatureMedia)
    rows = torch.tensor([4, 9, 2])
    batch = next(iter(batches(source, [PlannedBatch(1, 0, rows, slice(1, 3))], workers=2, seed=0)))
    expected = [torch.from_numpy(world.features[world.media_ids[row]]).float() for row in (9, 2, 4)]
    assert torch.equal(batch.inputs, torch.stack(expected[:2]))
    assert torch.equal(source.load(4), expected[2])


def test_a_plan_is_read_as_it_is_loaded_in_process(source) -> None:
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield plan()[0]

    loaded = batches(source, endless(), workers=0, seed=0)
    next(loaded)
    next(loaded)
    assert len(taken) == 2
    assert list(batches(source, [], workers=2, seed=0)) == []


def test_workers_load_the_part_of_a_process_as_one_process_does(source) -> None:
    damage(source, *plan()[0].media_rows[[0, 1, 4]].tolist())
    parts = [PlannedBatch(each.epoch, each.step, each.media_rows, slice(1, 6)) for each in plan(1)]
    alone = list(batches(source, parts, workers=0, seed=5, max_bad=3))
    assert [each.position for each in alone[0].replacements] == [1, 4]
    assert same(alone, list(batches(source, parts, workers=2, seed=5, max_bad=3)))


def test_a_batch_is_shared_out_to_all_workers() -> None:
    planned = [PlannedBatch(1, step, torch.arange(9), slice(2, 9)) for step in range(2)]
    for batch in batches(Reporting(9), planned, workers=2, seed=0):
        loaders = batch.inputs[:, 0].tolist()
        assert len(set(loaders[:3])) == len(set(loaders[3:])) == 1
        assert len(set(loaders)) == 2


class Counting:
    """A source that counts what is loaded, in whichever process."""

    is_in_memory = False

    def __init__(self, count: int) -> None:
        self.ids = [str(row) for row in range(count)]
        self.loaded = multiprocessing.get_context("fork").Value("i")

    def load(self, row: int, random: np.random.Generator | None = None) -> Tensor:
        with self.loaded.get_lock():
            self.loaded.value += 1
        return torch.tensor([row])


def test_two_batches_are_loaded_ahead_whatever_the_number_of_workers() -> None:
    source = Counting(6)
    loaded = batches(source, [PlannedBatch(1, step, torch.arange(6)) for step in range(9)], workers=2, seed=0)
    next(loaded)
    ahead, give_up = 3 * 6, time.monotonic() + 60
    while source.loaded.value < ahead and time.monotonic() < give_up:
        time.sleep(0.01)
    time.sleep(0.3)  # for more, which would be one too many
    assert source.loaded.value == ahead
    loaded.close()


class Reporting:
    """A source whose media are the process that loads them."""

    is_in_memory = False

    def __init__(self, count: int, deadly: int = -1) -> None:
        self.ids = [str(row) for row in range(count)]
        self.deadly = deadly

    def load(self, row: int, random: np.random.Generator | None = None) -> Tensor:
        if row == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.tensor([os.getpid()])

    def batch(self, rows: Tensor) -> Tensor:
        return torch.stack([self.load(row) for row in rows.tolist()])


def runs(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_workers_outlive_signals_to_the_group_and_end_with_the_iterator() -> None:
    planned = [PlannedBatch(1, step, torch.tensor([step])) for step in range(40)]
    loaded = batches(Reporting(40), planned, workers=2, seed=0)
    workers = {int(next(loaded).inputs[0, 0]) for _ in range(4)}
    assert len(workers) == 2
    assert os.getpid() not in workers
    for process in workers:
        os.kill(process, signal.SIGTERM)
        os.kill(process, signal.SIGINT)
    assert {int(next(loaded).inputs[0, 0]) for _ in range(20)} == workers
    assert all(runs(process) for process in workers)
    loaded.close()
    give_up = time.monotonic() + 60
    while any(runs(process) for process in workers) and time.monotonic() < give_up:
        time.sleep(0.01)
    assert not any(runs(process) for process in workers)


@pytest.mark.slow
def test_an_iterator_that_nobody_closed_does_not_keep_python_from_ending(tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import torch, test_loader\n"
        "from pipelines.media import PlannedBatch, batches\n"
        "planned = [PlannedBatch(1, step, torch.tensor([step])) for step in range(40)]\n"
        "loaded = batches(test_loader.Reporting(40), planned, workers=2, seed=0)\n"
        "print(next(loaded).plan.step)\n"
    )
    ran = subprocess.run(
        [sys.executable, script, Path(__file__).parent], capture_output=True, text=True, timeout=300, check=True
    )
    assert ran.stdout == "0\n"


def end_as_it_hands_over() -> None:
    raise EOFError


def end_with_its_signal() -> None:
    raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")


def end_with_its_signal_meanwhile() -> None:
    try:
        end_as_it_hands_over()
    except EOFError:
        end_with_its_signal()


@pytest.mark.parametrize("end", [end_as_it_hands_over, end_with_its_signal, end_with_its_signal_meanwhile])
def test_a_dead_worker_is_told_however_it_shows(end) -> None:
    told = _dead_workers_told()
    with pytest.raises(InputError, match="a process that decodes media was killed"), told:
        end()


def test_other_errors_pass_as_they_are() -> None:
    told = _dead_workers_told()
    with pytest.raises(RuntimeError, match="other"), told:
        raise RuntimeError("other")


def test_a_worker_that_is_killed_is_reported() -> None:
    planned = [PlannedBatch(1, step, torch.tensor([step])) for step in range(8)]
    with pytest.raises(InputError, match=r"was killed, .* /dev/shm runs out; give a container .*--shm-size"):
        list(batches(Reporting(8, deadly=5), planned, workers=1, seed=0))
