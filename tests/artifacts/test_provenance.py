"""Fingerprints: what makes an output out of date."""

import os
import warnings
import zipfile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import fingerprint_of, read_provenance
from pipelines.artifacts.provenance import is_intact, library_versions, stage_fingerprint
from pipelines.errors import InputError


def test_stage_parameters_and_inputs_all_count() -> None:
    arguments = ("cluster", {"k": 2, "seed": 0}, {"embeddings": "0"})
    assert stage_fingerprint(*arguments) == stage_fingerprint("cluster", {"seed": 0, "k": 2}, {"embeddings": "0"})
    others = [
        ("clusters", *arguments[1:]),
        ("cluster", {"k": 3, "seed": 0}, arguments[2]),
        ("cluster", arguments[1], {"embeddings": "1"}),
        ("cluster", arguments[1], {"annotations": "0"}),
    ]
    assert len({stage_fingerprint(*arguments), *(stage_fingerprint(*other) for other in others)}) == 5


def test_an_artifact_answers_with_the_fingerprint_in_its_footer(tmp_path, write_artifact) -> None:
    path = write_artifact(tmp_path / "a.parquet", {"x": [1, 2]})
    assert fingerprint_of(path) == read_provenance(path).fingerprint


def test_an_artifact_without_its_footer_is_hashed(tmp_path, write_artifact) -> None:
    path = write_artifact(tmp_path / "a.parquet", {"x": [1, 2]})
    pd.read_parquet(path).to_parquet(tmp_path / "b.parquet")
    assert read_provenance(tmp_path / "b.parquet") is None
    assert fingerprint_of(tmp_path / "b.parquet") != fingerprint_of(path)


def test_data_changed_under_a_kept_footer_is_noticed(tmp_path, write_artifact) -> None:
    path = write_artifact(tmp_path / "a.parquet", {"x": [1, 2]})
    provenance = read_provenance(path)
    assert is_intact(path, provenance)
    changed = pa.table({"x": [1, 3]}).replace_schema_metadata({"mmts": provenance.to_json()})
    pq.write_table(changed, tmp_path / "b.parquet")
    assert read_provenance(tmp_path / "b.parquet") == provenance
    assert not is_intact(tmp_path / "b.parquet", provenance)
    with pytest.warns(UserWarning, match=r"b\.parquet: changed since mmts wrote it"):
        assert fingerprint_of(tmp_path / "b.parquet") != provenance.fingerprint


@pytest.mark.parametrize("footer", ["{", "[]", '{"stage": "x"}'])
def test_a_footer_of_another_make_is_none_of_ours(tmp_path, footer) -> None:
    pq.write_table(pa.table({"x": [1]}).replace_schema_metadata({"mmts": footer}), tmp_path / "a.parquet")
    assert read_provenance(tmp_path / "a.parquet") is None


def test_a_file_is_hashed_by_its_content(tmp_path) -> None:
    for name, content in (("a.csv", "1"), ("b.csv", "1"), ("c.csv", "2")):
        (tmp_path / name).write_text(content)
    first, same, other = (fingerprint_of(tmp_path / name) for name in ("a.csv", "b.csv", "c.csv"))
    assert first == same != other


def test_a_folder_is_hashed_by_names_sizes_and_times(tmp_path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, ns=(0, 0))
    seen = [fingerprint_of(tmp_path)]
    assert fingerprint_of(tmp_path) == seen[0]
    os.utime(tmp_path / "a.jpg", ns=(0, 5))
    seen.append(fingerprint_of(tmp_path))
    (tmp_path / "a.jpg").rename(tmp_path / "c.jpg")
    seen.append(fingerprint_of(tmp_path))
    assert len(set(seen)) == 3


def archive(path, **entries: str):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in entries.items():
            file.writestr(zipfile.ZipInfo(name), content)
    return path


def test_an_archive_is_hashed_by_its_index(tmp_path) -> None:
    first = fingerprint_of(archive(tmp_path / "a.zip", a="x", b="y"))
    assert fingerprint_of(archive(tmp_path / "b.zip", a="x", b="y")) == first
    assert fingerprint_of(archive(tmp_path / "c.zip", a="x", b="z")) != first
    assert fingerprint_of(archive(tmp_path / "d.zip", a="x", c="y")) != first


def test_a_zip_that_is_none_is_hashed_whole(tmp_path) -> None:
    (tmp_path / "a.zip").write_text("no archive")
    (tmp_path / "b.zip").write_text("no archive either")
    assert fingerprint_of(tmp_path / "a.zip") != fingerprint_of(tmp_path / "b.zip")


def test_a_missing_input_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="no such file"):
        fingerprint_of(tmp_path / "a.parquet")


def test_versions_of_what_is_installed() -> None:
    versions = library_versions(("pyarrow", "no-such-distribution"))
    assert list(versions) == ["mmts", "pyarrow", "no-such-distribution"]
    assert versions["pyarrow"] == pa.__version__
    assert versions["no-such-distribution"] == "not installed"


def test_an_intact_artifact_gives_no_warning(tmp_path, write_artifact) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fingerprint_of(write_artifact(tmp_path / "a.parquet", {"x": [1]}))
