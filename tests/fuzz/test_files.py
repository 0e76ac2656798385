"""Flags, recipes and records from files of any content; artifacts with a bit turned or a footer edited."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmts_cli.command import known_flags
from mmts_cli.config import read_flags
from mmts_cli.recipe import load_recipe
from pipelines.artifacts import fingerprint_of, read_provenance, read_shifts, read_vectors
from pipelines.artifacts.annotations import read_annotations
from pipelines.artifacts.clusters import read_clusters
from pipelines.inspect.describe import describe

from .conftest import accepted, tries

KEYS = ("k", "method", "seed", "source", "cluster", "output", "parameters", "command", "x", "niter", "spherical")
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["kmeans", "cluster"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=5,
)
TOML = st.one_of(
    st.lists(
        st.sampled_from(
            [
                "k = 3",
                "k = 3.5",
                'method = "kmeans"',
                "[cluster]",
                "[cluster.k]",
                "[[cluster]]",
                "seed = -1",
                "k = [1]",
                "k = 1979-05-27",
                "k = 07:32:00",
                "k = nan",
                "k = inf",
                'x."y" = 1',
                "k = '''",
                "spherical = 1",
                "\ufeff",
                "about = 'x'",
                "[prepare.flickr30k]",
                "[shifts]",
                "min = 0.1",
                "[runs.a]",
                "[towers]",
                "extends = 'coco'",
                "extends = ['a']",
                "[runs]",
                "runs = 3",
                "media = 'annotations'",
                "[evals.b]",
                "data = 'flickr30k'",
            ]
        ),
        max_size=8,
    ).map(lambda lines: "\n".join(lines).encode()),
    st.text(alphabet="[]{}\"=,.k\n 0123456789-:TZ'#", max_size=40).map(str.encode),
    st.binary(max_size=60),
)


@cache
def _flags_of_cluster() -> dict[str, Any]:
    from typer.main import get_command

    from mmts_cli.app import app

    command: Any = get_command(app)
    return known_flags(command.commands["cluster"])


@tries(0.08)
@given(content=TOML)
def test_toml_of_flags(folder: Path, content: bytes) -> None:
    path = folder / "flags.toml"
    path.write_bytes(content)
    found = accepted(lambda: read_flags(path, ["cluster"], _flags_of_cluster()))
    assert found is None or set(found) <= {parameter.name for parameter in _flags_of_cluster().values()}


@tries(0.05)
@given(
    content=st.dictionaries(st.sampled_from(KEYS), VALUE, max_size=5).map(lambda value: json.dumps(value).encode())
    | VALUE.map(lambda value: json.dumps({"command": "cluster", "parameters": value}).encode())
    | st.binary(max_size=60)
)
def test_json_of_flags(folder: Path, content: bytes) -> None:
    path = folder / "config.json"
    path.write_bytes(content)
    accepted(lambda: read_flags(path, ["cluster"], _flags_of_cluster()))


@tries(0.06)
@given(content=TOML)
def test_recipes(folder: Path, content: bytes) -> None:
    path = folder / "recipe.toml"
    path.write_bytes(content)
    accepted(lambda: load_recipe(str(path)))


def _vectors(path: Path) -> list[Any]:
    read = read_vectors(path)
    return [read.ids.to_pylist(), read.matrix_nd.tolist()]


def _shifts(path: Path) -> list[Any]:
    read = read_shifts(path)
    return [read.sample_ids.to_pylist(), read.shift_n.tolist(), read.cluster_size_n.tolist()]


IDS = [f"s{row}" for row in range(8)]
# What each kind of file holds, and what its reader gives of it, as plain values.
ARTIFACTS: dict[str, tuple[dict[str, Any], Callable[[Path], Any]]] = {
    "annotations": (
        {"sample_id": IDS, "text": IDS, "split": ["train"] * 8},
        lambda path: read_annotations(path).to_pydict(),
    ),
    "vectors": (
        {
            "sample_id": IDS,
            "embedding": pa.array([[float(row), 1.0] for row in range(8)], pa.list_(pa.float32(), 2)),
        },
        _vectors,
    ),
    "clusters": (
        {"sample_id": IDS, "cluster": pa.array([0, 1] * 4, pa.int32()), "cluster_size": [4] * 8},
        lambda path: read_clusters(path).to_pydict(),
    ),
    "shifts": (
        {"sample_id": IDS, "shift": pa.array([0.1, 0.2] * 4, pa.float32()), "cluster_size": [4.0] * 8},
        _shifts,
    ),
}


@pytest.mark.parametrize("name", ARTIFACTS)
def test_a_flipped_bit_is_seen(folder: Path, write_artifact: Callable[..., Path], name: str) -> None:
    """Reading refuses it, or the fingerprint changes, or what is read is what was written: the bit says nothing."""
    columns, reader = ARTIFACTS[name]
    path = write_artifact(folder / f"{name}.parquet", columns)
    whole, known, content = path.read_bytes(), fingerprint_of(path), reader(path)

    @tries(0.05)
    @given(st.integers(0, 8 * len(whole) - 1))
    def run(bit: int) -> None:
        damaged = folder / f"{name}-{bit}.parquet"  # another name each time: fingerprints are remembered by path
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        damaged.write_bytes(flipped)
        try:
            found = accepted(lambda: fingerprint_of(damaged))
            read = accepted(lambda: reader(damaged))
            accepted(lambda: describe(damaged, rows=2))
            assert found != known or read is None or read == content
        finally:
            damaged.unlink()

    run()


RECORD = st.dictionaries(
    st.sampled_from(
        ["stage", "fingerprint", "parameters", "inputs", "seed", "rows", "data_digest", "summary", "libraries", "later"]
    ),
    VALUE,
    max_size=10,
)


@tries(0.05)
@given(record=RECORD | VALUE | st.text(max_size=20))
def test_footers(folder: Path, record: Any) -> None:
    path = folder / f"{hashlib.md5(repr(record).encode()).hexdigest()}.parquet"
    footer = record if isinstance(record, str) else json.dumps(record)
    pq.write_table(
        pa.table({"sample_id": ["a"]}).replace_schema_metadata({"mmts": footer.encode("utf-8", "replace")}), path
    )
    try:
        read_provenance(path)
        assert isinstance(fingerprint_of(path), str)
        describe(path, rows=1)
    finally:
        path.unlink()
