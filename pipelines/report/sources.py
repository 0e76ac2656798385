"""What a report shows: the files and folders that belong to a run, to a sweep, or to what lies in a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipelines.artifacts import (
    Provenance,
    fingerprint_of,
    is_scores,
    kind_of,
    open_parquet,
    read_provenance,
    scores_of_run,
)
from pipelines.artifacts.files import read_json
from pipelines.artifacts.opening import is_there
from pipelines.artifacts.places import media_path
from pipelines.artifacts.provenance import is_table_in_parts
from pipelines.artifacts.run_config import read_run_parameters
from pipelines.errors import InputError
from pipelines.media import holds_features
from pipelines.remote import as_path, located
from pipelines.report.given import KINDS, by_kind, require_given
from pipelines.report.shelf import Item, Shelf, is_run, is_sweep
from pipelines.sweep import read_sweep
from pipelines.views.classes import is_classification


@dataclass
class Sources:
    """What a report is made from; None for what there isn't.

    Attributes:
        source: The run, sweep or folder.
        kind: Which of these it is.
        sweep: Folder of a sweep.
        run: Folder of a run.
        scores: Folder of scores of retrieval, of that run where there is one.
        classes: Folder of scores of a classification, likewise.
        annotations: Annotations file.
        text: Embeddings file of the texts.
        media: Where images or clips are, for thumbnails; None also where the annotations' column ``media`` says it.
        clusters: Clusters file; the first, where shifts come from several.
        shifts: Shifts file.
        notes: What was chosen among several, or not found, a line each.
    """

    source: Path
    kind: Literal["run", "sweep", "folder"]
    sweep: Path | None = None
    run: Path | None = None
    scores: Path | None = None
    classes: Path | None = None
    annotations: Path | None = None
    text: Path | None = None
    media: Path | None = None
    clusters: Path | None = None
    shifts: Path | None = None
    notes: list[str] = field(default_factory=list)

    def used(self) -> dict[str, Path]:
        """The files and folders by role, in the order of the stages."""
        roles = ("annotations", "text", "media", "clusters", "shifts", "run", "scores", "classes", "sweep")
        found = {role: getattr(self, role) for role in roles}
        return {role: path for role, path in found.items() if path is not None}


def find_sources(source: Path, given: Mapping[str, Path | None], scores: Sequence[Path] = ()) -> Sources:
    """Find what belongs to a run, a sweep or a folder.

    What ``given`` names comes first; then what the run or sweep recorded, where that still is; then the file with the
    recorded fingerprint, or with its name, in the folders around; in a folder, what lies there.

    Args:
        source: The run, sweep or folder.
        given: Paths by flag, without its dashes; None for flags that were not given.
        scores: Folders of scores that were given: one of retrieval, one of a classification, or both.

    Raises:
        InputError: ``source`` is none of these, or a path that was given can't be used.
    """
    if not source.is_dir():
        what = "is a file" if source.exists() else "no such folder"
        raise InputError(f"{source}: {what}; give a run, a sweep, or a folder with files that mmts wrote")
    require_given(given)
    scored = by_kind(scores)
    if (source / "config.json").is_file():
        read_json(source / "config.json")  # of a damaged one the run would go unnoticed
    if is_run(source):
        return _complete(Sources(source, "run", run=source), Shelf([_above(source)]), given, scored)
    if is_sweep(source):
        best = source / "best"
        found = Sources(source, "sweep", sweep=source, run=best if is_run(best) else None)
        return _complete(found, Shelf([_above(source), source, source / "shifts"]), given, scored)
    shelf = Shelf([source])
    found = Sources(source, "folder")
    found.sweep = _newest(found, "sweep", [each for each in shelf.subfolders() if is_sweep(each)])
    runs = [each for each in shelf.subfolders() if is_run(each)]
    found.run = _newest(found, "run", [each for each in runs if _scores_of(each, shelf)] or runs)
    if not (shelf.items or found.sweep or found.run):
        raise InputError(f"{source}: holds nothing that mmts wrote; give a run, a sweep, or the folder of a project")
    return _complete(found, shelf, given, scored)


def _above(folder: Path) -> Path:
    """The folder around, also of ``.``."""
    return folder.parent if folder.name not in ("", "..") else folder.resolve().parent


def _complete(found: Sources, shelf: Shelf, given: Mapping[str, Path | None], scored: Mapping[str, Path]) -> Sources:
    """Add what the run and the sweep were made from, and what was made from it."""
    recorded, made_from = _recorded(found)
    places = [as_path(path).parent for path in recorded.values()]
    shelf = Shelf([*shelf.folders, *places])
    for role in ("annotations", "text", "shifts"):
        path = given.get(role) or _recorded_file(role, recorded, made_from, shelf)
        if path is None and found.kind == "folder":
            path = _on_shelf(found, role, shelf)
        setattr(found, role, path)
    found.clusters = given.get("clusters") or _clusters(found, recorded, shelf)
    if found.clusters is None and found.text is not None:
        found.clusters = _clusters_of(found, found.text, shelf)
    if found.text is None and found.clusters is not None:
        item = shelf.made_as(_input(read_provenance(found.clusters), "embeddings"), "embeddings")
        found.text = None if item is None else item.path
    media = _recorded_file("media", recorded, made_from, shelf)
    found.media = given.get("media") or (None if media is None or holds_features(media) else media)
    around = _scores_around(found, shelf)
    for role, classifies in (("scores", False), ("classes", True)):
        of_kind = [folder for folder in around if is_classification(folder) == classifies]
        setattr(found, role, scored.get(role) or _newest(found, role, of_kind))
    return found


def _recorded(found: Sources) -> tuple[dict[str, str], Provenance | None]:
    """The paths that a run, or a sweep's runs, were given, and the run's record."""
    if found.run is not None:
        steps = found.run / "steps.parquet"
        parameters: Mapping[str, Any] = read_run_parameters(found.run)
        made_from = read_provenance(steps) if steps.is_file() else None
    elif found.sweep is not None and (found.sweep / "sweep.json").is_file():
        candidates = read_sweep(found.sweep)["candidates"]
        parameters, made_from = {}, None
        for candidate in reversed(candidates):  # they share all files but shifts and sizes
            parameters = {**parameters, **candidate["settings"]}
        if shifted := [each["name"] for each in candidates if "shifts" in each["settings"]]:
            found.notes.append(f"shifts: those of the best setting of {shifted[0]} in the sweep")
    else:
        return {}, None
    roles = ("annotations", "text", "media", "shifts", "clusters", "frequency")
    paths = {role: parameters[role] for role in roles if isinstance(parameters.get(role), str)}
    if "media" in paths and media_path(Path(paths["media"])) is None:  # the annotations say where media are
        del paths["media"]
    return paths, made_from


def _recorded_file(role: str, recorded: Mapping[str, str], made_from: Provenance | None, shelf: Shelf) -> Path | None:
    """The recorded file: where it was, else the same file elsewhere, else one of its name and kind around."""
    if role not in recorded:
        return None
    path = located(recorded[role])
    if is_there(path):
        return path
    item = shelf.made_as(_input(made_from, role))
    if item is not None:
        return item.path
    return shelf.named(path.name)


def _clusters(found: Sources, recorded: Mapping[str, str], shelf: Shelf) -> Path | None:
    """The clusterings that shifts or sizes come from, of which the first is shown; else what a folder holds."""
    sizes = [_recorded_file(role, recorded, None, shelf) for role in ("clusters", "frequency")]
    for path in (found.shifts, *sizes):
        if path is None or not (path.suffix == ".parquet" or is_table_in_parts(path)):
            continue
        with open_parquet(path) as file:
            if kind_of(file.schema_arrow.names) == "clusters":
                return path
        provenance = read_provenance(path)
        around = Shelf([path.parent, path.parent.parent, *shelf.folders])
        inputs = {} if provenance is None else provenance.inputs
        for each in inputs.values():
            item = around.made_as(each["fingerprint"], "clusters")
            if item is not None:
                if len(inputs) > 1:
                    found.notes.append(
                        f"clusters: {item.path.name}, the first of {len(inputs)} that {path.name} averages"
                    )
                return item.path
    return _on_shelf(found, "clusters", shelf) if found.kind == "folder" else None


def _clusters_of(found: Sources, text: Path, shelf: Shelf) -> Path | None:
    """The first clusters around that were made from the texts of a run that knows of none itself."""
    if is_table_in_parts(text):
        made_as: str | None = fingerprint_of(text)
    else:
        made_as = next((item.fingerprint for item in shelf.of_kind("embeddings") if item.path.samefile(text)), None)
    around = [
        item for item in shelf.of_kind("clusters") if made_as and _input(item.provenance, "embeddings") == made_as
    ]
    if not around:
        return None
    found.notes.append(f"clusters: {around[0].path.name}, made from the same {text.name}; --clusters takes another")
    return around[0].path


def _on_shelf(found: Sources, role: str, shelf: Shelf) -> Path | None:
    """The file of a role's kind from which most others were made; between equals the first by name."""
    items = shelf.of_kind(KINDS[role])
    if not items:
        return None
    uses = {item.path: _uses(item, shelf) for item in items}
    chosen = max(items, key=lambda item: uses[item.path])
    if len(items) > 1:
        found.notes.append(f"{role}: {chosen.path.name}, one of {len(items)} there; --{role} takes another")
    return chosen.path


