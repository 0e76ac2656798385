"""What a sweep found, in words."""

from collections.abc import Iterator
from typing import Any

_SEGMENTS = ("overall", "tail", "head")
_NOTHING = "no difference seen"


def conclusion(result: dict[str, Any]) -> Iterator[str]:
    """What a reader may conclude, and what not, a line each."""
    baseline = result["baseline"]
    others = [candidate for candidate in result["candidates"] if "differences" in candidate]
    segments = [name for name in _SEGMENTS if any(name in each["differences"] for each in others)]
    for segment in segments if result["seeds"] > 1 else ():
        yield from _of_segment(segment, others, baseline)
    if others and result["seeds"] == 1:
        yield "a verdict needs two seeds or more: raise --seeds"
    elif others:
        yield (
            "the verdicts of a column hold together 19 times in 20, on data like these and for settings tuned with "
            f"{result['trials']} trials each"
        )
    metric = result["metric"]
    hint = (
        "" if metric.startswith("tail") or "tail" not in segments else "; --metric tail_recall_sum chooses by the tail"
    )
    yield f"best by {metric} on {result['val_split']}, mean of {result['seeds']} seeds: {result['best']}{hint}"
    if any(candidate["at_edge"] for candidate in result["candidates"]):
        yield "a level at the edge of those tried may not be the best: widen them with --search level=LOWEST,HIGHEST"


def _of_segment(segment: str, others: list[dict[str, Any]], baseline: str) -> Iterator[str]:
    verdicts = {each["name"]: each["differences"][segment]["mean"]["mean_recall"] for each in others}
    for word in ("better", "worse"):
        found = [_by(name, each) for name, each in verdicts.items() if each["verdict"] == word]
        if found:
            yield f"{segment}: {word} than {baseline}: {', '.join(found)}"
    unsure = {name: each for name, each in verdicts.items() if each["verdict"].startswith(_NOTHING)}
    if unsure:
        largest = max(max(-each["low"], each["high"]) for each in unsure.values())
        yield f"{segment}: {_NOTHING} from {baseline}: {', '.join(unsure)} (could be up to {largest:.1f} points)"


def _by(name: str, verdict: dict[str, Any]) -> str:
    """``mmts by 2.0 points (0.7 to 3.3)``."""
    low, high = sorted(abs(verdict[end]) for end in ("low", "high"))
    return f"{name} by {abs(verdict['value']):.1f} points ({low:.1f} to {high:.1f})"
