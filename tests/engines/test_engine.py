"""The choice of an engine, without Ray."""

import importlib.util
import socket

import numpy as np
import pyarrow as pa
import pytest

from pipelines.artifacts import with_vectors
from pipelines.engines import LOCAL, Engine
from pipelines.errors import InputError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dask",), "--engine dask: expected one of local, ray"),
        (("local", "head:6379"), "--address head:6379: is that of a Ray cluster; add --engine ray, or leave it out"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message) -> None:
    with pytest.raises(InputError) as refused:
        Engine(*arguments)
    assert str(refused.value) == message


def test_without_ray_it_says_how_to_install_it(monkeypatch, refused, tmp_path) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else found(name))
    message = "--engine ray: Ray is not installed; pip install 'mmts[ray]'"
    assert refused("embed", tmp_path / "a.parquet", "-o", tmp_path / "e.parquet", "--engine", "ray") == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "hdbscan"), "--engine ray: --method hdbscan is done in one process; leave it out"),
        (("--sweep", "2,3"), "--engine ray: is for one clustering; leave it out with --sweep"),
        (
            ("--k", "2", "--engine", "local", "--address", "a:1"),
            "--address a:1: is that of a Ray cluster; add --engine ray",
        ),
    ],
)
def test_clusterings_that_need_no_cluster_of_machines(monkeypatch, refused, tmp_path, options, message) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    said = refused("cluster", tmp_path / "e.parquet", "-o", tmp_path / "c.parquet", "--engine", "ray", *options)
    assert said.startswith(message)


def test_here_parts_are_taken_one_by_one_and_results_are_in_order() -> None:
    class Work:
        about = "letters"

        def __call__(self, part):
            taken.append(part)
            yield from part

    taken: list[str] = []
    with LOCAL.workers(Work) as workers:
        assert workers.about == "letters"
        results = workers.map(iter(["ab", "c", "", "de"]))
        assert next(results) == "a"
        assert taken == ["ab"]
        assert list(results) == ["b", "c", "d", "e"]


@pytest.mark.parametrize("items", [[], [1], [1, 2, 3]])
def test_here_everything_is_one_part(items) -> None:
    assert list(LOCAL.cut(items, 2)) == [items] * bool(items)


def test_elsewhere_items_are_cut_in_parts(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert list(Engine("ray").cut(range(5), 2)) == [range(2), range(2, 4), range(4, 5)]


def test_an_address_at_which_nobody_answers_is_refused_at_once(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]  # nobody else's as long as it is bound, and nobody listens
        message = (
            f"^--address 127.0.0.1:{port}: nobody answers there \\(Connection refused\\); see `ray status` on the head$"
        )
        for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
            with (
                pytest.raises(InputError, match=message.replace("127", "(ray://)?127", 1)),
                Engine("ray", address).workers(list),
            ):
                pass


@pytest.mark.parametrize("address", ["head", "head:", "10.0.0.1:port", ":x"])
def test_what_is_no_address_is_refused(monkeypatch, address) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    message = f"^--address {address}: expected that of a Ray cluster's head, as 10.0.0.1:6379$"
    with pytest.raises(InputError, match=message), Engine("ray", address).workers(list):
        pass


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:1"])
@pytest.mark.parametrize(
    ("line", "reads"),
    [
        ("cluster e.parquet --k 2", "cluster.stage.read_fitted"),
        ("cluster e.parquet --method knn --neighbors 1", "cluster.stage.read_fitted"),
        ("cluster a.parquet --method class --column split", "cluster.stage.read_fitted"),
        ("embed a.parquet --model m", "embed.stage.read_table"),
        ("embed a.parquet --media . --model m --frames 1", "embed.media.read_annotations"),
    ],
)
def test_an_address_that_can_t_be_used_is_refused_before_anything_is_read(
    monkeypatch, refused, tmp_path, write_artifact, line, reads, address
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name == "ray" else found(name))
    monkeypatch.setattr(f"pipelines.{reads}", lambda *_, **__: pytest.fail("read before it is known where to"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    ids = {"sample_id": ["a", "b"], "split": ["train", "train"]}
    write_artifact(tmp_path / "a.parquet", {**ids, "text": ["x", "y"], "media_id": ["a", "b"]})
    write_artifact(tmp_path / "e.parquet", with_vectors(pa.table(ids), np.eye(2, dtype=np.float32), "x"))
    said = refused(*line.split(), "-o", "o.parquet", "--engine", "ray", "--address", address)
    assert said.startswith(f"--address {address}: {'expected that' if address == 'nonsense' else 'nobody answers'}")
