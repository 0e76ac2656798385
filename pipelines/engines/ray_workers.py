"""Workers of a Ray cluster: actors, each with what it has loaded, that take parts and may die.

Plain actors, and not Ray Data: parts are made one after another by the process that wants them (each distinct text
once, shortest first, those alone that are not on disk yet), and their results are wanted in this order.
"""

import contextlib
import logging
import os
import signal
import socket
import tempfile
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pipelines.artifacts.provenance import library_versions
from pipelines.errors import InputError
from pipelines.progress import Progress

_AT_A_WORKER = 2  # parts: the one it does, and the one it goes on with without waiting for this process
_AHEAD = 4  # results a worker may have made before an earlier part's are there: a slow part stops nobody for long
_MOST_DEATHS = 3  # of workers with one part, or as they start, before it is not the machine's fault
_SECONDS_OF_PATIENCE = 60.0


class _Worker:
    """What lives in a process of the cluster."""

    def start(
        self, load: Callable[[], Any], libraries: Sequence[str], home: str, folder: str
    ) -> tuple[dict[str, str], Any]:
        """Load, for a command on the machine ``home`` in a folder; gives versions, and what `Work.about` says."""
        self._where = "" if socket.gethostname() == home else f" (on {socket.gethostname()})"
        with contextlib.suppress(OSError):
            os.chdir(folder)  # where the command's relative paths start
        with self._named():
            self._work = load()
        return library_versions(tuple(libraries)), self._work.about

    def do(self, part: Any) -> list[Any]:
        """The results of a part."""
        with self._named():
            return list(self._work(part))

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Say on which machine a user's input can't be used, where it isn't that of the command."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{error}{self._where}") if self._where else error from None


