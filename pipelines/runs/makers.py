"""The model that made the vectors a run was trained on: what new texts and media have to go through first."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.artifacts import fingerprint_of, read_provenance
from pipelines.artifacts.opening import is_there
from pipelines.artifacts.provenance import read_provenances
from pipelines.artifacts.run_config import read_run_parameters
from pipelines.encoding import Precision
from pipelines.errors import InputError
from pipelines.model_files import model_identity
from pipelines.remote import located

_VECTORS = {"text": "embeddings", "media": "features"}


@dataclass(frozen=True)
class Maker:
    """What ``mmts embed`` made vectors with.

    Attributes:
        model: Hub id or folder of the model, or a run.
        precision: Precision of its forward pass.
        dtype: Type that the vectors were stored as, ``float32`` or ``float16``.
        frames: Frames that were taken from a clip; None for images, and where the model has its own number.
    """

    model: str
    precision: Precision
    dtype: str
    frames: int | None


def maker_of(run: Path, side: Literal["text", "media"], remedy: str) -> Maker:
    """The model that made the embeddings of texts, or the features of media, that a run was trained on.

    Args:
        run: Folder of a complete run without a model for this side.
        side: The side.
        remedy: What to do where it isn't known, for the message.

    Raises:
        InputError: The file of vectors is gone, has changed since training or doesn't say what made it, or the model
            isn't the same any more.
    """
    path = located(read_run_parameters(run)[side])
    what = f"{run}: was trained on {_VECTORS[side]}, and the model that made them"
    if not is_there(path):
        raise InputError(f"{what} isn't known without {path}, which isn't there; {remedy}")
    trained = read_provenance(run / "steps.parquet")
    if trained is None or trained.inputs.get(side, {}).get("fingerprint") != fingerprint_of(path):
        raise InputError(f"{what} isn't known, since {path} changed after training; {remedy}")
    parts = read_provenances(path)
    made = parts[0]
    if made is None or any(part is None or part.stage != "embed" for part in parts):
        raise InputError(f"{what} isn't known, since {path} was not made by `mmts embed`; {remedy}")
    if any(part is not None and part.parameters != made.parameters for part in parts):
        raise InputError(f"{what} isn't one, since the parts of {path} were made by several; {remedy}")
    if "text" in made.inputs:
        raise InputError(f"{what} isn't known, since another run mapped {path} from other embeddings; {remedy}")
    name = str(made.summary.get("model") or made.parameters["model"])  # there until version 0.1.0
    if model_identity(name).get("files") != made.parameters.get("files"):
        raise InputError(f"{what} was another '{name}' than the one that is here now; {remedy}")
    given = made.parameters
    return Maker(name, given.get("precision", "32"), given.get("dtype", "float32"), given.get("frames"))
