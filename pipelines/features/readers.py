"""Vectors, and their ids where the file has them, of each kind of file."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts import first_few, open_parquet, read_vectors
from pipelines.artifacts.files import nearest, require_file
from pipelines.artifacts.ids import ID_COLUMNS
from pipelines.artifacts.provenance import is_table_in_parts
from pipelines.artifacts.vectors import FOREIGN_ID_COLUMNS
from pipelines.errors import InputError
from pipelines.features.ids import id_strings, load_array

Features = tuple[list[str] | None, NDArray[Any]]
_ID_NAMES = (*ID_COLUMNS, *FOREIGN_ID_COLUMNS, "ids", "names", "keys", "filenames")
# The line of Python that turns a file we don't read, since reading it may run code in it, into one we do.
_CONVERSIONS = {
    (".pt", ".pth", ".bin", ".ckpt"): "import numpy, torch; numpy.save({new}, torch.load({old}, weights_only=True))",
    (".pkl", ".pickle"): 'import numpy, pickle; numpy.save({new}, pickle.load(open({old}, "rb")))',
    (".h5", ".hdf5"): 'import h5py, numpy; numpy.save({new}, h5py.File({old})["NAME"][:])',
    (".mat",): 'import numpy, scipy.io; numpy.save({new}, scipy.io.loadmat({old})["NAME"])',
}


def read_features(path: Path, name: str | None) -> Features:
    """The ids, None where the file has none, and the vectors ``[n, d]``.

    Args:
        path: The file, or Parquet in parts.
        name: Name of the array or column of vectors, where there are several.

    Raises:
        InputError: The file is damaged or of another kind, or it isn't clear which array is meant.
    """
    if is_table_in_parts(path):
        return _parquet(path, name)
    require_file(path)
    suffix = path.suffix.lower()
    for suffixes, line in _CONVERSIONS.items():
        if suffix in suffixes:
            code = line.format(old=json.dumps(str(path)), new=json.dumps(str(path.with_suffix(".npy"))))
            raise InputError(f"{path}: isn't read, since that may run code; convert it: python -c {shlex.quote(code)}")
    readers: dict[str, Callable[[Path, str | None], Features]] = {
        ".npy": _npy,
        ".npz": _npz,
        ".safetensors": _safetensors,
        ".parquet": _parquet,
    }
    if suffix not in readers:
        raise InputError(f"{path}: features are read from {', '.join(readers)}")
    return readers[suffix](path, name)


def _npy(path: Path, name: str | None) -> Features:
    if name is not None:
        raise InputError(f"--vectors {name}: {path} holds one array, without a name; leave it out")
    return None, _matrix(load_array(path), path)


def _npz(path: Path, name: str | None) -> Features:
    with load_array(path) as archive:
        try:
            arrays = {key: archive[key] for key in archive.files}
        except ValueError as error:
            raise InputError(
                f"{path}: holds Python objects, which are pickled; save numbers, or strings with .astype(str)"
            ) from error
        except Exception as error:  # of the zip or of an array in it
            raise InputError(f"{path}: not a whole NumPy file ({' '.join(str(error).split())[:80]})") from error
    return _choose(arrays, path, name)


def _safetensors(path: Path, name: str | None) -> Features:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({' '.join(str(error).split())[:80]})") from error
    halves = {key: value for key, value in tensors.items() if str(value.dtype) == "torch.bfloat16"}
    tensors |= {key: value.float() for key, value in halves.items()}  # NumPy has no bfloat16
    return _choose({key: value.numpy() for key, value in tensors.items()}, path, name)


def _choose(arrays: dict[str, NDArray[Any]], path: Path, name: str | None) -> Features:
    """Of named arrays the matrix, with the ids beside it; or a vector under each id."""
    ids = next((each for each in _ID_NAMES if each in arrays and arrays[each].ndim == 1), None)
    numbers = {key: value for key, value in arrays.items() if key != ids and value.dtype.kind in "fiu"}
    matrices = [key for key, value in numbers.items() if value.ndim != 1]
    if name is not None and name not in numbers:
        raise InputError(f"{path}: no array '{name}'{nearest(name, list(numbers))} (arrays: {first_few(numbers)})")
    if name is not None or len(matrices) == 1:
        chosen = _matrix(numbers[name or matrices[0]], path)
        return None if ids is None else id_strings(arrays[ids], path), chosen
    if len(matrices) > 1:
        raise InputError(f"{path}: holds several arrays ({first_few(matrices)}); choose one with --vectors")
    if not numbers:
        raise InputError(f"{path}: holds no array of numbers")
    sizes = {key: len(value) for key, value in numbers.items()}
    odd = [key for key, size in sizes.items() if size != next(iter(sizes.values()))]
    if odd:
        raise InputError(
            f"{path}: holds a vector under each id, of several sizes: {first_few(odd)} differ from {next(iter(sizes))}"
        )
    return list(numbers), _matrix(np.stack(list(numbers.values())), path)


def _parquet(path: Path, name: str | None) -> Features:
    import pyarrow as pa

    with open_parquet(path) as file:
        schema = file.schema_arrow
    ids = next((each for each in (*ID_COLUMNS, *FOREIGN_ID_COLUMNS) if each in schema.names), None)
    if ids is None:
        raise InputError(
            f"{path}: no column of ids (columns: {first_few(schema.names)}); call one media_id, image_id or id"
        )
    is_list = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    lists = [field.name for field in schema if any(test(field.type) for test in is_list)]
    if name is None and "embedding" in lists:
        name = "embedding"
    if name is None and len(lists) != 1:
        if not lists:
            raise InputError(f"{path}: no column of vectors (columns: {first_few(schema.names)})")
        raise InputError(f"{path}: several columns of lists ({first_few(lists)}); choose one with --vectors")
    read = read_vectors(path, id_column=ids, column=name or lists[0])
    half = getattr(schema.field(name or lists[0]).type, "value_type", None) == pa.float16()
    return read.ids.to_pylist(), np.asarray(read.matrix_nd, dtype=np.float16 if half else np.float32)


def _matrix(array: NDArray[Any], path: Path) -> NDArray[Any]:
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}: holds {array.dtype}; a matrix of numbers was expected")
    if array.ndim != 2 or 0 in array.shape:
        remedy = "; average over frames or patches first" if array.ndim > 2 else ""
        raise InputError(f"{path}: shape {array.shape}; one vector a row, [rows, dimension], was expected{remedy}")
    return array
