"""``prepare youcook2``."""

import pytest

LINE = ("prepare", "youcook2", "--root", "root", "-o", "out.parquet")


def test_segments_and_test_clips(downloads, prepared) -> None:
    folder = downloads("youcook2")
    file = folder / "validation_youcook.csv"
    file.write_text(file.read_text().replace("9,6", "9.5,6"))
    rows, said = prepared("youcook2")
    assert said == ""
    assert rows == {
        "sample_id": ["aa_b_0", "aa_b_1", "cc_0", "cc_0_5", "cc_6_9.5", "cc_6_9.5#1"],
        "text": ["cut", "fry", "stir", "stir it", "serve", "plate up"],
        "media_id": ["aa_b_0", "aa_b_1", "cc_0", "cc_0_5", "cc_6_9.5", "cc_6_9.5#1"],
        "start_s": [9, 20, 0, 0, 6, 6],
        "end_s": [12, 30, 5, 5, 9.5, 9.5],
        "split": ["train", "train", "val", "test", "test", "test"],
        "video_id": ["aa_b", "aa_b", "cc", "cc", "cc", "cc"],
        "duration_s": [100.5, 100.5, 50, None, None, None],
    }


JSON = "youcookii_annotations_trainval.json"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            JSON,
            '"duration": 100.5, ',
            "",
            ": 1 videos have no duration, first: aa_b; download the published file again",
        ),
        (JSON, "100.5", "null", ": 1 videos have no duration, first: aa_b; download the published file again"),
        (
            JSON,
            "[9, 12]",
            "[12, 9]",
            ": 1 clips end before they start, first: aa_b_0; download the published file again",
        ),
        (JSON, "[9, 12]", "[9]", ": video aa_b, annotation 0: 'segment' is [9]; start and end in seconds expected"),
        (
            JSON,
            '"segment": [9',
            '"span": [9',
            ": video aa_b, annotation 0, has no 'segment' (it has id, span, sentence)",
        ),
        (JSON, '"cut"', "7", ": video aa_b, annotation 0,: 'sentence' is int; the published layout was expected"),
        (JSON, '"database"', '"videos"', ": the file has no 'database' (it has videos); the published layout"),
        (JSON, '"training"', '"testing"', ": 0 training videos, 1 were published: 1 are missing; get the whole file"),
        ("validation_youcook.csv", "9,6", "6,9", ": 2 clips end before they start, first: cc_9_6, cc_9_6#1"),
        ("validation_youcook.csv", "9,6", ",6", ": 2 clips have no start or end, first: cc_6_?, cc_6_?#1"),
        ("validation_youcook.csv", "9,6", "soon,6", ": column 'end' has 'soon' in row 2; seconds were expected"),
        ("validation_youcook.csv", "end,start", "stop,start", ": no column 'end' (columns: stop, start"),
        ("validation_youcook.csv", "9,6,226,serve,cc\n", "", ": 2 test clips, 3 were published: 1 are missing"),
    ],
)
def test_refusals(downloads, refused, name, old, new, message) -> None:
    file = downloads("youcook2") / name
    file.write_text(file.read_text().replace(old, new))
    assert refused(*LINE).startswith(f"root/some/where/{name}{message}")


def test_every_test_set_in_circulation_is_taken(downloads, prepared, refused) -> None:
    file = downloads("youcook2") / "validation_youcook.csv"
    file.write_text(file.read_text() + "30,20,226,one more,cc\n")
    assert prepared("youcook2", "--split", "test")[0]["sample_id"][-1] == "cc_20_30"
    file.write_text(file.read_text() + "40,30,226,too many,cc\n")
    assert "5 test clips, 3 were published: 2 too many" in refused(*LINE)


def test_an_empty_text(downloads, refused) -> None:
    file = downloads("youcook2") / JSON
    file.write_text(file.read_text().replace('"cut"', '" "'))
    said = "root: 1 texts are empty, first: aa_b_0; download the published file again"
    assert refused(*LINE) == f"{said}; --allow-partial leaves them out"


def test_youcook2_itself(data_dir, mmts, tmp_path) -> None:
    ran = mmts("prepare", "youcook2", "--root", data_dir, "-o", tmp_path / "out.parquet")
    assert (ran.code, ran.err) == (0, "")
    assert "splits: train 10,337, val 3,492, test 3,350" in ran.out
