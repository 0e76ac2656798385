"""Reading back what ``eval`` wrote, so that two runs have the same query in the same row."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import (
    RANKS,
    align,
    fingerprint_of,
    open_parquet,
    read_provenance,
    read_table,
    require_unique,
    scores_folder,
)
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError
from pipelines.scores.queries import DIRECTIONS, SHOTS, QueryScores
from pipelines.scores.thirds import THIRDS

_NEEDED = ("media_id", "tied", "fold")


@dataclass(frozen=True)
class Scored:
    """What one folder of scores holds.

    Attributes:
        folder: The folder.
        fingerprint: Of its ``ranks.parquet``.
        protocol: How the run was scored.
        ties: The rule for ties it was scored by.
        gallery: Which media were ranked, in words.
        trained: How the run was trained, its ``parameters``, ``inputs`` and ``seed``; None where no run was scored.
        classes: What stood for the classes, of protocol ``classes``: ``templates`` and the files used, by role.
        tables: Rows of ``ranks.parquet`` by direction.
    """

    folder: Path
    fingerprint: str
    protocol: str
    ties: str
    gallery: str
    trained: dict[str, Any] | None
    classes: dict[str, Any]
    tables: dict[str, pa.Table]


def read_scored(folder: Path) -> Scored:
    """Read a folder that ``mmts eval`` wrote, or the one such folder within a run's folder.

    Raises:
        InputError: There is no or more than one such folder, or its files can't be used.
    """
    folder = scores_folder(folder)
    ranks = folder / "ranks.parquet"
    metrics = read_json(folder / "metrics.json")
    if not isinstance(metrics, dict) or not {"protocol", "ties", "queries"} <= set(metrics):
        raise InputError(f"{folder / 'metrics.json'}: not the metrics of `mmts eval`; score the run again")
    with open_parquet(ranks) as file:
        names = file.schema_arrow.names
    known = (*RANKS.columns, *RANKS.optional)
    optional = [name for name in RANKS.optional if name in names or name in _NEEDED]
    table = read_table(ranks, RANKS, [*RANKS.columns, *optional, *(name for name in names if name not in known)])
    directions = [direction for direction in DIRECTIONS if direction in metrics["queries"]]
    tables = {direction: table.filter(pc.equal(table.column("direction"), direction)) for direction in directions}
    for direction, part in tables.items():
        if not part.num_rows:
            raise InputError(f"{ranks}: has no rows of direction {direction}; score the run again")
        require_unique(part.column("query_id"), f"query_id ({direction})", ranks)
    gallery = "of the split's media"
    if "gallery" in metrics:
        gallery = f"of {metrics['gallery']['media']:,} media"
    elif "classes" in metrics:
        gallery = f"of {metrics['classes']['candidates']:,} classes"
    return Scored(
        folder,
        fingerprint_of(ranks),
        metrics["protocol"],
        metrics["ties"]["rule"],
        gallery,
        metrics.get("trained"),
        _classes(metrics, ranks) if metrics["protocol"] == "classes" else {},
        tables,
    )


def _classes(metrics: dict[str, Any], ranks: Path) -> dict[str, Any]:
    """What stood for the classes: ``templates``, with a file of ``class names``, or ``class vectors``."""
    made = read_provenance(ranks)
    files = made.inputs if made else {}
    if "templates" not in metrics:
        return {"class vectors": files["text"]} if "text" in files else {}
    names = {"class names": files["class names"]} if "class names" in files else {}
    return {"templates": metrics["templates"], **names}


def in_order_of(first: Scored, other: Scored) -> Scored:
    """The other folder's rows in the order of the first one's.

    Raises:
        InputError: The two were scored by other rules or on other queries; says how many differ and which first.
    """
    what_is_found = "classes" if first.protocol == "classes" else "--gallery"
    for name, remedy in (("protocol", "--protocol"), ("ties", "--ties"), ("gallery", what_is_found)):
        was, now = getattr(first, name), getattr(other, name)
        if was != now:
            raise InputError(
                f"{other.folder}: {name} {now}, but {first.folder} has {was}; score both with the same {remedy}"
            )
    tables = {}
    for direction, wanted in first.tables.items():
        words = direction.replace("_", " ")
        ids, present = wanted.column("query_id"), other.tables[direction].column("query_id")
        alone = [*ids.filter(pc.invert(pc.is_in(ids, present))).to_pylist()]
        alone += present.filter(pc.invert(pc.is_in(present, ids))).to_pylist()
        if alone:
            raise InputError(
                f"{other.folder}: {len(alone)} {words} queries are in only one of this folder and {first.folder}, "
                f"first: {alone[0]}; score both on the same annotations and split"
            )
        rows = align(ids, present, what="queries", path=other.folder)
        table = other.tables[direction].take(pa.array(rows))
        for name, what in (("media_id", "belong to other media"), ("fold", "are in other folds")):
            differs = pc.not_equal(wanted.column(name), table.column(name))
            differing = ids.filter(differs)
            if len(differing):
                raise InputError(
                    f"{other.folder}: {len(differing)} {words} queries {what} than in {first.folder}, first: "
                    f"{differing[0].as_py()}; score both on the same annotations and with the same --folds"
                )
        tables[direction] = table
    return dataclasses.replace(other, tables=tables)


def query_scores(scored: Scored, media_ids: pa.Array) -> dict[str, QueryScores]:
    """The scores of the queries as the bootstrap takes them.

    Args:
        scored: A folder's rows.
        media_ids: Every medium once; the bootstrap draws these, so runs that are compared need the same.

    Raises:
        InputError: ``ranks.parquet`` holds neither ranks nor other measures of its queries.
    """
    return {direction: _direction(table, media_ids, scored.folder) for direction, table in scored.tables.items()}


def _direction(table: pa.Table, media_ids: pa.Array, folder: Path) -> QueryScores:
    known = (*RANKS.columns, *RANKS.optional)
    measures = [name for name in table.column_names if name not in known and _is_float(table.column(name).type)]
    values: dict[str, NDArray[np.generic]] = {name: table.column(name).to_numpy() for name in measures}
    if not values and table.column("rank").null_count == 0:
        values = {"rank": table.column("rank").to_numpy()}
    if not values:
        raise InputError(f"{folder / 'ranks.parquet'}: queries have no rank and no other score; score the run again")
    label = None
    if "class" in table.column_names:
        label = table.column("class").dictionary_encode().combine_chunks().indices.to_numpy().astype(np.int64)
    return QueryScores(
        query=np.arange(table.num_rows),
        group=pc.index_in(table.column("media_id"), media_ids).to_numpy().astype(np.int64),
        values=values,
        tied=table.column("tied").to_numpy(),
        fold=table.column("fold").to_numpy(),
        third=_codes(table, "third", THIRDS),
        label=label,
        shots=_codes(table, "shots", SHOTS),
        tail_class=table.column("tail_class").to_numpy() if "tail_class" in table.column_names else None,
    )


def _codes(table: pa.Table, name: str, names: Sequence[str]) -> NDArray[np.int8] | None:
    """A column of names as places in a list of them; None where it isn't there, or not all rows have one of these."""
    if name not in table.column_names:
        return None
    code = pc.index_in(table.column(name), pa.array(names))
    return None if code.null_count else code.to_numpy().astype(np.int8)


def _is_float(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind))