def _uses(item: Item, shelf: Shelf) -> int:
    made = [each.provenance for each in shelf.items if each.provenance is not None]
    return sum(each["fingerprint"] == item.fingerprint for provenance in made for each in provenance.inputs.values())


def _scores_of(run: Path, shelf: Shelf) -> list[Path]:
    """Folders of scores of this run: in its folder, or around."""
    return scores_of_run(run, [*Shelf([run]).subfolders(), *shelf.subfolders()])


def _input(provenance: Provenance | None, role: str) -> str | None:
    """The fingerprint of an input."""
    return None if provenance is None else provenance.inputs.get(role, {}).get("fingerprint")


def _scores_around(found: Sources, shelf: Shelf) -> list[Path]:
    """The scores of the run; where a folder has no run, all that lie there."""
    if found.run is not None:
        return _scores_of(found.run, shelf)
    return [each for each in shelf.subfolders() if is_scores(each)] if found.kind == "folder" else []


def _newest(found: Sources, role: str, folders: list[Path]) -> Path | None:
    if not folders:
        return None
    newest = max(folders, key=lambda folder: folder.stat().st_mtime_ns)
    if len(folders) > 1:
        others = ", ".join(each.name for each in folders if each != newest)
        remedy = (
            "--scores takes another" if role in ("scores", "classes") else f"give another {role} instead of the folder"
        )
        found.notes.append(f"{role}: {newest.name}, the newest of {len(folders)} (others: {others}); {remedy}")
    return newest
