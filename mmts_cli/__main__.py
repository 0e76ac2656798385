"""``python -m mmts_cli``: the same as ``mmts``."""

from mmts_cli.app import main

main()
