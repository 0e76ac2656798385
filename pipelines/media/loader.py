"""Batches of media in the order of a plan, decoded in worker processes, the same whatever their number."""

import atexit
import contextlib
import itertools
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipelines.errors import InputError
from pipelines.media.errors import BadMediaError, DamagedMediumError
from pipelines.media.source import MediaSource

_OF_THE_LOADER = "DataLoader worker"  # how its errors begin
_PREFETCHED = 2  # shares of batches that a worker holds ready, the one it decodes included
_STAND_INS = 1  # keeps the draw of stand-ins apart from those of augmentations


@dataclass(frozen=True)
class PlannedBatch:
    """A batch to load.

    Attributes:
        epoch: Its epoch.
        step: Its step.
        media_rows: Rows of the whole batch ``[n]``, each once; of all processes where several share it.
        part: Which of them to load: those of this process.
        extra: Passed through.
    """

    epoch: int
    step: int
    media_rows: Tensor
    part: slice = field(default_factory=lambda: slice(None))
    extra: Any = None

    @property
    def positions(self) -> range:
        """Where in the whole batch the media of the part are."""
        return range(len(self.media_rows))[self.part]

    def shares(self, count: int) -> list["PlannedBatch"]:
        """The part in at most ``count`` parts, whose sizes differ by one medium at most, without ``extra``."""
        positions = self.positions
        count = min(count, len(positions))
        ends = [positions.start + len(positions) * number // count for number in range(count + 1)]
        return [PlannedBatch(self.epoch, self.step, self.media_rows, slice(*each)) for each in pairwise(ends)]


@dataclass(frozen=True)
class Replacement:
    """A damaged medium, and what stands in for it.

    Attributes:
        position: Where in the whole batch it was.
        row: The damaged medium.
        by: The medium in its place; may be damaged as well, then another replacement at this position follows. None
            in evaluation, where a blank input holds the place, for the caller to leave out.
        media_id: The damaged medium's id.
        reason: The error's message, one line that names file and medium.
    """

    position: int
    row: int
    by: int | None
    media_id: str
    reason: str


@dataclass(frozen=True)
class LoadedBatch:
    """A batch that was loaded.

    Attributes:
        plan: What was asked for.
        media_rows: Rows of the media in ``inputs`` ``[m]``: the plan's part, stand-ins in place of damaged ones.
        inputs: Inputs of the media tower, stacked: ``[m, ...]``.
        replacements: The damaged media of the part.
    """

    plan: PlannedBatch
    media_rows: Tensor
    inputs: Tensor
    replacements: tuple[Replacement, ...] = ()


def batches(
    source: MediaSource,
    plan: Iterable[PlannedBatch],
    *,
    workers: int,
    seed: int | None,
    max_bad: int | None = 0,
    pinned: bool = False,
) -> Iterator[LoadedBatch]:
    """Load batches in their order.

    All workers decode the same batch, each its share of it. What they hold ready is in shared memory: two batches, or
    two media each where batches have fewer media than there are workers.

    What is drawn for a medium depends on seed, epoch and row alone: not on the number of workers, of processes that
    share a batch, or on where a plan starts. Worker processes live as long as the iterator; close it (or exhaust it) to
    end them. They ignore SIGINT and SIGTERM, which reach a whole process group: the process that reads the batches
    decides when to stop. The global random state is not touched.

    In training a damaged medium is replaced by one that is not in the batch. Stand-ins of different places are
    different, as long as the source has twice as many media as the batch, without one process knowing what another
    found damaged. In evaluation (no ``seed``) nothing can stand in for a medium: see `Replacement`.

    Args:
        source: The media.
        plan: The batches; read whole before the first is loaded where there are workers.
        workers: Processes that decode; 0 for this one. Media in memory are never sent through workers.
        seed: Seed of augmentations and stand-ins; None for evaluation views.
        max_bad: Most damaged media that may be replaced, here for one place in a batch; counting those of a run is the
            caller's, who knows of all processes. None where every medium is needed, as in a published test set: then no
            message says that one more may be damaged.
        pinned: Whether what workers decoded is put together in pinned memory, for a GPU.

    Raises:
        DamagedMediumError: A medium can't be decoded, and ``max_bad`` is 0 or None.
        BadMediaError: More than ``max_bad`` media are damaged, or nothing is left to replace one.
        InputError: A worker died.
    """
    if source.is_in_memory or workers == 0:
        for planned in plan:
            yield _load(source, planned, seed, max_bad)
        return
    planned_batches = list(plan)
    shares = [share for planned in planned_batches for share in planned.shares(workers)]
    loader = DataLoader(
        _Shares(source, shares, seed, max_bad),
        batch_size=None,
        shuffle=False,
        num_workers=min(workers, max(1, len(shares))),
        prefetch_factor=_PREFETCHED,
        collate_fn=_as_it_is,
        worker_init_fn=_ignore_signals,
        generator=torch.Generator(),  # else the loader draws its base seed from the global state
    )
    loaded: Any = iter(loader)
    # Workers ignore the SIGTERM that multiprocessing ends its children with, so none may be left at exit.
    atexit.register(loaded._shutdown_workers)
    try:
        for planned in planned_batches:
            yield _collect(loaded, planned, pinned)
    finally:
        with contextlib.suppress(RuntimeError):  # the signal of a dead worker may come only now
            loaded._shutdown_workers()
        atexit.unregister(loaded._shutdown_workers)


_Loaded = tuple[list[int], Tensor, tuple[Replacement, ...]]


class _Shares(Dataset["_Loaded | InputError"]):
    """Shares by number. Errors are returned, since the loader would raise them with a worker's traceback as text."""

    def __init__(
        self, source: MediaSource, shares: Sequence[PlannedBatch], seed: int | None, max_bad: int | None
    ) -> None:
        self._source, self._shares, self._seed, self._max_bad = source, shares, seed, max_bad

    def __len__(self) -> int:
        return len(self._shares)

    def __getitem__(self, number: int) -> "_Loaded | InputError":
        try:
            return _decode(self._source, self._shares[number], self._seed, self._max_bad, shared=True)
        except InputError as error:
            return error


def _collect(loaded: "Iterator[_Loaded | InputError]", planned: PlannedBatch, pinned: bool) -> LoadedBatch:
    """The next batch, from its shares."""
    count = len(planned.positions)
    inputs: Tensor | None = None
    rows: list[int] = []
    replacements: list[Replacement] = []
    while len(rows) < count:
        with _dead_workers_told():
            found = next(loaded)
        if isinstance(found, InputError):
            raise found
        share_rows, share, replaced = found
        if inputs is None:
            inputs = torch.empty((count, *share.shape[1:]), dtype=share.dtype, pin_memory=pinned)
        # Copied by NumPy: torch would copy with threads, which wait for each other where workers keep the cores busy.
        inputs.numpy()[len(rows) : len(rows) + len(share_rows)] = share.numpy()
        rows += share_rows
        replacements += replaced
    assert inputs is not None
    return LoadedBatch(planned, torch.tensor(rows, dtype=torch.int64), inputs, tuple(replacements))


def _load(source: MediaSource, planned: PlannedBatch, seed: int | None, max_bad: int | None) -> LoadedBatch:
    if source.is_in_memory:
        wanted = planned.media_rows[planned.part]
        return LoadedBatch(planned, wanted, source.batch(wanted))
    rows, inputs, replacements = _decode(source, planned, seed, max_bad)
    return LoadedBatch(planned, torch.tensor(rows, dtype=torch.int64), inputs, replacements)


def _decode(
    source: MediaSource, planned: PlannedBatch, seed: int | None, max_bad: int | None, *, shared: bool = False
) -> _Loaded:
    """Rows, inputs, one after another, and replacements of a part; inputs in shared memory if ``shared``."""
    wanted = planned.media_rows[planned.part].tolist()
    inputs: Tensor | None = None
    rows: list[int] = []
    replacements: list[Replacement] = []
    for position, row in zip(planned.positions, wanted, strict=True):
        row, loaded, replaced = _load_one(source, planned, position, row, seed, max_bad)
        if inputs is None:
            inputs = torch.empty((len(wanted), *loaded.shape), dtype=loaded.dtype)
            if shared:
                inputs.untyped_storage().share_memory_()  # at once: the loader would make a copy later
        inputs.numpy()[len(rows)] = loaded.numpy()
        rows.append(row)
        replacements += replaced
    assert inputs is not None
    return rows, inputs, tuple(replacements)


def _load_one(
    source: MediaSource, planned: PlannedBatch, position: int, row: int, seed: int | None, max_bad: int | None
) -> tuple[int, Tensor, list[Replacement]]:
    """A medium, or the first of its stand-ins that can be decoded."""
    replaced: list[Replacement] = []
    stand_ins: Iterator[int] | None = None
    while True:
        random = None if seed is None else np.random.default_rng((seed, planned.epoch, row))
        try:
            return row, source.load(row, random), replaced
        except DamagedMediumError as error:
            if not max_bad:
                without = "" if max_bad is None else ", or go on without it: --max-bad 1"
                advice = f"{error.reason}; mend or replace it{without}"
                raise DamagedMediumError(error.what, error.media_id, advice) from error
            if seed is None:
                return row, source.blank(), [Replacement(position, row, None, error.media_id, str(error))]
            if len(replaced) == max_bad:
                raise BadMediaError(f"more than --max-bad {max_bad} media are damaged, the last: {error}") from error
            stand_ins = _stand_ins(len(source.ids), planned, position, seed) if stand_ins is None else stand_ins
            by = next(stand_ins, None)
            if by is None:
                raise BadMediaError(f"{error}; and no other medium is left to replace it") from error
            replaced.append(Replacement(position, row, by, error.media_id, str(error)))
            row = by


def _stand_ins(media: int, planned: PlannedBatch, position: int, seed: int) -> Iterator[int]:
    """Media for a place in a batch, none of which is in the batch or, as long as there are enough, for another place.

    The media outside the batch are shuffled and dealt to its places, one round after another.
    """
    batch = planned.media_rows.numpy()
    outside = np.setdiff1d(np.arange(media), batch)
    if len(outside):
        random = np.random.default_rng((seed, planned.epoch, planned.step, _STAND_INS))
        shuffled = random.permutation(outside)
        rounds = max(1, len(outside) // len(batch))
        for number in itertools.islice(itertools.count(position, len(batch)), rounds):
            yield int(shuffled[number % len(outside)])


@contextlib.contextmanager
def _dead_workers_told() -> Iterator[None]:
    """Say in a line of ours that a worker died.

    A worker that dies as it hands over a batch is told twice: by what can't be read of it, and, then or a moment later,
    by its signal, which is a RuntimeError of the loader wherever it comes: here while the first is handled.
    """
    try:
        try:
            yield
        except (ConnectionError, FileNotFoundError, EOFError) as error:
            raise RuntimeError(f"{_OF_THE_LOADER} ended") from error
    except RuntimeError as error:
        if _OF_THE_LOADER not in str(error):
            raise
        raise InputError(
            "a process that decodes media was killed, as happens when memory or /dev/shm runs out; give a container "
            "more of it (--shm-size), or use a smaller --batch-size or fewer --workers"
        ) from error


def _as_it_is(batch: Any) -> Any:
    return batch


def _ignore_signals(worker: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
