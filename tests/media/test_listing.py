"""The media of samples."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.artifacts import read_annotations
from pipelines.errors import InputError
from pipelines.media import MediaList, media_list

PATH = Path("a.parquet")


@pytest.mark.slow
def test_media_ids_of_more_than_2_gib_are_listed() -> None:
    chunk = pa.array(["x" * 2**27])  # one buffer, which all chunks have
    assert len(media_list(pa.table({"media_id": pa.chunked_array([*[chunk] * 17, ["a"]])}), PATH)) == 2


def test_media_come_once_in_the_order_of_their_first_sample() -> None:
    table = pa.table(
        {
            "media_id": ["b", "a", "b", "c"],
            "media": ["b.mp4", None, "b.mp4", "c.mp4"],
            "video_id": ["v", "v", "v", None],
            "start_s": [1.0, None, 1.0, 0.0],
            "end_s": [2.0, None, 2.0, 0.0],
        }
    )
    media = media_list(table, PATH)
    assert (media.ids, media.places, media.video_ids) == (["b", "a", "c"], ["b.mp4", None, "c.mp4"], ["v", "v", None])
    assert np.array_equal(media.start_s, [1.0, np.nan, 0.0], equal_nan=True)
    assert np.array_equal(media.end_s, [2.0, np.nan, 0.0], equal_nan=True)
    some = media.select(["c", "b"])
    assert (some.ids, some.places, some.video_ids) == (["c", "b"], ["c.mp4", "b.mp4"], [None, "v"])
    assert (some.start_s.tolist(), some.end_s.tolist()) == ([0.0, 1.0], [0.0, 2.0])
    with pytest.raises(InputError, match=r"a\.parquet: 2 of 3 media are missing there, first: d, e; it holds b, a$"):
        media.select(["d", "a", "e"])


def test_annotations_keep_what_tells_where_a_clip_is(tmp_path, write_artifact) -> None:
    columns = {"sample_id": ["s", "t"], "text": ["", ""], "media_id": ["a", "b"], "video_id": [7, 8], "end_s": [1, 2]}
    path = write_artifact(tmp_path / "annotations.parquet", columns)
    media = media_list(read_annotations(path), path)
    assert (media.ids, media.video_ids, media.places, media.start_s) == (["a", "b"], ["7", "8"], None, None)
    assert media.end_s.tolist() == [1.0, 2.0]


def test_ids_alone_are_enough() -> None:
    media = media_list(pa.table({"media_id": ["b", "a", "b"]}), PATH)
    assert media == MediaList(["b", "a"], source=PATH)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("media", ["x", "x", "y", "z"]),
        ("media", ["x", "x", None, "z"]),
        ("start_s", [1.0, 2.0, 3.0, 2.0]),
        ("end_s", [None, 2.0, 3.0, 2.0]),
    ],
)
def test_samples_of_a_medium_agree_on_it(column, values) -> None:
    table = pa.table({"media_id": ["a", "b", "a", "b"], column: values})
    with pytest.raises(InputError, match=rf"a\.parquet: [12] media have samples that differ in '{column}', first: a"):
        media_list(table, PATH)


def test_clips_that_end_before_they_start_are_refused() -> None:
    table = pa.table({"media_id": ["a", "b", "c"], "start_s": [1.0, 2.0, None], "end_s": [1.0, 1.9, 1.0]})
    with pytest.raises(InputError, match=r"a\.parquet: 1 media end before they start, first: b; correct the times"):
        media_list(table, PATH)


def test_clips_that_end_before_their_video_begins_are_refused() -> None:
    table = pa.table({"media_id": ["a", "b"], "start_s": [-4.0, 0.0], "end_s": [-1.0, 1.0]})
    with pytest.raises(
        InputError, match=r"a\.parquet: 1 media end before their video begins, first: a; correct the times"
    ):
        media_list(table, PATH)


def test_clips_that_start_before_their_video_start_with_it_and_are_counted() -> None:
    table = pa.table({"media_id": ["a", "b", "c"], "start_s": [-4.0, 0.5, -0.1], "end_s": [1.0, 1.0, None]})
    with pytest.warns(
        UserWarning, match=r"a\.parquet: 2 media start before their video, first: a, c; they begin with it"
    ):
        assert media_list(table, PATH).start_s.tolist() == [0.0, 0.5, 0.0]


@pytest.mark.parametrize("column", ["start_s", "end_s"])
def test_infinite_times_are_refused(column) -> None:
    table = pa.table({"media_id": ["a", "b"], column: [float("inf"), 1.0]})
    with pytest.raises(InputError, match=r"a\.parquet: 1 media have infinite times, first: a; leave a time empty"):
        media_list(table, PATH)
