"""Linking samples to their media on disk."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.annotations.checks import Checks
from pipelines.annotations.left_out import LeftOut
from pipelines.artifacts.chunks import find_chunks, gaps_by_name
from pipelines.artifacts.finding import find_files
from pipelines.artifacts.ids import missing_there
from pipelines.artifacts.listing import as_utf8, folder_files, tar_members, zip_members
from pipelines.artifacts.places import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Place
from pipelines.errors import InputError

# Of some names, the path or URI of each medium, None where it isn't there; and names of files that are there.
Locate = Callable[[Sequence[str]], tuple[list[str | None], list[str]]]


def link(table: pa.Table, names: list[str], locate: Locate, root: Path, checks: Checks) -> pa.Table:
    """Give samples the column ``media``.

    Args:
        table: The samples.
        names: Name of each sample's medium, as ``locate`` takes it.
        locate: Finds media by name.
        root: Where media are, for the message.
        checks: Whether media may be missing; their samples are then left out.

    Raises:
        InputError: Media are missing (how many, which first) and may not be, or all are.
    """
    distinct = list(dict.fromkeys(names))
    places, seen = locate(distinct)
    located = dict(zip(distinct, places, strict=True))
    missing = [name for name, place in located.items() if place is None]
    message = missing_there(str(root), missing, len(located), "media", seen)
    if len(missing) == len(located):
        raise InputError(f"{message}; is this the folder of the media?")
    media = pa.array([located[name] for name in names], pa.string())
    if missing:
        checks.incomplete(f"{message}; their {media.null_count:,} samples are left out")
        ids = table.column("sample_id").filter(pc.is_null(media)).to_pylist()
        checks.left_out.extend(LeftOut(root.name, None, name, "the medium is missing") for name in ids)
    return table.append_column("media", media).filter(pc.is_valid(media))


def images(root: Path, other_names: Callable[[str], tuple[str, ...]] = lambda name: ()) -> Locate:
    """Images by file name in a folder or zip, see `find_files`: a path, or ``zip://NAME::ARCHIVE``.

    Args:
        root: Folder, searched at any depth, or zip.
        other_names: Names under which an image may be there as well.

    Raises:
        InputError: When images are looked up: ``root`` is neither, or two files have the name of one.
    """
    return lambda names: _locate(root, [(name, *other_names(name)) for name in names], IMAGE_SUFFIXES)


def videos(root: Path) -> Locate:
    """Videos by file name without suffix, in a folder or zip as `images` are; or by the folder of their chunks."""
    return lambda names: _locate(root, [(name,) for name in names], VIDEO_SUFFIXES)


def shards(root: Path) -> Locate:
    """Images of img2dataset's shards: ``tar://KEY.jpg::TAR``, or a path where a shard is a folder.

    A medium's name is ``SHARD/KEY``, with the shard's path.

    Raises:
        InputError: When images are looked up: a tar is damaged, or two files have the name of one.
    """

    def locate(names: Sequence[str]) -> tuple[list[str | None], list[str]]:
        by_shard: dict[str, list[int]] = defaultdict(list)
        for row, name in enumerate(names):
            by_shard[name.rpartition("/")[0]].append(row)
        places: list[str | None] = [None] * len(names)
        seen: list[str] = []
        for shard, rows in by_shard.items():
            tar, folder = root / f"{shard}.tar", root / shard
            if tar.exists() or folder.is_dir():
                keys = [(names[row].rpartition("/")[2],) for row in rows]
                found, there = _locate(tar if tar.exists() else folder, keys, IMAGE_SUFFIXES)
                seen += there
                for row, place in zip(rows, found, strict=True):
                    places[row] = place
        return places, seen

    return locate


def _locate(
    root: Path, wanted: Sequence[Sequence[str]], suffixes: tuple[str, ...]
) -> tuple[list[str | None], list[str]]:
    """Find media in a folder, zip or tar by the names that each may have; a video's chunks by their folder."""
    scheme: Literal["zip", "tar"] | None = None
    if root.is_dir():
        stored = [listed.name for listed in folder_files(root)]
    elif root.suffix.lower() == ".tar":
        scheme, stored = "tar", [member.name for member in tar_members(root)]
    else:
        scheme, stored = "zip", [member.name for member in zip_members(root)]
    names = [as_utf8(name) for name in stored] if scheme == "zip" else stored
    found = [None if row < 0 else stored[row] for row in find_files(wanted, names, suffixes, str(root))]
    lost = [row for row, name in enumerate(found) if name is None]
    if lost and suffixes == VIDEO_SUFFIXES:
        in_folders = find_chunks([wanted[row] for row in lost], stored, str(root))
        for row, chunked in zip(lost, in_folders, strict=True):
            found[row] = None if chunked is None else chunked[0]
        _warn_of_gaps(root, {folder: [begin_s for begin_s, _ in chunks] for folder, chunks in filter(None, in_folders)})
    seen = [name for name in names if name.lower().endswith(suffixes)]
    places = (
        None if name is None else root / name if scheme is None else Place(str(root), name, scheme) for name in found
    )
    return [None if place is None else str(place) for place in places], seen


def _warn_of_gaps(root: Path, begins_s: Mapping[str, Sequence[float]]) -> None:
    """Warn of videos that lack a chunk, by the names of the others."""
    gaps = gaps_by_name(list(begins_s.values()))
    lacking = [f"{folder}: {gap}" for folder, gap in zip(begins_s, gaps, strict=True) if gap]
    if lacking:
        warnings.warn(
            f"{root}: {len(lacking)} of {len(begins_s)} videos in chunks lack some, first: {lacking[0]}; get them, or "
            "training stops at their clips",
            stacklevel=4,
        )
