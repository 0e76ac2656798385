"""Tables of any bytes: rows, or a refusal."""

import json
import uuid
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.annotations import prepare_table

from .conftest import accepted, tries

CELL = st.one_of(
    st.text(max_size=12),
    st.sampled_from(['"', '""', "'", '\\"', "a, b", "1e5", "NA", "null", "007", "\r", "\n", "\ufeff", "9" * 30, "é"]),
)
DELIMITED = st.one_of(
    st.binary(max_size=80).map(lambda rest: b"caption,n\n" + rest),
    st.binary(max_size=60),
    st.lists(st.lists(CELL, min_size=1, max_size=3), min_size=1, max_size=6).flatmap(
        lambda rows: st.tuples(st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"])).map(
            lambda marks: (
                "caption" + marks[0] + "n" + marks[1] + marks[1].join(marks[0].join(row) for row in rows)
            ).encode("utf-8", "surrogatepass")
        )
    ),
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ROW = st.dictionaries(st.sampled_from(["caption", "id", "split", "start", "x", ""]), VALUE, max_size=4)
JSON = st.one_of(
    st.lists(ROW | VALUE, max_size=5).map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
    st.lists(ROW | VALUE, max_size=5).map(lambda rows: json.dumps(rows).encode()),
    VALUE.map(lambda value: json.dumps(value).encode()),
    st.text(alphabet='[]{}",:0123456789eE+-.\\u nulltrefas', max_size=40).map(str.encode),
    st.binary(max_size=60),
)


def read(folder: Path, suffix: str, content: bytes, **options: str) -> None:
    """Prepare a table of this content; what is accepted has as many rows as it says, none without text."""
    name = uuid.uuid4().hex
    source, output = folder / f"{name}.{suffix}", folder / f"{name}.parquet"
    source.write_bytes(content)
    try:
        result = accepted(lambda: prepare_table(source, output, text_column="caption", **options))
        if result is None:
            assert not output.exists()
            return
        table = pq.read_table(output)
        assert table.num_rows == result.summary["rows"] > 0
        assert all(text.strip() for text in table.column("text").to_pylist())
        assert len(set(table.column("sample_id").to_pylist())) == table.num_rows
    finally:
        for rest in folder.glob(f"*{name}*"):
            rest.unlink()


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_delimited(folder: Path, suffix: str) -> None:
    @tries(0.1)
    @given(DELIMITED)
    def run(content: bytes) -> None:
        read(folder, suffix, content)

    run()


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_json(folder: Path, suffix: str) -> None:
    @tries(0.1)
    @given(JSON)
    def run(content: bytes) -> None:
        read(folder, suffix, content)

    run()


@tries(0.1)
@given(rows=st.lists(st.tuples(st.text(min_size=1, max_size=12), st.text(max_size=12)), min_size=1, max_size=6))
def test_what_csv_writes_is_read_as_it_was(folder: Path, rows: list[tuple[str, str]]) -> None:
    """The oracle: Python's own writer."""
    import csv
    import io

    try:
        "".join(text for row in rows for text in row).encode()
    except UnicodeEncodeError:
        return
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([("caption", "n"), *rows])
    source, output = folder / "written.csv", folder / "written.parquet"
    source.write_bytes(buffer.getvalue().encode())
    if accepted(lambda: prepare_table(source, output, text_column="caption", force=True)) is not None:
        assert pq.read_table(output).column("text").to_pylist() == [text for text, _ in rows]
