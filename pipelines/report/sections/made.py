"""How it was made: what made each file, from what, with which settings."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.artifacts import Provenance, read_provenance
from pipelines.artifacts.provenance import is_table_in_parts, read_provenances
from pipelines.artifacts.run_config import read_run_parameters
from pipelines.report.page import Section
from pipelines.report.sources import Sources

_FOOTERS = {"run": "steps.parquet", "scores": "ranks.parquet", "classes": "ranks.parquet", "sweep": "sweep.parquet"}


@dataclass(frozen=True)
class Step:
    """One thing that was made.

    Attributes:
        title: Its role and name.
        about: What made it, from what.
        settings: With which settings, a line each.
    """

    title: str
    about: str
    settings: str


def made_section(sources: Sources) -> Section:
    """What made each file that the report shows, in the order of the stages."""
    steps = [_step(role, path, sources) for role, path in sources.used().items()]
    words = ["What made each file, as its footer says: the same inputs and settings make the same again."]
    return Section(id="made", title="How it was made", words=words, include="made.html", content={"steps": steps})


def _step(role: str, path: Path, sources: Sources) -> Step:
    footer = path / _FOOTERS[role] if role in _FOOTERS else path
    parts = read_provenances(path) if is_table_in_parts(path) else []
    provenance = read_provenance(footer) if footer.suffix == ".parquet" and footer.is_file() else None
    title = f"{role}: {path.name or path.resolve().name}{'/' if path.is_dir() else ''}"
    if parts:
        makers = sorted({"not written by mmts" if part is None else _about(part) for part in parts})
        return Step(title, f"{len(parts)} parts, {', '.join(makers)}", str(path))
    if provenance is None:
        return Step(title, "not written by mmts" if path.is_file() or path.is_dir() else "", str(path))
    return Step(title, _about(provenance), _settings(role, path, provenance, sources))


def _about(provenance: Provenance) -> str:
    inputs = ", ".join(f"{role} {each['name']}" for role, each in provenance.inputs.items())
    version = provenance.libraries.get("mmts", "")
    return f"made by mmts {provenance.stage}{f' ({version})' if version else ''}{f' from {inputs}' if inputs else ''}"


def _settings(role: str, path: Path, provenance: Provenance, sources: Sources) -> str:
    settings: Mapping[str, object] = provenance.parameters
    lines = [f"# fingerprint {provenance.fingerprint}"]
    if role == "run" and sources.run is not None:
        settings = read_run_parameters(sources.run)
        lines += [f"mmts train --config {shlex.quote(str(path / 'config.json'))} -o again   # trains it once more"]
    if provenance.seed is not None:
        settings = {**settings, "seed": provenance.seed}
    lines += [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in settings.items()
        if value not in (None, [])
    ]
    return "\n".join(lines)
