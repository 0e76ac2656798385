"""EK-100 relevancy as a file: computed once for a set of annotations, shared by all runs scored on them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import RELEVANCY, Clips, StagePlan, align, open_parquet
from pipelines.scores.relevancy import Relevancy, class_relevancy


def cached_relevancy(path: Path, annotations: Path, split: str, clips: Clips, *, force: bool) -> Relevancy:
    """The relevancy of clips (rows) and sentences (columns), from the file if it is up to date, else into it.

    The file has one row for each distinct pair of verb class and set of noun classes: ``key``, ``verb_class``,
    ``noun_classes``, ``sample_ids`` (the clips of that key) and ``relevancy`` (to each key, in their order).

    Args:
        path: The relevancy file.
        annotations: The file that the clips were read from.
        split: The split of these clips.
        clips: From `read_clips`.
        force: Compute it even if the file is up to date or was not written by mmts.

    Raises:
        InputError: The file exists and isn't what mmts wrote, or can't be written.
    """
    plan = StagePlan("relevancy", path, {"split": split}, {"annotations": annotations}, libraries=("numpy", "pyarrow"))
    if plan.finished(force=force):
        return _read(path, clips)
    relevancy = class_relevancy(clips.verb_class, clips.all_noun_classes, clips.clip_of_sentence)
    table = _table(relevancy, clips)
    with plan.writer(table.schema) as writer:
        writer.summary = {"clips": relevancy.shape[0], "keys": table.num_rows, "grades": len(relevancy.grades)}
        writer.write(table)
    return relevancy


def _table(relevancy: Relevancy, clips: Clips) -> pa.Table:
    keys, first = np.unique(relevancy.row_key, return_index=True)
    order = pa.array(np.argsort(relevancy.row_key, kind="stable"))
    starts = np.append(0, np.cumsum(np.bincount(relevancy.row_key))).astype(np.int32)
    relevancy_kk = relevancy.grades[relevancy.codes]
    columns = {
        "key": keys.astype(np.int32),
        "verb_class": clips.verb_class[first],
        "noun_classes": [sorted(set(clips.all_noun_classes[row])) for row in first],
        "sample_ids": pa.ListArray.from_arrays(starts, clips.sample_ids.take(order).combine_chunks()),
    }
    table = pa.table(columns, schema=pa.schema(RELEVANCY.columns.items()))
    return table.append_column("relevancy", pa.FixedSizeListArray.from_arrays(relevancy_kk.ravel(), len(keys)))


def _read(path: Path, clips: Clips) -> Relevancy:
    with open_parquet(path) as file:
        members = file.read(columns=["sample_ids"]).column(0).combine_chunks()
        value_kk = file.read(columns=["relevancy"]).column(0).combine_chunks().flatten()
    key_of_member = pc.list_parent_indices(members).to_numpy()
    rows = align(clips.sample_ids, pa.chunked_array([members.flatten()]), what="clips", path=path)
    row_key: NDArray[np.int64] = key_of_member[rows].astype(np.int64)
    encoded = value_kk.dictionary_encode()
    grades, place = np.unique(np.append(encoded.dictionary.to_numpy(), 0.0), return_inverse=True)
    codes = place.astype(np.uint16)[encoded.indices.to_numpy()].reshape(len(members), len(members))
    return Relevancy(grades, codes, row_key, row_key[clips.clip_of_sentence])
