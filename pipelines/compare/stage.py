"""Entry point of ``compare``: paired bootstrap of the differences between runs scored on the same queries."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts.files import read_json, require_writable, write_json
from pipelines.artifacts.writers import one_writer
from pipelines.compare.scored import in_order_of, query_scores, read_scored
from pipelines.errors import InputError
from pipelines.scores import bootstrap
from pipelines.scores.queries import DIRECTIONS, QueryScores

Queries = dict[str, QueryScores]


@one_writer
def compare(
    folders: Sequence[Path | str],
    output: Path | str | None = None,
    *,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
    force: bool = False,
) -> dict[str, Any]:
    """Compare runs with the first of them, query by query.

    Both runs of a comparison see the same resamples of the media, so that what makes a query hard cancels out. Thirds
    belong to the queries, not to the run: a run scored without cluster sizes takes them from one scored with them.

    Args:
        folders: Two or more folders that ``mmts eval`` wrote (or folders that hold one such folder); the first is the
            baseline.
        output: JSON file to write as well.
        resamples: Bootstrap resamples; 0 for no intervals.
        seed: Seed of the bootstrap.
        force: Write ``output`` even over a file that is not a comparison.

    Returns:
        ``protocol``, ``queries`` (how many, by direction), ``resamples``, ``seed``, ``folders`` (with the fingerprint
        of each one's ``ranks.parquet``) and ``comparisons``: for each other folder ``folder``, ``baseline`` and
        ``differences[segment][direction or "mean"][metric] == {"value", "low", "high"}``, its score minus the
        baseline's. What ``output`` holds.

    Raises:
        InputError: A folder can't be used, or they were scored on different queries, thirds, or by different rules.
    """
    if len(folders) < 2:
        raise InputError("one folder of scores given; a comparison takes two or more, the baseline first")
    path = None if output is None else Path(output)
    if path is not None:
        require_writable(path)
        _refuse_other_file(path, force=force)
    first, *others = (read_scored(Path(folder)) for folder in folders)
    scored = [first, *(in_order_of(first, other) for other in others)]
    media_ids = pc.unique(pa.chunked_array([c for d in DIRECTIONS[::-1] for c in first.tables[d]["media_id"].chunks]))
    names = [str(each.folder) for each in scored]
    queries = _same_segments([query_scores(each, media_ids) for each in scored], names)
    result: dict[str, Any] = {
        "protocol": first.protocol,
        "queries": {direction: len(queries[0][direction]) for direction in DIRECTIONS},
        "resamples": resamples,
        "seed": seed,
        "folders": {name: each.fingerprint for name, each in zip(names, scored, strict=True)},
        "comparisons": [
            {
                "folder": name,
                "baseline": names[0],
                "differences": bootstrap.compare(queries[0], other, resamples=resamples, seed=seed),
            }
            for name, other in zip(names[1:], queries[1:], strict=True)
        ],
    }
    if path is not None:
        write_json(path, result)
    return result


def _same_segments(runs: list[Queries], names: list[str]) -> list[Queries]:
    """The runs with the thirds and the tail classes of those that have them.

    Raises:
        InputError: Two runs put a query in different ones.
    """
    for attribute, option in (("third", "--clusters"), ("tail_class", "--tail-classes")):
        for direction in DIRECTIONS:
            labels = [getattr(run[direction], attribute) for run in runs]
            known = [index for index, label in enumerate(labels) if label is not None]
            for index in known[1:]:
                differing = int(np.count_nonzero(labels[index] != labels[known[0]]))
                if differing:
                    raise InputError(
                        f"{names[index]}: {differing} {direction.replace('_', ' ')} queries are in another "
                        f"{attribute.replace('_', ' ')} than in {names[known[0]]}; score both with the same {option}"
                    )
            if known:
                shared = labels[known[0]]
                runs = [{**run, direction: dataclasses.replace(run[direction], **{attribute: shared})} for run in runs]
    return runs


def _refuse_other_file(path: Path, *, force: bool) -> None:
    """Refuse to write over what isn't a comparison."""
    if force or not path.exists():
        return
    try:
        content = read_json(path)
    except InputError:
        content = None
    if not isinstance(content, dict) or "comparisons" not in content:
        raise InputError(f"{path}: exists and is not a comparison; use --force to overwrite it, or another output path")
