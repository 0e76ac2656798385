"""Ids of the rows of a matrix, in a file beside it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.files import read_json, require_file
from pipelines.errors import InputError


def read_ids(path: Path) -> list[str]:
    """The ids in a text file (one a line), a JSON list or ``.npy``, in order.

    Raises:
        InputError: The file can't be used, or an id is empty.
    """
    require_file(path)
    if path.suffix.lower() == ".json":
        values = read_json(path)
        if not isinstance(values, list) or not all(isinstance(value, (str, int)) for value in values):
            raise InputError(f"{path}: a JSON list of ids was expected")
        ids = [str(value) for value in values]
    elif path.suffix.lower() == ".npy":
        ids = id_strings(load_array(path), path)
    else:
        try:
            ids = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not text in UTF-8; give one id a line") from error
    blank = [row for row, each in enumerate(ids, start=1) if not each.strip()]
    if blank:
        raise InputError(f"{path}: line {blank[0]} is empty; one id a line was expected")
    return ids


def load_array(path: Path) -> Any:
    """An array of a ``.npy`` file, left on disk until it is used, or the arrays of a ``.npz``.

    Raises:
        InputError: It is damaged, or holds Python objects, which only a pickle brings back.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            raise InputError(
                f"{path}: holds Python objects, which are pickled; save numbers, or strings with .astype(str)"
            ) from error
        raise InputError(f"{path}: not a whole NumPy file ({_reason(error)})") from error
    except Exception as error:  # EOFError, BadZipFile, zlib.error, OSError, SyntaxError in a header
        raise InputError(f"{path}: not a whole NumPy file ({_reason(error)})") from error


def id_strings(array: NDArray[Any], path: Path) -> list[str]:
    """An array ``(n,)`` of strings or whole numbers as strings.

    Raises:
        InputError: It is of another shape or kind.
    """
    if array.ndim != 1 or array.dtype.kind not in "USiu":
        raise InputError(f"{path}: ids are {array.dtype} of shape {array.shape}; strings or integers were expected")
    if array.dtype.kind == "S":
        return [value.decode("utf-8", "replace") for value in array.tolist()]
    return [str(value) for value in array.tolist()]


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:80]
