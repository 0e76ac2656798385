"""``examples/openclipart/make.py``: drawings, captions and splits out of SVG files."""

import csv
import importlib.util
import io
import shlex
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import typer
from PIL import Image

from mmts_cli.app import app

EXAMPLE = Path(__file__).parents[2] / "examples" / "openclipart"
PUBLIC = "http://web.resource.org/cc/PublicDomain"
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="50mm"><metadata>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:cc="http://web.resource.org/cc/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><cc:Work>
<dc:title>{title}</dc:title><dc:subject><rdf:Bag>{keywords}</rdf:Bag></dc:subject>
<dc:creator><cc:Agent><dc:title>Somebody</dc:title></cc:Agent></dc:creator>
{licences}</cc:Work></rdf:RDF></metadata><rect width="90%" height="90%" fill="{fill}"/></svg>"""


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("make", EXAMPLE / "make.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["make"] = module  # where its dataclass looks for its own module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["make"]


def draw(path: Path, title: str = "Red", *keywords: str, licences=(PUBLIC,), fill: str = "red", width="100mm") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    items = "".join(f"<rdf:li>{keyword}</rdf:li>" for keyword in keywords)
    named = "".join(f'<cc:license rdf:resource="{licence}"/>' for licence in licences)
    path.write_text(SVG.format(title=title, keywords=items, licences=named, fill=fill, width=width))
    return path


def test_metadata_are_read_without_their_creator(example, tmp_path) -> None:
    drawing = example.read_drawing(draw(tmp_path / "a.svg", "Baby Tux", "penguin", "linux"))
    assert drawing == example.Drawing("Baby Tux", ("penguin", "linux"), True)


@pytest.mark.parametrize(
    ("licences", "free"),
    [
        ((PUBLIC,), True),
        (("http://creativecommons.org/licenses/publicdomain/",), True),
        ((PUBLIC, "Public Domain"), True),
        ((), False),
        (("",), False),
        (("http://creativecommons.org/licenses/GPL/2.0/",), False),
        ((PUBLIC, "http://creativecommons.org/licenses/GPL/2.0/"), False),
    ],
)
def test_only_the_public_domain_is_free(example, tmp_path, licences, free) -> None:
    assert example.read_drawing(draw(tmp_path / "a.svg", licences=licences)).public_domain is free


def test_a_file_without_metadata_is_not_free(example, tmp_path) -> None:
    (tmp_path / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    assert not example.read_drawing(tmp_path / "a.svg").public_domain


@pytest.mark.parametrize(
    ("title", "keywords", "caption"),
    [
        (" Baby_Tux\n", ["Penguin", "linux", "penguin", ""], "Baby Tux: penguin, linux"),
        ("Dog", ["dog", "unsorted", "clip_art", "clipart", "hash", "HASH(0x8a0a540)"], "Dog"),
        ("", ["animal"], "animal"),
        ("Hash brown", ["hashish"], "Hash brown: hashish"),
        ("Many", list("abcdefghij"), "Many: a, b, c, d, e, f, g, h"),
    ],
)
def test_captions_are_cleaned(example, title, keywords, caption) -> None:
    assert example.caption(title, keywords) == caption


def test_captions_alike_but_for_digits_share_a_split(example) -> None:
    assert example.kind_of("Arrow-2: shape, 10") == example.kind_of("arrow 1: Shape") == "arrow shape"
    splits = [example.split_of(f"kind {letter}") for letter in map(chr, range(0x4E00, 0x4E00 + 1000))]
    assert 760 < splits.count("train") < 840
    assert 70 < splits.count("val") < 130


def test_a_drawing_lies_in_the_middle_of_white(example, tmp_path) -> None:
    image = example.render(draw(tmp_path / "a.svg"))
    assert image.size == (96, 96)
    assert [image.getpixel(place) for place in [(10, 10), (40, 40), (95, 40), (40, 90)]] == [
        *[(255, 255, 255), (255, 0, 0), (255, 255, 255), (255, 255, 255)]
    ]


def test_a_folder_becomes_captions_and_images(example, tmp_path) -> None:
    source, output = tmp_path / "svg", tmp_path / "out"
    draw(source / "animals" / "birds" / "eagle_01.svg", "Eagle", "bird")
    draw(source / "animals" / "blank.svg", "Nothing", fill="white")
    draw(source / "tools" / "saw.svg", "Saw", licences=())
    for number in range(20):
        draw(source / "themes" / f"big-arrow_{number}.svg", "My icons", "theme")
    counts = example.make(source, output)
    rows = list(csv.DictReader((output / "captions.csv").open(encoding="utf-8")))
    of_arrows = example.split_of("big arrow theme")
    arrows = example.MOST_ALIKE[of_arrows]
    assert counts == {
        **{"left out: not public domain": 1, "left out: blank": 1, "left out: enough of its caption": 20 - arrows},
        **{split: [row["split"] for row in rows].count(split) for split in {row["split"] for row in rows}},
    }
    assert len(rows) == 1 + arrows
    assert rows[0] == {
        **{"media_id": "animals/birds/eagle_01.jpg", "caption": "Eagle: bird", "split": example.split_of("eagle bird")},
        **{"folder": "animals/birds", "top_folder": "animals"},
    }
    assert rows[1]["caption"] == "big arrow 0: theme"  # a title of 20 drawings names their collection
    with zipfile.ZipFile(output / "images.zip") as images:
        assert images.namelist() == [row["media_id"] for row in rows]
        assert Image.open(io.BytesIO(images.read(rows[0]["media_id"]))).size == (96, 96)


@pytest.mark.parametrize("variables", [["DEB=a.deb"], ["DEB=a.deb", "MODEL=some/model"]], ids=["pixels", "features"])
def test_the_makefile_types_commands_that_exist(tmp_path, variables) -> None:
    (tmp_path / "a.deb").touch()
    said = subprocess.run(
        ["make", "--dry-run", "-f", EXAMPLE / "Makefile", *variables], cwd=tmp_path, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    lines = said.stdout.replace("\\\n", " ").splitlines()
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("mmts ")]
    seen = Counter(words[0] for words in commands)
    assert seen == {"prepare": 1, "embed": len(variables), "cluster": 1, "shifts": 1, "sweep": 1}
    for words in commands:
        parser, arguments = typer.main.get_command(app), list(words)
        while hasattr(parser, "commands"):
            parser = parser.commands[arguments.pop(0)]
        parser.make_context(words[0], arguments)  # raises where a flag is none, or lacks its value
