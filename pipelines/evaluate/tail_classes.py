"""The official list of EPIC-KITCHENS-100's tail classes."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.files import nearest, require_file
from pipelines.errors import InputError


def read_tail_classes(path: Path, noun_class: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether each clip's noun class is in the list at ``path``: a CSV file with a column ``noun``.

    Raises:
        InputError: The file can't be read, has no such column, or holds something else than numbers.
    """
    require_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = list(reader.fieldnames or [])
            if "noun" not in names:
                raise InputError(f"{path}: no column 'noun'{nearest('noun', names)} (columns: {', '.join(names)})")
            cells = [row["noun"] for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    for line, cell in enumerate(cells, start=2):
        if cell is None or not cell.strip().isdecimal():
            raise InputError(f"{path}: line {line}: noun is {cell!r}; the number of a noun class was expected")
    if not cells:
        raise InputError(f"{path}: has no rows")
    return np.isin(noun_class, [int(cell) for cell in cells])
