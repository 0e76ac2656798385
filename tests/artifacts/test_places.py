"""Paths and URIs in the column ``media``."""

import pytest

from pipelines.artifacts.places import Place
from pipelines.errors import InputError


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("images/1.jpg", Place("images/1.jpg")),
        ("zip://val/1.jpg::a/b.zip", Place("a/b.zip", "val/1.jpg", "zip")),
        ("tar://000.jpg::root/00001.tar", Place("root/00001.tar", "000.jpg", "tar")),
    ],
)
def test_text_and_place_are_each_others(text, place) -> None:
    assert Place.parse(text) == place
    assert str(place) == text


@pytest.mark.parametrize("text", ["https://example.org/1.jpg", "zip://1.jpg", "tar://::a.tar", "zip://1.jpg::"])
def test_other_uris_are_refused(text) -> None:
    with pytest.raises(InputError, match=r"can't be read; a path, zip://MEMBER::ARCHIVE or tar://MEMBER::TAR was"):
        Place.parse(text)
