"""``python -m mmts_cli``: the same as ``mmts``."""

import atexit
import gc
import importlib.util
import os
import sys
from pathlib import Path

import mmts_cli
from mmts_cli.interrupt import stopping_on_signals


def main() -> None:
    """Run mmts, unless the folder it is started from hides a part of it."""
    gc.disable()  # what start-up makes stays: looking for garbage took a tenth of it; a command turns it on again
    found = importlib.util.find_spec("pipelines")  # which imports nothing: it may be somebody else's
    places = [] if found is None else [Path(place) for place in found.submodule_search_locations or ()]
    if not places or places[0].resolve().parent != Path(mmts_cli.__path__[0]).resolve().parent:
        sys.stderr.write(
            f"mmts: {places[0] if places else found}: another package of this name hides mmts's own 'pipelines'; "
            "start mmts from another folder, or with python -P -m mmts_cli\n"
        )
        sys.exit(2)
    code = 1
    # Called last of all. Python would go on to take apart what torch brought, which takes as long as some commands do,
    # and a signal would meanwhile make a failure of what is done.
    atexit.register(lambda: os._exit(code))
    with stopping_on_signals():
        try:
            from mmts_cli.app import main as run

            run()
        except KeyboardInterrupt:  # while that was imported, or when all was done
            code = 130
        except SystemExit as ended:
            code = int(ended.code or 0)
    sys.exit(code)


if __name__ == "__main__":
    main()
