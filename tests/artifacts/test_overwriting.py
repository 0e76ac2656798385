"""No output replaces an input, whatever name it goes by."""

import os

import pytest

from pipelines.artifacts import StagePlan
from pipelines.errors import InputError


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in.csv").write_text("x")
    return tmp_path / "in.csv"


def by_hard_link(source, other):
    os.link(source, other)


def by_symlink(source, other):
    other.symlink_to(source)


def by_linked_folder(source, other):
    other.symlink_to(source.parent, target_is_directory=True)
    return other / source.name


@pytest.mark.parametrize("alias", [by_hard_link, by_symlink, by_linked_folder])
def test_an_input_by_another_name(source, tmp_path, alias) -> None:
    output = alias(source, tmp_path / "alias") or tmp_path / "alias"
    with pytest.raises(InputError, match="is both input and output; choose another output path"):
        StagePlan("copy", output, {}, {"source": source})


def test_names_that_differ_in_case_where_case_makes_no_difference(source, tmp_path, monkeypatch) -> None:
    upper = tmp_path / "IN.CSV"
    upper.write_text("x")  # what a file system that doesn't tell case would show for in.csv
    monkeypatch.setattr("os.path.samefile", lambda one, other: str(one).lower() == str(other).lower())
    with pytest.raises(InputError, match="is both input and output"):
        StagePlan("copy", upper, {}, {"source": source})


def test_a_file_of_an_input_folder(tmp_path, source) -> None:
    with pytest.raises(InputError, match="is part of the input"):
        StagePlan("copy", source, {}, {"media": tmp_path})
    StagePlan("copy", tmp_path / "new.parquet", {}, {"media": tmp_path})  # a new file beside the media replaces none
