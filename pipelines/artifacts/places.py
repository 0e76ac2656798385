"""What the annotations' column ``media`` holds: paths, and URIs of members of zip and tar archives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.errors import InputError
from pipelines.remote import is_url

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".jfif", ".avif", ".jp2")
_WITHOUT_FOLDERS = ("http", "https")  # whose files would have to be asked for one by one
VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".flv")


def media_path(media: Path) -> Path | None:
    """Where ``--media`` says media are; None where it says ``annotations``: in their own column ``media``."""
    return None if media == Path("annotations") else media


@dataclass(frozen=True)
class Place:
    """Where one medium is: a file, or a member of an archive. As text a path, or ``zip://MEMBER::ARCHIVE``.

    Attributes:
        path: The file, or the archive.
        member: Name in the archive; None for a file.
        scheme: Kind of the archive; None for a file.
    """

    path: str
    member: str | None = None
    scheme: Literal["zip", "tar"] | None = None

    def __str__(self) -> str:
        return self.path if self.scheme is None else f"{self.scheme}://{self.member}::{self.path}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read what ``str`` writes.

        Raises:
            InputError: It is a URI of another kind, or names no archive.
        """
        scheme, separator, rest = text.partition("://")
        if not separator or (is_url(text) and scheme not in _WITHOUT_FOLDERS):
            return cls(text)
        member, separator, archive = rest.partition("::")
        if scheme not in ("zip", "tar") or not (member and archive):
            raise InputError(f"{text}: can't be read; a path, zip://MEMBER::ARCHIVE or tar://MEMBER::TAR was expected")
        return cls(archive, member, "zip" if scheme == "zip" else "tar")
