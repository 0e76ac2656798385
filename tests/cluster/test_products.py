"""Products by torch in place of NumPy's, here on the CPU: other sums, and the same bytes of what is decided."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from pipelines.artifacts.matrix import MappedMatrix
from pipelines.cluster import centroids, cluster, lloyd, neighborhoods, stage
from pipelines.cluster import products as products_module
from pipelines.cluster.centroids import CentroidFit
from pipelines.cluster.geometry import normalised
from pipelines.cluster.methods.kmeans import kmeans, kmeans_seeds
from pipelines.cluster.methods.knn import knn
from pipelines.cluster.products import NUMPY, ProductsOnDevice, device_here, memory_of
from pipelines.engines import Engine
from pipelines.errors import InputError

TORCH = "torch"
SPHERICAL = pytest.mark.parametrize("spherical", [True, False])


@pytest.fixture(autouse=True)
def torch_on_the_cpu(monkeypatch) -> ProductsOnDevice:
    """Torch on the CPU is a device by a name of its own."""
    on_torch = ProductsOnDevice(torch.device("cpu"))
    for module in (centroids, neighborhoods, products_module):
        monkeypatch.setattr(module, "products_on", {"cpu": NUMPY, TORCH: on_torch}.__getitem__)
    return on_torch


def rows(count=3_000, dimensions=24, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres_kd = rng.standard_normal((20, dimensions))[rng.integers(20, size=count)]
    return (centres_kd + rng.standard_normal((count, dimensions))).astype(np.float32)


def near_ones(dimensions=384) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and pairs of centroids that float32 can't tell apart for them."""
    rng = np.random.default_rng(0)
    near_kd = np.repeat(rng.standard_normal((4, dimensions)), 2, axis=0) / dimensions**0.5
    near_kd[1::2, 0] += 1e-7
    return rng.standard_normal((500, dimensions)).astype(np.float32), near_kd.astype(np.float32)


def test_the_two_best_scores(torch_on_the_cpu) -> None:
    rows_nd = np.array([[1, 0], [0, 2], [1, 1], [np.nan, 0]], dtype=np.float32)
    targets_kd, minus_k = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32), np.array([0, 1, 0.5], dtype=np.float32)
    for products in (NUMPY, torch_on_the_cpu):
        held = [products.hold(each) for each in (rows_nd, targets_kd, minus_k)]
        label_n, best_n, next_n = products.two_best(*held)
        assert label_n.tolist() == [0, 1, 0, 0]
        assert best_n[:3].tolist() == [1, 1, 1]
        assert next_n[:3].tolist() == [0.5, 0, 0.5]
        assert products.two_best(*held[:2])[0].tolist() == [0, 1, 0, 0]
        assert products.two_best(held[0], products.hold(targets_kd[:1]))[2][0] == -np.inf


@SPHERICAL
@pytest.mark.parametrize("k", [1, 40])
def test_k_means_has_the_bytes_of_numpy(spherical, k) -> None:
    matrix_nd, found = rows(), []
    for device in ("cpu", TORCH):
        fit = CentroidFit(9, spherical, device=device)
        seeds = fit.fit_seeds(matrix_nd, k, [0, 1])
        found.append([each.tobytes() for each in (*seeds, fit.nearest(matrix_nd, seeds[0]))])
    assert found[0] == found[1]


@SPHERICAL
def test_close_calls_are_decided_in_float64(spherical, torch_on_the_cpu) -> None:
    rows_nd, near_kd = near_ones()
    half_k = 0 if spherical else (near_kd.astype(np.float64) ** 2).sum(axis=1) / 2
    exact_n = (rows_nd.astype(np.float64) @ near_kd.astype(np.float64).T - half_k).argmax(axis=1)
    minus_k = None if spherical else torch.tensor(half_k.astype(np.float32))
    by_float32_n = torch_on_the_cpu.two_best(torch.tensor(rows_nd), torch.tensor(near_kd), minus_k)[0]
    assert (by_float32_n != exact_n).sum() > 10
    assert CentroidFit(1, spherical, device=TORCH).nearest(rows_nd, near_kd).tolist() == exact_n.tolist()


