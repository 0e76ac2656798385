"""``prepare table``: any table becomes annotations."""

import json
import warnings

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.annotations import prepare_table
from pipelines.artifacts import ANNOTATIONS, read_table
from pipelines.errors import InputError

ROWS = [
    {"caption": "A dog", "image": "1.jpg", "split": "train", "noun": 3, "begin": 0.5},
    {"caption": "A cat", "image": "1.jpg", "split": "train", "noun": 4, "begin": 1.0},
    {"caption": "A dog", "image": "2.jpg", "split": "test", "noun": 3, "begin": 2.0},
]


def write(path, rows=ROWS):
    if path.suffix in (".csv", ".tsv"):
        mark = "," if path.suffix == ".csv" else "\t"
        lines = [mark.join(rows[0]), *(mark.join(str(value) for value in row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def prepared(source, tmp_path, **options) -> dict[str, list]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = prepare_table(source, tmp_path / "out.parquet", force=True, **{"text_column": "caption", **options})
    return pq.read_table(result.output).to_pydict()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet"])
def test_every_format_gives_the_same_annotations(tmp_path, suffix) -> None:
    source = write(tmp_path / f"in{suffix}")
    assert prepared(source, tmp_path, media_column="image", split_column="split", start_column="begin") == {
        "sample_id": ["1.jpg#d2894c61", "1.jpg#a7a8377f", "2.jpg#d2894c61"],
        "text": ["A dog", "A cat", "A dog"],
        "media_id": ["1.jpg", "1.jpg", "2.jpg"],
        "media": ["1.jpg", "1.jpg", "2.jpg"],
        "start_s": [0.5, 1.0, 2.0],
        "split": ["train", "train", "test"],
        "noun": [3, 4, 3],
    }


def test_annotations_are_of_their_kind_and_summed_up(tmp_path) -> None:
    source = write(tmp_path / "in.csv")
    result = prepare_table(source, tmp_path / "out.parquet", text_column="caption", media_id_column="image")
    assert read_table(result.output, ANNOTATIONS).num_rows == 3
    assert result.summary == {"rows": 3, "distinct_texts": 2, "media": 2, "splits": {"train": 2, "test": 1}}
    assert not result.up_to_date


@pytest.mark.parametrize("media", [{}, {"media_id_column": "image"}])
def test_made_ids_do_not_depend_on_the_order_of_rows(tmp_path, media) -> None:
    forward = prepared(write(tmp_path / "a.csv"), tmp_path, **media)
    backward = prepared(write(tmp_path / "b.csv", ROWS[::-1]), tmp_path, **media)
    assert len(set(forward["sample_id"])) == 3
    assert set(forward["sample_id"]) == set(backward["sample_id"])
    text_of = dict(zip(backward["sample_id"], backward["text"], strict=True))
    assert [text_of[sample_id] for sample_id in forward["sample_id"]] == forward["text"]


def test_made_ids_are_these(tmp_path) -> None:
    """Ids are in users' files: another version of mmts has to make the same ones."""
    ids = prepared(write(tmp_path / "in.csv"), tmp_path)["sample_id"]
    assert ids == ["d2894c61cfd420d0#0", "a7a8377f6368041e#0", "d2894c61cfd420d0#1"]
    ids = prepared(write(tmp_path / "in.csv", [*ROWS, ROWS[0]]), tmp_path, media_id_column="image")["sample_id"]
    assert ids == ["1.jpg#d2894c61", "1.jpg#a7a8377f", "2.jpg#d2894c61", "1.jpg#d2894c61#1"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_ids_that_look_like_numbers_stay_text(tmp_path, suffix) -> None:
    rows = [{"caption": "x", "id": "007"}, {"caption": "y", "id": "08"}]
    source = write(tmp_path / f"in{suffix}", rows)
    assert prepared(source, tmp_path, id_column="id")["sample_id"] == ["007", "08"]


def test_columns_with_our_names_need_no_flags(tmp_path) -> None:
    rows = [{"sample_id": "01", "text": "x", "media_id": "001", "split": "1", "start_s": 2, "other": 5}]
    assert prepared(write(tmp_path / "in.csv", rows), tmp_path, text_column="text") == {
        "sample_id": ["01"],
        "text": ["x"],
        "media_id": ["001"],
        "start_s": [2.0],
        "split": ["1"],
        "other": [5],
    }


def test_a_column_that_loses_its_name_is_warned_of(tmp_path) -> None:
    source = write(tmp_path / "in.csv", [{"text": "raw", "caption": "clean"}])
    with pytest.warns(UserWarning, match=r"in\.csv: column 'text' is dropped, 'caption' takes its name"):
        prepare_table(source, tmp_path / "out.parquet", text_column="caption")
    assert pq.read_table(tmp_path / "out.parquet").column("text").to_pylist() == ["clean"]


def test_a_class_can_serve_as_text_and_stay_a_class(tmp_path) -> None:
    columns = prepared(write(tmp_path / "in.csv"), tmp_path, text_column="noun", class_columns=["noun"])
    assert columns["text"] == ["3", "4", "3"]
    assert columns["noun"] == [3, 4, 3]


def test_texts_keep_commas_quotes_and_line_breaks(tmp_path) -> None:
    (tmp_path / "in.csv").write_text('caption,n\n"a, ""b""\nc",1\nnull,2\nNA,3\n')
    assert prepared(tmp_path / "in.csv", tmp_path)["text"] == ['a, "b"\nc', "null", "NA"]


def test_empty_cells_are_null(tmp_path) -> None:
    (tmp_path / "in.csv").write_text("caption,noun,size\nx,,1\ny,b,\n")
    columns = prepared(tmp_path / "in.csv", tmp_path)
    assert (columns["noun"], columns["size"]) == ([None, "b"], [1, None])


REFUSALS = [
    ("caption\nx\n", {"text_column": "captoin"}, r"no column 'captoin'; did you mean 'caption'\? \(columns: caption\)"),
    ("caption,id\nx,1\n", {"id_column": "ids"}, r"no column 'ids'; did you mean 'id'"),
    ("caption,noun\nx,1\n", {"class_columns": ["nouns"]}, r"no column 'nouns'; did you mean 'noun'"),
    ("caption,t\nx,1\n", {"start_column": "time"}, r"no column 'time'"),
    ("caption,id\nx,7\ny,7\nz,8\n", {"id_column": "id"}, "1 values of id occur more than once, first: 7"),
    ("caption,id\nx,7\ny,\n", {"id_column": "id"}, "1 rows have no id"),
    ("caption,noun\nx,a\ny,\n", {"class_columns": ["noun"]}, "1 rows have no noun"),
    ("caption,t\nx,soon\n", {"start_column": "t"}, "column 't' has 'soon' in row 1; seconds were expected"),
    ("caption\n", {}, "has no rows"),
    ("caption,caption\nx,y\n", {}, "the header repeats caption"),
    ("caption,id\nx\n", {}, r"line 2 has 1 cell, the header 2 \(separator: comma\); correct it"),
]


@pytest.mark.parametrize(("content", "options", "message"), REFUSALS)
def test_refusals(tmp_path, content, options, message) -> None:
    (tmp_path / "in.csv").write_text(content)
    with pytest.raises(InputError, match=r"in\.csv: " + message) as caught:
        prepare_table(tmp_path / "in.csv", tmp_path / "out.parquet", **{"text_column": "caption", **options})
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.xlsx", b"x", "can't read '.xlsx' files; expected one of .csv, .tsv"),
        ("in.json", b'[{"caption": "x"}', r"not a whole JSON array \(.*\); get the file again"),
        ("in.jsonl", b'{"caption": "x"', r"line 1 is not a whole JSON object \(.*\); one a line, or an array, was"),
        ("in.csv", b"caption\n\xff\xfe\n", r"isn't UTF-8 text \(line 2, byte 1\); give its encoding"),
        ("in.parquet", b"PAR1 and so on", "truncated or damaged Parquet file"),
    ],
)
def test_files_of_other_formats_are_refused(tmp_path, name, content, message) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        prepare_table(tmp_path / name, tmp_path / "out.parquet", text_column="caption")


def test_a_list_of_objects_is_no_text(tmp_path) -> None:
    source = write(tmp_path / "in.parquet", [{"caption": [{"raw": "a"}, {"raw": "b"}]}])
    with pytest.raises(InputError, match=r"column 'caption' is list<.*, can't be read as string"):
        prepare_table(source, tmp_path / "out.parquet", text_column="caption")


@pytest.mark.slow
def test_a_column_that_turns_to_text_late_in_the_file_is_text(tmp_path) -> None:
    """Types are inferred from the whole file, not from its first block."""
    rows = [f"caption {row},{row}" for row in range(150_000)]
    (tmp_path / "in.csv").write_text("\n".join(["caption,noun", *rows, "last,unknown"]) + "\n")
    assert prepared(tmp_path / "in.csv", tmp_path)["noun"][-2:] == ["149999", "unknown"]


def test_splits_get_their_plain_names(tmp_path) -> None:
    rows = [{"caption": name, "Part": name} for name in ("Train", "validation", "TEST", "extra")]
    with pytest.warns(UserWarning, match=r"in\.csv: splits read by their plain names: 'Train' as train, "):
        result = prepare_table(
            write(tmp_path / "in.csv", rows), tmp_path / "out.parquet", text_column="caption", split_column="Part"
        )
    assert pq.read_table(result.output).column("split").to_pylist() == ["train", "val", "test", "extra"]


CAPTIONS = pa.array([["a dog", "a brown dog"], ["a cat"]])


def test_a_list_of_captions_gives_samples_of_one_medium(tmp_path) -> None:
    pq.write_table(pa.table({"file": ["a.jpg", "b.jpg"], "caption": CAPTIONS, "n": [1, 2]}), tmp_path / "in.parquet")
    columns = prepared(tmp_path / "in.parquet", tmp_path, media_id_column="file")
    assert columns["text"] == ["a dog", "a brown dog", "a cat"]
    assert (columns["media_id"], columns["n"]) == (["a.jpg", "a.jpg", "b.jpg"], [1, 1, 2])
    assert len(set(columns["sample_id"])) == 3


def test_ids_of_a_list_of_captions(tmp_path) -> None:
    pq.write_table(pa.table({"id": [7, 8], "caption": CAPTIONS}), tmp_path / "in.parquet")
    columns = prepared(tmp_path / "in.parquet", tmp_path, id_column="id")
    assert (columns["sample_id"], columns["media_id"]) == (["7#0", "7#1", "8#0"], ["7", "7", "8"])
    pq.write_table(pa.table({"caption": CAPTIONS}), tmp_path / "in.parquet")
    first, second, third = prepared(tmp_path / "in.parquet", tmp_path)["media_id"]
    assert first == second != third


def test_an_empty_list_is_a_row_without_text(tmp_path) -> None:
    pq.write_table(pa.table({"caption": pa.array([["a"], [], None, ["b", ""]])}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match=r"3 texts are empty, first: row 2 .*, row 3 .*, row 4 "):
        prepared(tmp_path / "in.parquet", tmp_path)


def images(path, paths, **columns) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": b"an image", "path": path} for path in paths], kind)
    pq.write_table(pa.table({"image": rows, "caption": [f"caption {n}" for n in range(len(paths))], **columns}), path)


def test_parquet_with_images_gives_annotations_without_them(tmp_path) -> None:
    images(tmp_path / "in.parquet", [None, None], image_id=[7, 8])
    columns = prepared(tmp_path / "in.parquet", tmp_path, media_id_column="image_id")
    assert list(columns) == ["sample_id", "text", "media_id"]
    assert columns["media_id"] == ["7", "8"]


@pytest.mark.parametrize(
    ("paths", "media_ids"), [(["a.jpg", "b.jpg"], ["a.jpg", "b.jpg"]), ([None, None], ["in.parquet#0", "in.parquet#1"])]
)
def test_media_in_parquet_without_ids_are_named_by_the_rule_that_media_go_by(tmp_path, paths, media_ids) -> None:
    images(tmp_path / "in.parquet", paths)
    assert prepared(tmp_path / "in.parquet", tmp_path)["media_id"] == media_ids


@pytest.mark.parametrize("source", ["data", "data/*.parquet"])
def test_shards_are_one_table_and_their_names_tell_the_split(tmp_path, source) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("about")
    for split, name in (("train", "a"), ("validation", "b"), ("test", "c")):
        images(tmp_path / "data" / f"{split}-00000-of-00001.parquet", [f"{name}.jpg"])
    columns = prepared(tmp_path / source, tmp_path)
    assert dict(zip(columns["media_id"], columns["split"], strict=True)) == {
        "a.jpg": "train",
        "b.jpg": "val",
        "c.jpg": "test",
    }


def test_shards_that_are_not_alike(tmp_path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "a.jsonl", [{"caption": "x", "n": 1}])
    write(tmp_path / "data" / "b.jsonl", [{"caption": "y", "m": 2}])
    assert prepared(tmp_path / "data", tmp_path)["n"] == [1, None]
    write(tmp_path / "data" / "b.jsonl", [{"caption": "y", "n": [2]}])
    with pytest.raises(InputError, match=r"a\.jsonl and 1 more: their columns differ \(.*\); write them alike"):
        prepared(tmp_path / "data", tmp_path)


def test_failed_downloads_of_img2dataset_are_left_out_and_listed(tmp_path) -> None:
    rows = [
        {"key": f"k{n}", "url": "http://h", "status": status, "caption": "a"}
        for n, status in enumerate(["success", "failed"])
    ]
    with pytest.warns(UserWarning, match="1 images could not be downloaded, first: row 2"):
        result = prepare_table(
            write(tmp_path / "00000.parquet", rows),
            tmp_path / "o.parquet",
            text_column="caption",
            media_id_column="key",
        )
    assert pq.read_table(result.output).column("media_id").to_pylist() == ["k0"]
    assert (tmp_path / "o.left-out.csv").read_text().splitlines()[1:] == [
        "00000.parquet,2,,images could not be downloaded"
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,Training\nb,\nc,Holdout\n", r"2 of 3 rows are not in train, val or test \(no split: 1, Holdout: 1\)"),
        ("a,test\nb,Holdout\n", r"1 of 2 rows are not in train, val or test \(Holdout: 1\)"),
    ],
)
def test_rows_of_no_split_or_another_beside_named_ones_are_told(tmp_path, content, said) -> None:
    path = tmp_path / "in.csv"
    path.write_text("caption,part\n" + content)
    with pytest.warns(UserWarning, match=said):
        prepare_table(path, tmp_path / "a.parquet", text_column="caption", split_column="part")


def test_rows_without_a_split_are_counted_as_none(tmp_path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("caption,part\na,fold1\nb,\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # where no split is named as usual, none is missed
        result = prepare_table(path, tmp_path / "a.parquet", text_column="caption", split_column="part")
    assert result.summary["splits"] == {"fold1": 1, "none": 1}


@pytest.mark.parametrize("column", ["id_column", "media_id_column"])
def test_fractions_are_no_ids(tmp_path, column) -> None:
    source = write(tmp_path / "in.parquet", [{"caption": "a", "n": 1.0}, {"caption": "b", "n": 0.5}])
    with pytest.raises(InputError, match=r"in.parquet: column 'n' holds ids, but has 0.5 in row 2"):
        prepare_table(source, tmp_path / "a.parquet", text_column="caption", **{column: "n"})
    assert prepared(source, tmp_path, text_column="n")["text"] == ["1", "0.5"]


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".tsv"])
@pytest.mark.parametrize(
    "lines", [["", '{"caption": "a"}', '{"caption": "b"}'], ["[", '{"caption": "a"},{"caption": "b"}]']]
)
def test_json_in_a_text_file_is_read_as_such(tmp_path, suffix, lines) -> None:
    path = tmp_path / f"in{suffix}"
    path.write_text("\n".join(lines))
    with pytest.warns(UserWarning, match="read as JSON"):
        prepare_table(path, tmp_path / "a.parquet", text_column="caption")
    assert pq.read_table(tmp_path / "a.parquet").column("text").to_pylist() == ["a", "b"]


def test_a_header_in_brackets_is_no_json(tmp_path) -> None:
    (tmp_path / "in.csv").write_text("[caption],{n}\na,1\n")
    assert prepared(tmp_path / "in.csv", tmp_path, text_column="[caption]")["text"] == ["a"]
