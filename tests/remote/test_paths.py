"""Paths that are URLs: what is shown, what is opened, and what is never shown."""

import os
import pickle
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.remote import RemotePath, as_path, is_url
from pipelines.remote.paths import full_url, path_of, without_credentials


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("s3://bucket/a/b.parquet", "s3://bucket/a/b.parquet"),
        (Path("s3://bucket/a/b.parquet"), "s3://bucket/a/b.parquet"),
        ("S3://Bucket/a", "s3://Bucket/a"),
        ("memory://a", "memory://a"),
        ("memory:///a/b/", "memory://a/b"),
        ("hf://datasets/owner/name@main/a.parquet", "hf://datasets/owner/name@main/a.parquet"),
        ("s3://bucket/part-?.parquet", "s3://bucket/part-?.parquet"),
        ("https://user:password@host/a.parquet?token=b", "https://host/a.parquet"),
    ],
)
def test_a_url_is_shown_and_its_copy_is_opened(given, shown, cache) -> None:
    path = as_path(given)
    scheme, _, rest = shown.partition("://")
    assert (str(path), os.fspath(path)) == (shown, str(cache / "copies" / scheme / rest))
    assert as_path(os.fspath(path)) == path  # as libraries give it back
    assert path_of(shown) == path


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("abfs://container@account.dfs.core.windows.net/a", "abfs://container@account.dfs.core.windows.net/a"),
        ("github://owner:repository@main/a", "github://owner:repository@main/a"),
        ("sftp://user@host/a", "sftp://user@host/a"),
        ("sftp://user:p@ss@host:22/a", "sftp://user@host:22/a"),
        ("https://TOKEN@host/a", "https://host/a"),
        ("https://host:8080/a@1.2/b", "https://host:8080/a@1.2/b"),
    ],
)
def test_the_user_is_part_of_the_path_and_what_is_secret_is_not(given, shown) -> None:
    path = as_path(given)
    assert (str(path), full_url(path)) == (shown, given)


def test_users_of_a_host_have_copies_of_their_own() -> None:
    first, second = as_path("abfs://inputs@account/a"), as_path("abfs://outputs@account/a")
    assert os.fspath(first) != os.fspath(second)
    assert (full_url(first), full_url(second)) == ("abfs://inputs@account/a", "abfs://outputs@account/a")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("s3://key:sec/ret@bucket/a", "s3://bucket/a: credentials are no part of such a URL; give them in the"),
        ("s3://bucket/a?X-Amz-Signature=secret", "s3://bucket/a: credentials are no part of such a URL; give them"),
        ("abfs://c@account/a?sig=secret", "abfs://c@account/a?***: a query is no part of such a URL; give it in"),
        ("sftp://me:sec/ret@host/a", "sftp://***@host/a: it can't be told where the password ends; give '/' as %2F"),
        ("sftp://me:p@sec/ret@host/a", "sftp://***@host/a: it can't be told where the password ends; give '/' as"),
        ("simplecache::s3://b/a", "simplecache::s3://b/a: URLs in one another are not read; give the last one alone"),
        ("s3://", "s3://: is not the URL of a file or folder; give HOST/NAME after s3://"),
        (Path("S3://"), "s3://: is not the URL of a file or folder; give HOST/NAME after s3://"),
        ("s3:///x", "s3://x: is not the URL of a file or folder; give HOST/NAME after s3://"),
        ("memory://b//a", "memory://b/a: is given with '//' in its name, which no path can have; rename it there"),
    ],
)
def test_urls_that_are_refused(given, said) -> None:
    with pytest.raises(InputError) as refused:
        as_path(given)
    assert str(refused.value).startswith(said)


