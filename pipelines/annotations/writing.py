"""Writing annotations, with the figures that a user is told of them."""

import pyarrow as pa

from pipelines.annotations.checks import Checks
from pipelines.annotations.left_out import write_list
from pipelines.artifacts import StagePlan
from pipelines.errors import InputError


def write_annotations(plan: StagePlan, annotations: pa.Table, checks: Checks) -> dict[str, object]:
    """Write annotations, and beside them the list of what is left out; gives the summary.

    Raises:
        InputError: No row is left.
    """
    if not annotations.num_rows:
        raise InputError(f"{plan.output}: not written, since every row would be left out ({checks.notes[-1]})")
    with plan.writer(annotations.schema) as writer:
        writer.summary = summarise(annotations)
        if checks.left_out:
            writer.summary["left_out"] = len(checks.left_out)
        writer.write(annotations)
        write_list(plan.output, checks.left_out)
    return writer.summary


def summarise(annotations: pa.Table) -> dict[str, object]:
    """Rows, distinct texts, media and rows per split of an annotations table."""
    summary: dict[str, object] = {
        "rows": annotations.num_rows,
        "distinct_texts": len(annotations.column("text").unique()),
    }
    if "media_id" in annotations.column_names:
        summary["media"] = len(annotations.column("media_id").unique())
    if "split" in annotations.column_names:
        counts = annotations.column("split").value_counts().to_pylist()
        summary["splits"] = {count["values"] or "none": count["counts"] for count in counts}
    return summary
