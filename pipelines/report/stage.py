"""Entry point of ``report``: one page about a run, a sweep, or what lies in a folder."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.artifacts import StageResult, fingerprint_of, labels_path, refuse_replacing_inputs
from pipelines.artifacts.files import replacing, require_writable
from pipelines.artifacts.provenance import is_table_in_parts, library_versions, stage_fingerprint
from pipelines.artifacts.writers import one_writer
from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.remote import located
from pipelines.report.content import gather
from pipelines.report.page import Page, render
from pipelines.report.sources import Sources, find_sources

MOST_SAMPLES = 100_000
_RESULTS = 3  # raised by whoever changes what the page says of the same files
# What is shown of the folder of a run, of scores or of a sweep.
_SHOWN = (
    *("config.json", "steps.parquet", "metrics.json", "ranks.parquet", "misses.parquet", "classes.parquet"),
    *("sweep.json", "sweep.parquet"),
)
_RECORD = re.compile(r'<meta name="mmts-report" content="([^"]*)">')
_RECORD_WITHIN = 100_000


@one_writer
def report(
    source: Path | str,
    output: Path | str,
    *,
    annotations: Path | str | None = None,
    text: Path | str | None = None,
    media: Path | str | None = None,
    clusters: Path | str | None = None,
    shifts: Path | str | None = None,
    scores: Sequence[Path | str] = (),
    sample: int = MOST_SAMPLES,
    seed: int = 0,
    force: bool = False,
    progress: Progress = SILENT,
) -> StageResult:
    """Write one page about a run, a sweep, or what lies in a folder.

    The page holds all it shows and asks nothing of any server.

    What belongs to a run or a sweep is found through what it recorded, and by fingerprint where files were moved. What
    can't be shown is left out, and the page says what would add it.

    Args:
        source: Folder of a run or a sweep, or a folder with artifacts.
        output: HTML file to write.
        annotations: Annotations file, instead of the one that was found.
        text: Embeddings file of the texts, for the map.
        media: Folder or archive of the images or clips, for thumbnails.
        clusters: Clusters file.
        shifts: Shifts file.
        scores: Folders of scores: one of retrieval, one of a classification, or both.
        sample: Most samples on the map.
        seed: Seed of the map and of the choice of its samples.
        force: Write even if the page is up to date, or was not written by mmts.
        progress: Where to report.

    Returns:
        The summary has ``sections`` (those that are there), ``used`` (paths by role), ``left_out`` and ``notes``
        (lines), ``map_samples`` and ``bytes``.

    Raises:
        InputError: ``source`` holds nothing to show, a file that was given can't be used, or the output can't be
            written.
    """
    source, output = located(source), located(output)
    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{output}: the report is a web page; end its name in .html")
    if sample < 1:
        raise InputError(f"--sample {sample}: expected 1 or more")
    given = {"annotations": annotations, "text": text, "media": media, "clusters": clusters, "shifts": shifts}
    paths = {flag: None if path is None else located(path) for flag, path in given.items()}
    found = find_sources(source, paths, [located(folder) for folder in scores])
    refuse_replacing_inputs(
        output, [path for path in found.used().values() if path.is_file() or is_table_in_parts(path)]
    )
    require_writable(output)
    fingerprint = _fingerprint(found, sample, seed)
    if done := _finished(output, fingerprint, force=force):
        return done
    content = gather(found, sample=sample, seed=seed, progress=progress)
    if not content.sections:
        raise InputError(f"{source}: nothing of it can be shown ({content.left_out[0]})")
    summary: dict[str, Any] = {
        "sections": [section.id for section in content.sections],
        "used": {role: str(path) for role, path in found.used().items()},
        "left_out": content.left_out,
        "notes": found.notes,
        "map_samples": content.map_samples,
    }
    page = Page(
        title=f'Report on the {found.kind} "{source.resolve().name}"',
        summary=content.summary,
        sections=content.sections,
        left_out=content.left_out,
        pictures=content.pictures,
        generator=f"mmts {library_versions(())['mmts']}",
        record=json.dumps({"fingerprint": fingerprint, "summary": summary}),
    )
    with replacing(output) as temporary:
        temporary.write_text(render(page), encoding="utf-8")
    return StageResult(output, False, summary | {"bytes": output.stat().st_size})


def _finished(output: Path, fingerprint: str, *, force: bool) -> StageResult | None:
    """The page that is there already, if it was made from the same.

    Raises:
        InputError: Another file is there.
    """
    if force or not output.exists():
        return None
    with output.open(encoding="utf-8", errors="replace") as file:
        record = _RECORD.search(file.read(_RECORD_WITHIN))
    if record is None:
        raise InputError(f"{output}: exists and is not a report of mmts; use --force to overwrite it, or another path")
    recorded: Mapping[str, Any] = json.loads(html.unescape(record[1]))
    if recorded["fingerprint"] != fingerprint:
        return None
    return StageResult(output, True, recorded["summary"] | {"bytes": output.stat().st_size})


def _fingerprint(found: Sources, sample: int, seed: int) -> str:
    """Hash of all that is shown, and how."""
    from pipelines.media import linked_parameters, media_inputs

    files: dict[str, Path] = {}
    for role, path in found.used().items():
        if role in ("run", "scores", "classes", "sweep"):
            files |= {f"{role} {name}": path / name for name in _SHOWN if (path / name).is_file()}
        elif role == "media":
            files |= {f"{role} {name}": file for name, file in media_inputs(path).items()}
        else:
            files[role] = path
    if found.clusters is not None and labels_path(found.clusters).exists():
        files["labels"] = labels_path(found.clusters)
    linked = linked_parameters(found.media, found.annotations) if found.annotations else {}
    parameters = {"sample": sample, "seed": seed, "results": _RESULTS, **linked, "source": str(found.source)}
    return stage_fingerprint("report", parameters, {name: fingerprint_of(path) for name, path in files.items()})
