"""Media that can't be found, read or decoded, and annotations that say wrong things of them."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from bad_inputs.case import BadInput

LONG = "x" * 3000
EMBED = "embed a.parquet -o f.parquet --model {good}/run-pixels --device cpu --media"
TRAIN = (
    "train a.parquet -o run --text-model {good}/clip --media-model {good}/clip --temperature fixed --device cpu --media"
)
CLIPS = "embed a.parquet -o f.parquet --model {good}/clip --device cpu --frames 2 --media"


def picture(form: str = "PNG", mode: str = "RGB") -> bytes:
    """A small image."""
    data = io.BytesIO()
    Image.new(mode, (16, 16)).save(data, form)
    return data.getvalue()


def huge() -> bytes:
    """A PNG whose header claims 50,000 pixels a side."""
    data = bytearray(picture())
    data[16:24] = struct.pack(">II", 50_000, 50_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


def annotations(folder: Path, *ids: str, **columns: list[Any]) -> None:
    """Annotations of some media."""
    samples = [f"s{number}" for number in range(len(ids))]
    table = {"sample_id": samples, "text": samples, "media_id": list(ids), **columns}
    pq.write_table(pa.table(table), folder / "a.parquet")


def tar(path: Path, *names: str, data: bytes | None = None) -> None:
    """A tar of images."""
    import tarfile

    with tarfile.open(path, "w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(data or picture())
            archive.addfile(info, io.BytesIO(data or picture()))


def zipped(path: Path, *names: str, data: bytes | None = None) -> None:
    """A zip of images."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data or picture())


