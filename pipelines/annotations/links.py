"""Linking samples to their media on disk."""

import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.annotations.checks import Checks
from pipelines.annotations.folder import Folder
from pipelines.annotations.left_out import LeftOut
from pipelines.artifacts import first_few
from pipelines.artifacts.files import require_file
from pipelines.artifacts.places import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Place
from pipelines.errors import InputError

Locate = Callable[[str], str | None]


def link(table: pa.Table, names: list[str], locate: Locate, root: Path, checks: Checks) -> pa.Table:
    """Give samples the column ``media``.

    Args:
        table: The samples.
        names: Name of each sample's medium, as ``locate`` takes it.
        locate: Gives the path or URI of a medium, None where it isn't on disk.
        root: Where media are, for the message.
        checks: Whether media may be missing; their samples are then left out.

    Raises:
        InputError: Media are missing (how many, which first) and may not be, or all are.
    """
    located = {name: locate(name) for name in dict.fromkeys(names)}
    missing = [name for name, place in located.items() if place is None]
    message = f"{root}: {len(missing):,} of {len(located):,} media are missing there, first: {first_few(missing)}"
    if len(missing) == len(located):
        raise InputError(f"{message}; is this the folder of the media?")
    media = pa.array([located[name] for name in names], pa.string())
    if missing:
        checks.incomplete(f"{message}; their {media.null_count:,} samples are left out")
        ids = table.column("sample_id").filter(pc.is_null(media)).to_pylist()
        checks.left_out.extend(LeftOut(root.name, None, name, "the medium is missing") for name in ids)
    return table.append_column("media", media).filter(pc.is_valid(media))


def images(root: Path, other_names: Callable[[str], tuple[str, ...]] = lambda name: ()) -> Locate:
    """Images by file name in a folder or zip: a path, or ``zip://NAME::ARCHIVE``.

    Args:
        root: Folder, searched at any depth, or zip.
        other_names: Names under which an image may be there as well.

    Raises:
        InputError: ``root`` is neither; or, when an image is looked up, two files have its name.
    """
    places: dict[str, list[str]] = defaultdict(list)
    if root.is_dir():
        for name, paths in Folder(root).by_name.items():
            places[name] = [str(path) for path in paths]
    else:
        require_file(root)
        try:
            with zipfile.ZipFile(root) as archive:
                for member in archive.namelist():
                    if not member.startswith("__MACOSX/"):
                        places[PurePosixPath(member).name].append(str(Place(str(root), member, "zip")))
        except zipfile.BadZipFile as error:
            raise InputError(f"{root}: neither a folder nor a complete zip archive ({error})") from error
    return lambda name: next((_only(places[n], n) for n in (name, *other_names(name)) if n in places), None)


def videos(root: Path) -> Locate:
    """Videos by file name without suffix, at any depth of a folder.

    Raises:
        InputError: ``root`` is not a folder; or, when a video is looked up, two files have its name.
    """
    places: dict[str, list[str]] = defaultdict(list)
    for name, paths in Folder(root).by_name.items():
        stem, dot, suffix = name.rpartition(".")
        if dot + suffix.lower() in VIDEO_SUFFIXES:
            places[stem] += [str(path) for path in paths]
    return lambda name: _only(places[name], name) if name in places else None


def shards(root: Path) -> Locate:
    """Images of img2dataset's shards: ``tar://KEY.jpg::TAR``, or a path where a shard is a folder.

    A medium's name is ``SHARD/KEY``, with the shard's path.

    Raises:
        InputError: ``root`` is not a folder; or, when an image is looked up, its tar is damaged.
    """
    folder = Folder(root)
    tars = {str(path.relative_to(root).with_suffix("")): path for path in folder.matching(r"\d{5,}\.tar")}
    places: dict[str, dict[str, str]] = {}

    def locate(name: str) -> str | None:
        shard, _, key = name.rpartition("/")
        if shard not in places:
            places[shard] = _images_in_tar(tars[shard]) if shard in tars else _images_in_folder(root / shard)
        return places[shard].get(key)

    return locate


def _images_in_tar(tar: Path) -> dict[str, str]:
    require_file(tar)
    try:
        with tarfile.open(tar) as archive:
            names = archive.getnames()
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"{tar}: not a complete tar archive ({error}); run img2dataset again") from error
    return {_key(name): str(Place(str(tar), name, "tar")) for name in names if _is_image(name)}


def _images_in_folder(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    return {_key(path.name): str(path) for path in sorted(folder.iterdir()) if _is_image(path.name)}


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not PurePosixPath(name).name.startswith("._")


def _key(name: str) -> str:
    """What names a sample of a shard: its files' name up to the first dot, as webdataset has it."""
    return PurePosixPath(name).name.partition(".")[0]


def _only(places: list[str], name: str) -> str:
    if len(places) > 1:
        raise InputError(f"{name}: {len(places)} media have this name: {places[0]} and {places[1]}; leave one of them")
    return places[0]
