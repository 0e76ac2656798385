"""The record of every step, and of every epoch's validation."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from torch import Tensor

from pipelines.artifacts import STEPS, ArtifactWriter, Provenance

SCHEMA = pa.schema(list(STEPS.columns.items()))


@dataclass
class StepLog:
    """Steps of a run so far, as columns."""

    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in STEPS.columns})

    def add(self, *, temperature_n: Tensor, **values: float) -> None:
        """Record a step: its temperatures (or margins) ``[n]``, and the other columns of ``steps.parquet`` by name."""
        values["temperature_min"] = float(temperature_n.min())
        values["temperature_mean"] = float(temperature_n.mean())
        values["temperature_max"] = float(temperature_n.max())
        for name, value in values.items():
            self.columns[name].append(value)

    def write(self, path: Path, provenance: Provenance, summary: dict[str, Any]) -> None:
        """Write ``steps.parquet``."""
        with ArtifactWriter(path, SCHEMA, provenance) as writer:
            writer.summary = summary
            writer.write(pa.table(self.columns, schema=SCHEMA))
