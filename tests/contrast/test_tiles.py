from types import SimpleNamespace

import pytest
import torch

from pipelines.contrast import info_nce, max_margin
from pipelines.contrast.relations import Relations
from pipelines.contrast.threads import slices
from pipelines.contrast.tiles import Tiling, choose_tile_size


@pytest.mark.parametrize(("length", "tile"), [(1, 1), (10, 3), (10, 10), (10, 64)])
def test_slices_cover_each_row_once(length: int, tile: int) -> None:
    rows = [row for part in slices(length, tile) for row in range(length)[part]]
    assert rows == list(range(length))


@pytest.mark.parametrize("offset", [0, 3, 7])
def test_diagonals_of_tiles_make_up_the_diagonal(offset: int) -> None:
    matrix = torch.arange(5 * 12).view(5, 12)
    tiling = Tiling(offset=offset)
    found = torch.full((5,), -1)
    for columns in slices(12, 5):
        for rows in slices(5, 2):
            view, where = tiling.diagonal(matrix[rows, columns], rows, columns)
            found[where] = view
    assert found.tolist() == [int(matrix[i, offset + i]) for i in range(5)]


def test_tiles_on_a_cpu_are_even_and_bounded() -> None:
    for longest in (1, 700, 769, 4096, 65_536):
        tile = choose_tile_size(torch.empty(1, 1), longest, torch.float32)
        count = -(-longest // tile)
        assert tile <= 720
        assert count * tile - longest < 16 * count


@pytest.mark.parametrize(("gib", "tile"), [(80, 8192), (16, 4096), (15, 3840), (0.5, 1024)])
def test_tiles_on_a_gpu_follow_from_its_memory(gib: float, tile: int, monkeypatch) -> None:
    """All of it, not what is free: a resumed run must sum in the order it began with."""
    device = SimpleNamespace(total_memory=int(gib * 2**30))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: device)
    embedding_nd = SimpleNamespace(device=torch.device("cuda"))
    assert choose_tile_size(embedding_nd, 100_000, torch.float32) == tile


def test_relations_count_and_sum_like_their_mask() -> None:
    generator = torch.Generator().manual_seed(0)
    media, text = torch.randint(6, (30,), generator=generator), torch.randint(6, (30,), generator=generator)
    value_md = torch.randn(30, 3, generator=generator).double()
    for groups in ((media, None), (None, text), (media, text)):
        relations = Relations(*groups)
        mask_mm = relations.mask(slice(0, 30), slice(0, 30))
        assert torch.equal(relations.count_m, mask_mm.sum(1))
        torch.testing.assert_close(relations.sum(value_md), mask_mm.double() @ value_md)


@pytest.mark.parametrize("loss", [info_nce, max_margin])
def test_no_tensor_approaches_n_times_n(loss: object) -> None:
    n = 1024
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, tuple) else (out,):
                if isinstance(tensor, torch.Tensor):
                    largest = max(largest, tensor.untyped_storage().nbytes() // tensor.element_size())
            return out

    media_nd, text_nd = torch.randn(n, 8, requires_grad=True), torch.randn(n, 8, requires_grad=True)
    with Watch():
        loss(media_nd, text_nd, 0.1, tile_size=128).backward()
    assert n * 8 <= largest <= 128 * 128
