"""What a sweep found, in words."""

from collections.abc import Iterator
from typing import Any

from pipelines.words import counted

_SEGMENTS = ("overall", "tail", "head")
_NOTHING = "no difference seen"


def conclusion(result: dict[str, Any]) -> Iterator[str]:
    """What a reader may conclude, and what not, a line each."""
    baseline = result["baseline"]
    others = [candidate for candidate in result["candidates"] if "differences" in candidate]
    segments = [name for name in _SEGMENTS if any(name in each["differences"] for each in others)]
    if result.get("left_out"):  # a sweep of an earlier version has no such list
        yield f"left out, as no run came to a finite loss: {', '.join(result['left_out'])}"
    for segment in segments if result["seeds"] > 1 else ():
        yield from _of_segment(segment, others, baseline)
    if others and result["seeds"] == 1:
        yield "a verdict needs two seeds or more: raise --seeds"
    elif others:
        yield (
            "the intervals of a column hold together 19 times in 20, over seeds and test queries; other training data, "
            f"or more than {counted(result['trials'], 'trial')} of each strategy, may answer otherwise"
        )
    seeds = counted(result["seeds"], "seed")
    yield f"best by {result['metric']} on {result['val_split']}, mean of {seeds}: {result['best']}"
    if any(candidate["at_edge"] for candidate in result["candidates"]):
        yield "a level at the edge of those tried may not be the best: widen them with --search level=LOWEST,HIGHEST"


def plus_minus(score: dict[str, Any], sign: str = "") -> str:
    """A score and half the width of its interval; with ``+`` as sign, a difference."""
    half = "" if score["low"] is None else f" ±{(score['high'] - score['low']) / 2:.1f}"
    return f"{score['value']:{sign}.1f}{half}"


def _of_segment(segment: str, others: list[dict[str, Any]], baseline: str) -> Iterator[str]:
    verdicts = {each["name"]: each["differences"][segment]["mean"]["mean_recall"] for each in others}
    comma = "; " if any(", " in name for name in verdicts) else ", "  # a name with its loss has one
    for word in ("better", "worse"):
        found = [_by(name, each) for name, each in verdicts.items() if each["verdict"] == word]
        if found:
            yield f"{segment}: {word} than {baseline}: {comma.join(found)}"
    unsure = {name: each for name, each in verdicts.items() if each["verdict"].startswith(_NOTHING)}
    if unsure:
        largest = max(max(-each["low"], each["high"]) for each in unsure.values())
        yield f"{segment}: {_NOTHING} from {baseline}: {comma.join(unsure)} (could be up to {largest:.1f} points)"


def _by(name: str, verdict: dict[str, Any]) -> str:
    """``mmts by 2.0 points (0.7 to 3.3)``."""
    low, high = sorted(abs(verdict[end]) for end in ("low", "high"))
    return f"{name} by {abs(verdict['value']):.1f} points ({low:.1f} to {high:.1f})"