def test_a_text_with_one_slash_is_a_path_here(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = as_path(as_path("exp:/x"))
    assert path == tmp_path / "exp:/x"
    assert not isinstance(path, RemotePath)
    assert isinstance(as_path(Path("s3:/x")), RemotePath)  # which was "s3://x"
    for name in ("exp:", "s3:"):
        Path(name).mkdir()
    assert as_path(Path("exp:/x")) == Path("exp:/x")
    assert isinstance(as_path(Path("s3:/x")), RemotePath)


@pytest.mark.parametrize("given", ["a/b.parquet", "/a/b", "C:/a", "C:\\a", "zip://a.jpg::b.zip", "annotations", "a://"])
def test_other_texts_are_paths(given) -> None:
    assert not is_url(given)
    assert as_path(given) == Path(given)
    assert not isinstance(as_path(given), RemotePath)


def test_a_url_of_a_local_file_is_its_path() -> None:
    assert as_path("file:///a/b.parquet") == Path("/a/b.parquet")


def test_a_file_that_is_called_like_a_url(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s3:/bucket").mkdir(parents=True)
    Path("s3:/bucket/a").write_text("here")
    assert as_path("s3://bucket/a").read_text() == "here"


def test_what_is_made_of_a_path_is_shown_as_a_url_too(cache) -> None:
    path = as_path("s3://bucket/a/b.parquet")
    assert [str(each) for each in (path.parent, path / "c", path.with_name("d"), path.resolve())] == [
        "s3://bucket/a",
        "s3://bucket/a/b.parquet/c",
        "s3://bucket/a/d",
        "s3://bucket/a/b.parquet",
    ]
    assert (path.name, path.stem, path.suffix) == ("b.parquet", "b", ".parquet")
    assert str(path.relative_to(path.parent)) == "b.parquet"
    assert pickle.loads(pickle.dumps(path)) == path
    path.parent.mkdir(parents=True)
    path.write_text("x")
    for found in (path.parent.iterdir(), path.parent.glob("*.parquet"), path.parent.parent.rglob("*.parquet")):
        assert [str(each) for each in found] == [str(path)]


@pytest.mark.parametrize("given", ["s3://bucket/../other", "https://user:password@/a"])
def test_urls_that_make_no_sense(given) -> None:
    with pytest.raises(InputError, match="is not the URL of a file or folder; give HOST/NAME after"):
        as_path(given)


def test_a_bucket_with_credentials_is_refused_without_showing_them() -> None:
    with pytest.raises(InputError, match=r"^s3://bucket/a: credentials are no part of such a URL"):
        as_path("s3://key:secret@bucket/a")


def test_the_server_gets_the_credentials_that_nobody_sees() -> None:
    path = as_path("https://user:password@host/a.parquet?token=b")
    assert isinstance(path, RemotePath)
    assert full_url(path) == "https://user:password@host/a.parquet?token=b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mmts train ftp://me:pass@host/a -o run", "mmts train ftp://***@host/a -o run"),
        ("at https://host/a?sig=x&y=z, or", "at https://host/a?*** or"),
        ("s3://b/part-?.parquet: user@host: a", "s3://b/part-?.parquet: user@host: a"),
        ("https://TOKEN@host/a", "https://***@host/a"),
        ("https:/TOKEN@host/a", "https:/***@host/a"),
        ("ftp://me:p@ss@host/a", "ftp://***@host/a"),
        ("s3://key:sec/r@t@bucket/a", "s3://***@bucket/a"),
        ("at s3://b/a?X-Amz-Signature=x&y=z: no", "at s3://b/a?*** no"),
        ("abfs://c@account/a?sig=x", "abfs://c@account/a?***"),
        ('{"a":"s3://bucket","b":"x@y"}', '{"a":"s3://bucket","b":"x@y"}'),
        ("https://host:8080/a@1.2/b", "https://host:8080/a@1.2/b"),
        ("github://owner:repository@main/a", "github://owner:repository@main/a"),
        ("what? a:b@c", "what? a:b@c"),
    ],
)
def test_texts_lose_credentials(text, shown) -> None:
    assert without_credentials(text) == shown


def test_texts_name_urls_in_place_of_their_copies(cache) -> None:
    assert without_credentials(f"{cache}/copies/s3/bucket/a.tar: damaged") == "s3://bucket/a.tar: damaged"
