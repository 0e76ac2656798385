"""Videos cut into chunks: a folder with the video's name, and in it files named by the second at which each begins.

``P01/P01_01.MP4/0.MP4``, ``P01/P01_01.MP4/15.MP4``, ...
"""

import os
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

from pipelines.artifacts.finding import find_files
from pipelines.artifacts.ids import shortened
from pipelines.artifacts.listing import is_rubbish, plain
from pipelines.artifacts.places import VIDEO_SUFFIXES
from pipelines.errors import InputError

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
    """The chunks in the folder of one video: where each begins, and its name; none where it holds other videos.

    Raises:
        InputError: Two begin at the same second; names both.
    """
    with os.scandir(folder) as found:
        names = sorted(entry.name for entry in found if entry.is_file() and not is_rubbish(entry.name))
    chunks = chunk_folders(names).get(".", [])
    require_one_a_second(chunks, names, str(folder))
    return [(begin_s, names[place]) for begin_s, place in chunks]


def find_chunks(
    wanted: Sequence[Sequence[str]], names: Sequence[str], where: str
) -> list[tuple[str, ChunkPlaces] | None]:
    """The folder of each video that is in chunks, by its name with or without a suffix, and the chunks.

    Args:
        wanted: Names that each of n videos may have, the likeliest first.
        names: Paths in a folder, or members of an archive or of several.
        where: The folder or archive, for messages.

    Returns:
        Of each video; None where it isn't there. Videos of one folder share a list.

    Raises:
        InputError: Two folders have the name of a video, or two of its chunks begin at the same second; names both.
    """
    folders = list(chunk_folders(names).items())
    as_videos = [name if name.lower().endswith(VIDEO_SUFFIXES) else f"{plain(name)}.mp4" for name, _ in folders]
    places = find_files(wanted, as_videos, VIDEO_SUFFIXES, where).tolist()
    for place in {place for place in places if place >= 0}:
        require_one_a_second(folders[place][1], names, where)
    return [None if place < 0 else folders[place] for place in places]


def require_one_a_second(chunks: ChunkPlaces, names: Sequence[str], where: str) -> None:
    """Check that no two chunks of a video begin at the same second, as ``0.mp4`` and ``0.mkv``, or ``00.mp4``, do.

    Args:
        chunks: The chunks.
        names: The names that they have their places in.
        where: What those lie in, for the message.

    Raises:
        InputError: Two do; names both.
    """
    for (begin_s, place), (next_s, after) in pairwise(chunks):
        if begin_s == next_s:
            one, other = shortened(names[place]), shortened(names[after])
            raise InputError(f"{where}: {one} and {other} are both the chunk from {begin_s:g} s on; leave one of them")


def missing_chunk(begins_s: float, ends_s: float) -> str:
    """Says that a video's chunks have a gap."""
    begin, end = (f"{round(second, 1):g}" for second in (begins_s, ends_s))
    return f"a chunk from {begin} s to {end} s is missing"


def gaps_by_name(begins_s: Sequence[Sequence[float]]) -> list[str]:
    """Which videos lack a chunk within, as far as names tell, where all chunks have one length.

    No two chunks of a video begin at the same second, see `require_one_a_second`.

    Args:
        begins_s: Where the chunks of each video begin, in the order of time.

    Returns:
        What is missing of each video, see `missing_chunk`; empty where nothing is.
    """
    steps = Counter(after - before for each in begins_s for before, after in pairwise(each))
    step = min(steps, default=0.0)
    regular = all(each % step == 0 for each in steps) and steps[step] > sum(steps.values()) / 2
    if not regular:
        return [""] * len(begins_s)
    return [next((missing_chunk(a + step, b) for a, b in pairwise(each) if b - a > step), "") for each in begins_s]
