"""Libraries that talk while they load and write, silenced for as long as that takes."""

import contextlib
import logging
from collections.abc import Iterator

from transformers.utils import logging as transformers_logging

_TALKATIVE = ("torch.onnx", "torch.onnx._internal.exporter._registration", "sentence_transformers")


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Let through errors only: what an export leaves out of a stored model, it leaves out on purpose."""
    levels = {name: logging.getLogger(name).level for name in _TALKATIVE}
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
