"""Writing annotations, with the figures that a user is told of them."""

from pathlib import Path

import pyarrow as pa

from pipelines.annotations.checks import Checks
from pipelines.annotations.imbalance import Imbalance
from pipelines.annotations.left_out import write_list
from pipelines.artifacts import StagePlan
from pipelines.errors import InputError


def write_annotations(
    plan: StagePlan, annotations: pa.Table, checks: Checks, source: Path, imbalance: Imbalance | None = None
) -> dict[str, object]:
    """Write annotations, and beside them the list of what is left out; gives the summary.

    Args:
        plan: Of the stage that read them.
        annotations: Rows that passed all checks.
        checks: What they passed.
        source: Where they came from, for messages.
        imbalance: Makes the training split long-tailed; rows it drops are not listed.

    Raises:
        InputError: No row is left, or the training split can't be made long-tailed.
    """
    if not annotations.num_rows:
        raise InputError(f"{plan.output}: not written, since every row would be left out ({checks.notes[-1]})")
    figures = None
    if imbalance is not None:
        annotations, figures = imbalance.cut(annotations, source, checks)
    with plan.writer(annotations.schema) as writer:
        writer.summary = summarise(annotations)
        if checks.left_out:
            writer.summary["left_out"] = len(checks.left_out)
        if figures:
            writer.summary["imbalance"] = figures
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
