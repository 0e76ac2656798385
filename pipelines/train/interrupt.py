"""SIGTERM and SIGINT ask a run to stop after the step at hand; a second one stops it there and then."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class StopRequest:
    """Whether, and by which signal, the run was asked to stop.

    Attributes:
        signal: Name of the signal, such as ``SIGTERM``; None while nobody asked.
    """

    signal: str | None = None


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn the first SIGTERM or SIGINT inside into a request, the second into what it meant before.

    Outside the main thread, where Python allows no handlers, there are no requests.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, frame: FrameType | None) -> None:
        request.signal = signal.Signals(number).name
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
