"""``prepare msrvtt``."""

import pytest

LINE = ("prepare", "msrvtt", "--root", "root", "-o", "out.parquet")


def test_training_captions_and_test_pairs(downloads, prepared) -> None:
    downloads("msrvtt")
    rows, _ = prepared("msrvtt")
    assert rows == {
        "sample_id": ["video1#0", "video1#1", "video2#0", "ret0"],
        "text": ["a", "b", "c", "x y"],
        "media_id": ["video1", "video1", "video2", "video9"],
        "split": ["train", "train", "train", "test"],
    }


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("MSRVTT_JSFUSION_test.csv", "sentence", "caption", "no column 'sentence' (columns: key"),
        ("MSRVTT_JSFUSION_test.csv", "ret0", "", "1 rows have no key"),
        ("MSRVTT_train.9k.csv", "video2", "video1", "1 values of video_id occur more than once, first: video1"),
        ("MSRVTT_train.9k.csv", "video2\n", "", "1 training videos, 2 were published: 1 are missing"),
        ("MSRVTT_data.json", "video2", "video3", "1 of 2 training videos have no caption, first: video2;"),
        ("MSRVTT_data.json", '"caption"', '"text"', "sentence 0 has no 'caption' (it has video_id, text, sen_id)"),
    ],
)
def test_refusals(downloads, refused, name, old, new, message) -> None:
    file = downloads("msrvtt") / name
    file.write_text(file.read_text().replace(old, new))
    assert refused(*LINE).startswith(f"root/some/where/{name}: {message}")


def test_captions_without_the_list_of_training_videos(downloads, refused) -> None:
    folder = downloads("msrvtt")
    (folder / "MSRVTT_train.9k.csv").unlink()
    (folder / "MSRVTT_JSFUSION_test.csv").unlink()
    said = refused(*LINE, "--allow-partial")
    assert "MSRVTT_data.json and MSRVTT_train.9k.csv are needed together" in said
