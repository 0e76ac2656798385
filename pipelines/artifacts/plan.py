"""One run of a stage: is its output up to date, and where does it write."""

import os
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.artifacts.files import require_writable
from pipelines.artifacts.opening import is_pattern, matches
from pipelines.artifacts.parquet import ArtifactWriter
from pipelines.artifacts.provenance import (
    Provenance,
    fingerprint_of,
    is_damaged,
    is_intact,
    is_table_in_parts,
    library_versions,
    read_provenance,
    read_provenances,
    stage_fingerprint,
)
from pipelines.artifacts.result import StageResult
from pipelines.errors import InputError


@dataclass
class StagePlan:
    """What determines a stage's output, known before any work is done.

    Attributes:
        stage: Name of the stage.
        output: The Parquet file to write.
        parameters: Every parameter that shapes the output (not those that only change speed).
        inputs: Input files by role.
        seed: The seed, where there is one; also a parameter.
        libraries: Distributions whose versions belong in the footer.
        foreign: Roles of inputs that other tools write as a rule, so that a missing footer is no news.
        results: Number of the stage's results. Whoever changes what a stage writes for the same inputs and parameters
            raises it, so that an output of an earlier mmts is made again and not taken for up to date.
    """

    stage: str
    output: Path
    parameters: dict[str, Any]
    inputs: dict[str, Path]
    seed: int | None = None
    libraries: tuple[str, ...] = ("pyarrow",)
    foreign: tuple[str, ...] = ()
    results: int = 1
    _fingerprints: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Check the paths and fingerprint the inputs.

        Raises:
            InputError: An input can't be read, or the output would replace one or can't be written.
        """
        for role, path in self.inputs.items():
            self._fingerprints[role] = fingerprint_of(path)
            is_table = path.suffix == ".parquet" or is_table_in_parts(path)
            if role not in self.foreign and is_table and None in read_provenances(path):
                warnings.warn(
                    f"{path}: no mmts footer (edited or written by another tool); used as it is", stacklevel=3
                )
        refuse_replacing_inputs(self.output, self.inputs.values())
        require_writable(self.output)

    @property
    def fingerprint(self) -> str:
        """Hash of stage, parameters, seed, inputs, and of the number of the stage's results."""
        # The first number is left out: files that were written before there were numbers stay up to date.
        results = {} if self.results == 1 else {"results": self.results}
        return stage_fingerprint(self.stage, {**self.parameters, **results, "seed": self.seed}, self._fingerprints)

    def fingerprint_but(self, roles: Collection[str], parameters: Collection[str]) -> str:
        """The same without some inputs and parameters, whose change can then be told from that of others."""
        kept = {name: value for name, value in self.parameters.items() if name not in parameters}
        inputs = {role: value for role, value in self._fingerprints.items() if role not in roles}
        return stage_fingerprint(self.stage, {**kept, "results": self.results, "seed": self.seed}, inputs)

    def finished(self, *, force: bool) -> StageResult | None:
        """The result of an earlier run with the same fingerprint, or None if there is work to do.

        What mmts wrote and can't be read any more is made again, with a warning.

        Raises:
            InputError: The output exists and isn't what mmts wrote: it is not overwritten without ``force``.
        """
        if force or not self.output.exists():
            return None
        try:
            provenance = read_provenance(self.output)
        except InputError:
            provenance = None
        if provenance is None or not is_intact(self.output, provenance):
            if provenance is not None and is_damaged(self.output):
                warnings.warn(f"{self.output}: damaged since mmts wrote it; made again", stacklevel=3)
                return None
            raise InputError(
                f"{self.output}: exists and was not written by mmts, or was changed since; "
                "use --force to overwrite it, or another output path"
            )
        if provenance.fingerprint != self.fingerprint:
            return None
        return StageResult(self.output, True, provenance.summary)

    def provenance(self) -> Provenance:
        """The record for the output's footer."""
        return Provenance(
            stage=self.stage,
            fingerprint=self.fingerprint,
            parameters=self.parameters,
            inputs={
                role: {"name": path.name, "fingerprint": self._fingerprints[role]} for role, path in self.inputs.items()
            },
            seed=self.seed,
            libraries=library_versions(self.libraries),
        )

    def writer(self, schema: pa.Schema) -> ArtifactWriter:
        """A writer of the output."""
        return ArtifactWriter(self.output, schema, self.provenance())


def refuse_replacing_inputs(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is one of the inputs, by whatever name, or a file of others in a folder of inputs.

    Raises:
        InputError: Writing ``output`` would replace an input.
    """
    for path in inputs:
        if is_same_file(path, output):
            raise InputError(f"{output}: is both input and output; choose another output path")
        if _would_be_part(output, path):
            raise InputError(f"{output}: would be one of the files of the input {path}; choose another output path")
        if path.is_dir() and path.resolve() in output.resolve().parents and output.is_file() and not _is_ours(output):
            raise InputError(f"{output}: is part of the input {path}; choose another output path")


def _would_be_part(output: Path, table: Path) -> bool:
    """Whether a file would be a part of a table that is read by a pattern, or from a folder."""
    if is_pattern(table):
        return matches(output, table)
    return is_table_in_parts(table) and output.resolve().parent == table.resolve()


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file: through links, or by another case where that makes no difference."""
    if one.resolve() == other.resolve():
        return True
    return one.exists() and other.exists() and os.path.samefile(one, other)


def _is_ours(path: Path) -> bool:
    try:
        return read_provenance(path) is not None
    except InputError:
        return False
