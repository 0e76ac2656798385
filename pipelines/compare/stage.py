"""Entry point of ``compare``: settings compared by runs scored on the same queries, with verdicts that hold."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts import refuse_replacing_inputs
from pipelines.artifacts.files import read_json, require_writable, write_json
from pipelines.artifacts.writers import one_writer
from pipelines.compare.result import Comparison
from pipelines.compare.scored import Scored, in_order_of, query_scores, read_scored
from pipelines.compare.settings import group_by_setting
from pipelines.errors import InputError
from pipelines.remote import located
from pipelines.scores import NEEDS_SEEDS, bootstrap, judge, told
from pipelines.scores.queries import QueryScores

Queries = dict[str, QueryScores]
_READ = ("metrics.json", "ranks.parquet")


@one_writer
def compare(
    folders: Sequence[Path | str],
    output: Path | str | None = None,
    *,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
    force: bool = False,
) -> Comparison:
    """Compare settings with the first of them, by runs scored on the same queries.

    Runs that differ in nothing but the seed are runs of one setting. Where both settings have several, intervals and
    verdicts are over seeds and queries, and hold together for all comparisons: see `judge`. With one run a side the
    interval is that of a paired bootstrap over the queries, which says nothing about other seeds, so there is no
    verdict. Thirds belong to the queries, not to the run: a run scored without cluster sizes takes them from one
    scored with them.

    Args:
        folders: Two or more folders that ``mmts eval`` wrote (or folders that hold one such folder); the setting of
            the first is the baseline.
        output: JSON file to write as well.
        resamples: Resamples of the bootstrap with one run a side; 0 for no intervals there.
        seed: Seed of the bootstrap.
        force: Write ``output`` even over a file that is not a comparison.

    Returns:
        ``protocol``, ``queries`` (how many, by direction), ``resamples``, ``seed``, ``folders`` (with the fingerprint
        of each one's ``ranks.parquet``), ``settings`` (``name``, ``folders`` and ``seeds`` of each) and
        ``comparisons``: for each setting but the first ``setting``, ``baseline`` and
        ``differences[segment][direction or "mean"][metric] == {"value", "low", "high", "verdict"}``, its mean score
        minus the baseline's. What ``output`` holds.

    Raises:
        InputError: A folder can't be used, all are of one setting, an option would do nothing, or they were scored on
            different queries, thirds, or by different rules.
    """
    if len(folders) < 2:
        raise InputError("one folder of scores given; a comparison takes two or more, the baseline first")
    bootstrap.require_draws(resamples, seed)
    path = None if output is None else located(output)
    if seed and not resamples:
        raise InputError(f"--seed {seed}: seeds the bootstrap; leave it out with --resamples 0")
    if force and path is None:
        raise InputError("--force: is for the file that --output names; leave it out")
    if path is not None:
        require_writable(path)
        _refuse_other_file(path, force=force)
    scored = _read_scored(folders)
    first, names = scored[0], [str(each.folder) for each in scored]
    settings = group_by_setting(scored)
    if len(settings) == 1:
        raise InputError("the folders given are runs of one setting; a comparison takes two settings or more")
    if path is not None:
        refuse_replacing_inputs(path, [each.folder / name for each in scored for name in _READ])
    if (seed or resamples != bootstrap.RESAMPLES) and not any(len(each.runs) == 1 for each in settings):
        raise InputError(
            "--seed and --resamples: are for the bootstrap with one run of each setting; leave them out with several"
        )
    queries = _queries(scored)
    queries_of = dict(zip(names, queries, strict=True))
    baseline, *rest = [[queries_of[str(run.folder)] for run in setting.runs] for setting in settings]
    result: dict[str, Any] = {
        "protocol": first.protocol,
        "queries": {direction: len(scores) for direction, scores in queries[0].items()},
        "resamples": resamples,
        "seed": seed,
        "folders": {name: each.fingerprint for name, each in zip(names, scored, strict=True)},
        "settings": [
            {"name": each.name, "folders": [str(run.folder) for run in each.runs], "seeds": each.seeds}
            for each in settings
        ],
        "comparisons": [
            {
                "setting": setting.name,
                "baseline": settings[0].name,
                "differences": _differences(baseline, runs, len(rest), resamples=resamples, seed=seed),
            }
            for setting, runs in zip(settings[1:], rest, strict=True)
        ],
    }
    if path is not None:
        write_json(path, result)
    return Comparison(result)


def read_queries(folders: Sequence[Path | str]) -> list[Queries]:
    """The scores of every query of some folders that ``mmts eval`` wrote, in one order, as `judge` takes them.

    Raises:
        InputError: A folder can't be used, or they were scored on different queries, thirds, or by different rules.
    """
    return _queries(_read_scored(folders))


def _read_scored(folders: Sequence[Path | str]) -> list[Scored]:
    first, *others = (read_scored(located(folder)) for folder in folders)
    return [first, *(in_order_of(first, other) for other in others)]


def _queries(scored: list[Scored]) -> list[Queries]:
    tables = scored[0].tables
    media_ids = pc.unique(pa.chunked_array([c for d in list(tables)[::-1] for c in tables[d]["media_id"].chunks]))
    return _same_segments([query_scores(each, media_ids) for each in scored], [str(each.folder) for each in scored])


def _differences(
    baseline: list[Queries], runs: list[Queries], comparisons: int, *, resamples: int, seed: int
) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """The differences of one setting from the baseline, each with its interval and its verdict."""
    if len(baseline) == len(runs) == 1:
        of_queries = bootstrap.compare(baseline[0], runs[0], resamples=resamples, seed=seed)
        return {
            segment: {
                direction: {name: {**entry, "verdict": NEEDS_SEEDS} for name, entry in metrics.items()}
                for direction, metrics in directions.items()
            }
            for segment, directions in of_queries.items()
        }
    return told(judge(baseline, runs, comparisons=comparisons))


def _same_segments(runs: list[Queries], names: list[str]) -> list[Queries]:
    """The runs with the thirds, the groups and the tail classes of those that have them.

    Raises:
        InputError: Two runs put a query in different ones.
    """
    options = (("third", "--frequency"), ("shots", "--frequency"), ("tail_class", "--tail-classes"))
    for attribute, option in options:
        for direction in runs[0]:
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
