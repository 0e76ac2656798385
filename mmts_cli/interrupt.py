"""SIGTERM and a closed terminal end a command as Ctrl-C does: whatever is half done is put away on the way out."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Stop:
    """Whether this process was told to stop."""

    asked: bool = False


_stop = Stop()


def _ask(number: int, frame: FrameType | None) -> None:
    _stop.asked = True
    raise KeyboardInterrupt(signal.Signals(number))


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[Stop]:
    """Raise KeyboardInterrupt, with the signal, where one comes that would end the process.

    A signal that is ignored stays so (``nohup``, or a shell's background jobs), and handlers of others stay.
    """
    _stop.asked = False
    if threading.current_thread() is not threading.main_thread():  # Python allows no handlers there
        yield _stop
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    plain = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: handler for number in numbers if (handler := signal.getsignal(number)) in plain}
    for number in before:
        signal.signal(number, _ask)
    try:
        yield _stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
