"""The record of every step, readable while training runs."""

import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.artifacts import STEPS, ArtifactWriter, Provenance, read_table
from pipelines.errors import InputError

SCHEMA = pa.schema(list(STEPS.columns.items()))
_SECONDS = 5.0
_SHARE = 0.01  # of the time may go into rewriting the file


@dataclass
class StepLog:
    """Steps of a run so far, as columns."""

    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in STEPS.columns})
    _next_write: float = field(default=0.0, init=False)

    def add(self, **values: float) -> None:
        """Record a step: the columns of ``steps.parquet`` by name."""
        for name, value in values.items():
            self.columns[name].append(value)

    def write(self, path: Path, provenance: Provenance, summary: dict[str, Any]) -> None:
        """Write ``steps.parquet``, whole."""
        start = time.monotonic()
        with ArtifactWriter(path, SCHEMA, provenance) as writer:
            writer.summary = summary
            writer.write(pa.table(self.columns, schema=SCHEMA))
        now = time.monotonic()
        self._next_write = now + max(_SECONDS, (now - start) / _SHARE)

    def write_if_due(self, path: Path, provenance: Provenance) -> None:
        """Write the file every few seconds; the longer it takes, the less often."""
        if time.monotonic() >= self._next_write:
            self.write(path, provenance, {})


def read_steps(path: Path, count: int) -> StepLog:
    """The first ``count`` steps of a run's record, to go on from there.

    Warns where the file was taken away, damaged or cut since: the record then has a gap, the run goes on all the same.
    """
    try:
        table = read_table(path, STEPS)
        columns = {name: column[:count] for name, column in table.select(SCHEMA.names).to_pydict().items()}
    except InputError as error:
        warnings.warn(f"{error}; the record of the first {count} steps is lost", stacklevel=2)
        return StepLog()
    if columns["step"] != list(range(count)):
        warnings.warn(f"{path}: does not hold the first {count} steps; the record has a gap", stacklevel=2)
    return StepLog(columns)
