"""Speed and memory of the contrast losses, forward + backward, against the arithmetic floor and plain implementations.

    python benchmarks/contrast_losses.py            all tables (about three minutes on two cores)
    python benchmarks/contrast_losses.py --quick    the first tables only
    python benchmarks/contrast_losses.py --device cuda   those of a GPU only

The first tables compare everything with three bare matrix products of the same sizes (scores, and the gradients of both
sides), which no exact loss can avoid: at two sizes, with one thread and with two, alone and beside a process that
keeps a core busy. Small batches are compared with dense losses. Repeats of all candidates are interleaved in one
process, and medians reported. The last table is the growth with n, each size on a CPU in a process of its own, whose
peak memory beyond the inputs is read from the system (Linux).
On a machine with a GPU the same is printed for it.
"""

import argparse
import contextlib
import ctypes
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from figures import figure
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, relu, softplus

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also without the package installed

from pipelines.contrast import info_nce, max_margin, sigmoid
from pipelines.contrast.losses.sigmoid import FIRST_BIAS

Step = Callable[[], object]


def inputs(n: int, d: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    media_nd, text_nd = (torch.randn(n, d, device=device, requires_grad=True) for _ in range(2))
    return media_nd, text_nd, torch.rand(n, device=device) * 0.15 + 0.05


def dense_info_nce(media_nd: Tensor, text_nd: Tensor, temperature_n: Tensor) -> Tensor:
    scores_nn = normalize(media_nd, dim=1) @ normalize(text_nd, dim=1).T
    labels_n = torch.arange(len(scores_nn), device=scores_nn.device)
    both = (cross_entropy(side / temperature_n[:, None], labels_n) for side in (scores_nn, scores_nn.T))
    return sum(both) / 2


def dense_max_margin(media_nd: Tensor, text_nd: Tensor, margin_n: Tensor) -> Tensor:
    scores_nn = normalize(media_nd, dim=1) @ normalize(text_nd, dim=1).T
    n = len(scores_nn)
    bound_n1 = (margin_n - scores_nn.diagonal())[:, None]
    hinges_nn = relu(bound_n1 + scores_nn) + relu(bound_n1 + scores_nn.T)
    return hinges_nn.fill_diagonal_(0).sum() / (2 * n * (n - 1))


def expanded_max_margin(media_nd: Tensor, text_nd: Tensor, margin_n: Tensor) -> Tensor:
    """All pairs of both directions written out as vectors of length 2n^2, the positives removed by index."""
    scores_nn = normalize(media_nd, dim=1) @ normalize(text_nd, dim=1).T
    n = len(scores_nn)
    positive = scores_nn.diagonal()[:, None].expand(n, n).reshape(-1, 1).repeat(2, 1)
    negative = torch.cat([scores_nn.reshape(-1, 1), scores_nn.T.reshape(-1, 1)])
    margin = margin_n[:, None].expand(n, n).reshape(-1, 1).repeat(2, 1)
    off_diagonal = (1 - torch.eye(n, device=scores_nn.device)).reshape(-1, 1).repeat(2, 1)
    kept = torch.nonzero(off_diagonal.flatten()).flatten()
    positive, negative, margin = (torch.index_select(x, 0, kept) for x in (positive, negative, margin))
    return relu(margin - (positive - negative)).mean()


def dense_sigmoid(
    media_nd: Tensor, text_nd: Tensor, temperature_n: Tensor, bias: Tensor | float = FIRST_BIAS
) -> Tensor:
    scores_nn = normalize(media_nd, dim=1) @ normalize(text_nd, dim=1).T
    sign_nn = 2 * torch.eye(len(scores_nn), device=scores_nn.device) - 1
    return softplus(-sign_nn * (scores_nn / temperature_n[:, None] + bias)).sum() / len(scores_nn)


def floor(n: int, d: int, device: str) -> Step:
    left_nd, right_nd = torch.randn(n, d, device=device), torch.randn(n, d, device=device)
    scores_nn = torch.empty(n, n, device=device)
    first_nd, second_nd = torch.empty_like(left_nd), torch.empty_like(left_nd)

    def step() -> None:
        torch.mm(left_nd, right_nd.T, out=scores_nn)
        torch.mm(scores_nn, right_nd, out=first_nd)
        torch.mm(scores_nn.T, left_nd, out=second_nd)

    return step


def training_step(loss: Callable[..., Tensor], n: int, d: int, device: str) -> Step:
    media_nd, text_nd, value_n = inputs(n, d, device)

    def step() -> None:
        media_nd.grad = text_nd.grad = None
        loss(media_nd, text_nd, value_n).backward()

    return step


def seconds(step: Step, device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Processes that keep a core busy each."""
    line = [sys.executable, "-c", "while True: pass"]
    started = [subprocess.Popen(line) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def compare(n: int, d: int, device: str, repeats: int, *, plain: bool, busy: int = 0) -> None:
    """Print the time of the losses, and with ``plain`` that of plain implementations, in three bare products."""
    steps = {
        "three bare products": floor(n, d, device),
        "max-margin": training_step(max_margin, n, d, device),
        "InfoNCE": training_step(info_nce, n, d, device),
        "sigmoid": training_step(sigmoid, n, d, device),
    }
    if plain:
        steps["max-margin, dense"] = training_step(dense_max_margin, n, d, device)
        steps["max-margin, 2n^2 pairs"] = training_step(expanded_max_margin, n, d, device)
        steps["InfoNCE, dense"] = training_step(dense_info_nce, n, d, device)
        steps["sigmoid, dense"] = training_step(dense_sigmoid, n, d, device)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        seconds(step, device)
    with busy_processes(busy):
        for _ in range(repeats):
            for name, step in steps.items():
                times[name].append(seconds(step, device))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    base = medians.pop("three bare products")
    threads = torch.get_num_threads()
    where = f"n = {n:,}" + ("" if device == "cuda" else f", {threads} thread{'s' * (threads > 1)}")
    where += f", beside {busy} busy process" * (busy > 0)
    print(f"\n{device}, {where}, d = {d}, float32, forward + backward, medians of {repeats} interleaved repeats")
    print(f"three bare products: {base * 1e3:.1f} ms")
    for name, median in medians.items():
        figure(f"{name}, {where}", "three bare products", median / base)
    if plain:
        slower = medians["max-margin, 2n^2 pairs"] / medians["max-margin"]
        figure(f"writing out 2 n^2 pairs, as published code does, {where}", "our max-margin", slower)


def against_dense(n: int, d: int, repeats: int) -> None:
    """Print the time of the losses of a small batch, whose similarity matrix anybody would hold, in dense ones'."""
    pairs = {
        "max-margin": (max_margin, dense_max_margin),
        "InfoNCE": (info_nce, dense_info_nce),
        "sigmoid": (sigmoid, dense_sigmoid),
    }
    threads = torch.get_num_threads()
    print(f"\ncpu, n = {n:,}, {threads} threads, d = {d}, float32, medians of {repeats} interleaved repeats")
    for name, losses in pairs.items():
        steps = [training_step(loss, n, d, "cpu") for loss in losses]
        times = [[seconds(step, "cpu") for step in steps] for _ in range(repeats + 1)][1:]
        ours, dense = (statistics.median(each) for each in zip(*times, strict=True))
        figure(f"{name}, n = {n:,}, {threads} threads", "the same loss, dense", ours / dense)


def resident(kind: str) -> int:
    """Return this process's memory in bytes, now (VmRSS) or at its peak (VmHWM); Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))


def one_size(name: str, n: int, d: int, device: str) -> tuple[float, float]:
    """The seconds of a step and the peak memory beyond the inputs, in floats."""
    loss = {"max-margin": max_margin, "InfoNCE": info_nce, "sigmoid": sigmoid}[name]
    training_step(loss, 1024, d, device)()  # libraries load their parts on first use
    step = training_step(loss, n, d, device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        peak = torch.cuda.max_memory_allocated() - before
    else:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what the first step freed must not be reused unseen
        before = resident("VmRSS")
        step()
        peak = resident("VmHWM") - before
    return min(seconds(step, device) for _ in range(3)), peak / 4


def growth(sizes: list[int], d: int, device: str) -> None:
    print(f"\n{device}, d = {d}, float32: growth with n (memory: peak beyond the inputs, gradients included)")
    print(f"{'':12}{'n':>8}{'ms':>10}{'ns / n^2':>10}{'MiB':>9}{'floats / n':>12}{'floats / n^2':>14}")
    for name in ("max-margin", "InfoNCE", "sigmoid"):
        for n in sizes:
            if device == "cuda":
                taken, floats = one_size(name, n, d, device)
            else:
                command = [sys.executable, __file__, "--one", name, str(n), str(d)]
                out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
                taken, floats = float(out[0]), float(out[1])
            print(
                f"{name:12}{n:8}{taken * 1e3:10.1f}{taken * 1e9 / n**2:10.2f}{floats * 4 / 2**20:9.1f}"
                f"{floats / n:12.0f}{floats / n**2:14.3f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the first tables only")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="this only (default: also a GPU, if there is one)")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 16_384], help="pairs (default: 4096 16384)")
    parser.add_argument("--one", nargs=3, metavar=("LOSS", "N", "D"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, n, d = arguments.one
        print(*one_size(name, int(n), int(d), "cpu"))
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    if arguments.device != "cuda":
        for threads, busy in ((1, 0), (2, 0), (2, 1)):
            torch.set_num_threads(threads)
            for n in arguments.sizes:
                compare(n, 256, "cpu", arguments.repeats, plain=n <= 4096 and not busy, busy=busy)
        for n in (512, 1024, 2048):
            against_dense(n, 256, 5 * arguments.repeats)
        if not arguments.quick:
            growth([1024, 2048, 4096, 8192, 16_384, 32_768], 256, "cpu")
    if arguments.device == "cuda" or (arguments.device is None and torch.cuda.is_available()):
        print(f"\n{torch.cuda.get_device_name()}")
        for n in arguments.sizes:
            compare(n, 256, "cuda", arguments.repeats, plain=n <= 16_384)
        if not arguments.quick:
            growth([4096, 8192, 16_384, 32_768, 65_536], 256, "cuda")


if __name__ == "__main__":
    main()
