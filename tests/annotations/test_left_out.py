"""``--allow-partial``: what can't be used is left out, counted, and listed beside the output."""

import csv

import pyarrow.parquet as pq
import pytest
from conftest import shard

from pipelines.annotations import prepare_table
from pipelines.errors import InputError

CSV = "caption,image,t\na,1.jpg,0\n,2.jpg,1\nc,,2\n ,4.jpg,3\ne,5.jpg,nan\n"
COCO = "COCO_train2014_000000000001.jpg"
LISTED = [
    ["source", "row", "id", "reason"],
    ["in.csv", "3", "", "rows have no image"],
    ["in.csv", "2", "2.jpg", "texts are empty"],
    ["in.csv", "4", "4.jpg", "texts are empty"],
    ["in.csv", "5", "5.jpg", "clips have a value of start_s that is no number up to 10,000,000 s"],
]


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text(CSV)
    return tmp_path


LINE = ("prepare", "table", "in.csv", "-o", "a.parquet", "--text-column", "caption", "--start-column", "t")
LINE = (*LINE, "--media-id-column", "image")


def listed(path) -> list[list[str]]:
    with path.open(newline="") as handle:
        return list(csv.reader(handle))


def test_rows_of_a_table(work, mmts, refused) -> None:
    assert refused(*LINE) == "in.csv: 1 rows have no image, first: row 3; --allow-partial leaves them out"
    ran = mmts(*LINE, "--allow-partial")
    assert ran.code == 0
    assert "warning: in.csv: 2 texts are empty, first: row 2 (2.jpg), row 4 (4.jpg)" in ran.err
    assert "left out: 4, listed in a.left-out.csv" in ran.out
    assert pq.read_table("a.parquet").column("text").to_pylist() == ["a"]
    assert listed(work / "a.left-out.csv") == LISTED


def test_the_list_is_part_of_the_output(work, mmts) -> None:
    assert mmts(*LINE, "--allow-partial").code == 0
    assert "up to date" in mmts(*LINE, "--allow-partial").out
    (work / "a.left-out.csv").unlink()
    assert "written" in mmts(*LINE, "--allow-partial").out
    assert listed(work / "a.left-out.csv") == LISTED
    (work / "in.csv").write_text("caption,image,t\na,1.jpg,0\n")
    assert mmts(*LINE, "--allow-partial").code == 0
    assert not (work / "a.left-out.csv").exists()


def test_another_file_of_that_name_stays(work) -> None:
    (work / "a.left-out.csv").write_text("mine")
    with pytest.raises(InputError, match="the list of rows left out goes there; move that file"):
        prepare_table("in.csv", "a.parquet", text_column="caption", allow_partial=True)
    assert (work / "a.left-out.csv").read_text() == "mine"
    assert not (work / "a.parquet").exists()
    prepare_table("in.csv", "a.parquet", text_column="t", allow_partial=True, force=True)  # which leaves none out
    assert (work / "a.left-out.csv").read_text() == "mine"


def test_the_list_replaces_no_input(work) -> None:
    (work / "a.left-out.csv").hardlink_to(work / "in.csv")
    with pytest.raises(InputError, match=r"a\.left-out\.csv: is an input, and the list of rows left out goes there"):
        prepare_table("in.csv", "a.parquet", text_column="caption", allow_partial=True, force=True)


def test_shards_rows_and_captions_of_img2dataset(downloads, mmts, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.annotations.cc3m.PUBLISHED", {"train": 6, "val": 1})
    downloads("cc3m")
    folder = tmp_path / "shards" / "train"
    shard(folder, 0, [("k0", "a", "success"), ("k1", "b", "failed_to_download"), ("k2", None, "success")])
    shard(folder, 2, [("k6", "c", "success"), ("k7", " ", "success"), ("k8", "d", "success")], in_tar=["k6"])
    line = ("prepare", "cc3m", "--root", "shards", "--media-root", "shards", "--split", "train", "-o", "a.parquet")
    ran = mmts(*line, "--allow-partial")
    assert ran.code == 0, ran
    assert pq.read_table("a.parquet").column("sample_id").to_pylist() == ["train_k0", "train_k6"]
    assert "left out: 5, listed in a.left-out.csv" in ran.out
    assert listed(tmp_path / "a.left-out.csv")[1:] == [
        ["00001.parquet", "", "", "the shard is missing"],
        ["00000.parquet", "", "k1", "the image could not be downloaded"],
        ["shards", "", "train_k2", "texts are empty"],
        ["shards", "", "train_k7", "texts are empty"],
        ["shards", "", "train_k8", "the medium is missing"],
    ]


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "lost"),
    [
        ("flickr30k", "dataset_flickr30k.json", '" 2.jpg 1.\\n"', "null", "2.jpg#1"),
        (
            "mscoco",
            "dataset_coco.json",
            '" COCO_train2014_000000000001.jpg 0.\\n"',
            '" "',
            "COCO_train2014_000000000001.jpg#0",
        ),
        ("cc3m", "Train_GCC-training.tsv", "c\t", "\t", "train_000000001"),
        ("ek100", "EPIC_100_train.csv", "throw into bin", "", "P01_01_1"),
        ("youcook2", "youcookii_annotations_trainval.json", '"cut"', "null", "aa_b_0"),
        ("msrvtt", "MSRVTT_data.json", '"caption": "b"', '"caption": null', "video1#1"),
    ],
)
def test_captions_of_published_data_sets(downloads, mmts, refused, tmp_path, name, file, old, new, lost) -> None:
    path = downloads(name) / file
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))
    line = ("prepare", name, "--root", "root", "-o", "a.parquet")
    assert refused(*line).endswith("download the published file again; --allow-partial leaves them out")
    assert mmts(*line, "--allow-partial").code == 0
    assert lost not in pq.read_table("a.parquet").column("sample_id").to_pylist()
    assert listed(tmp_path / "a.left-out.csv")[1:] == [["root", "", lost, "texts are empty"]]


def test_flickr8k_keeps_the_ids_of_the_others(work, mmts) -> None:
    (work / "in.csv").write_text("image,caption,split\n1.jpg,a,Train\n1.jpg,,Train\n1.jpg,c,Train\n2.jpg,d,dev\n")
    (work / "images").mkdir()
    (work / "images" / "1.jpg").touch()
    line = ("prepare", "flickr8k", "--captions", "in.csv", "--images", "images", "-o", "a.parquet", "--allow-partial")
    ran = mmts(*line)
    assert "splits read by their plain names: 'Train' as train, 'dev' as val" in ran.err
    rows = pq.read_table("a.parquet").to_pydict()
    assert (rows["sample_id"], rows["split"]) == (["1.jpg#0", "1.jpg#2"], ["train", "train"])
    assert [row[2] for row in listed(work / "a.left-out.csv")[1:]] == ["1.jpg#1", "2.jpg#0"]
