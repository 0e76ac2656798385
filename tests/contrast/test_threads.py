import multiprocessing
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from pipelines.contrast import info_nce, max_margin, sigmoid
from pipelines.contrast.threads import Turn, for_each, slices, walk_tiles

CPU = torch.device("cpu")


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def losses_and_gradients(loss, n: int) -> list[list[torch.Tensor]]:
    """The value and all gradients, on one thread, two and five."""
    found = []
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        generator = torch.Generator().manual_seed(0)
        media_nd, text_nd = (torch.randn(n, 40, generator=generator, requires_grad=True) for _ in range(2))
        level_n = torch.rand(n, generator=generator).add_(0.05).requires_grad_()
        value = loss(media_nd, text_nd, level_n)
        value.backward()
        found.append([value.detach(), media_nd.grad, text_nd.grad, level_n.grad])
        assert torch.get_num_threads() == count
    return found


@pytest.mark.parametrize("loss", [info_nce, max_margin, sigmoid])
@pytest.mark.parametrize("n", [1500, 2048])
def test_bits_of_many_tiles_do_not_depend_on_the_number_of_threads(loss, n: int, threads: None) -> None:
    first, *others = losses_and_gradients(loss, n)
    for other in others:
        assert all(torch.equal(one, same) for one, same in zip(first, other, strict=True))


@pytest.mark.parametrize("loss", [info_nce, max_margin, sigmoid])
@pytest.mark.parametrize("n", [300, 1100])
def test_few_tiles_are_the_same_within_rounding(loss, n: int, threads: None) -> None:
    first, *others = losses_and_gradients(loss, n)
    for other in others:
        torch.testing.assert_close(first, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("count", [1, 3])
def test_each_tile_is_visited_once_and_rows_take_their_turns_in_order(count: int, threads: None) -> None:
    torch.set_num_threads(count)
    order: dict[int, list[int]] = {start: [] for start in (0, 300, 600)}

    def visit(rows: slice, columns: slice, turn: Turn) -> None:
        with turn:
            order[rows.start].append(columns.start)

    walk_tiles(visit, 700, 1000, 300, CPU)
    assert list(order.values()) == [[0, 256, 512, 768]] * 3


@pytest.mark.parametrize("count", [1, 3])
def test_an_error_in_a_tile_ends_the_walk(count: int, threads: None) -> None:
    torch.set_num_threads(count)

    def visit(rows: slice, columns: slice, turn: Turn) -> None:
        if columns.start:
            raise RuntimeError("no memory")
        with turn:
            pass

    with pytest.raises(RuntimeError, match="no memory"):
        walk_tiles(visit, 600, 1200, 300, CPU)
    assert torch.get_num_threads() == count


def test_after_an_error_no_task_is_begun_or_left_running(threads: None) -> None:
    torch.set_num_threads(3)
    begun: list[int] = []

    def task(part: slice) -> None:
        begun.append(part.start)
        if part.start == 0:
            raise RuntimeError("no memory")
        time.sleep(0.2)
        begun.remove(part.start)

    with pytest.raises(RuntimeError, match="no memory"):
        for_each(task, slices(100, 1), CPU)
    assert begun == [0]
    assert torch.get_num_threads() == 3


def test_tasks_run_without_gradients_in_threads_of_their_own(threads: None) -> None:
    torch.set_num_threads(2)
    total = torch.ones(4, requires_grad=True)
    seen = torch.zeros(4)
    for_each(lambda part: seen[part].copy_(total[part] * torch.get_num_threads()), slices(4, 1), CPU)
    assert seen.tolist() == [1.0] * 4
    assert not seen.requires_grad


@pytest.mark.parametrize("loss", [info_nce, max_margin, sigmoid])
def test_inference_mode_holds_in_every_thread(loss, threads: None) -> None:
    torch.set_num_threads(2)
    media_nd, text_nd = torch.randn(600, 8), torch.randn(600, 8)
    expected = loss(media_nd, text_nd, 0.1)
    with torch.inference_mode():
        assert loss(torch.randn(600, 8), torch.randn(600, 8), 0.1).is_inference()
        assert loss(media_nd, text_nd, 0.1) == expected


@pytest.mark.slow
@pytest.mark.parametrize("loss", [info_nce, max_margin, sigmoid])
def test_a_compiled_loss_is_the_loss(loss, threads: None) -> None:
    torch.set_num_threads(2)
    media_nd, text_nd = (torch.randn(300, 8, requires_grad=True) for _ in range(2))
    expected = loss(media_nd, text_nd, 0.1)
    found = torch.compile(loss, backend="eager")(media_nd, text_nd, 0.1)
    found.backward()
    assert found == expected


def test_overlapping_walks_leave_the_number_of_threads(threads: None) -> None:
    """The one that began first ends first, while the other still keeps torch to one thread."""
    torch.set_num_threads(4)
    began, go_on = threading.Event(), threading.Event()

    def wait(_: slice) -> None:
        began.set()
        assert go_on.wait(60)

    found = []

    def walk() -> None:
        torch.set_num_threads(4)
        for_each(wait, slices(3, 1), CPU)
        found.append(torch.get_num_threads())

    other = threading.Thread(target=walk)
    other.start()
    assert began.wait(60)
    for_each(lambda part: go_on.set() if part.start else None, slices(4, 1), CPU)  # with threads of their own
    other.join()
    for_each(lambda _: found.append(torch.get_num_threads()), slices(3, 1), CPU)
    assert found == [4, 1, 1, 1]
    assert torch.get_num_threads() == 4


def test_few_parts_are_left_to_the_threads_of_torch(threads: None) -> None:
    torch.set_num_threads(3)
    found: list[int] = []
    for_each(lambda _: found.append(torch.get_num_threads()), slices(2, 1), CPU)
    walk_tiles(lambda *_: found.append(torch.get_num_threads()), 20, 20, 10, CPU)
    assert found == [3] * 6


def test_a_forked_process_has_threads_of_its_own(threads: None) -> None:
    """A pool of the process that it comes from has no threads there: waiting for them would not end."""
    torch.set_num_threads(2)
    for_each(lambda _: None, slices(4, 1), CPU)
    process = multiprocessing.get_context("fork").Process(target=for_each, args=(lambda _: None, slices(4, 1), CPU))
    process.start()
    process.join(300)
    assert process.exitcode == 0
