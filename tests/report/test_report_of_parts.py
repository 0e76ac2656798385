"""The page where something isn't there, or isn't an image."""

import base64
import io
import re

import numpy as np
import pyarrow as pa
import pytest
from evaluate.kitchen import Kitchen
from matplotlib.figure import Figure
from PIL import Image

from pipelines.artifacts import vector_type
from pipelines.evaluate import evaluate
from pipelines.plot.thirds import draw_thirds
from pipelines.report import report
from pipelines.train import train
from pipelines.views.thirds import read_thirds
from report.page_data import data_of

FEW = 16  # samples on the map: of so few, UMAP isn't loaded


def test_a_map_without_clusters(world) -> None:
    (world.folder / "clusters.parquet").unlink()
    (world.folder / "shifts.parquet").unlink()
    output = world.folder / "report.html"
    plain = report(world.folder, output, sample=FEW).summary
    assert plain["sections"] == ["map", "made"]
    assert plain["left_out"][0].startswith("Your tail: no clusters were found")
    drawn = data_of(output)["map"]
    assert len(drawn["ids"]) == FEW
    assert (drawn["cluster"], drawn["recall"]) == (None, None)
    assert 'id="map-colour"' not in output.read_text()  # there is nothing to choose
    train(world.config("run", epochs=1))
    evaluate(world.folder / "scores", run=world.folder / "run", resamples=0)
    assert "map" in report(world.folder, output, sample=FEW).summary["sections"]
    assert re.findall(r'<option value="(\w+)">', output.read_text())[0] == "recall"
    assert data_of(output)["map"]["recall"] is not None


def test_headings_say_no_word_twice(world) -> None:
    train(world.config("run", temperature="mmts", tau=None, alpha=0.04, shifts=world.shifts, epochs=3))
    evaluate(world.folder / "scores", run=world.folder / "run", resamples=0)
    output = world.folder / "report.html"
    report(world.folder / "run", output, sample=FEW)
    text = output.read_text()
    assert '<h1 dir="auto">Report on the run &#34;run&#34;</h1>' in text
    assert "Of run &#34;run&#34; (alpha" in text
    assert "Scores in &#34;scores&#34;." in text
    assert "<h3>run: run/</h3>" in text
    assert "run run" not in text


@pytest.fixture
def clips(tmp_path, film, write_artifact):
    """A project of six clips of two films, each clip as grey on the left as its films are at that time."""
    film(tmp_path / "films" / "v1.mp4")
    film(tmp_path / "films" / "v2.mp4")
    ids = [f"v{video}-{part}" for video in (1, 2) for part in range(3)]
    start_s = [0.0, 0.8, 1.6] * 2
    samples = {
        "sample_id": ids,
        "text": [f"clip {each}" for each in ids],
        "media_id": ids,
        "video_id": ["v1"] * 3 + ["v2"] * 3,
        "start_s": start_s,
        "end_s": [start + 0.4 for start in start_s],
    }
    write_artifact(tmp_path / "annotations.parquet", samples)
    vectors = np.eye(6, dtype=np.float32)
    turned = np.roll(vectors, 1, axis=0)  # every clip is found for the text of another
    for name, key, rows in (("text", "sample_id", vectors), ("features", "media_id", turned)):
        embedding = pa.array(rows.tolist(), vector_type(6))
        write_artifact(tmp_path / f"{name}.parquet", {key: ids, "embedding": embedding})
    sized = {"sample_id": ids, "cluster": pa.array([0, 0, 0, 0, 1, 1], pa.int32()), "cluster_size": [4] * 4 + [2] * 2}
    write_artifact(tmp_path / "clusters.parquet", sized)
    evaluate(
        tmp_path / "scores",
        annotations=tmp_path / "annotations.parquet",
        text=tmp_path / "text.parquet",
        media=tmp_path / "features.parquet",
        frequency=tmp_path / "clusters.parquet",
        resamples=0,
    )
    return tmp_path


def test_clips_are_shown_by_their_middle_frames(clips) -> None:
    output = clips / "report.html"
    result = report(clips, output, media=clips / "films")
    assert {"map", "clusters", "scores", "worst"} <= set(result.summary["sections"])
    assert not any("humbnails" in line for line in result.summary["left_out"])
    data = data_of(output)
    assert len(data["pictures"]) == 6
    shown = np.frombuffer(base64.b64decode(data["map"]["picture"]["bdata"]), "<i4")
    for sample_id, number in zip(data["map"]["ids"], shown.tolist(), strict=True):
        image = Image.open(io.BytesIO(base64.b64decode(data["pictures"][number].split(",")[1]))).convert("L")
        left = np.asarray(image)[:, : image.width // 2 - 4].mean()
        middle_s = 0.8 * int(sample_id[-1]) + 0.2
        assert left == pytest.approx(4 * middle_s * 25 % 200, abs=12)
    worst = output.read_text().partition('<section id="worst"')[2]
    used = set(re.findall(r'data-picture="(\d+)"', worst))
    assert used == {str(number) for number in range(6)}


def test_a_run_of_another_strategy_has_no_plan_of_temperatures(world) -> None:
    train(world.config("run", temperature="fixed", tau=0.05, epochs=1))
    output = world.folder / "report.html"
    left_out = report(world.folder / "run", output, shifts=world.shifts, sample=FEW).summary["left_out"]
    said = "Temperatures of head and tail: run was trained with --temperature fixed; `mmts plan"
    assert [line for line in left_out if line.startswith(said)]
    assert "As planned" not in output.read_text()


def test_official_tail_classes_stand_beside_the_thirds(tmp_path, write_artifact) -> None:
    kitchen = Kitchen(tmp_path, write_artifact)
    folders = {"thirds": {"frequency": tmp_path / "sizes.parquet"}, "classes alone": {}}
    for name, more in folders.items():
        files = kitchen.files()
        evaluate(tmp_path / name, **files, **more, protocol="ek100", tail_classes=tmp_path / "tail.csv", resamples=0)
    output = tmp_path / "report.html"
    assert "scores" in report(tmp_path, output, sample=FEW, scores=[tmp_path / "thirds"]).summary["sections"]
    scores = output.read_text().partition('<section id="scores"')[2].partition("</section>")[0]
    for group in ("overall", "head", "middle", "tail", "tail classes"):
        assert f'<th scope="row">{group}</th>' in scores
    figure = Figure()
    draw_thirds(figure, [read_thirds(tmp_path / name) for name in folders])
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks == ["overall", "head", "middle", "tail", "tail\nclasses"]
    alone = figure.axes[0].containers[1].lines[0].get_xdata()
    assert alone.tolist() == [0.25, 4.25]  # overall and tail classes: thirds aren't known
