"""Files that are put piece by piece."""

import pytest

from pipelines.remote import fetch, located
from pipelines.remote.growing import Growing, is_piece


@pytest.fixture
def file(memory, cache):
    """A file that grew twice and was put each time."""
    path = located("memory://b/parts") / "vectors.bin"
    path.parent.mkdir(parents=True)
    growing = Growing(path)
    for text in ("one", "twofold"):
        with path.open("a") as handle:
            handle.write(text)
        growing.put()
        growing.put()  # nothing new
    return path


NAMES = [f"/b/parts/vectors.bin.{begin:015d}" for begin in (0, 3)]


def test_each_piece_is_an_object(memory, file) -> None:
    assert [memory.cat(name) for name in memory.find("/b")] == [b"one", b"twofold"]
    assert memory.find("/b") == NAMES
    assert all(is_piece(name.rpartition("/")[2], ("vectors.bin",)) for name in NAMES)
    assert not is_piece("vectors.bin", ("vectors.bin",))


def test_another_machine_goes_on_from_the_pieces(memory, file) -> None:
    file.unlink()
    growing = Growing(file)
    assert file.read_text() == "onetwofold"
    with file.open("a") as handle:
        handle.write("!")
    growing.put()
    assert memory.cat("/b/parts/vectors.bin.000000000000010") == b"!"


def test_what_follows_a_missing_piece_counts_for_nothing(memory, file) -> None:
    file.unlink()
    memory.rm(NAMES[0])
    fetch(file.parent)
    growing = Growing(file)
    file.write_text("three")
    growing.put()
    assert memory.cat(NAMES[0]) == b"three"


def test_pieces_of_a_file_whose_end_was_cut_off_are_put_anew(memory, file) -> None:
    growing = Growing(file)
    file.write_text("onetwo")
    growing.put()
    assert {name: memory.cat(name) for name in memory.find("/b")} == {NAMES[0]: b"onetwo"}


def test_a_file_that_isn_t_remote_is_left_alone(tmp_path) -> None:
    path = tmp_path / "vectors.bin"
    growing = Growing(path)
    path.write_text("one")
    growing.put()
    assert [each.name for each in tmp_path.iterdir()] == ["vectors.bin"]
