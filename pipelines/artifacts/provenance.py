"""What made a file: the record in its footer, and the fingerprints that say whether it is up to date.

A fingerprint is a hash of a stage's name, parameters and the fingerprints of its inputs; not of its output bytes, since
encoders differ in the last bit between batch sizes. The footer also holds a digest of the data that was written, so
that a file changed afterwards is recognised even where the tool that changed it kept the footer.
"""

import hashlib
import importlib.metadata
import json
import warnings
import zipfile
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.artifacts.files import require_file
from pipelines.artifacts.opening import open_parquet

FOOTER_KEY = "mmts"
_PARQUET_TAIL = 8  # a Parquet file ends with the footer's length (4 bytes) and the magic "PAR1"
_CHUNK = 1 << 20


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
    summary: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)

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
    """The provenance in a Parquet file's footer, or None where there is none (file of another tool)."""
    with open_parquet(path) as file:
        metadata = file.metadata.metadata or {}
    text = metadata.get(FOOTER_KEY.encode())
    if text is None:
        return None
    try:
        return Provenance(**json.loads(text))
    except (ValueError, TypeError):  # a later version's footer, or another tool's use of the key
        return None


def is_intact(path: Path, provenance: Provenance) -> bool:
    """Whether the data before the footer is what mmts wrote."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        handle.seek(size - _PARQUET_TAIL)
        footer = int.from_bytes(handle.read(4), "little")
    return hash_bytes(path, size - _PARQUET_TAIL - footer) == provenance.data_digest


def fingerprint_of(path: Path) -> str:
    """The fingerprint of an input file, or of a folder of media.

    An artifact of ours answers from its footer, after its data has been checked against the footer's digest. Any other
    file is hashed whole. A folder of media is hashed by names, sizes and modification times, a zip archive by the
    names, sizes and checksums in its index.

    Raises:
        InputError: The path is missing, unreadable or empty.
    """
    if path.is_dir():
        return _folder_fingerprint(path)
    require_file(path)
    if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
        return _archive_fingerprint(path)
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


def _archive_fingerprint(archive: Path) -> str:
    digest = hashlib.sha256()
    with zipfile.ZipFile(archive) as index:
        for entry in index.infolist():
            digest.update(f"{entry.filename}\0{entry.file_size}\0{entry.CRC}\n".encode())
    return digest.hexdigest()[:32]


def _folder_fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            stat = file.stat()
            digest.update(f"{file.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]
