"""What a sweep found, in words."""

from collections.abc import Iterator
from typing import Any

_NOTHING = "no difference seen"


def conclusion(result: dict[str, Any]) -> Iterator[str]:
    """What a reader may conclude, and what not, a line each."""
    candidates = {candidate["name"]: candidate for candidate in result["candidates"]}
    baseline, best = result["baseline"], candidates[result["best"]]
    others = [candidate for candidate in result["candidates"] if "differences" in candidate]
    for segment in ("overall", "tail", "head"):
        if any(segment in each["differences"] for each in others):
            yield from _of_segment(segment, others, baseline)
    yield f"best by validation, mean of {result['seeds']} seeds: {best['name']}"
    if any(candidate["at_edge"] for candidate in result["candidates"]):
        yield "a level at the edge of those tried may not be the best: widen them with --search level=LOWEST,HIGHEST"


def options_words(options: dict[str, Any]) -> str:
    """The options of a trial."""
    return ", ".join(f"{name} {value}" for name, value in options.items())


def plus_minus(score: dict[str, Any], sign: str = "") -> str:
    """A score and half the width of its interval; with ``+`` as sign, a difference."""
    half = "" if score["low"] is None else f" ±{(score['high'] - score['low']) / 2:.1f}"
    return f"{score['value']:{sign}.1f}{half}"


def _of_segment(segment: str, others: list[dict[str, Any]], baseline: str) -> Iterator[str]:
    verdicts = {each["name"]: each["differences"][segment]["mean"]["mean_recall"] for each in others}
    for word in ("better", "worse"):
        found = [f"{name} by {abs(each['value']):.1f}" for name, each in verdicts.items() if each["verdict"] == word]
        if found:
            yield f"{segment}: {word} than {baseline}: {', '.join(found)}"
    unsure = {name: each for name, each in verdicts.items() if each["verdict"].startswith(_NOTHING)}
    if unsure:
        largest = max(max(-each["low"], each["high"]) for each in unsure.values())
        yield f"{segment}: {_NOTHING} from {baseline}: {', '.join(unsure)} (could be up to {largest:.1f} points)"
    if any(each["low"] is None for each in verdicts.values()):
        yield f"{segment}: a verdict needs two seeds or more"
