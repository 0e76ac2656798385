"""Ranks in a big gallery, in blocks, against a plain NumPy ranking that sorts full matrices.

At MSCOCO's size (5,000 images, 25,000 captions, 512 dimensions, float32), where both fit: time and memory as ratios,
and the ranks of both compared. Then ours alone in a gallery of a million media. Each runs in its own process; memory
is the peak above what the inputs take.

    python benchmarks/big_gallery.py [--repeats 1]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
from figures import figure

from pipelines.scores import EmbeddingScores, retrieval_ranks

DIMENSION = 512
SIZES = {"coco": (5_000, 25_000), "million": (1_000_000, 1_000)}
NOISE = {"coco": 8.0, "million": 5.0}  # positives are hard to find, so that ranks differ


def make_inputs(size: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings of media and texts, and the medium of each text."""
    media, texts = SIZES[size]
    rng = np.random.default_rng(0)
    media_nd = rng.standard_normal((media, DIMENSION), dtype=np.float32)
    index_m = np.arange(texts) * media // texts
    text_md = media_nd[index_m] + NOISE[size] * rng.standard_normal((texts, DIMENSION), dtype=np.float32)
    return media_nd, text_md, index_m


def ours(media_nd: np.ndarray, text_md: np.ndarray, index_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    source = EmbeddingScores(media_nd, text_md)
    to_media, to_text = retrieval_ranks(source, index_m, np.arange(len(index_m)))
    return to_media.rank, to_text.rank


def plain(media_nd: np.ndarray, text_md: np.ndarray, index_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    media_nd = media_nd / np.linalg.norm(media_nd, axis=1, keepdims=True)
    text_md = text_md / np.linalg.norm(text_md, axis=1, keepdims=True)
    scores_nm = media_nd @ text_md.T
    to_media = 1 + np.argmax(np.argsort(-scores_nm.T, axis=1) == index_m[:, None], axis=1)
    own_nm = index_m[np.argsort(-scores_nm, axis=1)] == np.arange(len(media_nd))[:, None]
    return to_media, 1 + np.argmax(own_nm, axis=1)


def measure(name: str, size: str) -> dict[str, Any]:
    """One run in this process; its time, the growth of the peak memory, its ranks."""
    inputs = make_inputs(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    to_media, to_text = {"ours": ours, "plain": plain}[name](*inputs)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ranks = {"to_media": to_media.tolist(), "to_text": to_text.tolist()}
    return {"seconds": seconds, "mib": (peak - before) / 1024, "peak_mib": peak / 1024, **ranks}


def in_a_process(name: str, size: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--only", name, "--size", size]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1, help="runs of each, alternating; the median counts")
    parser.add_argument("--quick", action="store_true", help="without the gallery of a million")
    parser.add_argument("--only", choices=["ours", "plain"], help="one run in this process, as JSON")
    parser.add_argument("--size", choices=list(SIZES), default="coco")
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments.only, arguments.size)))
        return
    runs: dict[str, list[dict[str, Any]]] = {"plain": [], "ours": []}
    for _ in range(arguments.repeats):
        for name, results in runs.items():
            results.append(in_a_process(name, "coco"))
    middle = {
        (name, key): statistics.median(run[key] for run in results)
        for name, results in runs.items()
        for key in ("seconds", "mib")
    }
    print(f"{SIZES['coco'][0]:,} media x {SIZES['coco'][1]:,} texts, both directions")
    for name in runs:
        print(f"{name:>6}: {middle[name, 'seconds']:6.2f} s  {middle[name, 'mib']:7.0f} MiB")
    seconds, mib = ((middle["ours", key], middle["plain", key]) for key in ("seconds", "mib"))
    for key in ("to_media", "to_text"):  # float32 products may swap near ties
        one, other = np.array(runs["ours"][0][key]), np.array(runs["plain"][0][key])
        assert np.abs(one - other).max() <= 2, key
        assert (one == other).mean() > 0.98, key
    what, against = "ranks of 5,000 images and 25,000 captions", "NumPy that sorts the full matrix"
    figure(what, against, seconds[1] / seconds[0], "times as fast")
    figure(f"{what}, memory", against, mib[0] / mib[1], "of the memory")
    if arguments.quick:
        return
    million = in_a_process("ours", "million")
    media, texts = SIZES["million"]
    print(
        f"{media:,} media x {texts:,} texts, both directions; embeddings take {media * DIMENSION * 4 / 2**20:,.0f} MiB"
    )
    print(f"  ours: {million['seconds']:6.2f} s  {million['mib']:7.0f} MiB more, peak {million['peak_mib']:,.0f} MiB")
    print(f"  a full float32 matrix would take {media * texts * 4 / 2**20:,.0f} MiB, its argsort twice that")


if __name__ == "__main__":
    main()
