"""How frequent the kind of each sample is in training, from one declared source."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts.classes import class_column, read_class_columns
from pipelines.artifacts.clusters import read_cluster_sizes, read_sizes
from pipelines.artifacts.files import nearest
from pipelines.artifacts.ids import align, first_few
from pipelines.artifacts.opening import open_parquet, parquet_files
from pipelines.errors import InputError
from pipelines.remote import located

_TRAIN = "train"


@dataclass(frozen=True)
class Frequency:
    """Training cluster sizes of samples.

    Attributes:
        sample_ids: The samples ``(n,)``.
        size_n: How many training samples are of each one's kind ``(n,)``, float64.
        said: Where that comes from, in words.
        path: The file it comes from.
    """

    sample_ids: pa.ChunkedArray
    size_n: NDArray[np.float64]
    said: str
    path: Path

    def of(self, sample_ids: pa.ChunkedArray) -> NDArray[np.float64]:
        """The sizes of some samples, in their order.

        Raises:
            InputError: Some are not known; says how many and which first.
        """
        size_n: NDArray[np.float64] = self.size_n[align(sample_ids, self.sample_ids, what="samples", path=self.path)]
        return size_n


def frequency_file(source: str, annotations: Path) -> Path | None:
    """The file that a source of frequencies names; None where it names a column of the annotations.

    Raises:
        InputError: It is neither.
    """
    with open_parquet(annotations) as file:
        columns = file.schema_arrow.names
    if source in columns:
        return None
    path = located(source)
    if not path.exists() and not path.suffix:  # as a column is named
        raise InputError(
            f"--frequency {source}: neither a file nor a column of {annotations}{nearest(source, columns)} "
            f"(columns: {first_few(columns)})"
        )
    parquet_files(path)
    return path


def read_frequency(source: str, annotations: Path) -> Frequency:
    """The training frequencies of samples, by a column of their annotations or from a clusters or shifts file.

    A column's values are classes; a class's size is its number of rows of split ``train`` (of all rows where none is
    of that split).

    Args:
        source: Name of a column, or path of a file.
        annotations: Annotations file.

    Raises:
        InputError: The source is neither, can't be read, or a row has no class.
    """
    path = frequency_file(source, annotations)
    if path is not None:
        return mean_frequency([path])
    table = read_class_columns(annotations, [source])
    class_n = class_column(table, source, annotations).dictionary_encode().indices.to_numpy()
    has_split = "split" in table.column_names
    counted_n = table.column("split").to_numpy() == _TRAIN if has_split else np.ones(len(class_n), dtype=np.bool_)
    if not counted_n.any():
        warnings.warn(
            f"{annotations}: no rows of split '{_TRAIN}', so classes are counted over all rows, those for testing too",
            stacklevel=2,
        )
        counted_n[:] = True
    size_c = np.bincount(class_n[counted_n], minlength=class_n.max() + 1)
    said = f"sizes of the classes in column {source}"
    return Frequency(table.column("sample_id"), size_c[class_n].astype(np.float64), said, annotations)


def mean_frequency(paths: Sequence[Path]) -> Frequency:
    """The training frequencies in clusters or shifts files, averaged where there are several.

    Raises:
        InputError: A file can't be used, or the files are of different samples.
    """
    first = read_sizes(paths[0])
    ids = first.column("sample_id")
    sizes = [first.column("cluster_size").to_numpy(), *(read_cluster_sizes(path, ids) for path in paths[1:])]
    named = first_few([path.name for path in paths])
    said = f"sizes from {named}" if len(paths) == 1 else f"mean sizes of {len(paths)} clusterings"
    mean_n: NDArray[np.float64] = np.mean(sizes, axis=0)
    return Frequency(ids, mean_n, said, paths[0])