@SPHERICAL
@pytest.mark.parametrize("apart", [0, 1e-7])
def test_repeated_centroids_are_told_apart_as_by_numpy_row_by_row(spherical, apart) -> None:
    rng = np.random.default_rng(0)
    centroids_kd = rng.normal(size=(203, 384)).astype(np.float32)
    centroids_kd[-3:] = centroids_kd[:3]
    centroids_kd[-3:, 0] += np.float32(apart)
    rows_nd = (centroids_kd[np.arange(200) % 3] + rng.normal(size=(200, 384)) * 0.01).astype(np.float32)
    one, other = (CentroidFit(1, spherical, device=device) for device in ("cpu", TORCH))
    row_by_row = [int(one.nearest(row_d[None], centroids_kd)[0]) for row_d in rows_nd]
    assert other.nearest(rows_nd, centroids_kd).tolist() == row_by_row
    assert apart or set(row_by_row) == {0, 1, 2}


@SPHERICAL
@pytest.mark.parametrize("scale", [1e-30, 1e-21, 1e19, 1e37])
def test_what_float32_does_not_hold_is_decided_in_float64(spherical, scale) -> None:
    rows_nd, near_kd = near_ones(24)
    rows_nd, near_kd = rows_nd * np.float32(scale), near_kd * np.float32(scale)
    exact_kd = near_kd.astype(np.float64)
    half_k = 0 if spherical else (exact_kd**2).sum(axis=1) / 2
    exact_n = (rows_nd.astype(np.float64) @ exact_kd.T - half_k).argmax(axis=1)
    assert CentroidFit(1, spherical, device=TORCH).nearest(rows_nd, near_kd).tolist() == exact_n.tolist()


def test_a_device_that_takes_the_smallest_numbers_for_0_decides_no_close_call(monkeypatch, torch_on_the_cpu) -> None:
    """Those below 2**-126, as some do: the first product is 2**-110, the second 0.75 of that, and there the larger."""
    rows_nd = np.array([[2.0**-130, 2.0**-110]], dtype=np.float32)
    centroids_kd = np.array([[2.0**20, 0], [0, 0.75]], dtype=np.float32)
    two_best = torch_on_the_cpu.two_best

    def flushing(rows_nd, *held):
        return two_best(torch.where(rows_nd < 2.0**-126, 0, rows_nd), *held)

    monkeypatch.setattr(torch_on_the_cpu, "two_best", flushing)
    assert flushing(torch.tensor(rows_nd), torch.tensor(centroids_kd))[0].tolist() == [1]
    assert CentroidFit(1, True, device=TORCH).nearest(rows_nd, centroids_kd).tolist() == [0]


def test_rows_on_the_disk_have_the_bytes_of_numpy(tmp_path) -> None:
    matrix_nd = rows()
    mapped = MappedMatrix(matrix_nd.shape, np.float32, tmp_path)
    mapped[0:3_000] = matrix_nd
    start_kd = CentroidFit(3, True).fit(matrix_nd, 30, 0)
    assert CentroidFit(3, True, device=TORCH).fit(mapped, 30, 0).tobytes() == start_kd.tobytes()


def test_pairs_that_are_near_are_counted_or_left_open(torch_on_the_cpu) -> None:
    """Products 0.75, 0.5 and 0.25, of which the second is neither far nor near for sure."""
    rows_nd = np.array([[0.75, 0.25], [0.25, 0.5]], dtype=np.float32)
    targets_kd, count_k = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32), np.array([5, 2, 2**40])
    for products in (NUMPY, torch_on_the_cpu):
        rows, targets, count = (products.hold(each) for each in (rows_nd, targets_kd, count_k))
        size_n, row_p, target_p = products.near(rows, targets, count, 0.4, 0.6)
        assert (size_n.tolist(), size_n.dtype) == ([5 + 2**40, 0], np.int64)
        assert (row_p.tolist(), target_p.tolist()) == ([1], [1])
        row_p, target_p = products.above(rows, targets, products.hold(np.array([0.75, 0.5], dtype=np.float32)))
        assert (row_p.tolist(), target_p.tolist()) == ([0, 0, 1], [0, 2, 1])
        assert products.reached(targets, rows, 0.5).tolist() == [[True, False], [False, True], [True, False]]
        assert products.reached(targets, rows, 0.2).all()
        of_none = products.near(rows, targets[:0], count[:0], 0.4, 0.6)
        assert [each.tolist() for each in of_none] == [[0, 0], [], []]


@pytest.fixture
def any_device(monkeypatch) -> None:
    monkeypatch.setattr("pipelines.cluster.products.device_here", lambda device, engine: device)


