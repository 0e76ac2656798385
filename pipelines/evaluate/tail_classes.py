"""The official list of EPIC-KITCHENS-100's tail classes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.evaluate.csv_columns import read_csv_columns


def read_tail_classes(path: Path, noun_class: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether each clip's noun class is in the list at ``path``: a CSV file with a column ``noun``.

    Raises:
        InputError: The file can't be read, has no such column, or holds something else than numbers.
    """
    cells = [cell for (cell,) in read_csv_columns(path, ["noun"])]
    for line, cell in enumerate(cells, start=2):
        if not cell.isdecimal():
            raise InputError(f"{path}: line {line}: noun is {cell!r}; the number of a noun class was expected")
    return np.isin(noun_class, [int(cell) for cell in cells])