def files(folder: Path, *names: str, data: bytes | None = None) -> None:
    """A folder of images."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data or picture())


def having(
    *ids: str, then: Callable[[Path], object] = lambda folder: None, **columns: list[Any]
) -> Callable[[Path], None]:
    """Writes annotations of some media, then the media."""

    def make(folder: Path) -> None:
        annotations(folder, *ids, **columns)
        then(folder)

    return make


def damaged(name: str, data: bytes) -> Callable[[Path], None]:
    """One image of these bytes in a folder."""
    return having(name, then=lambda folder: files(folder / "m", name, data=data))


def cut(path: Path, keep: float) -> None:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def broken_index(folder: Path) -> None:
    """A zip whose index names another place of its file."""
    zipped(folder / "m.zip", "a.png")
    data = bytearray((folder / "m.zip").read_bytes())
    data[data.rindex(b"PK\x01\x02") + 42] = 200
    (folder / "m.zip").write_bytes(bytes(data))


def parquet(**columns: object) -> Callable[[Path], None]:
    """A Parquet file of media."""
    return lambda folder: pq.write_table(pa.table(columns), folder / "m.parquet")


def flipped(folder: Path) -> None:
    """A Parquet file of media with a damaged footer."""
    parquet(image_id=["a"], jpg=[picture()])(folder)
    data = bytearray((folder / "m.parquet").read_bytes())
    data[-60:-20] = bytes(40)
    (folder / "m.parquet").write_bytes(bytes(data))


CASES = [
    # Where media are
    BadInput("media-missing-folder", f"{EMBED} nowhere", ("nowhere", "no such file"), having("a")),
    BadInput(
        "media-near-name",
        f"{EMBED} imagse.zip",
        ("imagse.zip", "did you mean 'images.zip'"),
        having("a", then=lambda f: zipped(f / "images.zip", "a.png")),
    ),
    BadInput(
        "media-root-of-file-system", f"{EMBED} /", ("/: is the root of the file system", "give the folder"), having("a")
    ),
    BadInput("train-media-root-of-file-system", f"{TRAIN} /", ("is the root of the file system",), having("a")),
    BadInput(
        "media-empty-folder",
        f"{EMBED} m",
        ("1 of 1 media are missing", "a; it holds no media"),
        having("a", then=lambda f: (f / "m").mkdir()),
    ),
    BadInput(
        "media-empty-file", f"{EMBED} m.zip", ("m.zip", "0 bytes"), having("a", then=lambda f: (f / "m.zip").touch())
    ),
    BadInput(
        "media-of-another-format",
        f"{EMBED} m.rar",
        ("m.rar",),
        having("a", then=lambda f: (f / "m.rar").write_bytes(b"Rar!")),
    ),
    BadInput(
        "media-missing-names-two",
        f"{EMBED} m",
        ("2 of 3 media are missing", "first: a, b", "it holds c.png"),
        having("a", "b", "c", then=lambda f: files(f / "m", "c.png")),
    ),
    BadInput(
        "media-missing-in-zip",
        f"{EMBED} m.zip",
        ("m.zip: 1 of 2", "first: a; it holds b.png"),
        having("a", "b", then=lambda f: zipped(f / "m.zip", "b.png")),
    ),
    BadInput(
        "media-missing-in-tar",
        f"{EMBED} m.tar",
        ("m.tar: 1 of 2", "first: a; it holds b.png"),
        having("a", "b", then=lambda f: tar(f / "m.tar", "b.png")),
    ),
    BadInput(
        "media-long-id",
        f"{EMBED} m",
        ("1 of 1 media are missing", "xxx..."),
        having(LONG, then=lambda f: files(f / "m", "c.png")),
    ),
    BadInput(
        "media-long-id-train",
        f"{TRAIN} m",
        ("m: 1 of 1 media are missing", "xxx..."),
        having(LONG, then=lambda f: files(f / "m", "c.png")),
    ),
    BadInput(
        "media-damaged-in-the-first-batch",
        f"{TRAIN} m --epochs 1 --batch-size 2",
        ("can't be decoded", "--max-bad 1"),
        having("a", "b", then=lambda f: files(f / "m", "a.png", "b.png", data=b"x")),
    ),
    BadInput(
        "media-id-goes-up",
        f"{EMBED} m",
        ("1 of 1 media are missing", "../b.png"),
        having("../b.png", then=lambda f: (files(f, "b.png"), files(f / "m", "c.png"))),
    ),
    BadInput(
        "media-two-of-a-name",
        f"{EMBED} m",
        ("two media have the name a", "x/a.png and y/a.jpg", "name one by its path"),
        having("a", then=lambda f: files(f / "m", "x/a.png", "y/a.jpg")),
    ),
    BadInput(
        "media-two-in-zip",
        f"{EMBED} m.zip",
        ("m.zip: two media have the name a", "a.png and b/a.png"),
        having("a", then=lambda f: zipped(f / "m.zip", "a.png", "b/a.png")),
    ),
    BadInput(
        "media-two-parts-of-a-key",
        f"{EMBED} m.tar",
        ("m.tar: two media have the name 000", "000.img.png and 000.seg.png"),
        having("000", then=lambda f: tar(f / "m.tar", "000.img.png", "000.seg.png")),
    ),
    BadInput(
        "media-in-two-tars",
        f"{EMBED} m",
        ("a.png of 0.tar and a.png of 1.tar", "leave one"),
        having("a", then=lambda f: ((f / "m").mkdir(), tar(f / "m/0.tar", "a.png"), tar(f / "m/1.tar", "a.png"))),
    ),
    # Archives
    BadInput(
        "zip-slip",
        f"{EMBED} m.zip",
        ("m.zip: the name of member ../a.png leads out", "relative names"),
        having("a", then=lambda f: zipped(f / "m.zip", "a.png", "../a.png")),
    ),
    BadInput(
        "zip-absolute",
        f"{EMBED} m.zip",
        ("/etc/a.png leads out of the archive",),
        having("a", then=lambda f: zipped(f / "m.zip", "/etc/a.png")),
    ),
    BadInput(
        "tar-absolute",
        f"{EMBED} m.tar",
        ("m.tar: the name of member /abs/a.png leads out",),
        having("a", then=lambda f: tar(f / "m.tar", "/abs/a.png")),
    ),
    BadInput(
        "tar-goes-up",
        f"{TRAIN} m.tar",
        ("m.tar: the name of member x/../../a.png leads out",),
        having("a", then=lambda f: tar(f / "m.tar", "x/../../a.png")),
    ),
    BadInput(
        "zip-that-is-none",
        f"{EMBED} m.zip",
        ("m.zip: not a complete zip archive", "copy or make it again"),
        having("a", then=lambda f: (f / "m.zip").write_bytes(b"no zip" * 99)),
    ),
    BadInput(
        "zip-cut",
        f"{EMBED} m.zip",
        ("m.zip: not a complete zip archive",),
        having("a", then=lambda f: (zipped(f / "m.zip", "a.png"), cut(f / "m.zip", 0.7))),
    ),
    BadInput("zip-index-damaged", f"{EMBED} m.zip", ("m.zip",), having("a", then=broken_index)),
    BadInput(
        "tar-cut",
        f"{EMBED} m.tar",
        ("m.tar: not a complete, uncompressed tar",),
        having("a", then=lambda f: (tar(f / "m.tar", "a.png", data=bytes(9000)), cut(f / "m.tar", 0.3))),
    ),
    BadInput(
        "tar-compressed",
        f"{EMBED} m.tar",
        ("m.tar: not a complete, uncompressed tar", "gunzip"),
        having(
            "a",
            then=lambda f: (
                tar(f / "n.tar", "a.png"),
                (f / "m.tar").write_bytes(gzip.compress((f / "n.tar").read_bytes())),
            ),
        ),
    ),
    BadInput(
        "shard-missing",
        f"{EMBED} m-{{0..1}}.tar",
        ("m-1.tar: no such file",),
        having("a", then=lambda f: tar(f / "m-0.tar", "a.png")),
    ),
    BadInput(
        "shards-backwards", f"{EMBED} m-{{3..1}}.tar", ("{3..1} names no files", "lower number first"), having("a")
    ),
    BadInput(
        "shards-too-many",
        f"{EMBED} m-{{0..99999999}}.tar",
        ("{0..99999999} names more than 1,000,000 files",),
        having("a"),
    ),
    BadInput(
        "shards-nested",
        f"{EMBED} m-{{0..999}}{{0..999}}{{0..999}}.tar",
        ("3 ranges together name more than 1,000,000 files",),
        having("a"),
    ),
    BadInput(
        "shards-long-number",
        f"{EMBED} m-{{0..{'9' * 40}}}.tar",
        ("names more than 1,000,000 files", "give fewer"),
        having("a"),
    ),
    # Images
    BadInput(
        "image-text",
        f"{EMBED} m",
        ("image a.png can't be decoded", "not an image in a known format", "--max-bad"),
        damaged("a.png", b"not an image"),
    ),
    BadInput("image-empty", f"{EMBED} m", ("image a.png can't be decoded",), damaged("a.png", b"\0")),
    BadInput("image-cut", f"{EMBED} m", ("image a.png can't be decoded",), damaged("a.png", picture()[:50])),
    BadInput(
        "image-jpeg-cut",
        f"{EMBED} m",
        ("image a.jpg can't be decoded", "Truncated"),
        damaged("a.jpg", picture("JPEG")[:-200]),
    ),
    BadInput(
        "image-of-50000-pixels",
        f"{EMBED} m",
        ("image a.png can't be decoded", "2500000000 pixels", "exceeds limit"),
        damaged("a.png", huge()),
    ),
    BadInput(
        "image-of-floats",
        f"{EMBED} m",
        ("image a.tiff can't be decoded", "floats", "store 8 or 16 bits"),
        damaged("a.tiff", picture("TIFF", "F")),
    ),
    BadInput(
        "image-postscript",
        f"{EMBED} m",
        ("image a.jpg can't be decoded", "not an image in a known format"),
        damaged("a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    ),
    BadInput(
        "images-where-clips-are-wanted",
        f"{CLIPS} m",
        ("a.png is an image", "but --frames and video models take videos"),
        damaged("a.png", picture()),
    ),
    BadInput("clips-where-images-are-wanted", f"{EMBED} m", ("a.mp4 is a video", "--frames"), damaged("a.mp4", b"x")),
    BadInput(
        "video-text", f"{CLIPS} m", ("clip a.mp4 can't be decoded", "--max-bad"), damaged("a.mp4", b"no video" * 99)
    ),
    # Parquet
    BadInput(
        "parquet-missing-id",
        f"{EMBED} m.parquet",
        ("m.parquet: 1 of 1 media are missing", "first: a; it holds b"),
        having("a", then=parquet(image_id=["b"], jpg=[picture()])),
    ),
    BadInput(
        "parquet-id-twice",
        f"{EMBED} m.parquet",
        ("m.parquet: 1 values of image_id occur more than once, first: a",),
        having("a", then=parquet(image_id=["a", "a"], jpg=[picture()] * 2)),
    ),
    BadInput(
        "parquet-two-columns-of-ids",
        f"{EMBED} m.parquet",
        ("image_id and id both hold the ids", "media_id"),
        having("0", "1", then=parquet(image_id=[0, 1], id=[1, 0], jpg=[picture()] * 2)),
    ),
    BadInput(
        "parquet-null-bytes",
        f"{EMBED} m.parquet",
        ("m.parquet: image a can't be decoded", "no bytes of it"),
        having("a", then=parquet(image_id=["a"], jpg=pa.array([None], pa.binary()))),
    ),
    BadInput(
        "parquet-without-bytes",
        f"{EMBED} m.parquet",
        ("m.parquet", "a vision model takes images"),
        having("a", then=parquet(image_id=["a"], image=["a.jpg"])),
    ),
    BadInput(
        "parquet-cut",
        f"{EMBED} m.parquet",
        ("m.parquet", "truncated or damaged Parquet file"),
        having("a", then=lambda f: (parquet(image_id=["a"], jpg=[picture()])(f), cut(f / "m.parquet", 0.6))),
    ),
    BadInput("parquet-flipped", f"{EMBED} m.parquet", ("m.parquet",), having("a", then=flipped)),
    # What annotations say
    BadInput(
        "clip-ends-before-it-starts",
        f"{CLIPS} m",
        ("a.parquet: 1 media end before they start", "correct the times"),
        having("a", start_s=[2.0], end_s=[1.0], then=lambda f: files(f / "m", "a.mp4")),
    ),
    BadInput(
        "clip-before-its-video",
        f"{CLIPS} m",
        ("a.parquet: 1 media end before their video begins",),
        having("a", start_s=[-4.0], end_s=[-1.0], then=lambda f: files(f / "m", "a.mp4")),
    ),
    BadInput(
        "clip-without-end",
        f"{CLIPS} m",
        ("a.parquet: 1 media have infinite times",),
        having("a", start_s=[0.0], end_s=[float("inf")], then=lambda f: files(f / "m", "a.mp4")),
    ),
    BadInput(
        "media-that-samples-disagree-on",
        f"{CLIPS} m",
        ("1 media have samples that differ in 'start_s'", "give each its media_id"),
        having("a", "a", start_s=[1.0, 2.0], then=lambda f: files(f / "m", "a.mp4")),
    ),
    BadInput(
        "no-column-media", f"{EMBED} annotations", ("a.parquet: has no column 'media'", "give --media"), having("a")
    ),
    BadInput(
        "media-of-annotations-gone",
        f"{EMBED} annotations",
        ("column 'media': 1 of 1 media are missing", "a (gone.png)"),
        having("a", media=["gone.png"]),
    ),
    BadInput(
        "media-of-annotations-a-url",
        f"{EMBED} annotations",
        ("https://x/1.jpg", "can't be read"),
        having("a", media=["https://x/1.jpg"]),
    ),
    BadInput(
        "media-of-annotations-long",
        f"{EMBED} annotations",
        ("column 'media': 1 of 1 media are missing",),
        having("a", media=[LONG]),
    ),
    BadInput(
        "media-of-annotations-zip-gone",
        f"{EMBED} annotations",
        ("gone.zip: no such file",),
        having("a", media=["zip://a.png::gone.zip"]),
    ),
    BadInput(
        "prepare-media-root-of-file-system",
        "prepare cc3m --root m --media-root / -o o.parquet --allow-partial --split train",
        ("is the root of the file system",),
        lambda f: (
            (f / "m").mkdir(),
            pq.write_table(
                pa.table({"url": ["u"], "caption": ["c"], "key": ["0"], "status": ["success"]}), f / "m/00000.parquet"
            ),
        )[0],
    ),
]
