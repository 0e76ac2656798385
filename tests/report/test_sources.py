"""What belongs to a run, a sweep or a folder, also where files were moved."""

import shutil

import pyarrow.parquet as pq
import pytest

from pipelines.cluster import cluster
from pipelines.errors import InputError
from pipelines.evaluate import evaluate
from pipelines.notebook import open_run
from pipelines.report import report
from pipelines.report.sections.made import made_section
from pipelines.report.shelf import Shelf
from pipelines.report.sources import find_sources
from pipelines.shifts import shifts
from pipelines.train import train


@pytest.fixture
def trained(world):
    """A run on shifts from two clusterings, and its scores beside it."""
    for seed in (1, 2):
        cluster(world.text, world.folder / f"c{seed}.parquet", k=3, seed=seed)
    two = [world.folder / "c1.parquet", world.folder / "c2.parquet"]
    shifts(two, world.folder / "s.parquet", minimum=0.05, maximum=0.1)
    run = world.folder / "run"
    train(world.config("run", temperature="mmts", tau=None, alpha=0.04, shifts=world.folder / "s.parquet"))
    evaluate(world.folder / "scores", run=run, resamples=0)
    return world


def test_a_run_knows_its_files_and_its_scores(trained):
    found = find_sources(trained.folder / "run", {})
    folder = trained.folder
    assert found.used() == {
        "annotations": folder / "annotations.parquet",
        "text": folder / "text.parquet",
        "clusters": folder / "c1.parquet",
        "shifts": folder / "s.parquet",
        "run": folder / "run",
        "scores": folder / "scores",
    }
    assert found.notes == ["clusters: c1.parquet, the first of 2 that s.parquet averages"]


def test_a_run_that_was_moved_with_its_files_finds_them_by_fingerprint(trained, tmp_path):
    moved = tmp_path / "moved"
    shutil.move(trained.folder, moved)
    (moved / "s.parquet").rename(moved / "renamed.parquet")
    used = find_sources(moved / "run", {}).used()
    assert used["shifts"] == moved / "renamed.parquet"
    assert used["clusters"] == moved / "c1.parquet"
    assert used["annotations"] == moved / "annotations.parquet"
    assert used["scores"] == moved / "scores"


def test_scores_of_another_run_are_not_taken(trained):
    train(trained.config("other", seed=1))
    assert find_sources(trained.folder / "other", {}).scores is None
    evaluate(trained.folder / "other-scores", run=trained.folder / "other", resamples=0)
    assert find_sources(trained.folder / "other", {}).scores == trained.folder / "other-scores"
    assert find_sources(trained.folder / "run", {}).scores == trained.folder / "scores"


def test_unfinished_and_damaged_scores_around_are_no_hindrance(trained):
    for name, file, content in (("half", "metrics.json", None), ("damaged", "ranks.parquet", b"PAR1 no more")):
        shutil.copytree(trained.folder / "scores", trained.folder / name)
        (trained.folder / name / file).unlink()
        if content is not None:
            (trained.folder / name / file).write_bytes(content)
    assert find_sources(trained.folder / "run", {}).scores == trained.folder / "scores"
    assert [each.output for each in open_run(trained.folder / "run").scores] == [trained.folder / "scores"]


def test_of_several_scores_the_newest_is_taken_and_said(trained):
    evaluate(trained.folder / "val", run=trained.folder / "run", split="val", resamples=0)
    found = find_sources(trained.folder / "run", {})
    assert found.scores == trained.folder / "val"
    assert found.notes[-1] == "scores: val, the newest of 2 (others: scores); --scores takes another"
    given = find_sources(trained.folder / "run", {}, [trained.folder / "scores"])
    assert given.scores == trained.folder / "scores"


def test_scores_of_a_classification_are_taken_beside_those_of_retrieval(trained):
    classes = trained.folder / "classes"
    shutil.copytree(trained.folder / "scores", classes)
    (classes / "classes.parquet").touch()  # what tells a classification
    found = find_sources(trained.folder / "run", {})
    assert (found.scores, found.classes) == (trained.folder / "scores", classes)
    shutil.rmtree(trained.folder / "scores")
    found = find_sources(trained.folder / "run", {})
    assert (found.scores, found.classes) == (None, classes)


def test_a_run_that_knows_no_clusters_takes_those_of_its_texts(trained):
    train(trained.config("fixed"))
    found = find_sources(trained.folder / "fixed", {})
    assert found.clusters == trained.folder / "c1.parquet"  # clusters.parquet was not made from these texts
    assert found.notes == ["clusters: c1.parquet, made from the same text.parquet; --clusters takes another"]


def test_of_a_folder_the_run_with_scores_is_taken(trained):
    train(trained.config("later", seed=1))
    found = find_sources(trained.folder, {})
    assert found.run == trained.folder / "run"
    assert found.scores == trained.folder / "scores"
    assert found.clusters == trained.folder / "c1.parquet"


def test_a_damaged_file_is_not_on_the_shelf(world):
    (world.folder / "clusters.parquet").write_bytes(b"PAR1 but no more")
    assert [item.path.name for item in Shelf([world.folder]).of_kind("clusters")] == []


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_sources(tmp_path / "none", {})


def trained_on_parts(world, given):
    """A run on embeddings in two files."""
    parts = world.folder / "parts"
    parts.mkdir()
    table = pq.read_table(world.text)
    world.write(parts / "part-0.parquet", table.slice(0, 50))
    world.write(parts / "part-1.parquet", table.slice(50))
    train(world.config("run", text=world.folder / given, epochs=1))
    return world.folder / "run"


@pytest.mark.parametrize("given", ["parts", "parts/part-*.parquet"])
def test_embeddings_in_parts_are_found(world, given):
    run = trained_on_parts(world, given)
    cluster(world.folder / given, world.folder / "c.parquet", k=3)
    found = find_sources(run, {})
    assert (found.text, found.clusters) == (world.folder / given, world.folder / "c.parquet")
    assert "2 parts, made by mmts" in made_section(found).content["steps"][1].about


def test_a_report_among_the_parts_is_refused(world):
    run = trained_on_parts(world, "parts")
    with pytest.raises(InputError, match=r"r\.html: would be one of the files of the input"):
        report(run, world.folder / "parts" / "r.html")