@pytest.mark.parametrize("levels", [1, 2])
def test_clusterings_are_the_same(any_device, levels) -> None:
    matrix_nd, count_n = rows(), np.arange(3_000) % 3
    first, second = (
        list(kmeans_seeds(matrix_nd, count_n, k=25, seeds=[0, 1], niter=5, levels=levels, device=device))
        for device in ("cpu", TORCH)
    )
    for one, other in zip(first, second, strict=True):
        assert one.cluster_n.tobytes() == other.cluster_n.tobytes()
        assert one.similarity_n.tobytes() == other.similarity_n.tobytes()


@pytest.mark.parametrize("exact_rows", [500, 10_000])
@pytest.mark.parametrize("neighbors", [1, 20])
def test_neighborhoods_are_the_same(any_device, monkeypatch, exact_rows, neighbors) -> None:
    monkeypatch.setattr(neighborhoods, "EXACT_ROWS", exact_rows)
    matrix_nd, count_n = rows(), np.arange(3_000) % 3
    matrix_nd[-500:] = matrix_nd[:500]
    one, other = (knn(matrix_nd, count_n, neighbors=neighbors, device=device) for device in ("cpu", TORCH))
    assert one.size_n.tobytes() == other.size_n.tobytes()
    assert one.figures == other.figures


def test_neighborhoods_of_close_calls_are_the_same() -> None:
    """Similarities that float32 can't tell from the least one."""
    angles = np.arccos(0.5 - 1e-5 + np.linspace(-3e-9, 3e-9, 200))
    rows_nd = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    one, other = (
        neighborhoods.Neighborhoods(np.eye(2, dtype=np.float32), np.array([3, 4]), np.array([0, 2]), 0.5, device)
        for device in ("cpu", TORCH)
    )
    assert one.sizes(rows_nd).tolist() == other.sizes(rows_nd).tolist()
    assert set(one.sizes(rows_nd)) == {4, 7}


def test_a_device_whose_products_are_of_tf32_is_refused(monkeypatch) -> None:
    exact = torch.Tensor.__matmul__
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: exact(a.bfloat16(), b.bfloat16()).float())
    with pytest.raises(InputError, match=r"^--device cpu: float32 products are not exact there; unset NVIDIA_TF32_OVE"):
        ProductsOnDevice(torch.device("cpu"))


def test_a_device_is_asked_for_its_only_warning_where_it_bothers_no_one(monkeypatch) -> None:
    """Torch warns once in a process, of the first product of a thread that CUDA doesn't know."""
    known, product = {threading.get_ident()}, torch.Tensor.__matmul__

    def on_cuda(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if threading.get_ident() not in known and len(known) == 1:
            known.add(threading.get_ident())
            warnings.warn("Attempting to run cuBLAS, but there was no current CUDA context! Attempting", stacklevel=1)
        return product(a, b)

    monkeypatch.setattr(torch.Tensor, "__matmul__", on_cuda)
    with warnings.catch_warnings(action="error"):
        products = ProductsOnDevice(torch.device("cpu"))
        with ThreadPoolExecutor(1) as pool, products.in_float32():
            pool.submit(products.two_best, *[torch.eye(2)] * 2).result()
    assert len(known) == 2


@SPHERICAL
def test_workers_hold_the_centroids_once_and_take_large_blocks(any_device, monkeypatch, spherical) -> None:
    held, compared = [], []
    hold, two_best = ProductsOnDevice.hold, ProductsOnDevice.two_best
    monkeypatch.setattr(ProductsOnDevice, "hold", lambda self, array: held.append(len(array)) or hold(self, array))
    monkeypatch.setattr(
        ProductsOnDevice, "two_best", lambda self, *of: compared.append(len(of[0])) or two_best(self, *of)
    )
    monkeypatch.setattr(products_module, "_DEVICE_WORKER_ROWS", 7_000)
    monkeypatch.setattr(lloyd, "BLOCK_ROWS", 100)
    monkeypatch.setattr(centroids, "BLOCK_ROWS", 100)
    kmeans(rows(20_000), np.arange(20_000) < 2_000, k=13, niter=1, spherical=spherical, device=TORCH)
    assert held.count(13) == (3 if spherical else 6)  # two to fit, and those found; half their squares
    assert compared.count(1_600) == 1 + 4 + 4 + 3  # of 2,000; 7,000; 7,000; and 6,000


def test_memory_that_a_device_takes_besides_is_counted(any_device, monkeypatch, tmp_path, write_artifact) -> None:
    needs = []
    monkeypatch.setattr(stage, "device_here", lambda device, engine: device)
    monkeypatch.setattr(stage, "products_on", products_module.products_on)
    monkeypatch.setattr(stage, "announce", lambda tell, need, folder: needs.append(need.memory))
    source = write_artifact(tmp_path / "e.parquet", {"sample_id": list("abcd"), "embedding": rows(4, 3).tolist()})
    for device in ("cpu", TORCH):
        cluster(source, tmp_path / f"{device}.parquet", k=2, device=device)
    assert needs[1] - needs[0] == 2**30
    assert (tmp_path / "cpu.parquet").read_bytes() == (tmp_path / f"{TORCH}.parquet").read_bytes()


def test_which_cells_rows_look_through_takes_a_bit_each(monkeypatch) -> None:
    monkeypatch.setattr(neighborhoods, "EXACT_ROWS", 500)
    matrix_nd = normalised(rows())
    around = neighborhoods.neighborhoods_of(matrix_nd, np.ones(3_000, dtype=np.int64), 0.8, matrix_nd[:50], TORCH)
    looks_cb = around._looks_through(torch.tensor(matrix_nd), map)
    assert (looks_cb.shape, looks_cb.itemsize) == ((28, 3_000), 1)  # of 219 cells
    reached_cb = NUMPY.reached(around.centroids_cd, neighborhoods._coarse(matrix_nd), around.reach)
    assert (np.unpackbits(looks_cb, axis=0, count=219, bitorder="little") == reached_cb).all()


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")]
)
def test_memory_that_is_not_enough_is_told(monkeypatch, refused, tmp_path, write_artifact, error) -> None:
    def fail(*_):
        raise error

    monkeypatch.setattr(CentroidFit, "fit_seeds", fail)
    source = write_artifact(tmp_path / "e.parquet", {"sample_id": list("abcd"), "embedding": rows(4, 3).tolist()})
    said = refused("cluster", source, "-o", tmp_path / "c.parquet", "--k", 2)
    assert said == "--device cpu: its memory is not enough, or in use by others; leave it out"


