"""``mmts report`` as a command: what it finds, says, refuses, and leaves as it is."""

import json
import shutil

import pytest


@pytest.fixture
def folder(world):
    """A folder with clusters, shifts and annotations, but nothing that takes long to see."""
    (world.folder / "text.parquet").unlink()
    (world.folder / "media.parquet").unlink()
    return world.folder


def test_a_folder_is_shown_as_far_as_it_goes(mmts, folder, tmp_path):
    output = tmp_path / "report.html"
    ran = mmts("report", folder, "-o", output)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0] == f"{output}: written"
    assert lines[1] == "2.0 MB; sections: tail, clusters, training, made"
    assert [line for line in lines if line.startswith("  ")] == [
        f"  {role}: {folder / role}.parquet" for role in ("annotations", "clusters", "shifts")
    ]
    assert [line.split(":")[1].strip() for line in lines if line.startswith("left out: ")] == [
        *("Labels of clusters", "The map", "Training", "Scores by frequency, worst queries", "Sweep")
    ]
    text = output.read_text()
    assert "4 clusters of training samples in clusters.parquet: the largest holds 56, the smallest 4." in text
    assert "Gini coefficient 0.44" in text


def test_json_and_up_to_date(mmts, folder, tmp_path):
    output = tmp_path / "report.html"
    first = json.loads(mmts("report", folder, "-o", output, "--json").out)
    assert first["command"] == "report"
    assert first["up_to_date"] is False
    assert first["sections"] == ["tail", "clusters", "training", "made"]
    assert first["used"]["clusters"] == str(folder / "clusters.parquet")
    assert first["bytes"] == output.stat().st_size < 4e6
    made = output.read_bytes()
    assert json.loads(mmts("report", folder, "-o", output, "--json").out) == first | {"up_to_date": True}
    assert mmts("report", folder, "-o", output, "--force").code == 0
    assert output.read_bytes() == made
    (folder / "shifts.parquet").unlink()
    assert json.loads(mmts("report", folder, "-o", output, "--json").out)["up_to_date"] is False


def test_flags_name_what_is_shown(mmts, folder, tmp_path):
    shutil.move(folder / "shifts.parquet", tmp_path / "elsewhere.parquet")
    shutil.copy(folder / "clusters.parquet", tmp_path / "mine.parquet")
    flags = ("--shifts", tmp_path / "elsewhere.parquet", "--clusters", tmp_path / "mine.parquet")
    used = json.loads(mmts("report", folder, "-o", tmp_path / "report.html", "--json", *flags).out)["used"]
    assert used["shifts"] == str(tmp_path / "elsewhere.parquet")
    assert used["clusters"] == str(tmp_path / "mine.parquet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing",), "missing: no such folder; give a run, a sweep, or a folder with files that mmts wrote"),
        (("notes.html",), "notes.html: is a file; give a run, a sweep, or a folder with files that mmts wrote"),
        (("empty",), "empty: holds nothing that mmts wrote; give a run, a sweep, or the folder of a project"),
        (("{folder}", "--clusters", "none.parquet"), "none.parquet: no such file"),
        (
            ("{folder}", "--clusters", "{folder}/shifts.parquet"),
            "--clusters {folder}/shifts.parquet: holds shifts, expected clusters",
        ),
        (("{folder}", "--scores", "empty"), "--scores empty: not a folder that `mmts eval` wrote"),
        (("{folder}", "--media", "gone.zip"), "gone.zip: no such file"),
        (("{folder}", "--sample", "0"), "--sample 0: expected 1 or more"),
        (("{folder}", "-o", "report.pdf"), "report.pdf: the report is a web page; end its name in .html"),
        (("{folder}", "-o", "notes.html"), "notes.html: exists and is not a report of mmts; use --force to overwrite "),
    ],
)
def test_a_mistake_is_said_in_one_line(refused, folder, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.html").write_text("mine")
    given = [each.format(folder=folder) for each in arguments]
    if "-o" not in given:
        given += ["-o", "report.html"]
    assert refused("report", *given).startswith(message.format(folder=folder))
    assert not (tmp_path / "report.html").exists()
    assert (tmp_path / "notes.html").read_text() == "mine"


def test_features_are_no_pictures(refused, world, tmp_path):
    said = refused("report", world.folder, "-o", tmp_path / "report.html", "--media", world.media)
    assert said == f"--media {world.media}: holds features; give the folder or archive of the images or clips"
