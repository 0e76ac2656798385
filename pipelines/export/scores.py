"""The scores on a model card: of ``mmts eval`` with their intervals, or of the validation in training."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.artifacts import fingerprint_of, read_provenance
from pipelines.artifacts.files import read_json, require_file
from pipelines.errors import InputError
from pipelines.export.markdown import code_span, markdown, table
from pipelines.export.run import Run
from pipelines.scores.queries import SHOTS_IN_WORDS

_SEGMENTS = ("overall", "head", "middle", "tail", "many", "medium", "few", "tail_classes")
_DIRECTIONS = ("text_to_media", "media_to_text", "mean")


def read_scores(folder: Path, run: Run) -> dict[str, Any]:
    """Read a folder that ``mmts eval`` wrote, with the split that was scored under ``split``.

    Raises:
        InputError: It isn't such a folder, or holds the scores of another run.
    """
    require_file(folder / "metrics.json")
    require_file(folder / "ranks.parquet")
    made = read_provenance(folder / "ranks.parquet")
    if made is None or made.stage != "eval":
        raise InputError(f"--scores {folder}: is not what `mmts eval` writes")
    if made.inputs.get("run", {}).get("fingerprint") != fingerprint_of(run.steps):
        raise InputError(f"--scores {folder}: are not of {run.folder}; score it with `mmts eval {run.folder} -o DIR`")
    metrics = read_json(folder / "metrics.json")
    if metrics != made.summary:
        raise InputError(f"--scores {folder}: metrics.json is not what `mmts eval` wrote; score it again with --force")
    return {**metrics, "split": made.parameters["split"]}


def score_tables(run: Run, scores: dict[str, Any] | None) -> Iterator[str]:
    """Paragraphs and tables in Markdown.

    Args:
        run: The run.
        scores: What `read_scores` gives; None for the scores of the validation.
    """
    if scores is None:
        yield from _validation(run)
        return
    queries = scores["queries"]
    if "classes" in scores:
        done = (
            f"Zero-shot classification of {queries['media_to_text']:,} media of the split {code_span(scores['split'])} "
            f"into {scores['classes']['candidates']:,} classes ({markdown(scores['classes']['column'])})"
        )
    else:
        done = (
            f"Retrieval on the split {code_span(scores['split'])}, protocol {markdown(scores['protocol'])}, "
            f"{queries['text_to_media']:,} texts and {queries['media_to_text']:,} media"
        )
    yield (
        f"{done}: percentages, in brackets 95% bootstrap intervals."
        + ("" if "thirds" not in scores else " Head, middle and tail: thirds by training cluster size.")
        + ("" if "shots" not in scores else f" Many, medium and few: {SHOTS_IN_WORDS}.")
    )
    for direction in _DIRECTIONS:
        segments = [name for name in _SEGMENTS if direction in scores["scores"].get(name, {})]
        if segments:
            yield _direction(scores, direction, segments)


def _direction(scores: dict[str, Any], direction: str, segments: list[str]) -> str:
    names = list(scores["scores"]["overall"][direction])
    heads = [direction.replace("_", " "), "N", *(name.replace("_", " ") for name in names)]
    rows = []
    for segment in segments:
        values = scores["scores"][segment][direction]
        rows.append([segment.replace("_", " "), _count(scores, direction, segment), *(_cell(values[n]) for n in names)])
    return table(heads, rows)


def _count(scores: dict[str, Any], direction: str, segment: str) -> str:
    counts = {"overall": scores["queries"], "tail_classes": scores.get("tail_classes", {})}
    parts = scores.get("thirds", {}).get(direction, {}) | scores.get("shots", {}).get(direction, {})
    of_segment = counts.get(segment, {direction: parts.get(segment)})
    count = of_segment.get(direction)
    return "" if count is None else f"{count:,}"


def _cell(score: dict[str, float | None]) -> str:
    value, low, high = score["value"], score.get("low"), score.get("high")
    if value is None:
        return "-"
    return f"{value:.1f}" + ("" if low is None or high is None else f" ({low:.1f}-{high:.1f})")


def _validation(run: Run) -> Iterator[str]:
    if run.validation is None:
        yield "None: the run was not validated, nor scored with `mmts eval`."
        return
    split = run.parameters.get("val_split", "val")
    yield (
        f"On the validation split {code_span(split)}, by which the epoch was chosen, so these are not test scores: "
        "recalls in percent, without intervals."
    )
    names = [f"{direction}_recall@{k}" for direction in _DIRECTIONS[:2] for k in (1, 5, 10)]
    heads = ["", *(name.replace("_recall", "").replace("_", " ").replace("@", " R@") for name in names)]
    rows = []
    for segment in _SEGMENTS[:4]:
        prefix = "" if segment == "overall" else f"{segment}_"
        values = [run.validation.get(f"{prefix}{name}") for name in names]
        if None not in values:
            rows.append([segment, *(f"{value:.1f}" for value in values)])
    yield table(heads, rows)
