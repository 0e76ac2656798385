"""``prepare features``: other tools' files to features, by value; pickles and what doesn't fit refused by name."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import save_file

from pipelines.artifacts import FEATURES, read_table, read_vectors, vector_type
from pipelines.errors import InputError
from pipelines.features import prepare_features

IDS = ["b.jpg", "a.jpg", "007"]
MATRIX = np.arange(1, 13, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def save(tmp_path):
    """Write the matrix, with its ids or without, in a form."""

    def npz(path, **arrays):
        np.savez(path, **arrays)

    forms = {
        "f.npy": lambda path: np.save(path, MATRIX),
        "double.npy": lambda path: np.save(path, MATRIX.astype(np.float64)),
        "columns.npy": lambda path: np.save(path, np.asfortranarray(MATRIX)),
        "ids.npz": lambda path: npz(path, ids=np.array(IDS), features=MATRIX),
        "named.npz": lambda path: npz(path, **dict(zip(IDS, MATRIX, strict=True))),
        "matrix.npz": lambda path: npz(path, x=MATRIX),
        "named.safetensors": lambda path: save_file(dict(zip(IDS, MATRIX, strict=True)), path),
        "matrix.safetensors": lambda path: save_file({"x": MATRIX}, path),
        "two.npz": lambda path: npz(path, ids=np.array(IDS), image=MATRIX, text=-MATRIX),
        "pickled.npz": lambda path: npz(path, ids=np.array(IDS, dtype=object), x=MATRIX),
    }

    def write(name):
        if name.endswith(".parquet"):
            column = name.removesuffix(".parquet")
            pd.DataFrame({column: IDS, "features": list(MATRIX)}).to_parquet(tmp_path / name)
        else:
            forms[name](tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def beside(tmp_path):
    """A file of ids."""

    def write(name="ids.txt", ids=IDS):
        text = json.dumps(ids) if name.endswith("json") else "".join(f"{each}\r\n" for each in ids)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("name", "needs_ids"),
    [
        ("f.npy", True),
        ("double.npy", True),
        ("columns.npy", True),
        ("matrix.npz", True),
        ("matrix.safetensors", True),
        ("ids.npz", False),
        ("named.npz", False),
        ("named.safetensors", False),
        *((f"{column}.parquet", False) for column in ("media_id", "image_id", "video_id", "id")),
    ],
)
def test_each_form_gives_the_vectors_by_id(save, beside, tmp_path, name, needs_ids) -> None:
    prepare_features(save(name), tmp_path / "out.parquet", ids=beside() if needs_ids else None)
    found = read_vectors(tmp_path / "out.parquet")
    assert found.id_column == "media_id"
    expected = dict(zip(IDS, MATRIX.tolist(), strict=True))
    assert dict(zip(found.ids.to_pylist(), found.matrix_nd.tolist(), strict=True)) == expected
    assert read_table(tmp_path / "out.parquet", FEATURES).num_rows == 3


@pytest.mark.parametrize("ids", ["ids.json", "ids.npy"])
def test_ids_in_other_forms(save, beside, tmp_path, ids) -> None:
    if ids == "ids.npy":
        np.save(tmp_path / ids, np.array(IDS))
    else:
        beside(ids)
    prepare_features(save("f.npy"), tmp_path / "out.parquet", ids=tmp_path / ids)
    assert read_vectors(tmp_path / "out.parquet").ids.to_pylist() == IDS


def test_embeddings_of_texts_and_one_of_several_arrays(save, tmp_path) -> None:
    prepare_features(save("two.npz"), tmp_path / "out.parquet", vectors="text", id_column="sample_id")
    found = read_vectors(tmp_path / "out.parquet", id_column="sample_id")
    assert found.matrix_nd.tolist() == (-MATRIX).tolist()


def test_float16_stays_float16(tmp_path, beside) -> None:
    np.save(tmp_path / "half.npy", MATRIX.astype(np.float16))
    prepare_features(tmp_path / "half.npy", tmp_path / "out.parquet", ids=beside())
    assert pq.read_schema(tmp_path / "out.parquet").field("embedding").type == vector_type(4, "float16")


def test_it_is_up_to_date_until_the_ids_change(save, beside, tmp_path) -> None:
    source, output = save("f.npy"), tmp_path / "out.parquet"
    assert prepare_features(source, output, ids=beside()).summary == {"rows": 3, "dimension": 4}
    assert prepare_features(source, output, ids=beside()).up_to_date
    assert not prepare_features(source, output, ids=beside(ids=["x", "y", "z"])).up_to_date


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("f.npy", {}, r"f\.npy: has no ids; give --ids FILE"),
        ("f.npy", {"ids": ["a", "b"]}, r"ids\.txt: has 2 ids, but .*f\.npy has 3 vectors"),
        ("f.npy", {"ids": ["a", "b", "a"]}, r"ids\.txt: 1 values of id of media_id occur more than once, first: a$"),
        ("f.npy", {"ids": ["a", "", "b"]}, r"ids\.txt: line 2 is empty"),
        ("f.npy", {"vectors": "x"}, "--vectors x: .* holds one array"),
        ("ids.npz", {"ids": IDS}, r"ids\.npz has ids of its own; leave it out"),
        ("two.npz", {}, r"two\.npz: holds several arrays \(image, text\); choose one with --vectors"),
        ("two.npz", {"vectors": "imege"}, "no array 'imege'; did you mean 'image'"),
        ("pickled.npz", {}, r"pickled\.npz: holds Python objects, which are pickled; .* \.astype\(str\)"),
        ("name.parquet", {}, r"name\.parquet: no column of ids .*call one media_id, image_id or id"),
    ],
)
def test_what_does_not_fit_is_refused(save, beside, tmp_path, name, options, message) -> None:
    if "ids" in options:
        options = {**options, "ids": beside(ids=options["ids"])}
    with pytest.raises(InputError, match=message):
        prepare_features(save(name), tmp_path / "out.parquet", **options)
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 2, 4)), r"shape \(3, 2, 4\); one vector a row, .* average over frames or patches first"),
        (np.zeros(3), r"shape \(3,\); one vector a row"),
        (np.array([["x"]]), "holds <U1; a matrix of numbers was expected"),
        (
            np.where(np.eye(3) > 0, np.nan, 1.0),
            "3 vectors hold NaN .*, first media_id: b.jpg, a.jpg, 007",
        ),
        (np.array([[1.0, 2], [1e39, 0], [3, 4]]), "1 vectors hold NaN or infinite values, first media_id: a.jpg"),
        (np.array([[1.0, 2], [3, 4], [0, 0]]), "1 vectors are all zeros, first media_id: 007; encode these again"),
    ],
)
def test_arrays_that_are_no_vectors(beside, tmp_path, array, message) -> None:
    np.save(tmp_path / "f.npy", array)
    with pytest.raises(InputError, match=message):
        prepare_features(tmp_path / "f.npy", tmp_path / "out.parquet", ids=beside())
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
@pytest.mark.parametrize("content", [b"PK\x03\x04no", b"\x93NUMPY\x01\x00", b"x" * 40], ids=["zip", "cut", "text"])
def test_damaged_files_are_refused_in_one_line(tmp_path, suffix, content) -> None:
    (tmp_path / f"f{suffix}").write_bytes(content)
    with pytest.raises(InputError, match=rf"f\{suffix}: (not a whole|holds Python objects)") as refused:
        prepare_features(tmp_path / f"f{suffix}", tmp_path / "out.parquet")
    assert len(str(refused.value).replace(str(tmp_path), "")) < 200


@pytest.mark.slow
@pytest.mark.parametrize("name", ["f.pt", "it's f.pt"])
def test_a_pickle_is_refused_with_the_line_that_converts_it(beside, tmp_path, monkeypatch, name) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(torch.from_numpy(MATRIX), name)
    with pytest.raises(InputError, match="isn't read, since that may run code; convert it: python -c ") as refused:
        prepare_features(name, "out.parquet")
    words = shlex.split(str(refused.value).split("convert it: ")[1])
    subprocess.run([sys.executable, *words[1:]], check=True)
    prepare_features(name.replace(".pt", ".npy"), "out.parquet", ids=beside())
    assert read_vectors("out.parquet").matrix_nd.tolist() == MATRIX.tolist()


def test_training_says_who_reads_other_files(save, world, refused) -> None:
    line = ["train", world.annotations, "-o", world.folder / "run", "--text", world.text, "--temperature", "fixed"]
    for name in ("f.npy", "ids.npz", "image_id.parquet"):
        assert "`mmts prepare features`" in refused(*line, "--media", save(name))
    line[line.index("--text") + 1] = save("f.npy")
    assert "`mmts prepare features`" in refused(*line, "--media", world.media)


def test_swapped_files_are_told(world, refused) -> None:
    files = ["--annotations", world.annotations, "-o", world.folder / "s"]
    assert "are --media and --text swapped?" in refused("eval", *files, "--media", world.text, "--text", world.media)
    line = ["train", world.annotations, "-o", world.folder / "run", "--temperature", "fixed"]
    assert "are --media and --text swapped?" in refused(*line, "--media", world.text, "--text", world.media)
    assert "are --media and --text swapped?" in refused(*line, "--media", world.text, "--text", world.text)


def test_the_command(save, beside, mmts, tmp_path) -> None:
    output = tmp_path / "out.parquet"
    ran = mmts("prepare", "features", save("f.npy"), "--ids", beside(), "-o", output, "--id-column", "sample_id")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [f"{output}: written", "3 vectors of 4 dimensions"]
    assert read_vectors(output).id_column == "sample_id"


def test_parts_become_one_file(tmp_path, save) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    table = pq.read_table(save("image_id.parquet"))
    for start, name in ((0, "a"), (2, "b")):
        pq.write_table(table.slice(start, 2), folder / f"{name}.parquet")
    for source in (folder, folder / "?.parquet"):
        prepare_features(source, tmp_path / "features.parquet", force=True)
        read = read_vectors(tmp_path / "features.parquet")
        assert (read.ids.to_pylist(), read.matrix_nd.tolist()) == (IDS, MATRIX.tolist())
