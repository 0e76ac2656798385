"""The files that are scored."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.artifacts import fingerprint_of, frequency_file, read_provenance
from pipelines.artifacts.places import media_path
from pipelines.artifacts.run_config import read_run_parameters
from pipelines.errors import InputError
from pipelines.model_files import DUAL_ENCODER, require_as_trained
from pipelines.remote import as_path, located

# Where a run's sizes come from: the first of these that it has. Their role among its inputs is their name.
_SIZES = ("frequency", "shifts", "clusters")


@dataclass(frozen=True)
class Sources:
    """The files that are scored.

    Attributes:
        annotations: Annotations file.
        media: Features file; or images or clips, where there is a run; None for where the annotations' own column
            ``media`` says.
        text: Embeddings file of the texts; None where a run reads the texts of the annotations.
        frequency: What training cluster sizes come from: a clusters or shifts file, or a column of the annotations;
            None where nothing is known.
        run: Folder of the run whose model encodes media and texts; None to compare them as they are.
        of_run: Whether ``frequency`` is what the run was trained with, and wasn't given.
    """

    annotations: Path
    media: Path | None
    text: Path | None
    frequency: str | None
    run: Path | None
    of_run: bool = False

    def inputs(self) -> dict[str, Path]:
        """The files that decide the scores, by role.

        Raises:
            InputError: Media are missing.
        """
        others = {"annotations": self.annotations, "text": self.text, "clusters": self._frequency_file()}
        if self.run is not None:
            others |= {"run": self.run / "steps.parquet", "model": self.run / "model" / DUAL_ENCODER}
        return _media_inputs(self.media) | {role: path for role, path in others.items() if path is not None}

    def parameters(self) -> dict[str, str]:
        """What decides the scores besides these files: those that the annotations name, and the column of classes."""
        by_column = self.frequency is not None and self._frequency_file() is None
        column = {"frequency": self.frequency} if by_column and self.frequency is not None else {}
        return self.linked_parameters() | column

    def linked_parameters(self) -> dict[str, str]:
        """What decides the vectors of media besides these files: those that the annotations name."""
        from pipelines.media import linked_parameters  # brings torch

        return linked_parameters(self.media, self.annotations)

    def _frequency_file(self) -> Path | None:
        return None if self.frequency is None else frequency_file(self.frequency, self.annotations)


def find_sources(
    run: Path | str | None,
    media: Path | str | None,
    text: Path | str | None,
    annotations: Path | str | None,
    frequency: Path | str | None,
    *,
    sizes_of_run: bool = True,
) -> Sources:
    """What was given, completed by what the run was trained with; its ``frequency`` only with ``sizes_of_run``.

    Raises:
        InputError: The run isn't complete, a file is neither given nor known from a run, or texts are given to a run
            that reads them itself.
    """
    trained: dict[str, Any] = {}
    if run is not None:
        run = located(run)
        trained = _trained(run)
    given = {"annotations": annotations, "media": media, "text": text}
    if trained.get("text_model") is not None:
        if text is not None:
            raise InputError(f"--text: {run} has a text model, which reads the annotations' texts; leave it out")
        del given["text"]
    paths: dict[str, Path] = {}
    for role, path in given.items():
        chosen = path or trained.get(role)
        if chosen is None:
            raise InputError(f"--{role} is missing; give it, or a run that was trained with it")
        paths[role] = located(chosen)
        if path is None:
            _check_as_trained(role, paths[role], as_path(run or "."))
    where = media_path(paths["media"])
    if where is None and run is None:
        raise InputError("--media annotations: images and clips need a run that encodes them; give RUN")
    of_run = frequency is None and run is not None and sizes_of_run
    if of_run:
        frequency = _frequency_of(as_path(run or "."), trained, paths["annotations"])
    return Sources(
        paths["annotations"], where, paths.get("text"), None if frequency is None else str(frequency), run, of_run
    )


def how_trained(run: Path | None) -> dict[str, Any] | None:
    """The parameters, input files and seed of a run: what ``compare`` groups runs by. None where it isn't known."""
    provenance = None if run is None else read_provenance(run / "steps.parquet")
    if provenance is None:
        return None
    return provenance.made_from


def _frequency_of(run: Path, trained: dict[str, Any], annotations: Path) -> str | None:
    """What a run's cluster sizes come from, if it is there; files are checked as its others are."""
    role = next((name for name in _SIZES if trained.get(name) is not None), None)
    if role is None:
        return None
    source = str(trained[role])
    try:
        if role == "frequency" and frequency_file(source, annotations) is None:
            return source
        _check_as_trained(role, located(source), run)
    except InputError as error:
        warnings.warn(f"no thirds: {error}", stacklevel=4)
        return None
    return source


def _trained(run: Path) -> dict[str, Any]:
    """What a complete run was trained with."""
    if not (run / "config.json").is_file() or not (run / "metrics.json").is_file():
        if list(run.glob("checkpoints/step-*")):
            raise InputError(f"{run}: is an unfinished run; finish it with the same `mmts train` and --resume")
        raise InputError(f"{run}: is not the folder of a complete run; make one with `mmts train`")
    if not (run / "model").is_dir():
        raise InputError(f"{run}: has no folder model, which its training wrote; put it back, or train again")
    require_as_trained(run / "model")
    return read_run_parameters(run)


def _check_as_trained(role: str, path: Path, run: Path) -> None:
    """Say so where a file that only the run names isn't there, or isn't what the run was trained with."""
    if role == "media" and media_path(path) is None:
        return
    try:
        files = _media_inputs(path) if role == "media" else {role: path}
        fingerprints = {name: fingerprint_of(file) for name, file in files.items()}
    except InputError as error:
        flag = "frequency" if role in _SIZES else role
        remedy = f"give --{flag}, or run this where it was trained"
        raise InputError(f"{error} ({run / 'config.json'} names it; {remedy})") from error
    provenance = read_provenance(run / "steps.parquet")
    recorded = {} if provenance is None else provenance.inputs
    for name, fingerprint in fingerprints.items():
        if name in recorded and recorded[name]["fingerprint"] != fingerprint:
            warnings.warn(
                f"{files[name]}: is not the file that {run} was trained with, or has changed since", stacklevel=4
            )


def _media_inputs(path: Path | None) -> dict[str, Path]:
    from pipelines.media import media_inputs  # brings torch

    return media_inputs(path)
