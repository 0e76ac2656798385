"""What made a file: the record in its footer, and the fingerprints that say whether it is up to date.

A fingerprint is a hash of a stage's name, parameters and the fingerprints of its inputs; not of its output bytes, since
encoders differ in the last bit between batch sizes. The footer also holds a digest of the data that was written, so
that a file changed afterwards is recognised even where the tool that changed it kept the footer.
"""

import hashlib
import importlib.metadata
import json
import os
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.artifacts.files import require_file
from pipelines.artifacts.listing import Listed, folder_files, plain, tar_members, zip_members
from pipelines.artifacts.media_tables import byte_column
from pipelines.artifacts.opening import (
    PARQUET_SUFFIXES,
    files_matching,
    is_pattern,
    open_parquet,
    parquet_files,
    parts_in,
)
from pipelines.errors import InputError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FOOTER_KEY = "mmts"
_PARQUET_TAIL = 8  # a Parquet file ends with the footer's length (4 bytes) and the magic "PAR1"
_CHUNK = 1 << 20
# Up to which size media are read whole at every start, to tell whether they changed.
_LARGE_FILE, _LARGE_FOLDER = 16 * 2**20, 256 * 2**20


@dataclass(frozen=True)
class Provenance:
    """The record in an artifact's footer.

    Attributes:
        stage: The stage that wrote the file.
        fingerprint: Hash of stage, parameters and inputs.
        parameters: Every parameter that shaped the output.
        inputs: Name of each input file and its fingerprint, by role.
        seed: The seed, where the stage draws random numbers.
        rows: Number of rows written.
        data_digest: Hash of the bytes before the footer.
        columns: Names of the columns, which a flipped bit in the footer would change in silence; empty in older files.
        summary: The figures the stage reported.
        libraries: Versions of the libraries that did the work.
    """

    stage: str
    fingerprint: str
    parameters: dict[str, Any]
    inputs: dict[str, dict[str, str]]
    seed: int | None = None
    rows: int = 0
    data_digest: str = ""
    columns: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)

    @property
    def made_from(self) -> dict[str, Any]:
        """Its ``parameters``, ``inputs`` and ``seed``: what ``compare`` groups scored runs by."""
        return {"parameters": self.parameters, "inputs": self.inputs, "seed": self.seed}

    def to_json(self) -> str:
        """The footer's text."""
        return json.dumps(asdict(self), ensure_ascii=False)


