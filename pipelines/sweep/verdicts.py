"""What a sweep found: the best setting of each way of balancing, tested, and compared with the baseline's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.compare import read_queries
from pipelines.errors import InputError
from pipelines.scores import estimate, judge, told
from pipelines.sweep.config import SweepConfig
from pipelines.sweep.recalls import with_mean_recall
from pipelines.sweep.runs import Run
from pipelines.sweep.space import Values, Way

Found = Sequence[tuple[Run, Mapping[str, Any]]]


def summarise(config: SweepConfig, found: Found, chosen: Mapping[Way, Values], output: Path) -> dict[str, Any]:
    """What ``sweep.json`` holds.

    Args:
        config: The settings.
        found: What each run gave.
        chosen: The options of each way's best trial.
        output: The folder.

    Returns:
        ``metric``, ``val_split``, ``test_split``, ``trials`` (of each way), ``seeds``, ``failed`` (runs that came to
        nothing, and why), ``left_out`` (names of ways without a finished test), ``baseline`` and ``best`` (names), and
        ``candidates``, one a way:

        ``name``, ``strategy``, ``loss``, ``options``, ``at_edge`` (whether its level is the lowest or highest tried),
        ``settings`` (of ``mmts train``), ``validation`` (``search``, the score of its best trial, and ``tests``, the
        mean of its test runs, by which the best is chosen), ``scores[segment][direction][metric]``, with intervals over
        seeds and queries, and ``differences``, the same minus the baseline's, with verdicts that hold for all ways
        together. ``mean_recall`` is the mean of recall at 1, 5 and 10.

    Raises:
        InputError: No test of the baseline came to anything, so that there is nothing to compare with.
    """
    ways = [way for way in chosen if _tests(way, found)]
    first = next(iter(chosen))
    if first not in ways:
        raise InputError(f"{first.name}, {first.loss}: no seed of the baseline came to a finite loss; lower --lr")
    folders = {way: [run.folder(output) for run, _ in _tests(way, found)] for way in ways}
    queries = iter(read_queries([folder for way in ways for folder in folders[way]]))
    queries_of = {way: [with_mean_recall(next(queries)) for _ in folders[way]] for way in ways}
    baseline = ways[0]
    candidates: list[dict[str, Any]] = []
    for way in ways:
        tests = _tests(way, found)
        searched = [each["run"]["scores"][config.metric] for run, each in found if _is_trial(run, way, each)]
        candidate: dict[str, Any] = {
            "name": way.title(config.losses),
            "strategy": way.name,
            "loss": way.loss,
            "options": dict(chosen[way]),
            "at_edge": _at_edge(way, chosen[way], found),
            "settings": {**tests[0][0].settings, "seed": config.seed},
            "validation": {
                "search": max(searched),
                "tests": float(np.mean([each["run"]["validation"][config.metric] for _, each in tests])),
            },
            "scores": estimate(queries_of[way]),
        }
        if way != baseline:
            verdicts = judge(queries_of[baseline], queries_of[way], comparisons=len(ways) - 1)
            candidate["differences"] = told(verdicts)
        candidates.append(candidate)
    best = max(candidates, key=lambda each: each["validation"]["tests"])
    return {
        "metric": config.metric,
        "val_split": config.first_config().val_split,
        "test_split": config.test_split,
        "trials": config.trials,
        "seeds": config.seeds,
        "left_out": [way.title(config.losses) for way in config.ways if way not in ways],
        "failed": {run.name: each["failed"] for run, each in found if "failed" in each},
        "baseline": candidates[0]["name"],
        "best": best["name"],
        "candidates": candidates,
    }


def _tests(way: Way, found: Found) -> list[tuple[Run, Mapping[str, Any]]]:
    return [(run, each) for run, each in found if run.way == way and run.stage == "test" and "failed" not in each]


def _is_trial(run: Run, way: Way, each: Mapping[str, Any]) -> bool:
    return run.way == way and run.stage == "search" and "failed" not in each


def _at_edge(way: Way, options: Values, found: Found) -> bool:
    """Whether the best level is the lowest or the highest that was tried, so that a better one may lie beyond."""
    levels = [run.options["level"] for run, _ in found if run.way == way and run.stage == "search"]
    return len(set(levels)) > 1 and options["level"] in (min(levels), max(levels))
