"""What protocol ``classes`` reads: the media of a split with their classes, and what it writes of each class."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import CLASSES, class_column, read_frequency, rows_of_split, shortened, with_media_ids
from pipelines.errors import InputError
from pipelines.scores.classification import Classification, shots_of
from pipelines.scores.queries import SHOTS
from pipelines.scores.similarity import IntArray

BoolArray = NDArray[np.bool_]
_TRAIN = "train"


@dataclass(frozen=True)
class LabelledMedia:
    """The n media of a split, and the c classes of all splits.

    Attributes:
        media_ids: Id of each medium.
        label_n: Class of each medium, shape ``(n,)``.
        classes: The classes, sorted.
        train_count_c: Training media of each class, shape ``(c,)``, NaN where that isn't known; None where no class's
            is.
        said: Where these counts come from, or why there are none, in words.
    """

    media_ids: pa.Array
    label_n: IntArray
    classes: list[str]
    train_count_c: NDArray[np.float64] | None
    said: str

    def of_media(self, kept_n: BoolArray) -> "LabelledMedia":
        """Those of some media; training counts and classes stay."""
        ids = self.media_ids.filter(pa.array(kept_n))
        return LabelledMedia(ids, self.label_n[kept_n], self.classes, self.train_count_c, self.said)


def labelled_media(table: pa.Table, path: Path, column: str, split: str, frequency: str | None) -> LabelledMedia:
    """The media of a split with the classes that a column of their annotations gives them.

    Candidates are the classes of all splits: a class that the split has no media of can still be answered.

    Args:
        table: Annotations.
        path: The file that they were read from.
        column: The column of classes.
        split: The split; all rows where the annotations have none.
        frequency: What the training counts come from, see `read_frequency`; None to count the media of split ``train``.

    Raises:
        InputError: A row has no class, a medium has two, or a file can't be used.
    """
    encoded = class_column(table, column, path).dictionary_encode()
    table = with_media_ids(table, path)
    names = np.array(encoded.dictionary.to_pylist())
    if len(names) < 2:
        raise InputError(
            f"{path}: has only one {column}: {shortened(str(names[0]))}; classification takes at least two"
        )
    order = np.argsort(names)
    place = np.argsort(order)
    label = pa.array(place[encoded.indices.to_numpy()])
    table = table.select([name for name in ("sample_id", "media_id", "split") if name in table.column_names])
    table = table.append_column("label", label)  # not by its own name, which may be one of these
    _refuse_two_classes(table, names[order], path, column)
    rows = rows_of_split(table, split, path)
    media = rows.group_by("media_id", use_threads=False).aggregate([("label", "first")])
    label_n = media.column("label_first").to_numpy().astype(np.int64)
    if frequency is None:
        count_c, said = _counted(table, column, len(names))
    else:
        source = read_frequency(frequency, path)
        size_r, label_r = source.of(rows.column("sample_id")), rows.column("label").to_numpy()
        with np.errstate(invalid="ignore"):  # a class that the split doesn't have
            count_c = np.bincount(label_r, size_r, len(names)) / np.bincount(label_r, minlength=len(names))
        said = source.said
    return LabelledMedia(media.column("media_id").combine_chunks(), label_n, names[order].tolist(), count_c, said)


def _counted(table: pa.Table, column: str, classes: int) -> tuple[NDArray[np.float64] | None, str]:
    """Training media of each class, by the annotations."""
    if "split" in table.column_names:
        train = table.filter(pc.equal(table.column("split"), _TRAIN))
        if train.num_rows:
            media = train.group_by("media_id", use_threads=False).aggregate([("label", "first")])
            count_c = np.bincount(media.column("label_first").to_numpy(), minlength=classes)
            return count_c.astype(np.float64), f"training media of each {column}"
    return None, f"the annotations have no split '{_TRAIN}'; --frequency gives training counts"


def _refuse_two_classes(table: pa.Table, names: NDArray[np.str_], path: Path, column: str) -> None:
    found = table.group_by("media_id", use_threads=False).aggregate([("label", "min"), ("label", "max")])
    several = found.filter(pc.not_equal(found.column("label_min"), found.column("label_max")))
    if several.num_rows:
        first = several.slice(0, 1).to_pylist()[0]
        one, other = (shortened(str(names[first[key]])) for key in ("label_min", "label_max"))
        raise InputError(
            f"{path}: {several.num_rows:,} media have more than one {column}, first: {shortened(first['media_id'])} "
            f"({one}, {other}); give each medium one class"
        )


def class_table(labelled: LabelledMedia, texts: list[str] | None, classified: Classification) -> pa.Table:
    """One row a class, those that are recognised worst first, of equal ones those with most media first.

    Args:
        labelled: The media and classes.
        texts: What the classes are called; None where their vectors were given.
        classified: Their scores.
    """
    tested_c = classified.test_count > 0
    top_1_c = classified.per_class["top-1"]
    shots: list[str | None] = [None] * len(tested_c)
    counts = labelled.train_count_c
    if counts is not None:
        known = zip(shots_of(counts), np.isnan(counts), strict=True)
        shots = [None if unknown else SHOTS[code] for code, unknown in known]
    names = labelled.classes
    columns: dict[str, Any] = {
        "class": names,
        "text": texts or [None] * len(names),
        "train_count": [None] * len(names) if counts is None else pa.array(counts, from_pandas=True),
        "test_count": classified.test_count,
        "shots": shots,
        "top-1": pa.array(top_1_c, from_pandas=True),
        "top-5": pa.array(classified.per_class.get("top-5", np.full(len(names), np.nan)), from_pandas=True),
        "confused_with": [None if other < 0 else names[other] for other in classified.confused_with],
        "confused_count": classified.confused_count,
    }
    order = np.lexsort((-classified.test_count, np.where(tested_c, top_1_c, np.inf)))
    return pa.table(columns, schema=pa.schema(CLASSES.columns.items())).take(pa.array(order))


def with_answers(table: pa.Table, labelled: LabelledMedia, classified: Classification) -> pa.Table:
    """The rows of ``ranks.parquet`` with the rank of each medium's class, that class, the answer, and the group."""
    classes = pa.array(labelled.classes)
    table = table.set_column(table.column_names.index("rank"), "rank", pa.array(classified.rank))
    table = table.append_column("class", classes.take(pa.array(labelled.label_n)))
    table = table.append_column("predicted", classes.take(pa.array(classified.predicted)))
    shots = classified.evaluation.queries["media_to_text"].shots
    named = pa.nulls(table.num_rows, pa.string()) if shots is None else pa.array(np.array(SHOTS)[shots])
    return table.append_column("shots", named)
