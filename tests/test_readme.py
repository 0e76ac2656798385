"""The README and the pages of docs/ type commands and code that exist, and leave no command or flag out."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
import typer

from mmts_cli.app import app
from mmts_cli.reference import command_reference
from pipelines.contrast.registry import LOSSES, STRATEGIES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference.md"
PAGES = {path: path.read_text("utf-8") for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))}
README = PAGES[ROOT / "README.md"]
LIBRARY = re.findall(r"```python\n(.*?)```", PAGES[DOCS / "library.md"], flags=re.DOTALL)
COMMANDS = typer.main.get_command(app).commands


def typed_commands(page: str) -> list[list[str]]:
    """Command lines of shell blocks, continued lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line.split("  #")[0])[1:] for line in lines if line.startswith("mmts ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_have_the_flags_that_are_typed(page) -> None:
    in_text = [shlex.split(code)[1:] for code in re.findall(r"`(mmts [^`\n]+)`", PAGES[page])]
    for words in [*typed_commands(PAGES[page]), *(words for words in in_text if words[0] in COMMANDS)]:
        parser, names = COMMANDS[words[0]], words[1:]
        while hasattr(parser, "commands") and names[:1] not in ([], ["--list"]):
            parser = parser.commands[names.pop(0)]
        known = {"--help"} | {
            flag for parameter in parser.params for flag in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word for word in words if re.fullmatch(r"--?[a-z][a-z0-9-]*", word)} <= known, words


@pytest.fixture
def flickr8k(tmp_path, monkeypatch, fake_encoder, world) -> Path:
    """The current folder, with the files that the pages' Flickr8K commands read, in small."""
    rows = [f"{world.media_of(each)},caption {each},{world.split[each]}" for each in world.sample_ids]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption,split", *rows]) + "\n")
    shutil.copy(world.images("images.zip"), tmp_path)
    shutil.copy(world.media, tmp_path / "features.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "getting-started.md"], ids=lambda path: path.name)
def test_the_six_lines_run_and_the_line_for_a_table_replaces_the_first(page, flickr8k, mmts) -> None:
    chain = ("prepare", "embed", "cluster", "shifts", "train", "eval")
    lines = [words for words in typed_commands(PAGES[page]) if words[0] in chain and words[1] != "--config"]
    assert [words[0] for words in lines] == [*chain, "prepare"]
    for first in (lines[0], lines[6]):
        for words in (first, *lines[1:6]):
            ran = mmts(*("4" if word == "200" else word for word in words), *(["--force"] if first is lines[6] else []))
            assert ran.code == 0, (words, ran)
        assert (flickr8k / "scores" / "metrics.json").exists()


def test_the_chain_of_python_runs(flickr8k) -> None:
    chain = next(code for code in LIBRARY if "prepare_flickr8k" in code)
    names: dict[str, object] = {}
    exec(chain.replace("k=200", "k=4"), names)
    assert set(names["scores"]["segment"]) == {"overall", "head", "middle", "tail"}


def test_the_loss_in_ones_own_loop_runs() -> None:
    code = next(code for code in LIBRARY if "CosineSchedule" in code)
    names = {
        "cluster_size": [3, 5, 9, 9],
        "media": torch.eye(4, 8),
        "text": torch.eye(4, 8),
        "step": 0,
        "batch": torch.arange(4),
    }
    exec(code, names)
    loss = names["loss"]
    assert isinstance(loss, torch.Tensor)
    assert 0 < float(loss) < 0.1


def test_the_reference_is_that_of_the_command_line() -> None:
    assert PAGES[REFERENCE] == command_reference(app), "run `make docs-reference`"


def test_the_reference_has_every_command_and_every_flag() -> None:
    sections = dict(re.findall(r"^##+ (mmts .*?)\n(.*?)(?=^##|\Z)", PAGES[REFERENCE], flags=re.MULTILINE | re.DOTALL))
    shared = PAGES[REFERENCE].partition("## Every command")[2]

    def check(name: str, command) -> None:
        for parameter in command.params:
            for flag in (each for each in (*parameter.opts, *parameter.secondary_opts) if each.startswith("-")):
                assert f"`{flag}`" in sections[name] + shared, f"{name} {flag}"
        for each, below in getattr(command, "commands", {}).items():
            check(f"{name} {each}", below)

    for each, command in COMMANDS.items():
        check(f"mmts {each}", command)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page(name) -> None:
    page = PAGES[DOCS / "stages" / f"{name}.md"]
    assert page.startswith(f"# {name}\n")
    assert any(words[0] == name for words in typed_commands(page))
    assert f"({name}.md)" in PAGES[DOCS / "stages" / "index.md"]


def test_every_data_set_loss_and_strategy_is_described() -> None:
    typed = typed_commands(PAGES[DOCS / "data-sets.md"]) + typed_commands(PAGES[DOCS / "stages" / "prepare.md"])
    assert {words[1] for words in typed if words[0] == "prepare"} == set(COMMANDS["prepare"].commands)
    for name in (*LOSSES, *STRATEGIES):
        assert f"`{name}`" in PAGES[DOCS / "method.md"], name


def test_the_readme_is_short_and_its_links_and_picture_are_there() -> None:
    assert len(README.split()) < 1_000
    targets = [ROOT / target.split("#")[0] for target in re.findall(r"\]\((?!http)(.*?)\)", README)]
    assert len(targets) > 8
    assert [str(path) for path in targets if not path.exists()] == []
    assert (DOCS / "images" / "long-tail.png").stat().st_size < 150_000
