"""Matrices that are on the disk where they are large."""

import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest

from pipelines.artifacts import matrix
from pipelines.artifacts.matrix import MappedMatrix, new_matrix, take
from pipelines.errors import InputError

VALUES = np.random.default_rng(0).standard_normal((1_000, 6)).astype(np.float16).astype(np.float32)


@pytest.fixture(params=["float16", "float32"])
def mapped(request, tmp_path, monkeypatch) -> MappedMatrix:
    """`VALUES` on the disk, of which a few rows at a time are in memory."""
    monkeypatch.setattr(matrix, "RESIDENT_BYTES", 20 * 64)
    monkeypatch.setattr(matrix, "_COPIED_BYTES", 300)
    made = MappedMatrix(VALUES.shape, request.param, tmp_path)
    for start in range(0, len(VALUES), 300):
        made[start : start + 300] = VALUES[start : start + 300]
    return made


@pytest.mark.parametrize(
    "rows",
    [
        slice(None),
        slice(990, 2_000),
        slice(3, 3),
        np.array([999, 0, 7, 7, -1]),
        np.random.default_rng(1).permutation(1_000),
        np.array([], int),
    ],
)
def test_rows_are_those_that_were_stored(mapped, rows) -> None:
    found = mapped[rows]
    assert found.dtype == np.float32
    assert found.tolist() == VALUES[rows].tolist()


def test_rows_of_chosen_rows(mapped) -> None:
    chosen = np.arange(0, 1_000, 3)[::-1].copy()
    taken = take(take(mapped, chosen), np.arange(5, 300))
    assert (taken.shape, len(taken), np.ndim(taken)) == ((295, 6), 295, 2)
    assert taken[10:20].tolist() == VALUES[chosen][5:300][10:20].tolist()
    assert taken[np.array([294, 0])].tolist() == VALUES[chosen][5:300][[294, 0]].tolist()


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint32, np.uint64])
def test_rows_beyond_4_gib_of_a_file_are_found(tmp_path, kind) -> None:
    large = MappedMatrix((3_000_000, 384), np.float32, tmp_path)  # 4.3 GiB, nearly all of them a hole
    rows = [100, 1_500_000, 2_900_000]
    for row in rows:
        large[row : row + 1] = np.full((1, 384), row, np.float32)
    assert large[np.array(rows, kind)][:, -1].tolist() == rows
    assert large.take(np.array(rows, kind))[:][:, 0].tolist() == rows


@pytest.mark.parametrize("row", [1_000, -1_001, 2**40])
def test_there_are_no_rows_past_either_end(mapped, row) -> None:
    message = rf"^row {row} is out of bounds for a matrix of 1000 rows$"
    with pytest.raises(IndexError, match=message):
        mapped[np.array([0, row])]
    with pytest.raises(IndexError, match=message):
        mapped.take(np.array([0, row]))
    with pytest.raises(IndexError):
        mapped.take(np.arange(1_000))[np.array([0, row])]


def test_rows_are_whole_numbers(mapped) -> None:
    with pytest.raises(TypeError):
        mapped[np.array([0.5])]


@pytest.mark.skipif(not hasattr(os, "pread"), reason="what is mapped is read otherwise")
def test_a_file_that_was_cut_short_is_refused(mapped) -> None:
    mapped._file.truncate(mapped._stored_nd.strides[0] * 500)
    assert mapped[np.array([499, 3])].tolist() == VALUES[[499, 3]].tolist()
    with pytest.raises(InputError, match="was cut short while it was read; run this again"):
        mapped[np.array([3, 500])]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="says what of a process's memory is mapped")
def test_rows_from_all_over_a_file_do_not_have_it_all_in_memory(tmp_path) -> None:
    large = MappedMatrix((40_000, 256), np.float32, tmp_path)
    large[0:40_000] = np.ones((40_000, 256), np.float32)
    before = _mapped_bytes()
    assert large[np.random.default_rng(0).permutation(40_000)[:500]].all()
    assert _mapped_bytes() - before < 4 * 2**20


def _mapped_bytes() -> int:
    return 1024 * int(re.findall(r"RssFile:\s+(\d+) kB", Path("/proc/self/status").read_text())[0])


def test_all_of_it_where_a_library_wants_an_array(mapped) -> None:
    assert np.asarray(mapped).tolist() == VALUES.tolist()
    assert np.asarray(mapped, dtype=np.float64).dtype == np.float64


def test_the_file_has_no_name(mapped, tmp_path) -> None:
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_large_goes_to_the_disk(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(matrix, "IN_MEMORY_BYTES", 4 * 6 * 10)
    assert isinstance(new_matrix((10, 6), np.float16, tmp_path), np.ndarray)
    assert isinstance(new_matrix((11, 6), np.float16, tmp_path), MappedMatrix)
    assert isinstance(new_matrix((11, 6), np.float16, None), np.ndarray)


def test_a_full_disk_is_an_error_of_one_line(tmp_path, monkeypatch) -> None:
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(matrix.tempfile, "TemporaryFile", full)
    with pytest.raises(InputError, match=r"can't be written \(No space left on device\)"):
        MappedMatrix((2, 2), np.float32, tmp_path)
