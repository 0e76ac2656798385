"""Standard streams as they come: closed, broken, of few characters; and text that can do a terminal no harm."""

import contextlib
import os
import re
import sys
from typing import TextIO

# Control characters but for the line break and the tabulator, and marks that turn the direction of text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LONGEST_WORD = 120  # paths of that length are common, and are pasted from messages
_LONGEST_LINE = 400


def open_streams() -> None:
    """Give each closed standard stream the null device, and let none fail at a character it lacks."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: no file of ours shall get it
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # to the end
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def to_nowhere(stream: TextIO) -> None:
    """Send the rest of a stream whose reader has gone to the null device."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def printable(text: str) -> str:
    """``text`` with control characters spelled out, so that no name or caption moves the cursor or sets a title.

    URLs are without credentials.
    """
    text = _without_credentials(text)
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def printable_json(text: str, encoding: str | None) -> str:
    """JSON with control characters, and those that the encoding of a stream lacks, in JSON's own spelling.

    URLs are without credentials.
    """
    text = _without_credentials(text)
    if encoding is not None and encoding.lower().replace("-", "") not in ("utf8", "utf16", "utf32"):
        text = re.sub("[^\x00-\x7f]", lambda found: _json_escape(found[0]), text)
    return _CONTROL.sub(lambda found: _json_escape(found[0]), text)


def _without_credentials(text: str) -> str:
    if "/" not in text:
        return text
    from pipelines.remote.paths import without_credentials

    return without_credentials(text)


def _json_escape(character: str) -> str:
    halves = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{halves[at]:02x}{halves[at + 1]:02x}" for at in range(0, len(halves), 2))


def one_line(text: str) -> str:
    """``text`` as one line of bounded length, whatever names and ids it quotes."""
    words = [word if len(word) <= _LONGEST_WORD else f"{word[:40]}...{word[-70:]}" for word in printable(text).split()]
    line = " ".join(words)
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 150]} ... {line[-140:]}"
