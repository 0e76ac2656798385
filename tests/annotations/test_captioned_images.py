"""``prepare flickr30k`` and ``prepare mscoco``."""

import json
import zipfile

import pytest
from conftest import coco, karpathy

TRAIN, VAL = "COCO_train2014_000000000001.jpg", "COCO_val2014_000000000003.jpg"
REST, TEST = "COCO_val2014_000000000002.jpg", "COCO_val2014_000000000004.jpg"


def test_a_sample_is_a_caption(downloads, prepared) -> None:
    downloads("flickr30k")
    rows, _ = prepared("flickr30k", "--split", "val")
    assert rows == {
        "sample_id": [f"2.jpg#{n}" for n in range(5)],
        "text": [f"2.jpg {n}." for n in range(5)],
        "media_id": ["2.jpg"] * 5,
        "split": ["val"] * 5,
    }


def test_restval_is_train_and_a_sixth_caption_is_not_scored(downloads, prepared) -> None:
    downloads("mscoco")
    rows, _ = prepared("mscoco")
    split_of = dict(zip(rows["sample_id"], rows["split"], strict=True))
    assert (split_of[f"{TRAIN}#5"], split_of[f"{REST}#0"]) == ("train", "train")
    assert [split_of[f"{TEST}#{n}"] for n in range(7)] == ["test"] * 5 + ["extra"] * 2
    id_of = dict(zip(rows["sample_id"], rows["caption_id"], strict=True))
    assert [id_of[f"{image}#1"] for image in (TRAIN, REST, VAL, TEST)] == [1, 101, 201, 301]


@pytest.mark.parametrize(
    ("year", "names"), [(2014, [TRAIN, REST, VAL, TEST]), (2017, [f"{n:012}.jpg" for n in range(1, 5)])]
)
def test_official_captions_with_split_lists(downloads, prepared, refused, monkeypatch, year, names) -> None:
    folder = downloads("mscoco")
    (folder / "dataset_coco.json").unlink()
    counts = {1: 6, 2: 5, 3: 5, 4: 7}
    parts = {"train": [1], "val": [2, 3, 4]} if year == 2014 else {"train": [1, 2, 3], "val": [4]}
    for part, numbers in parts.items():
        captions = [(n, f"caption {c}") for n in numbers for c in range(counts[n])]
        content = coco([(n, names[n - 1]) for n in numbers], captions)
        content["annotations"].reverse()  # the ids decide the order of an image's captions
        (folder / f"captions_{part}{year}.json").write_text(json.dumps(content))
        monkeypatch.setitem(_official(), f"captions_{part}{year}.json", len(captions))
    assert "karpathy_train_images.txt, karpathy_val_images.txt" in refused(*_line("mscoco"))
    for split, numbers in {"train": [2, 1], "val": [3], "test": [4]}.items():
        lines = [f"val2014/COCO_val2014_{n:012}.jpg {n}\n" for n in numbers]
        (folder / f"karpathy_{split}_images.txt").write_text("".join(lines))
    rows, said = prepared("mscoco")
    assert said == ""
    assert rows["sample_id"][:6] == [*(f"{names[1]}#{n}" for n in range(5)), f"{names[0]}#0"]
    assert rows["split"] == ["train"] * 11 + ["val"] * 5 + ["test"] * 5 + ["extra"] * 2
    assert rows["text"] == [f"caption {sample[-1]}" for sample in rows["sample_id"]]
    first = 100 if year == 2014 else 106  # captions are numbered file by file here
    assert rows["caption_id"][:6] == [*range(first, first + 5), 100]
    (folder / "karpathy_val_images.txt").write_text("val2014/x.jpg nine\n")
    said = refused(*_line("mscoco"))
    assert said == "root/some/where/karpathy_val_images.txt: line 1 ends in 'nine'; an image number was expected"


def test_images_are_linked_in_folders_and_zips_under_either_name(downloads, prepared, tmp_path) -> None:
    downloads("mscoco")
    for name in ("val2014/" + VAL, "train2017/000000000004.jpg"):
        (tmp_path / "media" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "media" / name).touch()
    assert prepared("mscoco", "--media-root", "media", "--split", "val")[0]["media"] == [f"media/val2014/{VAL}"] * 5
    rows, _ = prepared("mscoco", "--media-root", "media", "--split", "test")
    assert set(rows["media"]) == {"media/train2017/000000000004.jpg"}
    with zipfile.ZipFile(tmp_path / "media.zip", "w") as archive:
        archive.writestr(f"val2014/{VAL}", "x")
        archive.writestr(f"__MACOSX/{VAL}", "x")
    rows, _ = prepared("mscoco", "--media-root", "media.zip", "--split", "val")
    assert set(rows["media"]) == {f"zip://val2014/{VAL}::media.zip"}


def test_missing_and_doubled_images(downloads, refused, tmp_path) -> None:
    downloads("flickr30k")
    for folder in ("some", "again"):
        (tmp_path / "media" / folder).mkdir(parents=True)
    (tmp_path / "media" / "some" / "2.jpg").touch()
    said = refused(*_line("flickr30k"), "--media-root", "media")
    assert said.startswith(
        "media: 2 of 3 media are missing there, first: 1.jpg, 3.jpg; it holds some/2.jpg; their 10 samples"
    )
    (tmp_path / "media" / "again" / "2.jpg").touch()
    said = refused(*_line("flickr30k"), "--media-root", "media", "--split", "val")
    assert said == (
        "media: two media have the name 2.jpg: again/2.jpg and some/2.jpg; leave one of them, or name one by its path"
    )


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([("1.jpg", "train", 5), ("2.jpg", "val", 5)], "0 test images, 1 were published: 1 are missing"),
        ([("1.jpg", "train", 4), ("2.jpg", "val", 5)], "4 captions of train images, 5 were published: 1 are missing"),
        ([("1.jpg", "dev", 5)], "image 0 has split 'dev'; expected train, restval, val, test"),
    ],
)
def test_other_counts_are_refused(downloads, refused, images, message) -> None:
    folder = downloads("flickr30k")
    (folder / "dataset_flickr30k.json").write_text(json.dumps(karpathy("flickr30k", images)))
    assert refused(*_line("flickr30k")).startswith(f"root/some/where/dataset_flickr30k.json: {message}")


def test_a_changed_layout(downloads, refused) -> None:
    file = downloads("flickr30k") / "dataset_flickr30k.json"
    file.write_text(file.read_text().replace('"raw"', '"text"'))
    said = refused(*_line("flickr30k"))
    assert said.endswith(
        "dataset_flickr30k.json: image 0 has no 'raw' (it has text, sentid); the published layout was expected"
    )


def test_captions_of_mscoco_without_their_ids(downloads, refused) -> None:
    file = downloads("mscoco") / "dataset_coco.json"
    file.write_text(file.read_text().replace('"sentid"', '"id"'))
    assert "dataset_coco.json: image 0 has no 'sentid' (it has raw, id); the published" in refused(*_line("mscoco"))


def _line(name: str) -> tuple[str, ...]:
    return ("prepare", name, "--root", "root", "-o", "out.parquet")


def _official() -> dict[str, int]:
    from pipelines.annotations import mscoco

    return mscoco.OFFICIAL
