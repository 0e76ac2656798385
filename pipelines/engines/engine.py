"""The choice of an engine, and what all engines have in common.

A stage cuts its work into parts and hands them to workers, which give the results in the order of the parts. What is
written, what is kept for a run that goes on, and what is reported is the stage's own code, the same for every engine.
"""

import contextlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Generic, Literal, Protocol, TypeVar, get_args

from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress

EngineName = Literal["local", "ray"]

_AboutT = TypeVar("_AboutT", covariant=True)
_PartT = TypeVar("_PartT", contravariant=True)
_ResultT = TypeVar("_ResultT", covariant=True)


class Work(Protocol[_AboutT, _PartT, _ResultT]):
    """What a worker does, with what it has loaded for it."""

    @property
    def about(self) -> _AboutT:
        """What the stage has to know of what was loaded, such as the size of a model's vectors."""

    def __call__(self, part: _PartT, /) -> Iterable[_ResultT]:
        """The results of a part."""


class Workers(Protocol[_AboutT, _PartT, _ResultT]):
    """Those who do the work of a stage, all with the same loaded."""

    @property
    def about(self) -> _AboutT:
        """What `Work.about` says."""

    def map(self, parts: Iterable[_PartT]) -> Iterator[_ResultT]:
        """The results of the parts, in the order of the parts, which are taken as there is somebody to do them."""


@dataclass(frozen=True)
class Engine:
    """Where the heavy part of a stage is computed.

    Attributes:
        name: ``local``: in this process; ``ray``: by a worker on each GPU, or else each core, of a Ray cluster.
        address: Address of the cluster; if None that in ``$RAY_ADDRESS``, else one is started on this machine, for as
            long as the stage runs.

    Raises:
        InputError: The name is unknown, Ray is not installed, or there is an address without Ray.
    """

    name: EngineName = "local"
    address: str | None = None

    def __post_init__(self) -> None:
        """Check that it can be used."""
        if self.name not in get_args(EngineName):
            raise InputError(f"--engine {self.name}: expected one of {', '.join(get_args(EngineName))}")
        if self.address is not None and self.name != "ray":
            raise InputError(f"--address {self.address}: is that of a Ray cluster; add --engine ray, or leave it out")
        if self.name == "ray" and importlib.util.find_spec("ray") is None:
            raise InputError("--engine ray: Ray is not installed; pip install 'mmts[ray]'")

    @contextlib.contextmanager
    def connected(self, *, device: str | None = "cpu", progress: Progress = SILENT) -> Iterator[None]:
        """Stay connected to the cluster until the block ends: what can't be used is told before work that takes long.

        Args:
            device: Torch device that `workers` are to work on.
            progress: Where to report that a cluster starts, where that takes its time.

        Raises:
            InputError: The cluster can't be used, or has no such device.
        """
        if self.name == "local":
            yield
            return
        from pipelines.engines.ray_workers import connected

        with connected(self.address, device, progress):
            yield

    @contextlib.contextmanager
    def workers(
        self,
        load: Callable[[], Work[_AboutT, _PartT, _ResultT]],
        *,
        device: str | None = "cpu",
        libraries: Sequence[str] = (),
        progress: Progress = SILENT,
    ) -> "Iterator[Workers[_AboutT, _PartT, _ResultT]]":
        """Workers, until the block ends.

        Args:
            load: Makes what each worker works with, on the worker; it is pickled, and so are parts and results.
            device: Torch device to work on; a GPU where there is one if None.
            libraries: Distributions that shape the results: all workers must have this process's versions of them.
            progress: Where to report that workers start, where that takes its time.

        Raises:
            InputError: The cluster can't be used; or what ``load`` or the work itself raises, on whichever worker.
        """
        if self.name == "local":
            yield _Here(load())
            return
        from pipelines.engines.ray_workers import ray_workers

        with ray_workers(load, self.address, device, libraries, progress) as workers:
            yield workers

    def cut(self, items: Sequence[_PartT], size: int) -> "Iterator[Sequence[_PartT]]":
        """Cut items into parts of a size, where there is more than one worker to do them."""
        size = len(items) if self.name == "local" else size
        return (items[start : start + size] for start in range(0, len(items), max(size, 1)))


class _Here(Generic[_AboutT, _PartT, _ResultT]):
    """This process."""

    def __init__(self, work: Work[_AboutT, _PartT, _ResultT]) -> None:
        self._work = work
        self.about = work.about

    def map(self, parts: Iterable[_PartT]) -> Iterator[_ResultT]:
        return chain.from_iterable(map(self._work, parts))


LOCAL = Engine()
