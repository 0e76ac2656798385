"""Words of others in a model card: a name, a setting or a prompt never becomes markup or code there."""

import json
import re
from collections.abc import Sequence

# What begins markup within a line; tables end cells at a bar, "://" and "www." begin links.
_MARKUP = re.compile(r"([\\`*_\[\]<>|&$~^]|(?<=:)//|(?<=www)\.)")


def markdown(text: object) -> str:
    """Any text as a piece of one line of Markdown that shows it as it is; unprintable characters become spaces."""
    return _MARKUP.sub(r"\\\1", _one_line(text))


def code_span(text: object) -> str:
    """Any text as a code span of one line."""
    shown = _one_line(text).replace("`", "'")
    return f"`{shown}`"


def python_string(text: str) -> str:
    """Any text as a Python string literal of ASCII characters alone, on one line."""
    return json.dumps(text)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of any texts."""
    lines = [tuple(map(markdown, heads)), tuple("---" for _ in heads), *(tuple(map(markdown, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _one_line(text: object) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in str(text)).split())
