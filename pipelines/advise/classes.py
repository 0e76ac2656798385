"""Whether samples have classes, whose sizes need not be estimated by a clustering."""

from typing import Any

from pipelines.artifacts import open_parquet, read_provenance
from pipelines.cluster.subject import Subject
from pipelines.errors import InputError
from pipelines.remote import fetch


def find_classes(subject: Subject) -> dict[str, Any] | None:
    """The class columns of the annotations that a subject's vectors were made from, where these lie beside them.

    Columns that ``prepare`` was told are classes, and those whose name ends in ``class``, as of EPIC-KITCHENS-100.

    Returns:
        ``annotations``, their path, and ``columns``; None where none are known.
    """
    try:
        made = read_provenance(subject.source)
        origin = made.inputs.get("annotations") if made else None
        if origin is None:
            return None
        path = fetch(subject.source.with_name(origin["name"]))
        annotations = read_provenance(path)
        if annotations is None or annotations.fingerprint != origin["fingerprint"]:
            return None
        with open_parquet(path) as file:
            names = file.schema_arrow.names
    except InputError:  # not there, or damaged: nothing is known
        return None
    declared = annotations.parameters.get("class_columns", [])
    columns = [name for name in names if name in declared or name.endswith("class")]
    return {"annotations": str(path), "columns": columns} if columns else None