class RayWorkers:
    """A worker on each GPU, or else each core, of a cluster.

    The part of a worker that dies, alone or with its machine, is done by another, and a new worker is asked for, which
    starts once there is room for it.

    Args:
        ray: The module, connected to a cluster.
        load: Makes what a worker works with.
        device: Torch device to work on; GPUs where there are some if None.
        libraries: Distributions whose versions have to be those here.

    Attributes:
        about: What `Work.about` says.

    Raises:
        InputError: There is no such device, no worker starts, or what ``load`` raises.
    """

    about: Any

    def __init__(self, ray: Any, load: Callable[[], Any], device: str | None, libraries: Sequence[str]) -> None:
        self._ray = ray
        gpus = _gpus(ray, device)
        self._actor = ray.remote(_Worker).options(num_cpus=1, num_gpus=1 if gpus else 0)
        self._load, self._libraries = ray.put(load), tuple(libraries)
        self._starting: dict[Any, Any] = {}  # worker by the reference of its start
        self._parts: dict[Any, int] = {}  # how many parts each worker has
        self._failed = 0  # starts in a row
        self._size = gpus or max(1, int(ray.cluster_resources().get("CPU", 1)))
        try:
            for _ in range(self._size):
                self._hire()
            while not self._parts:
                self._wait({})
        except BaseException:
            self.dismiss()
            raise

    def map(self, parts: Iterable[Any]) -> Iterator[Any]:
        """The results of the parts, in their order.

        Raises:
            InputError: A part kills whoever does it, or what the work raises.
        """
        coming = enumerate(parts)
        again: list[tuple[int, Any]] = []  # parts whose worker died
        running: dict[Any, tuple[int, Any, Any]] = {}  # number, part and worker by the reference of the result
        done: dict[
            int, list[Any] | Exception
        ] = {}  # errors wait for their turn too: the first is told, as it is locally
        deaths: Counter[int] = Counter()
        following = taken = 0
        while True:
            while (worker := self._least_busy()) is not None and (again or taken < following + _AHEAD * self._size):
                task = again.pop() if again else next(coming, None)
                if task is None:
                    break
                taken = max(taken, task[0] + 1)
                self._parts[worker] += 1
                running[worker.do.remote(task[1])] = (*task, worker)
            if following in done:
                result = done.pop(following)
                if isinstance(result, Exception):
                    raise result
                yield from result
                following += 1
            elif running or again:
                for reference in self._wait(running):
                    number, part, worker = running.pop(reference)
                    try:
                        done[number] = self._result(reference)
                    except self._ray.exceptions.RayError as error:
                        deaths[number] += 1
                        if deaths[number] == _MOST_DEATHS:
                            raise _killed(error) from error
                        again = sorted([*again, (number, part)], reverse=True)
                        self._replace(worker)
                    except Exception as error:
                        done[number] = error
                    if worker in self._parts:
                        self._parts[worker] -= 1
            else:
                return

    def dismiss(self) -> None:
        """End the workers."""
        for worker in [*self._parts, *self._starting.values()]:
            self._ray.kill(worker)

    def _hire(self) -> None:
        worker = self._actor.remote()
        started = worker.start.remote(self._load, self._libraries, socket.gethostname(), os.getcwd())
        self._starting[started] = worker

    def _replace(self, worker: Any) -> None:
        """Hire another for one that died; once, though it had several parts."""
        if self._parts.pop(worker, None) is not None:
            self._ray.kill(worker)
            self._hire()

    def _least_busy(self) -> Any:
        """The worker with the fewest parts, or None where all have as many as they may."""
        worker = min(self._parts, key=self._parts.__getitem__, default=None)
        return worker if worker is not None and self._parts[worker] < _AT_A_WORKER else None

    def _wait(self, running: dict[Any, Any]) -> list[Any]:
        """The reference of a result that is there; none where instead a worker has started, or failed to."""
        ready, _ = self._ray.wait([*running, *self._starting], timeout=_SECONDS_OF_PATIENCE)
        if not ready and not self._parts:
            warnings.warn(
                "--engine ray: the cluster has had no room for a worker so far; is it busy with something else?",
                stacklevel=2,
            )
        for reference in ready:
            if reference in running:
                return [reference]
            self._welcome(self._starting.pop(reference), reference)
        return []

    def _welcome(self, worker: Any, started: Any) -> None:
        try:
            versions, self.about = self._result(started)
        except self._ray.exceptions.RayError as error:
            self._failed += 1
            if self._failed == _MOST_DEATHS:
                raise _killed(error) from error
            self._hire()
            return
        self._failed = 0
        for name, version in library_versions(self._libraries).items():
            if versions[name] != version:
                raise InputError(
                    f"--engine ray: a machine of the cluster has {name} {versions[name]}, this one {version}; install "
                    "the same versions"
                )
        self._parts[worker] = 0

    def _result(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None  # what was raised on the worker, without its traceback as text


def _gpus(ray: Any, device: str | None) -> int:
    """How many GPUs of a cluster to work on.

    Raises:
        InputError: There is none, and a device was asked for.
    """
    gpus = 0 if device == "cpu" else int(ray.cluster_resources().get("GPU", 0))
    if device not in (None, "cpu") and not gpus:
        raise InputError(f"--device {device}: there is no GPU in the Ray cluster; leave it out")
    return gpus


def _killed(error: Exception) -> InputError:
    said = str(error).splitlines()[0][:80]
    return InputError(
        f"--engine ray: {_MOST_DEATHS} workers died one after another, as happens when memory runs out ({said}); try a "
        "smaller --batch-size"
    )


@contextlib.contextmanager
def ray_workers(
    load: Callable[[], Any], address: str | None, device: str | None, libraries: Sequence[str], progress: Progress
) -> Iterator[RayWorkers]:
    """Workers of a cluster, until the block ends; see `pipelines.engines.Engine`."""
    with contextlib.ExitStack() as stack:
        with progress.task("starting Ray", 1, "worker"):
            workers = RayWorkers(stack.enter_context(_connected(address)), load, device, libraries)
        stack.callback(workers.dismiss)
        yield workers


@contextlib.contextmanager
def connected(address: str | None, device: str | None, progress: Progress) -> Iterator[None]:
    """Connected to a cluster with a device, until the block ends; see `pipelines.engines.Engine`."""
    with contextlib.ExitStack() as stack:
        with progress.task("connecting to Ray", 1, "cluster"):
            _gpus(stack.enter_context(_connected(address)), device)
        yield


@contextlib.contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, connected to a cluster, until the block ends; then nothing of a cluster that was started here is left."""
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    _require_answer(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of what it is going to change
    import ray

    if ray.is_initialized():  # by `connected`, or by who uses mmts as a library
        yield ray
        return
    # Ray prints on stdout which worker died, and has no option against it; what matters of it is told by `RayWorkers`.
    ray._private.worker.listen_error_messages = lambda *_: None
    short = "/tmp" if os.path.isdir("/tmp") else None  # the sockets in it may have paths of 107 bytes at most
    with tempfile.TemporaryDirectory(prefix="mmts-ray-", dir=short, ignore_cleanup_errors=True) as folder:
        of_local: dict[str, Any] = {"include_dashboard": False, "_temp_dir": folder} if address == "local" else {}
        try:
            with _same_handlers(), _connection_errors(address):
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **of_local)
            yield ray
        finally:
            ray.shutdown()


def _require_answer(address: str) -> None:
    """Check that somebody listens at an address; Ray itself would try for many minutes, and say so again and again."""
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except ValueError as error:
        raise InputError(f"--address {address}: expected that of a Ray cluster's head, as 10.0.0.1:6379") from error
    except OSError as error:
        said = error.strerror or str(error)
        raise InputError(f"--address {address}: nobody answers there ({said}); see `ray status` on the head") from error


@contextlib.contextmanager
def _connection_errors(address: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a ConnectionError, but also a RuntimeError or ValueError of its own
        said = " ".join(str(error).split())[:100]
        raise InputError(f"--engine ray: the cluster at {address} can't be used ({said}); see `ray status`") from error


@contextlib.contextmanager
def _same_handlers() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces with one that exits."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as left:
        raise KeyboardInterrupt from left
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
