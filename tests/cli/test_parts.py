"""Folders of parts and patterns are accepted everywhere a file is."""

import json

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def in_parts(world, write_artifact, monkeypatch):
    """The files of the tiny world, and beside each a folder of its name with the same rows in three parts."""
    monkeypatch.chdir(world.folder)
    for name in ("annotations", "text", "media", "shifts", "clusters"):
        table = pq.read_table(f"{name}.parquet").replace_schema_metadata()
        (world.folder / name).mkdir()
        step = -(-table.num_rows // 3)
        for number in range(3):
            write_artifact(world.folder / name / f"part-{number}.parquet", table.slice(number * step, step))
    return world


@pytest.mark.parametrize(
    "line",
    [
        "cluster {text} -o {out} --k 3",
        "cluster {media} -o {out} --k 3 --by media --annotations {annotations}",
        "cluster {text} -o {out} --k 3 --by joint --media {media} --annotations {annotations}",
        "cluster {annotations} -o {out} --method class --column text",
        "shifts {clusters} -o {out} --min 0.1 --max 0.2",
    ],
)
@pytest.mark.parametrize("as_given", ["{}", "{}/part-*.parquet"], ids=["folder", "pattern"])
def test_stages_make_the_same_rows(in_parts, mmts, line, as_given) -> None:
    names = ("annotations", "text", "media", "shifts", "clusters")
    for given, out in (("{}.parquet", "whole.parquet"), (as_given, "parts.parquet")):
        ran = mmts(*line.format(out=out, **{name: given.format(name) for name in names}).split())
        assert (ran.code, ran.err) == (0, "")
    assert pq.read_table("parts.parquet").equals(pq.read_table("whole.parquet"))
    again = mmts(*line.format(out="parts.parquet", **{name: as_given.format(name) for name in names}).split())
    assert again.out.splitlines()[0] == "parts.parquet: up to date"


def test_a_run_on_them_has_the_same_scores(in_parts, mmts) -> None:
    for folder, end in (("run", ".parquet"), ("run-of-parts", "")):
        flags = {
            "annotations": f"annotations{end}",
            "media": f"media{end}",
            "text": f"text{end}",
            "shifts": f"shifts{end}",
        }
        assert (
            mmts(*in_parts.command(folder, **flags, epochs=1, temperature="mmts", tau=None, oscillations=1)).code == 0
        )
        assert mmts("eval", folder, "-o", f"{folder}-scores", "--resamples", 0).code == 0
    scores = [
        json.loads((in_parts.folder / f"{name}-scores" / "metrics.json").read_text())["scores"]
        for name in ("run", "run-of-parts")
    ]
    assert scores[0] == scores[1]
    again = mmts(*in_parts.command("run-of-parts", **flags, epochs=1, temperature="mmts", tau=None, oscillations=1))
    assert "up to date" in again.out.splitlines()[0]


def test_inspect_counts_the_files(in_parts, mmts) -> None:
    rows = len(in_parts.sample_ids)
    said = mmts("inspect", "text").out.splitlines()
    assert said[0].startswith(f"text: embeddings, 3 files, {rows} rows in 3 row groups, ")
    assert said[1] == "what made a file stands in its own footer: inspect one of them"
    described = json.loads(mmts("inspect", "text/*.parquet", "--json").out)
    whole = json.loads(mmts("inspect", "text.parquet", "--json").out)
    assert described["columns"] == [
        {**each, "norm_mean": pytest.approx(each["norm_mean"])} if "norm_mean" in each else each
        for each in whole["columns"]
    ]
