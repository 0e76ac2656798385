"""A complete run, as an export reads it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.artifacts import STEPS, Provenance, read_provenance, read_table
from pipelines.artifacts.files import read_json
from pipelines.artifacts.run_config import read_run_parameters
from pipelines.contrast import LOSSES
from pipelines.errors import InputError
from pipelines.model_files import DUAL_ENCODER, require_as_trained
from pipelines.models import DualEncoder, load_model
from pipelines.runs.makers import maker_of


@dataclass(frozen=True)
class Run:
    """The folder of a run.

    Attributes:
        folder: The folder.
        parameters: The settings it was trained with.
        validation: Scores of the validation whose weights were kept; None without validation.
        provenance: What ``steps.parquet`` says of itself.
        trust_remote_code: Whether code that came with a tower may run.
    """

    folder: Path
    parameters: dict[str, Any]
    validation: dict[str, float] | None
    provenance: Provenance
    trust_remote_code: bool = False

    @cached_property
    def model(self) -> DualEncoder:
        """The model, on the CPU, in evaluation mode."""
        return load_model(self.folder / "model", trust_remote_code=self.trust_remote_code)

    @property
    def steps(self) -> Path:
        """The record of its steps."""
        return self.folder / "steps.parquet"

    def inputs(self) -> dict[str, Path]:
        """What stands for the run as an input, by role: the record of its steps, and that of its model."""
        return {"run": self.steps, "model": self.folder / "model" / DUAL_ENCODER}

    @property
    def takes_clips(self) -> bool:
        """Whether media are clips."""
        return self.model.settings["frames"] is not None

    @property
    def quantity(self) -> str:
        """What its loss calls each pair's number: ``temperature`` or ``margin``."""
        return LOSSES[self.parameters["loss"]].quantity

    def last_temperature(self) -> float | None:
        """Mean temperature of the last step's pairs; None where margins were scheduled."""
        if self.quantity != "temperature":
            return None
        return float(read_table(self.steps, STEPS).column("temperature_mean")[-1].as_py())

    def text_embedding_model(self) -> str:
        """The sentence-transformers model that made the text embeddings the run was trained on.

        Raises:
            InputError: The embeddings file is gone, changed since training, or doesn't say what
                made it, or the model isn't the same any more.
        """
        remedy = "use --to transformers, which takes embeddings as they are, or train with --text-model"
        return maker_of(self.folder, "text", remedy).model


def read_run(folder: Path, *, trust_remote_code: bool = False) -> Run:
    """Read a run's folder; the model itself is loaded when it is asked for.

    Raises:
        InputError: It isn't the folder of a complete run, or its model isn't as its training left it.
    """
    if not all((folder / name).exists() for name in ("config.json", "metrics.json", "steps.parquet", "model")):
        raise InputError(f"{folder}: is not the folder of a complete run; make one with `mmts train`")
    require_as_trained(folder / "model")
    provenance = read_provenance(folder / "steps.parquet")
    if provenance is None:
        raise InputError(f"{folder / 'steps.parquet'}: doesn't say what made it, another tool rewrote it; train again")
    parameters, metrics = read_run_parameters(folder), read_json(folder / "metrics.json")
    if parameters.get("loss") not in LOSSES:
        raise InputError(
            f"{folder / 'config.json'}: parameter 'loss' is none of {', '.join(LOSSES)}; restore it, or train again"
        )
    try:
        best = [each for each in metrics["validation"] if each["epoch"] == metrics["best_epoch"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{folder / 'metrics.json'}: is not what `mmts train` writes; restore it, or train again"
        ) from error
    return Run(folder, parameters, best[0] if best else None, provenance, trust_remote_code)
