"""Tables, published data sets and annotations that can't be read, or not without doubt.

Each command would write over ``o.parquet``, which is there, with ``--force``: a refusal leaves it as it is.
"""

import gzip
import io
import json
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bad_inputs.case import BadInput

NOT_UTF8 = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.array([0, 2, 4], pa.int32()).buffers()[1], pa.py_buffer(b"ab\xff\xfe")]
)
LONG = "x" * 500


def files(**contents: bytes | str) -> Callable[[Path], None]:
    """Writes files, ``a_csv`` as ``a.csv``, beside an earlier output."""

    def make(folder: Path) -> None:
        for name, content in {"o_parquet": b"earlier", **contents}.items():
            data = content if isinstance(content, bytes) else content.encode()
            (folder / name.replace("_", ".")).write_bytes(data)

    return make


def table(
    name: str,
    suffix: str,
    content: bytes | str,
    *says: str,
    options: str = "",
    text: str = "caption",
    named: bool = True,
) -> BadInput:
    """``prepare table`` on one file ``in.SUFFIX``, which the message has to name unless the fault is in the options."""
    command = f"prepare table in.{suffix} --text-column {text} -o o.parquet --force {options}"
    return BadInput(
        f"table-{name}",
        command,
        (*[f"in.{suffix}"] * named, *says),
        files(**{f"in_{suffix.replace('.', '_')}": content}),
    )


