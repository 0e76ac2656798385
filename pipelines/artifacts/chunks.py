"""Videos cut into chunks: a folder with the video's name, and in it files named by the second at which each begins.

``P01/P01_01.MP4/0.MP4``, ``P01/P01_01.MP4/15.MP4``, ...
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pipelines.artifacts.finding import find_files
from pipelines.artifacts.listing import is_rubbish, plain
from pipelines.artifacts.places import VIDEO_SUFFIXES

_SECOND = re.compile(r"\d+(\.\d+)?")
# Second at which a chunk begins, and its place in a list of names; in the order of time.
ChunkPlaces = list[tuple[float, int]]


def chunk_folders(names: Sequence[str]) -> dict[str, ChunkPlaces]:
    """Folders whose videos are all named by a second, and their chunks.

    Args:
        names: Paths in a folder, or members of an archive.
    """
    folders: dict[str, ChunkPlaces | None] = {}
    for place, name in enumerate(names):
        path = PurePosixPath(name.replace("\\", "/"))
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            continue
        chunks = folders.setdefault(str(path.parent), [])
        if not _SECOND.fullmatch(path.stem):
            folders[str(path.parent)] = None
        elif chunks is not None:
            chunks.append((float(path.stem), place))
    return {folder: sorted(chunks) for folder, chunks in folders.items() if chunks}


def chunks_in(folder: Path) -> list[tuple[float, str]]:
    """The chunks in the folder of one video: where each begins, and its name; none where it holds other videos."""
    with os.scandir(folder) as found:
        names = sorted(entry.name for entry in found if entry.is_file() and not is_rubbish(entry.name))
    return [(begin_s, names[place]) for begin_s, place in chunk_folders(names).get(".", [])]


def find_chunk_folders(wanted: Sequence[Sequence[str]], folders: Sequence[str], where: str) -> list[str | None]:
    """The folder of each video among those of `chunk_folders`, by its name with or without a suffix.

    Args:
        wanted: Names that each of n videos may have, the likeliest first.
        folders: The folders.
        where: What they lie in, for messages.

    Raises:
        InputError: Two folders have the name of a video; names both.
    """
    as_videos = [name if name.lower().endswith(VIDEO_SUFFIXES) else f"{plain(name)}.mp4" for name in folders]
    places = find_files(wanted, as_videos, VIDEO_SUFFIXES, where)
    return [None if place < 0 else folders[place] for place in places]


def missing_chunk(begins_s: float, ends_s: float) -> str:
    """Says that a video's chunks have a gap."""
    begin, end = (f"{round(second, 1):g}" for second in (begins_s, ends_s))
    return f"a chunk from {begin} s to {end} s is missing"
