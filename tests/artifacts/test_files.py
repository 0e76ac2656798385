"""Files written whole or not at all."""

import contextlib
import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipelines.artifacts.files import (
    nearest,
    read_json,
    replacing,
    replacing_folder,
    require_file,
    require_folder,
    write_json,
)
from pipelines.errors import InputError


@pytest.mark.parametrize(
    ("name", "candidates", "expected"),
    [
        ("captoin", ["image", "caption"], "; did you mean 'caption'?"),
        ("SPLIT", ["split", "text"], "; did you mean 'split'?"),
        ("noun", ["verb_class", "noun_class"], "; did you mean 'noun_class'?"),
        ("Caption", ["Caption", "caption"], "; did you mean 'Caption'?"),
        ("xyz", ["image", "caption"], ""),
        ("any", [], ""),
    ],
)
def test_nearest_name(name, candidates, expected) -> None:
    assert nearest(name, candidates) == expected


def test_a_missing_file_is_refused_with_the_nearest_name_beside_it(tmp_path) -> None:
    (tmp_path / "captions.csv").write_text("x")
    with pytest.raises(InputError, match=r"caption\.csv: no such file; did you mean 'captions\.csv'\?"):
        require_file(tmp_path / "caption.csv")
    with pytest.raises(InputError, match=r"no such file$"):
        require_file(tmp_path / "missing" / "caption.csv")


def test_no_hidden_file_is_named_for_a_missing_one(tmp_path) -> None:
    (tmp_path / ".texts.parquet.lock").touch()
    with pytest.raises(InputError, match=r"no such file$"):
        require_file(tmp_path / "text.parquet")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides_who_reads_a_file_whatever_wrote_it(tmp_path, umask, mode) -> None:
    tensors = {"a": torch.zeros(2)}  # safetensors by itself makes files of mode 600
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "a.safetensors") as temporary:
            save_file(tensors, temporary)
        with replacing_folder(tmp_path / "model") as folder:
            save_file(tensors, folder / "b.safetensors")
    finally:
        os.umask(before)
    for path in (tmp_path / "a.safetensors", tmp_path / "model" / "b.safetensors"):
        assert path.stat().st_mode & 0o777 == mode


def test_replacing_puts_the_whole_file_in_place(tmp_path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == tmp_path
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def write_and_raise(path, fault: BaseException) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise fault


@pytest.mark.parametrize("fault", [RuntimeError("boom"), KeyboardInterrupt()])
def test_replacing_leaves_the_old_file_when_interrupted(tmp_path, fault) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(type(fault)):
        write_and_raise(path, fault)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_the_users_to_know(tmp_path) -> None:
    with pytest.raises(InputError, match=r"can't be written \(No space left"):
        write_and_raise(tmp_path / "file", OSError(errno.ENOSPC, "No space left on device"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO])
def test_so_are_other_reasons_of_a_disk(tmp_path, number) -> None:
    with pytest.raises(InputError, match=r"file: can't be written \("):
        write_and_raise(tmp_path / "file", OSError(number, "said in Rust or C"))


def test_a_library_that_only_spells_the_number_is_understood(tmp_path) -> None:
    with pytest.raises(InputError, match=r"can't be written \(File too large\)"):
        write_and_raise(tmp_path / "file", RuntimeError("I/O error: (os error 27)"))


def test_another_operating_system_error_stays_what_it_is(tmp_path) -> None:
    with pytest.raises(OSError, match="odd"):
        write_and_raise(tmp_path / "file", OSError(errno.EBADF, "odd"))


def test_an_output_that_is_a_link_is_written_where_it_leads(tmp_path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "file").write_text("old")
    for target in ("far/file", "far/new"):
        link = tmp_path / "link"
        link.symlink_to(target)
        with replacing(link) as temporary:
            temporary.write_text("new")
        assert link.is_symlink()
        assert (tmp_path / target).read_text() == "new"
        link.unlink()
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["file", "new"]


def test_a_folder_is_replaced_whole(tmp_path) -> None:
    folder = tmp_path / "folder"
    for content in ("old", "new"):
        with replacing_folder(folder) as fresh:
            (fresh / content).write_text(content)
    with contextlib.suppress(RuntimeError), replacing_folder(folder) as fresh:
        (fresh / "half").touch()
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_comes_back_where_its_successor_cant_take_its_place(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "folder"
    (folder / "old").mkdir(parents=True)
    rename, calls = Path.rename, []

    def fails_second(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.EIO, "odd")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails_second)
    with pytest.raises(InputError, match="can't be written"), replacing_folder(folder) as fresh:
        (fresh / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [folder]


def test_json_comes_back(tmp_path) -> None:
    write_json(tmp_path / "a.json", {"é": [1, 2.5, None]})
    assert read_json(tmp_path / "a.json") == {"é": [1, 2.5, None]}
    assert "é" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_json_refuses_nan_and_leaves_the_old_file(tmp_path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert read_json(tmp_path / "a.json") == 1


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe"])
def test_damaged_json_is_refused(tmp_path, content) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match="not valid JSON"):
        read_json(tmp_path / "a.json")


def test_a_folder_is_made_and_a_file_in_its_place_refused(tmp_path) -> None:
    require_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert not list((tmp_path / "a" / "b").iterdir())
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file; a folder was expected"):
        require_folder(tmp_path / "file")
