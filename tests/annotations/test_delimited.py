"""CSV and its kin: no row is swallowed, no cell changed."""

import bz2
import gzip
import lzma
import warnings

import pyarrow as pa
import pytest

from pipelines.annotations.columns import typed
from pipelines.annotations.delimited import AS_FOUND, Dialect, read_delimited
from pipelines.annotations.sources import read_source
from pipelines.errors import InputError


def cells(tmp_path, content: str | bytes, *, dialect: Dialect = AS_FOUND, usual: str = ",") -> dict[str, list]:
    path = tmp_path / "in.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_delimited(path, dialect, ["caption"], usual).to_pydict()


def quietly(tmp_path, content: str | bytes, **options) -> dict[str, list]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return cells(tmp_path, content, **options)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines(tmp_path, end) -> None:
    content = end.join(["caption,n", "a,1", "", "b,2"])
    assert quietly(tmp_path, content) == {"caption": ["a", "b"], "n": ["1", "2"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_are_understood(tmp_path, encoding) -> None:
    assert quietly(tmp_path, "caption,n\ncafé,1\n".encode(encoding)) == {"caption": ["café"], "n": ["1"]}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le", "shift_jis"])
def test_encodings_can_be_given(tmp_path, encoding) -> None:
    text = "ネコ" if encoding == "shift_jis" else "café"
    read = quietly(tmp_path, f"caption,n\n{text},1\n".encode(encoding), dialect=Dialect(encoding=encoding))
    assert read == {"caption": [text], "n": ["1"]}


@pytest.mark.parametrize(("mark", "name"), [("\t", "tab"), (";", "semicolon"), ("|", "pipe")])
def test_separators_are_found_and_said(tmp_path, mark, name) -> None:
    content = f"image{mark}caption\na.jpg{mark}a dog, a cat\n"
    with pytest.warns(UserWarning, match=f"in.csv: read with cells separated by {name}"):
        assert cells(tmp_path, content) == {"image": ["a.jpg"], "caption": ["a dog, a cat"]}
    for given in (mark, name):
        assert quietly(tmp_path, content, dialect=Dialect(separator=given))["image"] == ["a.jpg"]


def test_a_comma_in_a_tab_separated_header_is_no_separator(tmp_path) -> None:
    assert quietly(tmp_path, "caption\tsize, px\na\t1\n", usual="\t") == {"caption": ["a"], "size, px": ["1"]}


def test_cells_in_quotes(tmp_path) -> None:
    content = 'caption,n\n"a, ""b""",1\n"two\nlines",2\n" x ",3\n5" screen,4\n'
    assert quietly(tmp_path, content)["caption"] == ['a, "b"', "two\nlines", " x ", '5" screen']


def test_a_lone_quote_swallows_no_rows(tmp_path) -> None:
    """The closing quote of another row would make one cell of five lines."""
    rows = ["a red sign", '"no entry', "two dogs", "a cat", 'open" is on the door', "the last"]
    content = "image\tcaption\n" + "".join(f"{n}\t{row}\n" for n, row in enumerate(rows))
    with pytest.warns(UserWarning, match=r"read with quotes as text, since one is not closed \(line 3: "):
        assert cells(tmp_path, content, usual="\t")["caption"] == rows
    assert quietly(tmp_path, content, usual="\t", dialect=Dialect(quote="none"))["caption"] == rows


def test_a_quote_that_never_closes_swallows_no_rows(tmp_path) -> None:
    with pytest.warns(UserWarning, match="quotes as text"):
        assert cells(tmp_path, 'caption,n\na,1\n"b,2\nc,3\n')["caption"] == ["a", '"b', "c"]


def test_rows_between_two_quotes_are_not_swallowed_in_silence(tmp_path) -> None:
    """Both readings are whole: a user has to say which."""
    content = 'image\tcaption\n1\t"no\n2\tdog\n3\tentry"\n'
    with pytest.raises(InputError, match=r"lines 2 to 4 are one row by their quotes, .* --quote none"):
        cells(tmp_path, content, usual="\t")
    apart = quietly(tmp_path, content, usual="\t", dialect=Dialect(quote="none"))
    assert apart["caption"] == ['"no', "dog", 'entry"']
    assert quietly(tmp_path, content, usual="\t", dialect=Dialect(quote='"'))["caption"] == ["no\n2\tdog\n3\tentry"]


def test_quotes_escaped_by_backslashes(tmp_path) -> None:
    with pytest.warns(UserWarning, match="quotes escaped by backslashes"):
        read = cells(tmp_path, 'caption,n\n"a \\"big\\" dog, here",1\n"b \\\\",2\n')
    assert read == {"caption": ['a "big" dog, here', "b \\"], "n": ["1", "2"]}


def test_backslashes_that_escape_nothing_stay(tmp_path) -> None:
    assert quietly(tmp_path, "caption,n\nC:\\new\\table,1\n")["caption"] == ["C:\\new\\table"]
    with pytest.warns(UserWarning, match="quotes as text"):
        assert cells(tmp_path, 'caption,n\n"C:\\new" is,1\n')["caption"] == ['"C:\\new" is']


def test_another_quote_can_be_given(tmp_path) -> None:
    assert quietly(tmp_path, "caption,n\n'a, b',1\n", dialect=Dialect(quote="'"))["caption"] == ["a, b"]


def test_headers_without_names(tmp_path) -> None:
    assert quietly(tmp_path, ",caption,\n0,a,\n1,b,\n") == {"column_1": ["0", "1"], "caption": ["a", "b"]}


def test_many_rows_are_read_in_order(tmp_path) -> None:
    captions = [f"caption {row}" for row in range(100_001)]
    assert quietly(tmp_path, "\n".join(["caption", *captions]))["caption"] == captions


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


@pytest.mark.parametrize(
    ("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstd)]
)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_compressed_files(tmp_path, suffix, compress, kind) -> None:
    path = tmp_path / f"in.{kind}{suffix}"
    path.write_bytes(compress(b"caption,n\na,1\n" if kind == "csv" else b'{"caption": "a", "n": 1}\n'))
    assert read_source(path, as_text=["caption"]).to_pydict() == {"caption": ["a"], "n": [1]}


@pytest.mark.parametrize(
    ("spelled", "read"),
    [
        (["3", None, "-12"], [3, None, -12]),
        (["0", "123456789012345678"], [0, 123456789012345678]),
        (["0.5", "2", "-1.5e-07"], [0.5, 2.0, -1.5e-07]),
        *(
            ([name, "1"], [name, "1"])
            for name in ("007", "1e5", "NA", "true", "null", "2021-01-02", "+1", " 1", "nan", "9223372036854775808", "")
        ),
        ([None, None], [None, None]),
    ],
)
def test_columns_that_nobody_named_are_numbers_only_where_spelled_so(spelled, read) -> None:
    assert typed(pa.chunked_array([pa.array(spelled, pa.string())])).to_pylist() == read


@pytest.mark.parametrize("spelling", ["2021-01-02", "143349558619761321", "007", "1e5", "NA", "true", "null", "1.0"])
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_text_and_ids_are_what_the_file_says(tmp_path, spelling, kind) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / f"in.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"caption": [spelling], "id": [spelling]}), path)
    elif kind == "jsonl":
        path.write_text(f'{{"caption": "{spelling}", "id": "{spelling}"}}\n')
    else:
        mark = "," if kind == "csv" else "\t"
        path.write_text(f"caption{mark}id\n{spelling}{mark}{spelling}\n")
    read = read_source(path, as_text=["caption", "id"])
    assert read.to_pydict() == {"caption": [spelling], "id": [spelling]}


def test_doubled_quotes_within_a_row_of_several_lines_leave_it_doubtful(tmp_path) -> None:
    content = 'caption\tn\na\t"He said\nb\t""quoted"" text\nc\tend"\nd\tz\n'
    with pytest.raises(InputError, match="lines 2 to 4 are one row by their quotes, and a row each without"):
        cells(tmp_path, content, usual="\t")
    as_text = cells(tmp_path, content, usual="\t", dialect=Dialect(quote="none"))
    assert as_text["n"] == ['"He said', '""quoted"" text', 'end"', "z"]


def test_a_blank_line_between_rows_leaves_them_doubtful(tmp_path) -> None:
    with pytest.raises(InputError, match="lines 2 to 5 are one row by their quotes, and a row each without"):
        cells(tmp_path, 'caption\tn\na\t"He said\n\nb\tx\nc\tend"\n', usual="\t")


def test_lines_of_prose_in_quotes_are_one_cell(tmp_path) -> None:
    content = 'n,caption\n1,"A dog\n\nand then, a cat"\n'
    assert quietly(tmp_path, content)["caption"] == ["A dog\n\nand then, a cat"]


def test_an_escaped_backslash_is_no_backslash_before_something_else(tmp_path) -> None:
    content = 'caption,n\n"he said \\"hi\\", bye",1\n"C:\\\\x",2\n'
    with pytest.warns(UserWarning, match="quotes escaped by backslashes"):
        assert cells(tmp_path, content)["caption"] == ['he said "hi", bye', "C:\\x"]


def test_a_cell_longer_than_the_csv_module_likes(tmp_path) -> None:
    assert quietly(tmp_path, f'caption,n\n"{"x" * 200_000}",1\n')["caption"] == ["x" * 200_000]


def test_a_cell_beyond_any_sane_length_is_called_so(tmp_path) -> None:
    with pytest.raises(InputError, match=r"line 2: a cell is longer than 16,777,216 characters"):
        cells(tmp_path, "caption,n\n" + "x" * 2**24 + "x,1\n", dialect=Dialect(quote='"'))