def parquet(columns: dict[str, Any] | pa.Table) -> bytes:
    """A Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), buffer)
    return buffer.getvalue()


def flipped(data: bytes, place: int) -> bytes:
    """The data with all bits of a byte turned."""
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("captions.csv", "caption\na\n")
    return buffer.getvalue()


def database(folder: Path) -> None:
    files()(folder)
    with sqlite3.connect(folder / "in.csv") as connection:
        connection.execute("create table captions (caption text)")
    connection.close()


def folder_of(*names: str) -> Callable[[Path], None]:
    """Makes the folder ``in`` with small tables."""

    def make(folder: Path) -> None:
        files()(folder)
        (folder / "in").mkdir()
        for name in names:
            (folder / "in" / name).write_text("caption\na\n")

    return make


def shards(**rows: list[Any]) -> Callable[[Path], None]:
    """Makes ``root/train/00000.parquet`` as img2dataset writes it, with some columns as given, and an empty tar."""

    def make(folder: Path) -> None:
        files()(folder)
        (folder / "root" / "train").mkdir(parents=True)
        columns = {"key": ["0", "1"], "caption": ["a", "b"], "url": ["http://h/0"] * 2, "status": ["success"] * 2}
        kept = {name: values for name, values in {**columns, **rows}.items() if values}
        pq.write_table(pa.table(kept), folder / "root" / "train" / "00000.parquet")
        with tarfile.open(folder / "root" / "train" / "00000.tar", "w"):
            pass

    return make


def root(name: str, content: bytes | str) -> Callable[[Path], None]:
    """Makes ``root/NAME``."""

    def make(folder: Path) -> None:
        files()(folder)
        (folder / "root").mkdir()
        (folder / "root" / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def annotations(**columns: Any) -> Callable[[Path], None]:
    """Makes ``in.parquet`` with ids and texts, some columns as given."""
    return files(in_parquet=parquet({"sample_id": ["a", "b"], "text": ["x", "y"], **columns}))


TABLE = "--text-column caption -o o.parquet --force"
GOOD_ROWS = parquet({"caption": ["a", "b"], "n": [1, 2]})

TEXT_FILES = [
    table("latin-1", "csv", b"caption,n\na,1\ncaf\xe9,2\n", "line 3, byte 4", "--encoding"),
    table("latin-1-header", "csv", b"caption,im\xffage\na,1\n", "line 1, byte 11", "--encoding"),
    table("utf-16-unmarked", "csv", "caption,n\na,1\n".encode("utf-16-le"), "NUL", "--encoding utf-16-le"),
    table("utf-16-unmarked-big", "csv", "caption,n\na,1\n".encode("utf-16-be"), "NUL", "--encoding utf-16-be"),
    table("half-utf-16", "csv", b"\xff\xfec\0a", "UTF-16", "--encoding"),
    table("nul-byte", "csv", "caption\n" + "a\n" * 3000 + "b\0\n", "line 3002", "NUL"),
    BadInput(
        "table-unknown-encoding",
        f"prepare table in.csv {TABLE} --encoding martian",
        ("--encoding martian", "latin-1"),
        files(in_csv="caption\na\n"),
    ),
    table("wrong-encoding", "csv", "caption\ncaf\xe9\n", "ASCII", "--encoding", options="--encoding ascii"),
    table("zip-named-csv", "csv", zipped(), "zip archive", "unpack"),
    table("gzip-named-csv", "csv", gzip.compress(b"caption\na\n"), "gzip", ".gz"),
    table("half-a-gzip", "csv.gz", gzip.compress(b"caption\n" + bytes(range(1, 200)) * 50)[:60], "truncated"),
    table("no-gzip", "csv.gz", "caption\na\n", "damaged"),
    table("no-zstd", "csv.zst", "caption\na\n", "damaged"),
    table("parquet-named-csv", "csv", GOOD_ROWS, "Parquet", ".parquet"),
    table("xlsx", "xlsx", zipped(), ".xlsx", "CSV"),
    BadInput("table-sqlite", f"prepare table in.csv {TABLE}", ("in.csv", "SQLite", "CSV"), database),
    table("no-suffix-known", "feather", "x", ".feather", ".parquet"),
    table("empty", "csv", "", "empty"),
    table("blank-lines-only", "csv", "\n\n\n", "no column 'caption'"),
    table("header-only", "csv", "caption,n\n", "no rows"),
]
CELLS = [
    table("too-few-cells", "csv", "caption,n\na,1\nb\n", "line 3", "1 cell", "--separator"),
    table("too-many-cells", "csv", "caption,n\na,1\nb,2,3\n", "line 3", "3 cells", "comma"),
    table("prose-commas", "csv", "caption,n\na dog, running,1\n", "line 2", "3 cells"),
    table("lone-quote-among-quotes", "csv", 'caption,n\n"a, b",1\n"open,2\nc,3\n', "line 3", "quote"),
    table("blank-after-quotes", "csv", 'caption,n\n"a" ,1\n', "line 2", "--quote"),
    table("quote-to-the-end", "csv", 'caption,n\n"a, b",1\n"c,2\nd,3\n', "line 3", "--quote"),
    table("quotes-over-rows", "tsv", 'image\tcaption\ni1\t"no\ni2\tentry"\n', "lines 2 to 3", "--quote none"),
    table("quote-not-used", "csv", 'caption,n\n"a, b",1\n', "line 2", "3 cells", options="--quote none"),
    table("text-after-quotes", "csv", f'caption,n\n"{"x" * 200_000}",1\n"y"z,2\n', "line 3", "--quote"),
    table("wrong-separator", "csv", "caption;n\na;1\n", "no column 'caption'", options="--separator comma"),
    table("header-repeats", "csv", "caption,caption\na,b\n", "repeats caption", "rename"),
    table("header-repeats-long", "csv", f"caption,{LONG},{LONG}\na,b,c\n", "repeats xxx", "..."),
    table("near-name", "csv", "Caption,n\na,1\n", "no column 'caption'", "did you mean 'Caption'"),
    table("many-columns", "csv", ",".join(f"column{i}" for i in range(300)) + "\n", "columns: column0", "..."),
    table("long-flag", "csv", "caption\na\n", "no column 'xxx", text=LONG),
    BadInput(
        "table-wide-separator",
        f"prepare table in.csv {TABLE} --separator ::",
        ("--separator '::'", "one character"),
        files(in_csv="caption\na\n"),
    ),
    BadInput(
        "table-wide-quote",
        f"prepare table in.csv {TABLE} --quote nothing",
        ("--quote 'nothing'", "none"),
        files(in_csv="caption\na\n"),
    ),
]
JSON = [
    table("null-line", "jsonl", "null\n", "line 1", "null", "object"),
    table("number-line", "jsonl", '{"caption": "a"}\n7\n', "line 2", "number", "object"),
    table("brackets", "jsonl", '{"caption": "a", "z": ' + "[" * 20_000 + "]" * 20_000 + "}\n", "line 1", "nested"),
    table("bracket-array", "json", "[" * 20_000, "nested", "array"),
    table("half-a-line", "jsonl", '{"caption": "a"}\n{"caption": "b\n', "line 2", "whole JSON object"),
    table("half-an-array", "json", '[{"caption": "a"}, {"capt', "JSON array"),
    table("array-of-strings", "json", '["a", "b"]', "element 1", "string", "object"),
    table("json-latin-1", "jsonl", b'{"caption": "a"}\n{"caption": "\xff\xfe"}\n', "line 2, byte 14", "--encoding"),
    table("coco", "json", json.dumps({"images": [{"id": 1}], "annotations": []}), "images, annotations", "rows"),
    table("coco-indented", "json", json.dumps({"images": [], "annotations": []}, indent=1), "images, annotations"),
    table("pandas-columns", "json", '{"caption": {"0": "a", "1": "b"}}', "not rows", "orient='records'"),
    table("indented-object", "json", '{\n "caption": "a"\n}\n', "one object", "array"),
    table("key-twice", "jsonl", '{"caption": "a", "caption": "b"}\n', "line 1", "'caption' occurs twice"),
    table("object-as-text", "jsonl", '{"caption": "a"}\n{"caption": {"raw": "b"}}\n', "row 2", "an object"),
    table("half-a-character", "jsonl", '{"caption": "\\ud800"}\n', "row 1", "half a character"),
    table("thousands-of-digits", "jsonl", '{"caption": "a", "n": ' + "9" * 5000 + "}\n", "line 1"),
    table("json-separator", "jsonl", '{"caption": "a"}\n', "--separator", "CSV", options="--separator tab"),
]
PARQUETS = [
    table("parquet-truncated", "parquet", GOOD_ROWS[:-20], "truncated"),
    table("parquet-flipped-footer", "parquet", flipped(GOOD_ROWS, len(GOOD_ROWS) - 60), "Parquet"),
    table("parquet-flipped-length", "parquet", flipped(GOOD_ROWS, len(GOOD_ROWS) - 7), "Parquet"),
    table("parquet-no-rows", "parquet", parquet({"caption": pa.array([], pa.string())}), "no rows"),
    table("parquet-not-utf8", "parquet", parquet({"caption": NOT_UTF8}), "'caption'", "UTF-8", "row 2"),
    table("parquet-is-csv", "parquet", "caption\na\n", "Parquet"),
    table("parquet-separator", "parquet", GOOD_ROWS, "--separator", options="--separator tab"),
    table(
        "float-ids",
        "parquet",
        parquet({"caption": ["a", "b"], "id": [143349558619761321.0, 143349558619761329.0]}),
        *("'id'", "row 1", "integers or text"),
        options="--id-column id",
    ),
    table(
        "image-as-media",
        "parquet",
        parquet({"caption": ["a"], "image": [{"bytes": b"x", "path": None}]}),
        *("'image'", "--media-id-column"),
        options="--media-column image",
    ),
    table("list-of-structs", "parquet", parquet({"caption": [[{"raw": "a"}]]}), "'caption'", "list"),
]
VALUES = [
    table("blank-text", "csv", "caption,n\na,1\n  ,2\n,3\n", "2 texts are empty", "row 2", "--allow-partial"),
    table("no-text-at-all", "csv", "caption,n\n,1\n", "--allow-partial"),
    BadInput(
        "table-nothing-left",
        f"prepare table in.csv {TABLE} --allow-partial",
        ("o.parquet", "every row", "row 1"),
        files(in_csv="caption,n\n,1\n"),
    ),
    table("ids-repeat", "csv", "caption,id\na,7\nb,7\n", "id occur more than once", "7", options="--id-column id"),
    table("long-ids-repeat", "csv", f"caption,id\na,{LONG}\nb,{LONG}\n", "xxx...", options="--id-column id"),
    table("no-id", "csv", "caption,id\na,7\nb,\n", "1 rows have no id", "row 2", options="--id-column id"),
    table("no-medium", "csv", "caption,f\na,x\nb,\n", "1 rows have no f", "row 2", options="--media-id-column f"),
    table("no-class", "csv", "caption,c\na,x\nb,\n", "1 rows have no c", "row 2", options="--class-column c"),
    table("start-no-number", "csv", "caption,t\na,1\nb,soon\n", "'soon'", "row 2", options="--start-column t"),
    table("start-a-date", "csv", "caption,t\na,00:01\n", "'00:01'", "seconds", options="--start-column t"),
    table("start-nan", "csv", "caption,t\na,1\nb,nan\n", "row 2", "start_s", options="--start-column t"),
    table("start-infinite", "csv", "caption,t\na,inf\n", "row 1", "start_s", options="--start-column t"),
    table("end-in-milliseconds", "csv", "caption,t\na,1e12\n", "10,000,000 s", options="--end-column t"),
    table(
        "end-before-start",
        "csv",
        "caption,s,e\na,1,2\nb,5,4\n",
        *("1 clips end before they start", "row 2"),
        options="--start-column s --end-column e",
    ),
]
TAILED = "caption,n\n" + "".join(f"c{row},{row % 2}\n" for row in range(9))
IMBALANCE = [
    table("imbalance-of-one", "csv", TAILED, "--imbalance 1", "above 1", options="--imbalance 1 --by n", named=False),
    table("imbalance-nan", "csv", TAILED, "--imbalance nan", "above 1", options="--imbalance nan --by n", named=False),
    table("imbalance-word", "csv", TAILED, "--imbalance", "number", options="--imbalance ten --by n", named=False),
    table("imbalance-by-nothing", "csv", TAILED, "--imbalance needs --by", options="--imbalance 9", named=False),
    table("profile-alone", "csv", TAILED, "--profile needs --imbalance", options="--profile zipf", named=False),
    table("by-alone", "csv", TAILED, "--by needs --imbalance", options="--by n", named=False),
    table("seed-alone", "csv", TAILED, "--seed needs --imbalance", options="--seed 0", named=False),
    table(
        "profile-unknown", "csv", TAILED, "--profile", "zipf", options="--imbalance 9 --by n --profile z", named=False
    ),
    table("imbalance-no-column", "csv", TAILED, "no column 'N'", "'n'", "n, media_id)", options="--imbalance 9 --by N"),
    table("imbalance-long-column", "csv", TAILED, "no column 'xxx", options=f"--imbalance 9 --by {LONG}"),
    table("imbalance-one-class", "csv", "caption,n\na,1\nb,1\n", "one class", options="--imbalance 9 --by n"),
    table("imbalance-null", "csv", "caption,n\na,1\nb,\n", "1 training media", "n", options="--imbalance 9 --by n"),
    table(
        "imbalance-no-train",
        "csv",
        "caption,n,split\na,1,test\nb,2,test\n",
        *("no rows of split 'train'", "test"),
        options="--imbalance 9 --by n",
    ),
    table(
        "imbalance-no-file",
        "csv",
        TAILED,
        "c.parquet",
        "no such file",
        options="--imbalance 9 --by c.parquet",
        named=False,
    ),
    table(
        "imbalance-other-clusters",
        "csv",
        TAILED,
        *("clusters.parquet", "9 of 9 samples are missing"),
        options="--imbalance 9 --by {good}/clusters.parquet",
        named=False,
    ),
    BadInput(
        "flickr8k-imbalance-no-column",
        "prepare flickr8k --captions in.csv -o o.parquet --force --imbalance 9 --by noun",
        ("in.csv", "no column 'noun'"),
        files(in_csv="image,caption,split\na.jpg,a,train\nb.jpg,b,train\n"),
    ),
]
PLACES = [
    BadInput("table-missing", f"prepare table in.cvs {TABLE}", ("no such file", "'in.csv'"), files(in_csv="x")),
    BadInput("table-long-name", f"prepare table {LONG}.csv {TABLE}", ("name", "long"), files()),
    BadInput("table-no-match", f"prepare table 'train-*.csv' {TABLE}", ("train-*.csv", "no file"), files()),
    BadInput("table-empty-folder", f"prepare table in {TABLE}", ("in:", "directory", "tables in it"), folder_of()),
    BadInput("table-mixed-folder", f"prepare table in {TABLE}", ("in:", ".csv, .tsv"), folder_of("a.csv", "b.tsv")),
    BadInput(
        "table-over-input",
        "prepare table in.csv --text-column caption -o in.csv",
        ("in.csv", "both"),
        files(in_csv="c"),
    ),
    BadInput(
        "table-list-taken",
        "prepare table in.csv --text-column caption -o o.parquet",
        ("o.left-out.csv", "move"),
        files(in_csv="caption\na\n", **{"o_left-out_csv": "mine"}),
    ),
    BadInput(
        "table-list-over-input",
        "prepare table o.left-out.csv --text-column caption -o o.parquet",
        ("o.left-out.csv", "another output"),
        files(**{"o_left-out_csv": "caption\na\n"}),
    ),
]
PUBLISHED = [
    BadInput(
        "cc3m-no-shards", "prepare cc3m --root root -o o.parquet --force", ("root", "00000.parquet"), root("a.txt", "x")
    ),
    BadInput(
        "cc3m-null-caption",
        "prepare cc3m --root root --split train -o o.parquet --force",
        ("root", "2 train rows", "--allow-partial"),
        shards(caption=["a", None]),
    ),
    BadInput(
        "cc3m-no-key",
        "prepare cc3m --root root --split train -o o.parquet --force --allow-partial",
        ("00000.parquet", "no column 'key'"),
        shards(key=[]),
    ),
    BadInput(
        "cc3m-failed-all",
        "prepare cc3m --root root --split train -o o.parquet --force --allow-partial",
        ("every row",),
        shards(status=["failed_to_download"] * 2),
    ),
    BadInput(
        "cc3m-no-images",
        "prepare cc3m --root root --media-root root --split train -o o.parquet --force --allow-partial",
        ("root", "2 of 2 media", "folder of the media"),
        shards(),
    ),
    BadInput(
        "cc3m-huge-shard",
        "prepare cc3m --root root --split train -o o.parquet --force",
        ("root", "99999999999.parquet"),
        root("99999999999.parquet", GOOD_ROWS),
    ),
    BadInput(
        "flickr30k-half",
        "prepare flickr30k --root root -o o.parquet --force",
        ("dataset_flickr30k.json", "JSON"),
        root("dataset_flickr30k.json", '{"images": ['),
    ),
    BadInput(
        "flickr30k-other-layout",
        "prepare flickr30k --root root -o o.parquet --force",
        ("dataset_flickr30k.json", "no 'images'", "published layout"),
        root("dataset_flickr30k.json", "{}"),
    ),
    BadInput(
        "flickr30k-brackets",
        "prepare flickr30k --root root -o o.parquet --force",
        ("dataset_flickr30k.json", "JSON"),
        root("dataset_flickr30k.json", "[" * 20_000),
    ),
    BadInput(
        "msrvtt-latin-1",
        "prepare msrvtt --root root --split test -o o.parquet --force",
        ("MSRVTT_JSFUSION_test.csv", "line 2", "UTF-8"),
        root("MSRVTT_JSFUSION_test.csv", b"key,video_id,sentence\nk,v,caf\xe9\n"),
    ),
    BadInput(
        "flickr8k-no-image-name",
        "prepare flickr8k --captions in.csv -o o.parquet --force",
        ("in.csv", "1 rows have no image", "row 2"),
        files(in_csv="image,caption\na.jpg,a\n,b\n"),
    ),
    BadInput(
        "flickr8k-no-caption",
        "prepare flickr8k --captions in.csv -o o.parquet --force",
        ("in.csv", "1 texts are empty", "row 2 (a.jpg#1)", "--allow-partial"),
        files(in_csv="image,caption\na.jpg,a\na.jpg,\n"),
    ),
]
EMBED = [
    BadInput(f"embed-{name}", "embed in.parquet -o o.parquet --force", ("in.parquet", *says), make)
    for name, says, make in (
        ("no-text", ("no column 'text'",), files(in_parquet=parquet({"sample_id": ["a"], "tex": ["x"]}))),
        ("no-id", ("no column 'sample_id'",), files(in_parquet=parquet({"id": ["a"], "text": ["x"]}))),
        ("blank-text", ("1 texts are empty", "row 2 (b)", "--allow-partial"), annotations(text=["x", " "])),
        ("long-ids-repeat", ("sample_id occur more than once", "..."), annotations(sample_id=[LONG, LONG])),
        ("null-id", ("1 rows have no sample_id",), annotations(sample_id=["a", None])),
        ("not-utf8-text", ("'text'", "UTF-8", "row 2"), annotations(text=NOT_UTF8)),
        ("not-utf8-id", ("'sample_id'", "UTF-8", "row 2"), annotations(sample_id=NOT_UTF8)),
        ("float-ids", ("'sample_id'", "row 1"), annotations(sample_id=[2.0**60, 2.0**61])),
        ("list-text", ("'text'", "list"), annotations(text=[["x"], ["y"]])),
        ("truncated", ("truncated",), files(in_parquet=parquet({"sample_id": ["a"], "text": ["x"]})[:-9])),
        ("csv", ("Parquet", "prepare table"), files(in_parquet="sample_id,text\na,x\n")),
    )
]
CASES = [*TEXT_FILES, *CELLS, *JSON, *PARQUETS, *VALUES, *IMBALANCE, *PLACES, *PUBLISHED, *EMBED]
