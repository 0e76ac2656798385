"""Entry point of ``frontier``: the Pareto front of head against tail recall over the trials of a sweep."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from pipelines.artifacts import StagePlan, refuse_replacing_inputs
from pipelines.artifacts.writers import one_writer
from pipelines.errors import InputError
from pipelines.remote import located
from pipelines.scores import bootstrap
from pipelines.scores.queries import SEGMENTS
from pipelines.sweep.found import SUMMARY, TABLE, read_sweep
from pipelines.sweep.recalls import MEAN_RECALL
from pipelines.sweep.trials import Search, Trial, read_search

Preference = Literal["head", "balanced", "tail", "overall"]
Scores = dict[str, dict[str, Any]]


@one_writer
def frontier(
    sweep: Path | str,
    output: Path | str | None = None,
    *,
    prefer: Preference | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """The Pareto front of head against tail recall over all trials of a sweep, on its validation split.

    A trial is on the front if no other has as much of both and more of one. Scores are means of recall at 1, 5 and 10
    of both directions, in percent, with 95% bootstrap intervals over queries: each trial is one run, so that intervals
    say nothing of other seeds. The test split picks nothing.

    Args:
        sweep: Folder of a sweep whose search is complete.
        output: Parquet file to write as well, a row a trial, the front first.
        prefer: Pick the trial with the highest recall of the head, of the tail, of their mean (``balanced``), or
            ``overall``, and compare it.
        force: Write ``output`` even over a file that mmts didn't write.

    Returns:
        ``sweep``, ``split``, ``metric`` (the sweep chose by), ``trials``, ``front`` (names of runs, from head to
        tail), ``baseline`` (the run of the baseline's best trial by ``metric``), ``best`` (the run by preference),
        ``points``, one a trial, and ``picked``, null without ``prefer``.

        A point has ``run``, ``name``, ``strategy``, ``loss``, ``options``, ``on_front`` and
        ``scores[segment] == {"value", "low", "high"}``.

        ``picked`` has ``prefer``, ``run``, ``settings`` (of ``mmts train``), ``against`` (``baseline`` and
        ``overall``: ``run`` and ``differences[segment]``, the picked trial minus that one, with paired intervals) and
        ``tested``: null, or ``split``, ``seeds``, ``scores`` and, but for the baseline, ``differences`` on the test
        split, where the sweep tested this setting.

    Raises:
        InputError: The sweep can't be used, its queries have no head and tail, or the output can't be written.
    """
    folder, path = located(sweep), None if output is None else located(output)
    if force and path is None:
        raise InputError("--force: is for the file that --output names; leave it out")
    search = read_search(folder)
    trials = search.trials
    if path is not None:
        read = ("metrics.json", "ranks.parquet")
        refuse_replacing_inputs(path, [folder / "runs" / trial.run / name for trial in trials for name in read])
    found = bootstrap.summarise(search.queries)
    scores = [_by_segment(found, trial.run) for trial in trials]
    if not {"head", "tail"} <= set(scores[0]):
        raise InputError(
            f"{folder}: its {search.split} queries have no head and tail; sweep again with --frequency, a column of "
            "classes or a clusters file"
        )
    head, tail, overall = ([each[name]["value"] for each in scores] for name in ("head", "tail", "overall"))
    front, best = pareto_front(head, tail), _best(head, tail, overall)
    baseline, has_losses = _best_of_baseline(trials), len({trial.loss for trial in trials}) > 1
    result: dict[str, Any] = {
        "sweep": str(folder),
        "split": search.split,
        "metric": search.metric,
        "trials": len(trials),
        "front": [trials[row].run for row in front],
        "baseline": baseline.run,
        "best": {name: trials[row].run for name, row in best.items()},
        "points": [
            {
                "run": trial.run,
                "name": f"{trial.strategy}, {trial.loss}" if has_losses else trial.strategy,
                "strategy": trial.strategy,
                "loss": trial.loss,
                "options": trial.options,
                "on_front": row in front,
                "scores": scores[row],
            }
            for row, trial in enumerate(trials)
        ],
        "picked": None,
    }
    if prefer is not None:
        picked, others = trials[best[prefer]], {"baseline": baseline, "overall": trials[best["overall"]]}
        result["picked"] = {
            "prefer": prefer,
            "run": picked.run,
            "settings": picked.settings,
            "against": {
                name: {"run": other.run, "differences": _difference(search, other, picked)}
                for name, other in others.items()
            },
            "tested": _tested(folder, picked),
        }
    if path is not None:
        _write(result, folder, path, force=force)
    return result


def pareto_front(first: Sequence[float], second: Sequence[float]) -> list[int]:
    """The points than which no other is as high in both and higher in one.

    Args:
        first: One score of each point.
        second: The other.

    Returns:
        Their places, from the highest in ``first`` to the highest in ``second``; equal ones are all there.
    """
    front: list[int] = []
    for row in sorted(range(len(first)), key=lambda row: (-first[row], -second[row])):
        last = front[-1] if front else None
        if last is None or second[row] > second[last] or (first[row], second[row]) == (first[last], second[last]):
            front.append(row)
    return front


def _best(head: list[float], tail: list[float], overall: list[float]) -> dict[str, int]:
    """The trial that each preference picks; between equals another of the scores decides, then the order."""
    middle = [(one + other) / 2 for one, other in zip(head, tail, strict=True)]
    first_and_second = {
        "head": (head, tail),
        "balanced": (middle, tail),
        "tail": (tail, head),
        "overall": (overall, tail),
    }
    keys = {name: list(zip(*pair, strict=True)) for name, pair in first_and_second.items()}
    return {name: max(range(len(key)), key=key.__getitem__) for name, key in keys.items()}


def _best_of_baseline(trials: Sequence[Trial]) -> Trial:
    """The trial of the baseline that the sweep tested."""
    first = trials[0]
    same = (trial for trial in trials if (trial.strategy, trial.loss) == (first.strategy, first.loss))
    return max(same, key=lambda trial: trial.score)


def _difference(search: Search, first: Trial, second: Trial) -> Scores:
    """The second trial's mean recall minus the first one's, by segment, with paired intervals."""
    differences = bootstrap.compare(search.queries_of(first), search.queries_of(second))
    return _by_segment(differences, MEAN_RECALL)


def _by_segment(scores: bootstrap.Scores, metric: str) -> Scores:
    """A metric of both directions, by segment."""
    return {name: dict(scores[name]["mean"][metric]) for name in SEGMENTS if "mean" in scores.get(name, {})}


def _tested(folder: Path, trial: Trial) -> dict[str, Any] | None:
    """What the sweep found on the test split for the setting of a trial, if it tested that one."""
    if not (folder / SUMMARY).exists():
        return None
    summary = read_sweep(folder)
    try:
        for candidate in summary["candidates"]:
            # The score tells a summary of other runs, which is there until a sweep that is done again is through.
            setting = *(candidate[name] for name in ("strategy", "loss", "options")), candidate["validation"]["search"]
            if setting != (trial.strategy, trial.loss, trial.options, trial.score):
                continue
            differences = candidate.get("differences")
            return {
                "split": summary["test_split"],
                "seeds": summary["seeds"],
                "scores": _by_segment(candidate["scores"], MEAN_RECALL),
                "differences": None if differences is None else _by_segment(differences, MEAN_RECALL),
            }
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder / SUMMARY}: is not what `mmts sweep` writes") from error
    return None


def _write(result: Mapping[str, Any], folder: Path, output: Path, *, force: bool) -> None:
    """Write a row a trial, unless it is there."""
    plan = StagePlan("frontier", output, {}, {"sweep": folder / TABLE})
    if plan.finished(force=force):
        return
    place = {run: number for number, run in enumerate(result["front"])}
    rows = []
    for point in sorted(result["points"], key=lambda point: place.get(point["run"], len(place))):
        row = {name: point[name] for name in ("run", "strategy", "loss", "on_front")}
        row["best_for"] = [name for name, run in result["best"].items() if run == point["run"]]
        row["options"] = json.dumps(point["options"])
        for name, score in point["scores"].items():
            row |= {name: score["value"], f"{name}_low": score["low"], f"{name}_high": score["high"]}
        rows.append(row)
    table = pa.Table.from_pylist(rows)
    with plan.writer(table.schema) as writer:
        writer.write(table)
