"""``--media annotations``: media that change where the annotations name them are encoded again."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def test_media_that_changed_where_the_annotations_name_them_are_read_again(tmp_path, mmts, tiny) -> None:
    places = [str(tmp_path / f"{number}.png") for number in range(2)]
    for place in places:
        Image.new("RGB", (32, 32)).save(place)
    pq.write_table(
        pa.table({"sample_id": ["a", "b"], "text": ["x", "y"], "media_id": ["a", "b"], "media": places}),
        tmp_path / "a.parquet",
    )
    line = (
        "embed",
        tmp_path / "a.parquet",
        "-o",
        tmp_path / "f.parquet",
        "--media",
        "annotations",
        "--model",
        tiny("clip"),
    )
    assert mmts(*line, "--device", "cpu").code == 0
    os.utime(places[0], ns=(0, 0))
    assert "up to date" in mmts(*line, "--device", "cpu").out
    Image.new("RGB", (32, 32), (9, 9, 9)).save(places[1])
    ran = mmts(*line, "--device", "cpu")
    assert (ran.code, "up to date" in ran.out) == (0, False)
