"""Lines of text files, compressed or not, in whatever encoding."""

import bz2
import codecs
import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.artifacts.files import require_file
from pipelines.errors import InputError

_BOMS = {  # UTF-32's begins like UTF-16's, so it comes first
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive or an Excel sheet; unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file; save the sheet as CSV",
    b"SQLite format 3": "an SQLite database; export its table as CSV",
    b"PAR1": "a Parquet file; give it the suffix .parquet",
    b"ARROW1": "an Arrow file; write it as Parquet",
    b"\x1f\x8b": "compressed by gzip; add .gz to its name",
    b"BZh": "compressed by bzip2; add .bz2 to its name",
    b"\xfd7zXZ": "compressed by xz; add .xz to its name",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; add .zst to its name",
    b"%PDF": "a PDF; export its table as CSV",
}
_HEAD = 4096


def _open_plain(path: Path) -> Any:
    return path.open("rb")


def _open_zstd(path: Path) -> Any:
    return pa.input_stream(str(path), compression="zstd")


_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _open_zstd,
}
COMPRESSED = tuple(_OPENERS)


def encoding_of(path: Path, given: str | None) -> str:
    """The encoding to read a text file in: the one given, that of its byte order mark, or UTF-8.

    Raises:
        InputError: The file can't be read, isn't text, or the encoding given is unknown.
    """
    require_file(path)
    with _damage_reported(path), _opened(path) as raw:
        head = raw.read(_HEAD)
    for magic, what in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise InputError(f"{path}: is {what}")
    if given is not None:
        return _known(given)
    encoding = next((name for mark, name in _BOMS.items() if head.startswith(mark)), None)
    if encoding is None and b"\0" in head:
        order = {1: "utf-16-le", 0: "utf-16-be"}.get(head.index(b"\0") % 2 if head.count(b"\0") * 3 > len(head) else 2)
        hint = f"it looks like UTF-16: give --encoding {order}" if order else "give a table as text, or as Parquet"
        raise InputError(f"{path}: has NUL bytes, so it isn't UTF-8 text; {hint}")
    return encoding or "utf-8"


def read_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a text file, with their ends as they are.

    Raises:
        InputError: It is damaged, or a line isn't text of that encoding; says which.
    """
    number = 0
    try:
        with _damage_reported(path), _opened(path) as raw, io.TextIOWrapper(raw, encoding, newline="") as text:
            for number, line in enumerate(text, start=1):
                if "\0" in line:
                    raise InputError(f"{path}: line {number} has a NUL byte; remove it, or give the file's --encoding")
                yield line
    except UnicodeDecodeError as error:
        place = _undecodable(path) if encoding.startswith("utf-8") else f"after line {number}"
        name = encoding.removesuffix("-sig").upper()
        raise InputError(
            f"{path}: isn't {name} text ({place}); give its encoding, such as --encoding latin-1 or cp1252"
        ) from error
    except UnicodeError as error:  # UTF-16 without its mark
        raise InputError(f"{path}: can't be read as {encoding} ({error}); give another --encoding") from error


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except (LookupError, UnicodeError) as error:
        raise InputError(
            f"--encoding {encoding[:40]}: unknown; expected one such as utf-8, utf-16 or latin-1"
        ) from error
    return "utf-8-sig" if name == "utf-8" else name


def _undecodable(path: Path) -> str:
    with _opened(path) as raw:
        for number, line in enumerate(raw, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return f"line {number}, byte {error.start + 1}"
    return "its last line"


def _opened(path: Path) -> Any:
    return _OPENERS.get(path.suffix.lower(), _open_plain)(path)


@contextlib.contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    """Report compressed data that can't be unpacked."""
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: can't be unpacked, truncated or damaged ({str(error)[:60]}); get it again"
        ) from error
