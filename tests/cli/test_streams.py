"""Standard streams that are closed, broken or of few characters, and text that does a terminal no harm."""

import io
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.table import Table
from rich.text import Text

from mmts_cli.console import Output
from mmts_cli.streams import one_line, printable, printable_json

EVIL = "\x1b]0;owned\x07 \x9b31m \x7f\u202egpj.exe café 犬 🐕"
SPELLED = "\\x1b]0;owned\\x07 \\x9b31m \\x7f\\u202egpj.exe café 犬 🐕"


def shell(line: str, cwd, **environment: str) -> subprocess.CompletedProcess[str]:
    """A shell line in which ``mmts`` is this one."""
    script = f'mmts() {{ "{sys.executable}" -m mmts_cli "$@"; }}\n{line}'
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), **environment}
    return subprocess.run(["bash", "-c", script], cwd=cwd, capture_output=True, text=True, check=False, env=environment)


def test_control_characters_are_spelled_out() -> None:
    assert printable(EVIL) == SPELLED
    assert printable("two\tcells\nlines") == "two\tcells\nlines"


@pytest.mark.parametrize("encoding", [None, "utf-8", "UTF8", "latin-1", "ascii"])
def test_json_stays_json_in_every_encoding(encoding) -> None:
    text = printable_json(json.dumps({EVIL: [EVIL]}, ensure_ascii=False), encoding)
    assert json.loads(text) == {EVIL: [EVIL]}
    assert printable(text) == text
    text.encode(encoding or "utf-8")


@pytest.mark.parametrize("part", [EVIL, Text(EVIL), "table"])
def test_nothing_shown_moves_the_cursor(capsys, part) -> None:
    if part == "table":
        part = Table(EVIL, box=None)
        part.add_row(Text(EVIL))
        part.add_row(EVIL)
    console = Output()
    console.result({}, lambda: iter([part]))
    console.note(part)
    for shown in capsys.readouterr():
        assert "\\x1b]0;owned" in shown  # rich itself drops the bell
        assert printable(shown) == shown


def test_errors_and_warnings_are_printable_lines_of_bounded_length(mmts, tmp_path) -> None:
    ran = mmts("inspect", str(tmp_path / ("\x1b[31m" + "y" * 150)))
    assert ran.code == 2
    assert printable(ran.err) == ran.err
    assert ran.err.count("\n") == 1
    assert len(ran.err) < 330
    assert one_line("x" * 5000 + " remedy") == "x" * 40 + "..." + "x" * 70 + " remedy"
    assert len(one_line("word " * 500 + "the remedy")) <= 400
    assert one_line("word " * 500 + "the remedy").endswith("the remedy")


def test_a_json_result_for_a_reader_who_has_gone(monkeypatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        Output(as_json=True).result({"a": 1}, lambda: iter(()))
        Output().result({}, lambda: iter(["text"]))


def test_an_encoding_without_the_characters(monkeypatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="replace")
    monkeypatch.setattr(sys, "stdout", stream)
    Output().result({}, lambda: iter(["café 犬"]))
    Output(as_json=True).result({"text": "café 犬"}, lambda: iter(()))
    stream.flush()
    human, machine = stream.buffer.getvalue().decode("latin-1").splitlines()
    assert human == "café ?"
    assert json.loads(machine) == {"text": "café 犬"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("mmts inspect wide.parquet --rows 2000 | head -1 > /dev/null; exit ${PIPESTATUS[0]}", 0),
        ("mmts inspect wide.parquet --rows 2000 --json | head -c 9 > /dev/null; exit ${PIPESTATUS[0]}", 0),
        ("mmts train --help | head -1 > /dev/null; exit ${PIPESTATUS[0]}", 0),
        ("mmts inspect wide.parquet >&-", 0),
        ("mmts inspect wide.parquet --json >&- 2>&-", 0),
        ("mmts inspect none.parquet 2>&-", 2),
        ("mmts inspect none.parquet <&- >&- 2>&-", 2),
        ("mmts inspect wide.parquet > /dev/full", 2),
        ("PYTHONIOENCODING=ascii mmts inspect wide.parquet > /dev/null", 0),
        ("COLUMNS=20 NO_COLOR=1 mmts inspect wide.parquet > /dev/null", 0),
    ],
)
def test_streams_of_a_shell(tmp_path, line, code) -> None:
    pq.write_table(pa.table({f"c{n}": ["é犬" * 20] * 2000 for n in range(10)}), tmp_path / "wide.parquet")
    ran = shell(line, tmp_path)
    assert ran.returncode == code, ran
    assert "Traceback" not in ran.stderr
    assert "fault" not in ran.stderr
    assert ran.stderr.count("\n") == (1 if "/dev/full" in line else 0), ran.stderr


def test_a_users_own_package_of_the_same_name(tmp_path) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "__init__.py").write_text("raise SystemExit('ran')")
    ran = shell("mmts --version", tmp_path)
    assert ran.returncode == 2, ran
    assert "pipelines: another package of this name hides" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert shell("PYTHONSAFEPATH=1 mmts --version", tmp_path).returncode == 0
