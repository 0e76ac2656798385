"""Columns of the small CSV files that evaluation reads beside annotations."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pipelines.artifacts.files import nearest, require_file
from pipelines.artifacts.ids import first_few
from pipelines.errors import InputError


def read_csv_columns(path: Path, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Some columns of a CSV file with a header, row by row, without spaces around cells; a missing cell is empty.

    Raises:
        InputError: The file can't be read, lacks a column or has no rows.
    """
    require_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            present = list(reader.fieldnames or [])
            for name in names:
                if name not in present:
                    seen = f"{nearest(name, present)} (columns: {first_few(present)})"
                    raise InputError(f"{path}: no column '{name}'{seen}")
            rows = [tuple((row[name] or "").strip() for name in names) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    if not rows:
        raise InputError(f"{path}: has no rows")
    return rows
