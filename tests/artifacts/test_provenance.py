"""Fingerprints: what makes an output out of date."""

import io
import os
import shutil
import tarfile
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


@pytest.fixture
def folder(tmp_path):
    """Two files, one of them below a link to a folder elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a.jpg").write_text("x")
    (tmp_path / "elsewhere" / "b.jpg").write_text("y")
    (tmp_path / "media" / "sub").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "media"


def test_a_folder_is_hashed_by_names_and_content_through_links(folder) -> None:
    seen = [fingerprint_of(folder)]
    (folder / "sub" / "b.jpg").write_text("z")  # as long as before
    seen.append(fingerprint_of(folder))
    (folder / "a.jpg").rename(folder / "c.jpg")
    seen.append(fingerprint_of(folder))
    (folder / "sub").unlink()
    seen.append(fingerprint_of(folder))
    assert len(set(seen)) == 4


def test_a_folder_that_was_touched_moved_or_copied_is_the_same(folder, tmp_path) -> None:
    first = fingerprint_of(folder)
    os.utime(folder / "a.jpg", ns=(0, 5))
    (folder / ".DS_Store").write_text("left by a Mac")
    assert fingerprint_of(folder) == first
    shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint_of(tmp_path / "copy") == first


def test_a_large_folder_is_hashed_by_names_sizes_and_times(folder, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.artifacts.provenance._LARGE_FOLDER", 1)
    monkeypatch.setattr("pipelines.artifacts.provenance.hash_bytes", None)
    first = fingerprint_of(folder)
    assert fingerprint_of(folder) == first
    os.utime(folder / "sub" / "b.jpg", ns=(0, 5))
    assert fingerprint_of(folder) != first


def test_names_that_are_not_utf8_are_hashed(tmp_path) -> None:
    first = fingerprint_of(tmp_path)
    (tmp_path / os.fsdecode(b"\xff.jpg")).write_text("x")
    assert fingerprint_of(tmp_path) != first


def tar(path, content: bytes, modified: int = 0):
    with tarfile.open(path, "w") as file:
        info = tarfile.TarInfo("a.jpg")
        info.size, info.mtime = len(content), modified
        file.addfile(info, io.BytesIO(content))
    return path


def test_a_large_tar_is_hashed_by_its_index_read_once(tmp_path, monkeypatch) -> None:
    small = [fingerprint_of(tar(tmp_path / name, content)) for name, content in (("a.tar", b"x"), ("b.tar", b"y"))]
    assert small[0] != small[1]
    monkeypatch.setattr("pipelines.artifacts.provenance._LARGE_FILE", 1)
    monkeypatch.setattr("pipelines.artifacts.provenance.hash_bytes", None)
    first = fingerprint_of(tmp_path / "a.tar")
    assert fingerprint_of(tar(tmp_path / "c.tar", b"x")) == first
    assert len({first, *(fingerprint_of(tar(tmp_path / f"{n}.tar", b"x" * n, n)) for n in (1, 2))}) == 3
    monkeypatch.setattr("tarfile.open", None)
    assert fingerprint_of(tmp_path / "a.tar") == first


def test_large_parquet_with_media_is_hashed_by_its_footer(tmp_path, monkeypatch) -> None:
    for name, content in (("a", b"xyz"), ("b", b"xyz"), ("c", b"xyzz")):
        pq.write_table(pa.table({"jpg": [content]}), tmp_path / f"{name}.parquet")
    monkeypatch.setattr("pipelines.artifacts.provenance._LARGE_FILE", 1)
    monkeypatch.setattr("pipelines.artifacts.provenance.hash_bytes", None)
    first, same, other = (fingerprint_of(tmp_path / f"{name}.parquet") for name in "abc")
    assert first == same != other


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


def test_a_column_renamed_by_a_flipped_bit_is_seen(tmp_path, write_artifact) -> None:
    """The footer is no part of the digest of the data, and an optional column would be missed by nobody."""
    path = write_artifact(tmp_path / "a.parquet", {"sample_id": ["a"], "split": ["test"]})
    content = path.read_bytes()
    place = content.index(b"split", len(content) - 8 - int.from_bytes(content[-8:-4], "little"))
    damaged = tmp_path / "b.parquet"
    damaged.write_bytes(content[:place] + b"spliu" + content[place + 5 :])
    with pytest.warns(UserWarning, match="changed since mmts wrote it"):
        assert fingerprint_of(damaged) != fingerprint_of(path)
