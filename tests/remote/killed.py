"""``python -m remote.killed NAME COUNT ARGUMENTS``: mmts, killed before its COUNTth put of a file with NAME."""

import os
import signal
import sys

from conftest import FakeEncoder

import pipelines.embed.parts as parts
import pipelines.embed.stage as embed_stage
from pipelines.remote import store

_put = store.put
_name, _left = sys.argv[1], int(sys.argv[2])


def _put_or_die(path):
    global _left
    _left -= _name in path.name
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return _put(path)


if __name__ == "__main__":
    from mmts_cli.app import main

    store.put = _put_or_die
    embed_stage.SentenceEncoder = FakeEncoder
    FakeEncoder.texts = []
    parts._SECONDS_BETWEEN_SYNCS = parts._SECONDS_BETWEEN_PUTS = 0.0
    sys.argv = ["mmts", *sys.argv[3:]]
    main()
