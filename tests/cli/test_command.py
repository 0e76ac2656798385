"""Help, start-up, exit codes."""

import importlib.metadata
import json
import re
import signal
import subprocess
import sys

import pytest
import torch
import typer

from mmts_cli.app import app
from pipelines.errors import Interrupted

HEAVY = ("torch", "faiss", "umap", "transformers", "sentence_transformers", "pandas", "pyarrow", "numpy", "hdbscan")


def commands() -> list[tuple[str, ...]]:
    found = []
    for name, command in typer.main.get_command(app).commands.items():
        found += [(name, sub) for sub in command.commands] if hasattr(command, "commands") else [(name,)]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(mmts, monkeypatch, command) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    ran = mmts(*command, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"Example: mmts {' '.join(command)}" in ran.out
    for common in ("--json", "--quiet", "--debug", "--config"):
        assert common in ran.out


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_flag_has_a_help_text(command) -> None:
    parser = typer.main.get_command(app)
    for name in command:
        parser = parser.commands[name]
    assert all(parameter.help for parameter in parser.params if parameter.name != "help")


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_the_examples_only_use_flags_that_exist(command) -> None:
    parser = typer.main.get_command(app)
    for name in command:
        parser = parser.commands[name]
    known = {flag for parameter in parser.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    examples = re.findall(r"Example: (.*?)(?=\n\s*\n|\Z)", parser.help, flags=re.DOTALL)
    assert examples
    for example in examples:
        typed = {word for word in example.split() if re.fullmatch(r"--?[a-z][a-z0-9-]*", word)}
        assert typed <= known


def test_the_overview_lists_every_command_in_order_of_use(mmts) -> None:
    out = mmts("--help").out
    names = list(dict.fromkeys(command[0] for command in commands()))
    places = {name: re.search(rf"^\W*{name} ", out, flags=re.MULTILINE).start() for name in names}
    order = sorted(places, key=places.get)
    wanted = [
        "demo",
        "run",
        "prepare",
        "embed",
        "advise",
        "cluster",
        "shifts",
        "plan",
        "train",
        "eval",
        "search",
        "compare",
        "sweep",
        "frontier",
        "report",
        "plot",
        "export",
        "models",
        "inspect",
    ]
    assert order == [name for name in wanted if name in names]


def test_the_overview_cuts_no_sentence_off(mmts) -> None:
    assert "..." not in mmts("--help").out.partition("Commands:")[2]


def test_no_command_is_refused(mmts) -> None:
    ran = mmts()
    assert (ran.code, ran.err) == (2, "mmts: Missing command. (see mmts --help)\n")


@pytest.mark.parametrize("arguments", [["--help"], ["cluster", "--help"], ["train", "--help"]])
def test_help_imports_no_library_that_does_work(arguments) -> None:
    code = (
        "import sys; from mmts_cli.app import app; from mmts_cli.command import run_app\n"
        f"code = run_app(app, {arguments!r})\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == "0 []\n"
    assert "Usage" in ran.stdout


def test_a_refused_line_imports_no_library_that_does_work() -> None:
    code = (
        "import sys; from mmts_cli.app import app; from mmts_cli.command import run_app\n"
        "code = run_app(app, ['clutser'])\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "2 []\n"


def test_the_script_exits_as_it_should(tmp_path) -> None:
    script = [sys.executable, "-c", "from mmts_cli.app import main; main()"]
    (tmp_path / "c.csv").write_text("caption\nA dog\nA cat\n")
    line = [*script, "prepare", "table", "c.csv", "-o", "a.parquet", "--text-column", "caption", "--json"]
    ran = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr, json.loads(ran.stdout)["rows"]) == (0, "", 2)
    ran = subprocess.run([*script, "inspect", "b.parquet"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "mmts: b.parquet: no such file; did you mean 'a.parquet'?\n"


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.30 GiB"), "a GPU"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"), "this machine"),
        (MemoryError("Unable to allocate 9 TiB"), "this machine"),
    ],
)
def test_memory_that_is_full_is_no_fault_of_ours(made, mmts, monkeypatch, error, whose) -> None:
    def full(*_, **__):
        raise error

    monkeypatch.setattr("pipelines.shifts.stage.read_clusters", full)
    ran = mmts("shifts", "clusters.parquet", "-o", "x.parquet", "--min", 0.05, "--max", 0.2)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert ran.err.startswith(f"mmts: the memory of {whose} is full; in training a smaller --micro-batch")
    assert not (made / "x.parquet").exists()


def test_a_fault_of_ours_is_one_line_and_exit_1(made, mmts, monkeypatch) -> None:
    def broken(*_, **__):
        raise RuntimeError("several\nlines")

    monkeypatch.setattr("pipelines.cluster.stage.fitted_rows", broken)
    line = ("cluster", "embeddings.parquet", "-o", "x.parquet", "--k", 2)
    ran = mmts(*line)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "mmts: internal error in mmts: RuntimeError: several lines; run again with --debug for the traceback\n"
    )
    assert not (made / "x.parquet").exists()
    debugged = mmts(*line, "--debug")
    assert debugged.code == 1
    assert "Traceback (most recent call last)" in debugged.err
    assert "in broken" in debugged.err


def test_debug_shows_where_an_input_error_came_from(work, mmts) -> None:
    ran = mmts("inspect", "missing.parquet", "--debug")
    assert ran.code == 2
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1] == "mmts: missing.parquet: no such file"


def test_an_interrupted_command_exits_130_and_leaves_nothing(made, mmts, monkeypatch, fake_encoder) -> None:
    def interrupted(*_):
        raise KeyboardInterrupt

    before = sorted(made.iterdir())
    monkeypatch.setattr(fake_encoder, "encode", interrupted)
    ran = mmts("embed", "annotations.parquet", "-o", "x.parquet")
    assert (ran.code, ran.out, ran.err) == (130, "", "mmts: interrupted\n")
    assert sorted(made.iterdir()) == before


def test_a_stage_that_was_stopped_says_what_it_leaves(made, mmts, monkeypatch, fake_encoder) -> None:
    def stopped(*_):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise Interrupted("two runs are kept") from error

    monkeypatch.setattr(fake_encoder, "encode", stopped)
    ran = mmts("embed", "annotations.parquet", "-o", "x.parquet")
    assert (ran.code, ran.out, ran.err) == (130, "", "mmts: two runs are kept\n")


def test_the_version_is_one_line_on_stdout(mmts) -> None:
    ran = mmts("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"mmts {importlib.metadata.version('mmts')}\n", "")
