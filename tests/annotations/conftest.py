"""Small files in the published layouts, and the counts that make them whole."""

import io
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

EK100_HEADER = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
)
PLATE = "P01_01_0,P01,P01_01,00:00:00.5,00:00:00.14,00:01:03.37,8,202,take plate,take,0,plate,2,['plate'],[2]\n"
BIN = (
    "P01_01_1,P01,P01_01,,01:00:04.00,01:00:06.5,262,370,throw into bin,throw,13,paper,49,\"['p','b']\",\"[49, 36]\"\n"
)
TEST_CLIP = "P02_03_0,P02,P02_03,,00:00:01.00,00:00:02.00,60,120,wash cup,wash,2,cup,7,['cup'],[7]\n"
VIDEO = {
    "subset": "training",
    "duration": 100.5,
    "annotations": [
        {"id": 0, "segment": [9, 12], "sentence": "cut"},
        {"id": 1, "segment": [20, 30], "sentence": "fry"},
    ],
}


def karpathy(name: str, images: list[tuple[str, str, int]]) -> dict:
    """A ``dataset_*.json`` of images given by name, split and number of captions."""
    return {
        "dataset": name,
        "images": [
            {
                "filename": image,
                "split": split,
                "sentences": [{"raw": f" {image} {n}.\n", "sentid": 100 * row + n} for n in range(count)],
            }
            for row, (image, split, count) in enumerate(images)
        ],
    }


def coco(images: list[tuple[int, str]], captions: list[tuple[int, str]]) -> dict:
    return {
        "images": [{"id": number, "file_name": name} for number, name in images],
        "annotations": [
            {"image_id": number, "id": 100 + row, "caption": caption} for row, (number, caption) in enumerate(captions)
        ],
    }


def shard(folder, number: int, rows: list[tuple[str, str, str]], *, in_tar: list[str] | None = None) -> None:
    """One shard as img2dataset writes it: rows are key, caption and status."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {name: [row[place] for row in rows] for place, name in enumerate(("key", "caption", "status"))}
    columns["url"] = [f"http://host/{key}" for key in columns["key"]]
    pq.write_table(pa.table({**columns, "width": [8] * len(rows)}), folder / f"{number:05d}.parquet")
    with tarfile.open(folder / f"{number:05d}.tar", "w") as archive:
        for key in [key for key, _, status in rows if status == "success"] if in_tar is None else in_tar:
            for suffix in ("jpg", "json", "txt"):
                archive.addfile(tarfile.TarInfo(f"{key}.{suffix}"), io.BytesIO())


def _flickr30k(root) -> None:
    images = [("1.jpg", "train", 5), ("2.jpg", "val", 5), ("3.jpg", "test", 5)]
    (root / "dataset_flickr30k.json").write_text(json.dumps(karpathy("flickr30k", images)))


def _mscoco(root) -> None:
    images = [
        ("COCO_train2014_000000000001.jpg", "train", 6),
        ("COCO_val2014_000000000002.jpg", "restval", 5),
        ("COCO_val2014_000000000003.jpg", "val", 5),
        ("COCO_val2014_000000000004.jpg", "test", 7),
    ]
    (root / "dataset_coco.json").write_text(json.dumps(karpathy("coco", images)))


def _cc3m(root) -> None:
    (root / "Train_GCC-training.tsv").write_text('a "b\thttp://host/1\nc\thttp://host/2\n')
    (root / "Validation_GCC-1.1.0-Validation.tsv").write_text("d\thttp://host/3\n")


def _ek100(root) -> None:
    (root / "EPIC_100_train.csv").write_text(EK100_HEADER + PLATE + BIN)
    (root / "EPIC_100_retrieval_test.csv").write_text(EK100_HEADER + TEST_CLIP)
    (root / "EPIC_100_retrieval_train_sentence.csv").write_text("narration_id,narration\nP01_01_1,throw\n")
    (root / "EPIC_100_retrieval_test_sentence.csv").write_text("narration_id,narration\nP02_03_0,wash\n")


def _youcook2(root) -> None:
    validation = {"subset": "validation", "duration": 50.0, "annotations": [{"segment": [0, 5], "sentence": "stir"}]}
    database = {"aa_b": VIDEO, "cc": validation}
    (root / "youcookii_annotations_trainval.json").write_text(json.dumps({"database": database}))
    rows = "end,start,task,text,video_id\n5,0,226,stir it,cc\n9,6,226,serve,cc\n9,6,226,plate up,cc\n"
    (root / "validation_youcook.csv").write_text(rows)


def _msrvtt(root) -> None:
    sentences = [("video1", "a"), ("video9", "x"), ("video1", "b"), ("video2", "c")]
    content = {"sentences": [{"video_id": name, "caption": text, "sen_id": 0} for name, text in sentences]}
    (root / "MSRVTT_data.json").write_text(json.dumps(content))
    (root / "MSRVTT_train.9k.csv").write_text("video_id\nvideo1\nvideo2\n")
    (root / "MSRVTT_JSFUSION_test.csv").write_text("key,vid_key,video_id,sentence\nret0,msr9,video9,x y\n")


LAYOUTS = {
    "flickr30k": _flickr30k,
    "mscoco": _mscoco,
    "cc3m": _cc3m,
    "ek100": _ek100,
    "youcook2": _youcook2,
    "msrvtt": _msrvtt,
}
COUNTS = {
    "flickr30k.PUBLISHED": {"train": (1, 5), "val": (1, 5), "test": (1, 5)},
    "mscoco.PUBLISHED": {"train": (2, 11), "val": (1, 5), "test": (1, 7)},
    "cc3m.PUBLISHED": {"train": 2, "val": 1},
    "ek100.CLIPS": {"train": 2, "test": 1},
    "ek100.SENTENCES": {"train": 1, "test": 1},
    "youcook2.PUBLISHED": {"train": (1, 2), "val": (1, 1)},
    "youcook2.PUBLISHED_TEST_CLIPS": 3,
    "youcook2.TEST_CLIPS_IN_CIRCULATION": range(3, 5),
    "msrvtt.PUBLISHED_VIDEOS": 2,
    "msrvtt.PUBLISHED_CAPTIONS": 3,
    "msrvtt.PUBLISHED_TEST_PAIRS": 1,
}


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """Make a folder with the small files of a data set, two levels down, which then count as whole."""
    monkeypatch.chdir(tmp_path)
    for name, count in COUNTS.items():
        monkeypatch.setattr(f"pipelines.annotations.{name}", count)

    def make(name: str):
        folder = tmp_path / "root" / "some" / "where"
        folder.mkdir(parents=True)
        LAYOUTS[name](folder)
        return folder

    return make


@pytest.fixture
def prepared(mmts, tmp_path):
    """Run ``mmts prepare NAME`` over the folder; gives the rows and what was said on stderr."""

    def run(name: str, *extra: object) -> tuple[dict[str, list], str]:
        ran = mmts("prepare", name, "--root", "root", "-o", "out.parquet", "--force", *extra)
        assert ran.code == 0, ran
        return pq.read_table(tmp_path / "out.parquet").to_pydict(), ran.err

    return run
