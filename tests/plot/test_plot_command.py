"""``mmts plot``: every kind in every format, and what is refused."""

import json
import os

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tiny_world import TEXT_SIZE, make_tiny_world

from pipelines.artifacts import vector_type
from pipelines.evaluate import evaluate
from pipelines.train import train

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
SAID = {"map": "places: first two principal components\n"}


@pytest.fixture(scope="module")
def made(tmp_path_factory, write_artifact):
    """Clusters, shifts, two runs of one name, and scores."""
    world = make_tiny_world(tmp_path_factory.mktemp("world"), write_artifact)
    for name in ("a", "b"):
        options = {"temperature": "mmts", "tau": None, "shifts": world.shifts, "alpha": 0.04, "oscillations": 1}
        train(world.config(f"{name}/run", epochs=1, **options))
    vectors = [world.features[media_id][:TEXT_SIZE].tolist() for media_id in world.media_ids]
    table = {"media_id": world.media_ids, "embedding": pa.array(vectors, vector_type(TEXT_SIZE))}
    media, scores = world.write(world.folder / "short.parquet", table), world.folder / "eval"
    evaluate(scores, media=media, text=world.text, annotations=world.annotations, frequency=str(world.clusters))
    few = pq.read_table(world.text).filter(pc.is_in(pc.field("sample_id"), pa.array(world.sample_ids[-12:])))
    world.write(world.folder / "few.parquet", few.replace_schema_metadata())  # too few for UMAP, which takes a minute
    return world


@pytest.fixture
def work(made, monkeypatch):
    """The same as the working folder; tests add files to it, each its own."""
    monkeypatch.chdir(made.folder)
    return made


MAP = "few.parquet clusters.parquet --annotations annotations.parquet"
KINDS = {
    "map": MAP,
    "tail": "clusters.parquet shifts.parquet",
    "shifts": "clusters.parquet",
    "band": "a/run",
    "curves": "a/run b/run",
    "thirds": "eval",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_format(work, mmts, kind) -> None:
    for suffix, magic in MAGIC.items():
        output = work.folder / f"{kind}{suffix}"
        ran = mmts("plot", kind, *KINDS[kind].split(), "-o", output.name, "--width", 8.4)
        assert (ran.code, ran.out, ran.err) == (0, f"{output.name}: written\n{SAID.get(kind, '')}", "")
        assert output.read_bytes().startswith(magic)
    with Image.open(work.folder / f"{kind}.png") as image:
        image.load()
        assert image.width == pytest.approx(8.4 / 2.54 * 300, abs=1)
        assert len(image.convert("RGB").getcolors(image.width * image.height)) > 10


def test_the_result_as_json(work, mmts) -> None:
    ran = mmts("plot", "tail", "clusters.parquet", "-o", "json.png", "--json")
    assert json.loads(ran.out) == {"command": "plot tail", "output": "json.png"}


def test_a_title_makes_a_difference(work, mmts) -> None:
    mmts("plot", "shifts", "clusters.parquet", "-o", "a.svg")
    mmts("plot", "shifts", "clusters.parquet", "-o", "b.svg", "--title", "Rules")
    assert len((work.folder / "b.svg").read_bytes()) > len((work.folder / "a.svg").read_bytes())


def test_the_colours_of_a_map_differ(work, mmts) -> None:
    found = set()
    for number, extra in enumerate(([], ["--color", "size"], ["--color", "recall", "--scores", "eval"])):
        assert mmts("plot", "map", *MAP.split(), *extra, "-o", f"{number}.svg").code == 0
        found.add((work.folder / f"{number}.svg").read_bytes())
    assert len(found) == 3


def test_a_band_from_shifts_takes_the_flags_of_plan(work, mmts) -> None:
    flags = ("--steps", 3, "--alpha", 0.04, "--oscillations", 1, "--annotations", "annotations.parquet")
    assert mmts("plot", "band", "shifts.parquet", *flags, "-o", "planned.svg").code == 0
    assert mmts("plot", "band", "a/run", "-o", "trained.svg").code == 0
    assert (work.folder / "planned.svg").read_bytes() == (work.folder / "trained.svg").read_bytes()
    assert mmts("plot", "band", "shifts.parquet", *flags, "--loss", "max-margin", "-o", "margins.svg").code == 0
    assert (work.folder / "margins.svg").read_bytes() != (work.folder / "trained.svg").read_bytes()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("band shifts.parquet", "--steps is missing: with shifts, say how many optimizer steps the run is to have"),
        ("band a/run --steps 9", "--steps: is for SHIFTS; a/run is a run, which says it itself; leave it out"),
        ("band a/run --loss infonce", "--loss: is for SHIFTS; a/run is a run, which says it itself; leave it out"),
        ("band eval", "eval/config.json: no such file"),
        ("curves nowhere", "nowhere: no such folder; give one that `mmts train` wrote"),
        ("curves eval", "eval/config.json: no such file"),
        ("thirds nowhere", "nowhere: no such folder; give one that `mmts eval` wrote"),
        ("thirds a/run", "a/run: has no ranks.parquet; score the run with `mmts eval`"),
        ("frontier eval", "eval/sweep.parquet: no such file"),
        ("tail shifts.parquet", "shifts.parquet: no column 'cluster' as clusters have"),
        ("shifts text.parquet", "text.parquet: no column 'cluster' as clusters have"),
        (f"map {MAP} --color recall", "--scores and --color recall go together; give both, or neither"),
        (f"map {MAP} --scores eval", "--scores and --color recall go together; give both, or neither"),
        (f"map {MAP} --color recall --scores nowhere", "nowhere/ranks.parquet: no such file"),
        ("map few.parquet shifts.parquet --annotations annotations.parquet", "shifts.parquet: no column 'cluster'"),
        ("tail clusters.parquet --width 3", "--width 3: expected 5 to 60 (cm)"),
        ("tail clusters.parquet -o tail.gif", "tail.gif: not a picture format; end the name in .png, .svg, .pdf"),
    ],
)
def test_what_is_refused(work, refused, line, message) -> None:
    arguments = line if "-o" in line else f"{line} -o out.png"
    assert refused("plot", *arguments.split()).startswith(message)
    assert not (work.folder / "out.png").exists()


def test_a_run_without_a_band_says_what_to_do(world, refused) -> None:
    train(world.config("fixed", epochs=1))
    message = refused("plot", "band", world.folder / "fixed", "-o", world.folder / "x.png")
    assert message.endswith(
        "fixed: was trained with --temperature fixed, which knows no head and tail in advance; see its temperatures "
        "with `mmts plot curves`"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_no_picture_replaces_an_input(work, refused, kind) -> None:
    inputs = KINDS[kind] if kind != "band" else "shifts.parquet --steps 9"
    source = {"curves": "a/run/steps.parquet", "thirds": "eval/metrics.json"}.get(kind, inputs.split()[0])
    os.link(source, f"{kind}-linked.png")
    message = refused("plot", kind, *inputs.split(), "-o", f"{kind}-linked.png")
    assert message == f"{kind}-linked.png: is both input and output; choose another output path"
