import csv
import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.demo import make_scenes, scenes
from pipelines.demo.grammar import CONCEPTS
from pipelines.demo.scenes import zipf_counts
from pipelines.errors import InputError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_scenes(tmp_path_factory.mktemp("scenes"), count=300, size=32, seed=3)


def rows_of(made):
    with made.captions.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(made, tmp_path):
    again = make_scenes(tmp_path / "again", count=300, size=32, seed=3)
    other = make_scenes(tmp_path / "other", count=300, size=32, seed=4)
    assert again.images.read_bytes() == made.images.read_bytes()
    assert again.captions.read_bytes() == made.captions.read_bytes()
    assert other.images.read_bytes() != made.images.read_bytes()
    assert list(other.concepts) != list(made.concepts)


def test_the_archive_holds_one_image_of_the_asked_size_per_captioned_name(made):
    rows = rows_of(made)
    assert list(rows[0]) == ["image", "caption", "split", "concept"]
    with zipfile.ZipFile(made.images) as archive:
        assert archive.namelist() == sorted({row["image"] for row in rows})
        assert len(archive.namelist()) == 300
        for name in archive.namelist()[:5]:
            image = Image.open(io.BytesIO(archive.read(name)))
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (32, 32))
    assert set(Counter(row["image"] for row in rows).values()) == {2}


def test_every_image_is_in_one_split_and_every_concept_in_training(made):
    rows = rows_of(made)
    splits = {(row["image"], row["split"]) for row in rows}
    assert len(splits) == 300
    assert Counter(split for _, split in splits) == {"test": 50, "val": 30, "train": 220}
    assert {row["concept"] for row in rows if row["split"] == "train"} == set(CONCEPTS)


def test_concepts_follow_the_counts_returned(made):
    assert Counter(row["concept"] for row in rows_of(made)[::2]) == made.concepts
    assert list(made.concepts.values()) == zipf_counts(300, len(CONCEPTS), 1.0)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5])
def test_log_frequency_falls_along_log_rank_with_the_exponent(exponent):
    counts = zipf_counts(100_000, 30, exponent)
    assert sum(counts) == 100_000
    slope = np.polyfit(np.log(np.arange(1, 31)), np.log(counts), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.01)


def test_extremes_of_imbalance():
    assert zipf_counts(40, 4, 0.0) == [10, 10, 10, 10]
    assert zipf_counts(40, 4, 50.0) == [37, 1, 1, 1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 159}, "count 159 is too small for 32 concepts; give at least 160"),
        ({"imbalance": -0.1}, "imbalance -0.1 "),
        ({"imbalance": float("nan")}, "imbalance nan "),
        ({"captions_per_image": 0}, "captions per image 0 "),
        ({"size": 16}, "image size 16 .* give 32 to 512"),
    ],
)
def test_a_parameter_out_of_range_is_refused_before_anything_is_written(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        make_scenes(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="taken: is a file"):
        make_scenes(tmp_path / "taken")


def test_a_failure_half_way_leaves_the_earlier_files(tmp_path, monkeypatch):
    for name in ("images.zip", "captions.csv"):
        (tmp_path / name).write_text("earlier")

    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(scenes, "render", fail)
    with pytest.raises(RuntimeError):
        make_scenes(tmp_path, count=200)
    assert {p.name: p.read_text() for p in Path(tmp_path).iterdir()} == {
        "images.zip": "earlier",
        "captions.csv": "earlier",
    }