def stage_fingerprint(stage: str, parameters: dict[str, Any], inputs: dict[str, str]) -> str:
    """Hash of what determines a stage's output: its name, its parameters, the fingerprints of its inputs."""
    text = json.dumps([stage, parameters, inputs], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of the named distributions, and of mmts."""
    versions = {}
    for name in ("mmts", *names):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def read_provenance(path: Path) -> Provenance | None:
    """The provenance in a Parquet file's footer; None where there is none, as of other tools' files, or of several."""
    records = read_provenances(path)
    return records[0] if len(records) == 1 else None


def read_provenances(path: Path) -> list[Provenance | None]:
    """The provenance in the footer of each of the files that a path stands for, see `parquet_files`."""
    with open_parquet(path) as file:
        return [_parsed(metadata.get(FOOTER_KEY.encode())) for metadata in file.key_values()]


def _parsed(text: bytes | None) -> Provenance | None:
    if text is None:
        return None
    try:
        return _footer().validate_json(text, strict=True, extra="forbid")
    except ValueError:  # a later version's footer, one that was edited, or another tool's use of the key
        return None


@lru_cache(maxsize=1)
def _footer() -> "TypeAdapter[Provenance]":
    from pydantic import TypeAdapter

    return TypeAdapter(Provenance)


def is_intact(path: Path, provenance: Provenance) -> bool:
    """Whether the rows and the names of their columns are what mmts wrote."""
    with open_parquet(path) as file:
        rows, names = file.num_rows, file.schema_arrow.names
    if rows != provenance.rows or (provenance.columns and names != provenance.columns):
        return False
    size = path.stat().st_size
    with path.open("rb") as handle:
        handle.seek(size - _PARQUET_TAIL)
        footer = int.from_bytes(handle.read(4), "little")
    return hash_bytes(path, size - _PARQUET_TAIL - footer) == provenance.data_digest


def is_damaged(path: Path) -> bool:
    """Whether a file's rows can't be read, as the checksums of its pages tell; a file that was edited can be."""
    try:
        with open_parquet(path) as file:
            for _ in file.iter_batches():
                pass
    except InputError:
        return True
    return False


def fingerprint_of(path: Path) -> str:
    """The fingerprint of an input file, or of a folder of media.

    An artifact of ours answers from its footer, after its data has been checked against the footer's digest. Of others
    content counts, not where they lie or when they were touched: a zip is hashed by the names, sizes and checksums in
    its index, a folder by the names and the content of its files, any other file by its content. What is too large to
    be read whole at every start is hashed by its index: a tar by the names, sizes and header checksums of its members,
    Parquet with media by its footer, a folder by names, sizes and times of change. A table in several files is hashed
    by their fingerprints in the order of their names.

    Raises:
        InputError: The path is missing, unreadable or empty.
    """
    if is_table_in_parts(path):
        return _parts_fingerprint(path)
    if path.is_dir():
        return _folder_fingerprint(path)
    require_file(path)
    if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
        return _listing_fingerprint(zip_members(path))
    if path.suffix.lower() == ".tar" and path.stat().st_size > _LARGE_FILE:
        return _listing_fingerprint(tar_members(path))
    stat = path.stat()
    return _file_fingerprint(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _file_fingerprint(path: Path, modified: int, size: int) -> str:
    if path.suffix == ".parquet":
        provenance = read_provenance(path)
        if provenance is not None:
            if is_intact(path, provenance):
                return provenance.fingerprint
            warnings.warn(f"{path}: changed since mmts wrote it; used as it is now", stacklevel=2)
        elif size > _LARGE_FILE and _holds_media(path):
            return _footer_fingerprint(path)
    return hash_bytes(path, size)


def hash_bytes(path: Path, count: int) -> str:
    """SHA-256 of the first ``count`` bytes of a file, as 32 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while count > 0:
            chunk = handle.read(min(_CHUNK, count))
            if not chunk:
                break
            digest.update(chunk)
            count -= len(chunk)
    return digest.hexdigest()[:32]


def fingerprint_of_files(files: Sequence[tuple[str, Path]]) -> str:
    """Hash of files with the names that they are to be known by: of their content, or where that is too much to read at
    every start, of their sizes and times of change. A file that isn't there counts as such.
    """
    stats = [path.stat() if os.path.isfile(path) else None for _, path in files]
    by_content = sum(stat.st_size for stat in stats if stat is not None) <= _LARGE_FOLDER
    digest = hashlib.sha256()
    for (name, path), stat in zip(files, stats, strict=True):
        check: object = stat and (hash_bytes(path, stat.st_size) if by_content else stat.st_mtime_ns)
        _update(digest, name, stat.st_size if stat else -1, check)
    return digest.hexdigest()[:32]


def is_table_in_parts(path: Path) -> bool:
    """Whether a path stands for Parquet files without media: a pattern, or a folder of them."""
    if is_pattern(path):
        files = files_matching(path)
        return files[0].suffix in PARQUET_SUFFIXES and not _holds_media(files[0])
    files = parts_in(path) if os.path.isdir(path) else []
    return bool(files) and not _holds_media(files[0])


def _parts_fingerprint(path: Path) -> str:
    fingerprints = "\n".join(map(fingerprint_of, parquet_files(path)))
    return hashlib.sha256(fingerprints.encode()).hexdigest()[:32]


def _folder_fingerprint(folder: Path) -> str:
    return fingerprint_of_files([(plain(each.name), folder / each.name) for each in folder_files(folder)])


def _listing_fingerprint(members: Sequence[Listed]) -> str:
    digest = hashlib.sha256()
    for member in members:
        _update(digest, member.name, member.size, member.check)
    return digest.hexdigest()[:32]


def _update(digest: "hashlib._Hash", name: str, size: int, check: object) -> None:
    digest.update(f"{name}\0{size}\0{check}\n".encode(errors="surrogateescape"))  # names need not be UTF-8


def _holds_media(path: Path) -> bool:
    with open_parquet(path) as file:
        return byte_column(file.schema_arrow) is not None


def _footer_fingerprint(path: Path) -> str:
    """Hash of a Parquet file's size and footer, which holds the sizes and statistics of all its pages."""
    with path.open("rb") as handle:
        size = handle.seek(-_PARQUET_TAIL, os.SEEK_END) + _PARQUET_TAIL
        length = int.from_bytes(handle.read(4), "little")
        handle.seek(size - _PARQUET_TAIL - length)
        return hashlib.sha256(f"{size}\n".encode() + handle.read(length)).hexdigest()[:32]