def test_other_errors_are_no_matter_of_memory() -> None:
    with pytest.raises(RuntimeError, match=r"^else$"), memory_of("cuda"):
        raise RuntimeError("else")


class Workers(Engine):
    """Workers elsewhere, that have GPUs."""

    def workers(self, load, **how):
        last = load.args[-1]
        self.__dict__["asked"] = (getattr(last, "device", last), how["device"])  # it is frozen
        raise InterruptedError


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(("method", "options"), [(kmeans, {"k": 3}), (knn, {"neighbors": 3})])
def test_workers_have_the_device_and_this_process_what_it_has(monkeypatch, method, options, device) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("pipelines.engines.engine.importlib.util.find_spec", lambda name: name)
    engine = Workers("ray")
    with pytest.raises(InterruptedError):
        method(rows(300), np.ones(300), engine=engine, device=device, **options)
    assert engine.asked == (device, device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_here(device, engine) == device


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("gpu", "--k", 2), "--device gpu: expected cpu, cuda or cuda:N"),
        (("mps", "--k", 2), "--device mps: expected cpu, cuda or cuda:N"),
        (("cuda:1", "--k", 2, "--engine", "ray"), "--device cuda:1: expected cpu or cuda with --engine ray"),
        (("cuda:77", "--k", 2), "--device cuda:77: can't be used here ("),
        (("cuda", "--method", "hdbscan"), "--device cuda: --method hdbscan is done on cores; leave it out"),
        (("cuda", "--sweep", "2,3"), "--device cuda: is for one clustering; leave it out with --sweep"),
    ],
)
def test_devices_that_are_refused(monkeypatch, refused, tmp_path, write_artifact, options, message) -> None:
    monkeypatch.setattr("pipelines.engines.engine.importlib.util.find_spec", lambda name: name)
    source = write_artifact(tmp_path / "e.parquet", {"sample_id": list("abcd"), "embedding": rows(4, 3).tolist()})
    assert refused("cluster", source, "-o", tmp_path / "c.parquet", "--device", *options).startswith(message)


def test_a_device_is_no_setting(tmp_path, write_artifact, monkeypatch) -> None:
    """What is up to date on one is on the other, even where it can't be used."""
    source = write_artifact(tmp_path / "e.parquet", {"sample_id": list("abcd"), "embedding": rows(4, 3).tolist()})
    assert not cluster(source, tmp_path / "c.parquet", k=2).up_to_date
    assert cluster(source, tmp_path / "c.parquet", k=2, device="cuda:77").up_to_date
