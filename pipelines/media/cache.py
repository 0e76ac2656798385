"""Evaluation views in memory, decoded once."""

import mmap

import numpy as np

from pipelines.media.pixels import Pixels


class ViewCache:
    """Squares, or clips of them, by row.

    The memory is shared with forked worker processes: what one of them decodes all have, and there is one copy. Pages
    are taken as rows are stored. A process that gets the cache pickled (spawned workers) decodes each time.

    Args:
        rows: How many media there are.
        shape: Shape of a view.
        limit: Bytes; if not all views fit, none are kept.
    """

    def __init__(self, rows: int, shape: tuple[int, ...], limit: int) -> None:
        view_bytes = int(np.prod(shape))
        self._fits = 0 < rows * (view_bytes + 1) <= limit
        if self._fits:
            memory = np.frombuffer(mmap.mmap(-1, rows * (view_bytes + 1)), dtype=np.uint8)
            self._views = memory[rows:].reshape(rows, *shape)
            self._known = memory[:rows]

    def get(self, row: int) -> Pixels | None:
        """A copy of the view of a row, or None."""
        return self._views[row].copy() if self._fits and self._known[row] else None

    def put(self, row: int, view: Pixels) -> None:
        """Keep the view of a row."""
        if self._fits:
            self._views[row] = view
            self._known[row] = 1

    def __getstate__(self) -> dict[str, bool]:
        return {"_fits": False}
